"""A task that waits and says how far it is: for trying graphs and the bus."""

from __future__ import annotations

import time
from typing import Annotated, Any

from pydantic import Field

from ..capability import PARAMETER, Capability, Engine, Image, Ports
from ..context import TaskContext
from ..engine.process import Launch


class DummyInput(Ports):
    value: Annotated[Any, Field(title="Value", description="Comes out again unchanged.")] = None
    image: Annotated[Image | None, Field(title="Image", description="Is fetched, and stored anew.")] = None
    preset: Annotated[str, Field(json_schema_extra=PARAMETER, description="A label; it changes nothing.", max_length=100)] = ""
    seconds: Annotated[float, Field(json_schema_extra=PARAMETER, ge=0, le=3600, description="How long it waits.")] = 0.4
    silent: Annotated[bool, Field(json_schema_extra=PARAMETER, description="Reports no progress, as if it hung.")] = False


class DummyOutput(Ports):
    value: Annotated[Any, Field(title="Value")] = None
    image: Annotated[Image | None, Field(title="Image")] = None
    waited: Annotated[float, Field(title="Waited", description="Seconds.")]


def dummy_task(context: TaskContext, values: DummyInput) -> DummyOutput:
    if context.engine == "process":
        waited = float(context.delegate({"seconds": values.seconds, "silent": values.silent}, gives=["waited"])["waited"])
    else:
        waited = _wait(context, values)
    context.progress(1.0)
    if values.seconds > 0:
        print(f"Waited {waited:.3f} s.")
    image = values.image and context.put(context.fetch(values.image), values.image.mime)
    return DummyOutput(value=values.value, image=image, waited=round(waited, 3))


def _wait(context: TaskContext, values: DummyInput) -> float:
    start = time.monotonic()
    while (waited := time.monotonic() - start) < values.seconds:
        if not values.silent:
            context.progress(waited / values.seconds, note=f"{waited:.1f} of {values.seconds:.1f} s")
        time.sleep(min(0.1, values.seconds - waited))
    return waited


capability = Capability(
    id="dummy.dummy_task",
    label="Wait",
    description="Waits for a while, reports progress and gives back what it got.",
    version="2026.01.0",
    category="Testing",
    keywords=["dummy", "sleep", "echo", "test"],
    input=DummyInput,
    output=DummyOutput,
    run=dummy_task,
    kind="gpu",
    engines=[
        Engine(id="default", label="Built in", draft=False),
        Engine(
            id="process",
            label="In a process of its own",
            draft=False,
            description="Waits where the GPU engines work: in a process that the worker starts and ends.",
            process=lambda: Launch(engine="process", module="spindle_worker.engine.programs.wait"),
        ),
    ],
    idempotent=False,  # its whole effect is the time it takes, which no cache can give
)
