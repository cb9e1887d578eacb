"""Manifest, error classes and the wire between supervisor and child."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from spindle_worker.bus import name
from spindle_worker.capability import RefusedError, TransientError, UserError
from spindle_worker.child.context import TaskContext
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


@pytest.mark.parametrize(
    ("status", "kind", "code"), [(401, "infra", "task.refused"), (403, "infra", "task.refused"), (429, "transient", "node.exception")]
)
def test_what_the_runtime_refuses_is_no_passing_failure(status: int, kind: str, code: str, tmp_path: Path) -> None:
    asked: list[str] = []

    class Runtime(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    task = {"engine": "e", "runtime": f"http://127.0.0.1:{server.server_port}", "task": "t", "token": "x"}
    left, _ = socket.socketpair()
    try:
        with pytest.raises((RefusedError, TransientError)) as caught:
            TaskContext(task, Wire(left), tmp_path).input("0" * 64)
    finally:
        server.shutdown()
        server.server_close()
    failure = describe(caught.value)
    assert (failure["class"], failure["code"]) == (kind, code)
    assert f"was answered {status}" in failure["message"]
    assert asked == ["/tasks/t/input"]


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
