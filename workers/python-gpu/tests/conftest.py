"""An engine in an environment of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from spindle_worker.engine.definition import EngineDefinition
from spindle_worker.engine.install import engine_command
from tests.described import describe_engine, put


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineDefinition:
    """One without packages, and with a small model file that is not there yet."""
    for name, folder in (("SPINDLE_ENGINES", "engines"), ("SPINDLE_ENGINE_CACHE", "cache"), ("SPINDLE_MODELS", "models")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.delenv("SPINDLE_ENGINE_DEVICE", raising=False)
    monkeypatch.setattr("spindle_worker.engine.definition.gpus", list)
    return describe_engine(tmp_path)


@pytest.fixture
def ready(engine: EngineDefinition, monkeypatch: pytest.MonkeyPatch) -> EngineDefinition:
    monkeypatch.setenv("SPINDLE_ENGINE_DEVICE", "cpu")
    put(engine)
    assert engine_command("install", "moody") == 0
    return engine
