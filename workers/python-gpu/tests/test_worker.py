"""Manifest, error classes and the wire between supervisor and child."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from spindle_worker.bus import name
from spindle_worker.capability import TransientError, UserError
from spindle_worker.child.process import describe
from spindle_worker.manifest import capabilities, manifest
from spindle_worker.wire import Wire

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "schemas/capability/capability.schema.json").read_text())


@pytest.mark.parametrize("entry", manifest()["capabilities"], ids=lambda entry: entry["id"])
def test_every_manifest_entry_fits_the_schema_and_its_ports_are_schemas(entry: dict[str, object]) -> None:
    Draft202012Validator(SCHEMA).validate(entry)
    for side in ("input", "output"):
        Draft202012Validator.check_schema(entry["io"][side])  # type: ignore[index]


def test_an_engine_that_cannot_run_says_why() -> None:
    for entry in manifest()["capabilities"]:
        for engine in entry["engines"]:
            assert engine["live"] or engine["reason"]
    assert [engine.draft for engine in capabilities()["generate.infinite_talk"].engines] == [False, True]


def test_failures_have_their_class() -> None:
    class Model(BaseModel):
        x: int

    with pytest.raises(ValidationError) as invalid:
        Model.model_validate({"x": "no"})
    kinds = [describe(error)["class"] for error in (invalid.value, UserError("u"), TransientError("t"), MemoryError("m"), ValueError("v"))]
    assert kinds == ["user", "user", "transient", "oom", "user"]


def test_wire_carries_messages_and_says_when_the_other_side_is_gone() -> None:
    left, right = map(Wire, socket.socketpair())
    sender = threading.Thread(target=lambda: (left.send({"type": "a", "text": "ä" * 100_000}), left.send({"type": "b"})))
    sender.start()
    assert right.receive(1) == {"type": "a", "text": "ä" * 100_000}
    assert right.receive(1) == {"type": "b"}
    assert right.receive(0.01) is None
    sender.join()
    left.socket.close()
    with pytest.raises(EOFError):
        right.receive(1)


def test_names_are_the_protocols() -> None:
    assert name("queue", plane="python", capability="c", engine="e") == "spindle:q:python:c:e"
