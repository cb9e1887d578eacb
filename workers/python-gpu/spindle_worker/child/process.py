"""The child: one Dramatiq worker with one thread, so that killing it hurts no other task."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage, Middleware, TimeLimit
from pydantic import ValidationError

from ..capability import Capability, Engine, Ports
from ..context import TaskContext
from ..crash_point import crash_point
from ..engine.process import Engines
from ..errors import (
    EngineEndedError,
    EngineError,
    InstallationError,
    OutputMissingError,
    RefusedError,
    TransientError,
    UserError,
    is_out_of_memory,
)
from ..log import open_log
from ..nodes import capabilities
from ..wire import Wire
from .broker import QUEUE, SocketBroker

PR_SET_PDEATHSIG = 1
NO_LIMIT_MS = 7 * 24 * 3600 * 1000


def serve(descriptor: int, held: Sequence[int]) -> int:
    """Runs tasks until the supervisor goes away.

    :param held: what every process on the device keeps open
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    open_log(logging.WARNING)
    logging.getLogger("dramatiq").setLevel(logging.CRITICAL)  # a failure goes to the runtime, with its trace
    wire = Wire(socket.socket(fileno=descriptor))
    broker = SocketBroker(wire, [TimeLimit(time_limit=NO_LIMIT_MS), CurrentMessage(), Report()])
    dramatiq.set_broker(broker)
    engines = Engines(held, lambda engine, seconds: wire.send({"type": "loaded", "engine": engine, "seconds": seconds}))
    for capability in capabilities().values():
        dramatiq.actor(actor_name=capability.id, queue_name=QUEUE, broker=broker)(_actor(capability, wire, engines))
    worker = dramatiq.Worker(broker, queues={QUEUE}, worker_threads=1, worker_timeout=200)
    worker.start()
    broker.closed.wait()
    os._exit(0)


def _actor(capability: Capability, wire: Wire, engines: Engines) -> Any:
    offered = {engine.id: engine for engine in capability.engines}

    def run(task: dict[str, Any]) -> dict[str, Any]:
        if task["capability"] != f"{capability.id}@{capability.version}":
            message = f"The task is for {task['capability']}, and this worker has version {capability.version}."
            return {"outcome": "returned", "error": {"class": "infra", "code": "task.wrong_version", "message": message}}
        engine = offered[task["engine"]]
        context = TaskContext(task, wire, Path(task["folder"]), engines, engine.process and engine.process())
        values = capability.input.model_validate(context.input(task["inputSha256"]))
        crash_point("beforeNode")
        try:
            output = _output(capability, engine, lambda: capability.run(context, values))
        except InstallationError as error:
            engine.broken(error.cause)
            raise
        crash_point("afterNode")
        return {"outcome": "succeeded", "output": output, "objects": context.objects}

    return run


def _output(capability: Capability, engine: Engine, run: Callable[[], Ports]) -> dict[str, Any]:
    """What the node gave, as it goes to the runtime. :raises EngineError: if a required output is missing or not what it must be"""
    fields = capability.output.model_fields
    wrong: dict[str, str] = {}
    try:
        given = run()
        output = given.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(given, capability.output) else {}
        wrong = {name: "is missing" for name, field in fields.items() if field.is_required() and (field.alias or name) not in output}
    except OutputMissingError as error:
        wrong = {name: "is missing" for name in error.outputs}
    except ValidationError as error:
        if error.title != capability.output.__name__:
            raise
        wrong = {str(one["loc"][0]): "is missing" if one["type"] == "missing" else f"is wrong ({one['msg']})" for one in error.errors()}
    if not wrong:
        return output
    names = {alias: name for name, field in fields.items() for alias in (name, field.alias or name)}
    listed = "; ".join(
        f'its output "{fields[names[name]].title or name}" {how}' if name in names else f"{name} {how}" for name, how in wrong.items()
    )
    raise EngineError(
        f"The engine {engine.label} of {capability.label} ({capability.id}) ended without an error, but {listed}. "
        "Nothing of it was kept. The fault is the engine's: choose another one on the node, or read the log of this try."
    )


class Report(Middleware):
    """Keeps what a task ended with until the broker acknowledges it."""

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None) -> None:
        broker.results[message.message_id] = result if exception is None else {"outcome": "failed", "error": describe(exception)}

    def after_skip_message(self, broker: Any, message: Any) -> None:
        broker.results[message.message_id] = {"outcome": "cancelled"}


def describe(error: BaseException) -> dict[str, Any]:
    """DESIGN E10: which class an exception belongs to."""
    if isinstance(error, ValidationError):
        words = "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()[:5])
        return {"class": "user", "code": "node.user_error", "message": words}
    if isinstance(error, UserError):
        return {"class": "user", "code": "node.user_error", "message": str(error)[:4000]}
    if isinstance(error, TransientError):
        return {"class": "transient", "code": "node.exception", "message": str(error)[:4000]}
    if isinstance(error, RefusedError):
        return {"class": "infra", "code": "task.refused", "message": str(error)[:4000]}
    if isinstance(error, InstallationError):
        return {"class": "installation", "code": "engine.broken", "message": str(error)[:4000]}
    if isinstance(error, EngineError):
        return {"class": "user", "code": "node.exception", "message": str(error)[:4000]}
    if isinstance(error, EngineEndedError):
        return {"class": "infra", "code": "task.crashed", "message": str(error)[:4000], "crashed": True}
    if is_out_of_memory(error):
        return {"class": "oom", "code": "node.exception", "message": f"Out of memory: {error}"[:4000]}
    where = "".join(traceback.format_exception(error)[-3:])
    return {
        "class": "user",
        "code": "node.exception",
        "message": f"{type(error).__name__}: {error}"[:4000],
        "details": {"traceback": where[-4000:]},
    }
