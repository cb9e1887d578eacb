"""[E10] An engine that ends well without what it must give has failed, and is named with what is missing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from spindle_worker.capability import Capability, Engine, Ports
from spindle_worker.child.process import _actor, describe
from spindle_worker.context import TaskContext
from spindle_worker.engine.process import Engines, Launch
from spindle_worker.errors import EngineError
from spindle_worker.wire import Wire
from tests.runtime import Runtime


class Given(Ports):
    text: str = "x"


class Made(Ports):
    spoken_text: Annotated[str, Field(title="Spoken text")]
    seconds: Annotated[float, Field(title="Seconds")]
    note: str | None = None


MOODY = Launch(engine="moody", module="tests.programs.moody")
CAPABILITY = Capability(
    id="test.moody",
    label="Be moody",
    description="",
    version="1",
    category="Testing",
    input=Given,
    output=Made,
    run=lambda *_: Made(spoken_text="", seconds=0),
    kind="cpu",
    engines=[Engine(id="moody", label="Moody", draft=False, process=lambda: MOODY)],
)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


@pytest.fixture
def engines() -> Iterator[Engines]:
    engines = Engines()
    yield engines
    engines.end()


Run = Callable[[TaskContext, Any], Any]


def attempt(run: Run, runtime: Runtime, folder: Path, engines: Engines, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the child hands in for a task of a capability that does this."""
    body = json.dumps(given or {}).encode()
    runtime.objects["tasks/t/input"] = body
    ours, theirs = map(Wire, socket.socketpair())
    capability = dataclasses.replace(CAPABILITY, run=run)
    version = f"{capability.id}@{capability.version}"
    task = {"capability": version, "engine": "moody", "runtime": runtime.url, "task": "t", "token": "x", "folder": str(folder)}
    try:
        result: dict[str, Any] = _actor(capability, theirs, engines)({**task, "inputSha256": hashlib.sha256(body).hexdigest()})
        return result
    finally:
        ours.socket.close()
        theirs.socket.close()


def delegated(context: TaskContext, _: Given) -> Made:
    context.delegate({"mood": "calm"}, gives=["process", "spoken_text"], makes={"seconds": context.folder / "none.wav"})
    return Made(spoken_text="x", seconds=1)


def empty_file(context: TaskContext, _: Given) -> Made:
    target = context.folder / "empty.wav"
    target.touch()
    context.delegate({"mood": "calm"}, makes={"spoken_text": target})
    return Made(spoken_text="x", seconds=1)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (delegated, 'its output "Spoken text" is missing; its output "Seconds" is missing'),
        (empty_file, 'its output "Spoken text" is missing'),
        (lambda *_: Made.model_validate({"seconds": 1}), 'its output "Spoken text" is missing'),
        (lambda *_: Made.model_construct(spoken_text="x"), 'its output "Seconds" is missing'),
        (lambda *_: Made.model_validate({"spoken_text": "x", "seconds": "soon"}), 'its output "Seconds" is wrong (Input should be a valid'),
        (lambda *_: None, 'its output "Spoken text" is missing; its output "Seconds" is missing'),
    ],
    ids=["answer of its process", "file without bytes", "not given", "not set", "of another type", "nothing at all"],
)
def test_a_missing_output_is_the_engines_failure_and_nothing_is_handed_in(
    run: Run, words: str, runtime: Runtime, tmp_path: Path, engines: Engines
) -> None:
    with pytest.raises(EngineError) as caught:
        attempt(run, runtime, tmp_path, engines)
    message = describe(caught.value)["message"]
    assert message.startswith(f"The engine Moody of Be moody (test.moody) ended without an error, but {words}")
    assert "choose another one on the node" in message
    assert describe(caught.value)["code"] == "node.exception"


def test_an_input_that_does_not_fit_stays_the_users(runtime: Runtime, tmp_path: Path, engines: Engines) -> None:
    with pytest.raises(ValidationError) as caught:
        attempt(CAPABILITY.run, runtime, tmp_path, engines, {"text": 1})
    assert describe(caught.value)["code"] == "node.user_error"


def test_what_is_empty_was_given(runtime: Runtime, tmp_path: Path, engines: Engines) -> None:
    """An engine that heard nothing has answered; what an empty answer means is the capability's to say."""

    def run(context: TaskContext, _: Given) -> Made:
        answer = context.delegate({"mood": "empty"}, gives=["spoken_text", "seconds"])
        return Made(spoken_text=answer["spoken_text"], seconds=answer["seconds"])

    result = attempt(run, runtime, tmp_path, engines)
    assert result["output"] == {"spokenText": "", "seconds": 0.0}


def test_what_may_be_left_out_is_left_out(runtime: Runtime, tmp_path: Path, engines: Engines) -> None:
    result = attempt(CAPABILITY.run, runtime, tmp_path, engines)
    assert result == {"outcome": "succeeded", "output": {"spokenText": "", "seconds": 0.0}, "objects": []}
