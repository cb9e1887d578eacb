"""The plane's manifest, made from the capabilities' own models."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import UTC, datetime
from functools import cache
from typing import Any

from . import nodes
from .capability import Capability, Ports


@cache
def capabilities() -> dict[str, Capability]:
    """Every module in `nodes/` that has a `capability`, by id. :raises ValueError: if two have the same id"""
    found: dict[str, Capability] = {}
    for info in pkgutil.iter_modules(nodes.__path__):
        one = getattr(importlib.import_module(f"{nodes.__name__}.{info.name}"), "capability", None)
        if not isinstance(one, Capability):
            continue
        if one.id in found:
            raise ValueError(f"Two files define {one.id}.")
        found[one.id] = one
    return dict(sorted(found.items()))


def manifest(*, static: bool = False) -> dict[str, Any]:
    """:param static: ask nothing of this machine: every engine is not live, and the time is the epoch"""
    now = datetime.fromtimestamp(0, UTC) if static else datetime.now(UTC)
    return {
        "generatedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "capabilities": [_entry(one, static) for one in capabilities().values()],
    }


def _entry(one: Capability, static: bool) -> dict[str, Any]:
    ports, parameters = _split(one.input)
    return {
        "id": one.id,
        "label": one.label,
        "description": one.description,
        "version": one.version,
        "plane": "python",
        "runtime": {
            "kind": one.kind,
            "timeoutSeconds": one.timeout_seconds,
            **({"stallSeconds": one.stall_seconds} if one.stall_seconds else {}),
            "concurrency": 1,
        },
        "handler": {"module": one.run.__module__, "method": one.run.__name__},
        "io": {"input": ports, "output": _split(one.output)[0]},
        "parameters": parameters,
        "examples": [],
        "telemetry": {"emitsProgressEvents": True, "metrics": []},
        "security": {"requiresSecrets": False},
        "contracts": {"idempotent": one.idempotent, "sideEffects": one.side_effects},
        "category": one.category,
        "keywords": one.keywords,
        "docs": one.docs or one.description,
        "engines": [_engine(engine, static) for engine in one.engines],
    }


def _engine(engine: Any, static: bool) -> dict[str, Any]:
    reason = "No worker has reported yet." if static else engine.why_not()
    entry = {
        "id": engine.id,
        "label": engine.label,
        "description": engine.description,
        "plane": "python",
        "draft": engine.draft,
        "live": reason is None,
        **({"licence": engine.licence, "commercial": engine.commercial} if engine.licence else {}),
    }
    return entry if reason is None else {**entry, "reason": reason}


def _split(model: type[Ports]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ports as one object schema; parameters as the seed's list."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    required = schema.get("required", [])
    ports: dict[str, Any] = {}
    parameters: list[dict[str, Any]] = []
    for name, raw in schema.get("properties", {}).items():
        one = _plain(raw)
        if not one.pop("x-parameter", False):
            ports[name] = one
            continue
        default = {"default": one["default"]} if "default" in one else {}
        entry = {"name": name, "type": one.get("type", "string"), "description": one.get("description", "")}
        parameters.append({**entry, "required": name in required, **default, "schema": one})
    return {"type": "object", "required": [name for name in required if name in ports], "properties": ports}, parameters


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """`X | None` with default None is just an optional X."""
    choices = schema.get("anyOf")
    if choices and {"type": "null"} in choices:
        rest = [one for one in choices if one != {"type": "null"}]
        outer = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        if len(rest) == 1:
            return {**rest[0], **outer}
    return {key: value for key, value in schema.items() if key != "default" or value is not None}
