"""The environment, read once; everything else takes options."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

from pydantic import BaseModel


class Settings(BaseModel):
    """What the worker is told by its environment."""

    redis_url: str
    runtime_url: str
    worker_key: str
    models: Path
    device_slots: int
    metrics_port: int
    publish_seconds: float = 1.0
    worker: str


def read_settings() -> Settings:
    """:raises KeyError: for a variable that is missing"""
    return Settings(
        redis_url=os.environ["REDIS_URL"],
        runtime_url=os.environ["SPINDLE_RUNTIME_URL"].rstrip("/"),
        worker_key=os.environ["SPINDLE_WORKER_KEY"],
        models=models_folder(),
        device_slots=int(os.environ.get("SPINDLE_DEVICE_SLOTS", "1")),
        metrics_port=int(os.environ.get("SPINDLE_WORKER_METRICS_PORT", "0")),
        worker=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
    )


def models_folder() -> Path:
    """Where model files are looked for."""
    return Path(os.environ.get("SPINDLE_MODELS", Path.home() / ".cache" / "spindle" / "models"))
