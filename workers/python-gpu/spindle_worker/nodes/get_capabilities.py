"""What this plane offers, asked of itself. Runs beside the device slots, so it never waits for one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ..capability import Capability, Engine, Ports
from ..context import TaskContext
from ..manifest import manifest
from . import capabilities


class InfoInput(Ports):
    include_schema: Annotated[bool, Field(title="With schemas")] = True


class InfoOutput(Ports):
    plane: str
    generated_at: str
    capabilities: Annotated[list[dict[str, Any]], Field(title="Capabilities")]


def get_capabilities(_context: TaskContext, values: InfoInput) -> InfoOutput:
    current = manifest(capabilities().values())
    entries = current["capabilities"]
    if not values.include_schema:
        entries = [{key: value for key, value in entry.items() if key not in ("io", "parameters")} for entry in entries]
    return InfoOutput(plane="python", generated_at=current["generatedAt"], capabilities=entries)


capability = Capability(
    id="info.get_capabilities",
    label="List worker capabilities",
    description="Answers with the Python plane's manifest.",
    version="2025.02.0",
    category="Info",
    keywords=["manifest", "workers"],
    input=InfoInput,
    output=InfoOutput,
    run=get_capabilities,
    kind="cpu",
    engines=[Engine(id="default", label="Built in", draft=False)],
    timeout_seconds=60,
    idempotent=False,
    side_effects="read-only",
)
