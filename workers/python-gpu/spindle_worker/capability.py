"""What a capability is: Pydantic models for input and output, engines, and a function. One file each, in `nodes/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel

from .context import TaskContext
from .contract.generated.constants import PORT_TYPES
from .contract.generated.models import ArtifactRef
from .engine.definition import definition
from .engine.process import Launch
from .errors import InstallationError
from .settings import engine_device


def _artifact(port_type: str) -> WithJsonSchema:
    if PORT_TYPES[port_type]["kind"] != "artifact":
        raise ValueError(f"Ports of type {port_type} carry values, not artifacts.")
    return WithJsonSchema({"type": "object", "x-artifact": port_type})


Image = Annotated[ArtifactRef, _artifact("image")]
Audio = Annotated[ArtifactRef, _artifact("audio")]
Video = Annotated[ArtifactRef, _artifact("video")]

PARAMETER = {"x-parameter": True}
"""`Field(json_schema_extra=PARAMETER)`: a parameter of the node, not a port."""


class Ports(BaseModel):
    """Base of every input and output: `snake_case` here, `camelCase` on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


@dataclass(frozen=True)
class Engine:
    """One way to do it.

    :param why_not: says why it cannot run here now, or None
    :param process: how its own process is started, if it has one
    :param broken: is called with what was wrong when its installation turned out to be broken
    :param licence: of its weights
    """

    id: str
    label: str
    draft: bool
    description: str = ""
    why_not: Callable[[], str | None] = lambda: None
    process: Callable[[], Launch] | None = None
    broken: Callable[[str], None] = lambda _: None
    licence: str = ""
    commercial: bool = True


@dataclass(frozen=True)
class Capability:
    """A manifest entry and its handler."""

    id: str
    label: str
    description: str
    version: str
    category: str
    input: type[Ports]
    output: type[Ports]
    run: Callable[[TaskContext, Any], Ports]
    kind: Literal["cpu", "gpu"]
    engines: list[Engine]
    keywords: list[str] = field(default_factory=list)
    docs: str = ""
    timeout_seconds: int = 0
    stall_seconds: float = 0
    """How long it may go without progress before it is ended and tried again; 0: no limit."""
    idempotent: bool = False
    side_effects: str = "none"


def installed(name: str) -> Engine:
    """The engine that `engines/NAME` describes, with packages and a process of its own. A bad definition costs that engine alone."""
    try:
        data = definition(name)
    except (InstallationError, FileNotFoundError) as error:
        return _unreadable(name, str(error))
    on_cpu = engine_device() == "cpu" and data.vram_gigabytes > 0
    return Engine(
        id=name,
        label=f"{data.label} on the CPU (slow)" if on_cpu else data.label,
        draft=data.draft is True,
        description=data.description,
        why_not=data.why_not,
        process=data.launch,
        broken=data.mark_broken,
        licence=data.licence,
        commercial=data.commercial,
    )


def _unreadable(name: str, reason: str) -> Engine:
    def launch() -> Launch:
        raise InstallationError(reason)

    return Engine(id=name, label=name, draft=False, why_not=lambda: reason, process=launch)
