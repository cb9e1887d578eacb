"""The environment, read once; everything else takes options."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

PACKAGE_ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseModel):
    """What the worker is told by its environment."""

    redis_url: str
    runtime_url: str
    worker_key: str
    models: Path
    device_slots: int
    metrics_host: str
    metrics_port: int
    publish_seconds: float = 1.0
    drain_seconds: float
    """How long what runs may go on once the worker is told to end; then it is handed back."""
    worker: str


def read_settings() -> Settings:
    """:raises KeyError: for a variable that is missing"""
    return Settings(
        redis_url=os.environ["REDIS_URL"],
        runtime_url=os.environ["SPINDLE_RUNTIME_URL"].rstrip("/"),
        worker_key=os.environ["SPINDLE_WORKER_KEY"],
        models=models_folder(),
        device_slots=int(os.environ.get("SPINDLE_DEVICE_SLOTS", "1")),
        drain_seconds=int(os.environ.get("SPINDLE_DRAIN_MS", "5000")) / 1000,
        metrics_host=os.environ.get("SPINDLE_METRICS_HOST", "127.0.0.1"),
        metrics_port=int(os.environ.get("SPINDLE_WORKER_METRICS_PORT", "0")),
        worker=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
    )


def models_folder() -> Path:
    """Where model files are looked for."""
    return Path(os.environ.get("SPINDLE_MODELS", Path.home() / ".cache" / "spindle" / "models"))


def engines_folder() -> Path:
    """Where the engines' definitions lie."""
    return Path(os.environ.get("SPINDLE_ENGINES", PACKAGE_ROOT / "engines"))


def engine_cache() -> Path:
    """Where the engines' environments are installed."""
    return Path(os.environ.get("SPINDLE_ENGINE_CACHE", PACKAGE_ROOT.parent.parent / ".cache" / "engines"))


def engine_device() -> Literal["cpu"] | None:
    """The CPU where SPINDLE_ENGINE_DEVICE allows it; otherwise a GPU is needed."""
    return "cpu" if os.environ.get("SPINDLE_ENGINE_DEVICE") == "cpu" else None
