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

from spindle_worker.bus import BadEntry, Bus, name
from spindle_worker.child.process import describe
from spindle_worker.context import TaskContext
from spindle_worker.contract.generated.constants import BUS, PORT_TYPES
from spindle_worker.contract.generated.models import TaskEntry
from spindle_worker.errors import InstallationError, RefusedError, TransientError, UserError
from spindle_worker.manifest import manifest
from spindle_worker.nodes import capabilities
from spindle_worker.wire import Wire

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
SCHEMA = json.loads((SCHEMAS / "capability/capability.schema.json").read_text())
VECTORS = json.loads((SCHEMAS / "tasks/vectors.json").read_text())


@pytest.mark.parametrize("entry", manifest(capabilities().values())["capabilities"], ids=lambda entry: entry["id"])
def test_every_manifest_entry_fits_the_schema_and_its_ports_are_schemas(entry: dict[str, object]) -> None:
    """[M1] Every entry has what the schema asks for."""
    Draft202012Validator(SCHEMA).validate(entry)
    for side in ("input", "output"):
        Draft202012Validator.check_schema(entry["io"][side])  # type: ignore[index]


def test_an_engine_that_cannot_run_says_why() -> None:
    """[M4] Drafts are labelled, and an engine that is not live has a reason."""
    for entry in manifest(capabilities().values())["capabilities"]:
        for engine in entry["engines"]:
            assert engine["live"] or engine["reason"]
    assert [engine.draft for engine in capabilities()["generate.f5_to_tts"].engines] == [False, True, True]


def test_failures_have_their_class() -> None:
    """[E10] The class of a failure decides whether there is another try."""

    class Model(BaseModel):
        x: int

    with pytest.raises(ValidationError) as invalid:
        Model.model_validate({"x": "no"})
    kinds = [
        describe(error)["class"]
        for error in (invalid.value, UserError("u"), TransientError("t"), MemoryError("m"), ValueError("v"), InstallationError("i"))
    ]
    assert kinds == ["user", "user", "transient", "oom", "user", "installation"]


@pytest.mark.parametrize(
    ("status", "kind", "code"), [(401, "infra", "task.refused"), (403, "infra", "task.refused"), (429, "transient", "node.exception")]
)
def test_what_the_runtime_refuses_is_no_passing_failure(status: int, kind: str, code: str, tmp_path: Path) -> None:
    """[A3, E10] A token that the runtime refuses is no reason to try five times."""
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
    """[W9] The local socket between supervisor and child."""
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
    """[W3] The same names as packages/task-bus makes of the same values."""
    about = {"plane": "python", "capability": "a.b", "version": "1", "engine": "gpu", "task": VECTORS["entry"]["task"], "worker": "w1"}
    assert {key: name(key, **about) for key in BUS["names"]} == VECTORS["names"]


class Answers:
    """Redis, as far as taking an entry goes."""

    def __init__(self, entry: dict[str, object]) -> None:
        self.entry = entry
        self.refused: list[object] = []

    def execute_command(self, *args: object) -> object:
        if args[1] == "spindle_take":
            return ["stream", "1-0", json.dumps(self.entry)]
        assert args[1:4] == ("spindle_refuse", 1, "spindle:results")
        return self.refused.append(args[4])


def claim(entry: dict[str, object], key: str = VECTORS["key"]) -> TaskEntry | None:
    bus = Bus("redis://127.0.0.1:1", "w1", key)
    bus.redis = Answers(entry)  # type: ignore[assignment]
    return bus.claim(["stream"])


def test_an_entry_is_taken_as_packages_task_bus_signs_it_and_as_nothing_else() -> None:
    """[W2] The signature covers every field, and only the worker key makes it."""
    entry = VECTORS["entry"]
    taken = claim(dict(reversed(entry.items())))
    assert taken is not None
    assert taken.model_dump(mode="json", by_alias=True) == entry
    for field in entry.keys() - {"sig"}:
        other = entry[field] + 1 if isinstance(entry[field], int) else f"{entry[field]}0"
        with pytest.raises(BadEntry):
            claim({**entry, field: other})
    for bad in ({"entry": entry, "key": "another key, long enough to be one"}, {"entry": {**entry, "sig": "0" * 64}}):
        with pytest.raises(BadEntry, match="signature"):
            claim(**bad)


def test_an_entry_that_is_refused_is_named_to_the_runtime() -> None:
    """[W2] Its stream and its id: the runtime reads it itself."""
    bus = Bus("redis://127.0.0.1:1", "w1", VECTORS["key"])
    answers = Answers({**VECTORS["entry"], "sig": "0" * 64})
    bus.redis = answers  # type: ignore[assignment]
    with pytest.raises(BadEntry):
        bus.claim(["stream"])
    assert answers.refused == ['["stream", "1-0"]']


def test_a_result_is_signed_as_the_runtime_compares_it() -> None:
    """[W6] Letter by letter, beyond ASCII too."""
    bus = Bus("redis://127.0.0.1:1", "w1", VECTORS["key"])
    assert bus.signature(VECTORS["result"]["text"]) == VECTORS["result"]["sig"]
    assert bus.signature(VECTORS["result"]["text"] + " ") != VECTORS["result"]["sig"]


def test_a_token_is_the_one_that_the_runtime_computes() -> None:
    """[A3] Of the worker key, the task and its fence."""
    bus = Bus("redis://127.0.0.1:1", "w1", VECTORS["key"])
    assert bus.token(VECTORS["entry"]["task"]) == VECTORS["token"]
    assert bus.token(VECTORS["entry"]["task"][:-1] + "9") != VECTORS["token"]


def test_port_types_are_those_of_the_schemas() -> None:
    """[G3] One table for both languages."""
    assert json.loads((SCHEMAS / "port-types.json").read_text())["types"] == PORT_TYPES
