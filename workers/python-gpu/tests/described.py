"""An engine of the tests: its program is tests/programs/moody.py, and its one model file has twelve bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from spindle_worker.engine.definition import EngineDefinition, definition

WEIGHTS = b"some weights"


def describe_engine(folder: Path, **other: Any) -> EngineDefinition:
    file = {
        "path": "moody/model.bin",
        "bytes": len(WEIGHTS),
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "licence": "CC-BY-NC-4.0",
        "commercial": False,
        "url": "https://example.org/model.bin",
    }
    data = {
        "label": "Moody",
        "description": "Does what it is asked to.",
        "module": "tests.programs.moody",
        "source": "https://example.org/moody",
        "imports": ["json"],
        "programs": {},
        "vramGigabytes": 4,
        "installedGigabytes": 0.001,
        "options": {},
        "files": {"model": file},
        **other,
    }
    home = folder / "engines" / "moody"
    home.mkdir(parents=True, exist_ok=True)
    (home / "engine.json").write_text(json.dumps(data))
    (home / "requirements.txt").write_text("# nothing\n")
    return definition("moody")


def put(engine: EngineDefinition, data: bytes = WEIGHTS) -> Path:
    place = engine.files["model"].place
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place
