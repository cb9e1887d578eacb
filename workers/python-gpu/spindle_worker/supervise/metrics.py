"""What the supervisor counts; served for Prometheus where SPINDLE_WORKER_METRICS_PORT says so."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..device import usage

SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200)
TASKS = Counter("spindle_worker_tasks", "Tasks that ended here", ["capability", "engine", "outcome"])
TASK_SECONDS = Histogram("spindle_worker_task_seconds", "How long tasks took", ["capability", "engine"], buckets=SECONDS)
TASKS_LOST = Counter("spindle_worker_tasks_lost", "Tasks that were taken from this worker while it had them", ["capability"])
CHILDREN = Counter("spindle_worker_child_starts", "Processes that were started to run nodes, by slot", ["slot"])
BUSY = Gauge("spindle_worker_slot_busy", "Whether a slot runs a task", ["slot"])
HELD = Gauge("spindle_worker_slot_device", "Whether a slot has its device for itself", ["slot"])
MODEL_LOADS = Counter("spindle_worker_model_loads", "Engines that were loaded with their models", ["engine"])
MODEL_LOAD_SECONDS = Histogram("spindle_worker_model_load_seconds", "How long it took to load them", ["engine"], buckets=SECONDS)
REDIS_ERRORS = Counter("spindle_worker_redis_errors", "Calls to Redis that failed, by who made them", ["part"])

for part in ("slot", "manifest", "bells", "report"):
    REDIS_ERRORS.labels(part)  # what has not happened is 0, and no series that is missing


class Devices(Collector):
    """Asks the driver at each scrape."""

    def collect(self) -> Iterable[Metric]:
        busy = GaugeMetricFamily("spindle_worker_device_utilization_ratio", "How much of the last second a GPU worked", labels=["device"])
        used = GaugeMetricFamily("spindle_worker_device_memory_used_bytes", "Memory of a GPU that is in use", labels=["device"])
        total = GaugeMetricFamily("spindle_worker_device_memory_bytes", "Memory of a GPU", labels=["device"])
        for device in usage():
            busy.add_metric([device.uuid], device.utilization)
            used.add_metric([device.uuid], device.memory_used)
            total.add_metric([device.uuid], device.memory)
        return [busy, used, total]


def serve(host: str, port: int) -> None:
    """:param port: 0 serves nothing"""
    if port:
        REGISTRY.register(Devices())
        start_http_server(port, addr=host)
