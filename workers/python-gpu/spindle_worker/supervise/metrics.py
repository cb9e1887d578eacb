"""What the supervisor counts; served for Prometheus where SPINDLE_WORKER_METRICS_PORT says so."""

from __future__ import annotations

from prometheus_client import Counter, Histogram, start_http_server

TASKS = Counter("spindle_worker_tasks", "Tasks that ended here", ["capability", "engine", "outcome"])
TASK_SECONDS = Histogram(
    "spindle_worker_task_seconds", "How long tasks took", ["capability", "engine"], buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200)
)


def serve(port: int) -> None:
    """On this machine alone. :param port: 0 serves nothing"""
    if port:
        start_http_server(port, addr="127.0.0.1")
