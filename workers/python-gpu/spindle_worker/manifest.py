"""The plane's manifest, made from the capabilities' own models."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from .capability import Capability, Ports

log = logging.getLogger("spindle.manifest")


def manifest(capabilities: Iterable[Capability], *, static: bool = False) -> dict[str, Any]:
    """:param static: ask nothing of this machine: every engine is not live, and the time is the epoch"""
    now = datetime.fromtimestamp(0, UTC) if static else datetime.now(UTC)
    return {
        "generatedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "capabilities": [_entry(capability, static) for capability in capabilities],
    }


def _entry(capability: Capability, static: bool) -> dict[str, Any]:
    ports, parameters = _split(capability.input)
    return {
        "id": capability.id,
        "label": capability.label,
        "description": capability.description,
        "version": capability.version,
        "plane": "python",
        "runtime": {
            "kind": capability.kind,
            "timeoutSeconds": capability.timeout_seconds,
            **({"stallSeconds": capability.stall_seconds} if capability.stall_seconds else {}),
            "concurrency": 1,
        },
        "handler": {"module": capability.run.__module__, "method": capability.run.__name__},
        "io": {"input": ports, "output": _split(capability.output)[0]},
        "parameters": parameters,
        "examples": [],
        "telemetry": {"emitsProgressEvents": True, "metrics": []},
        "security": {"requiresSecrets": False},
        "contracts": {"idempotent": capability.idempotent, "sideEffects": capability.side_effects},
        "category": capability.category,
        "keywords": capability.keywords,
        "docs": capability.docs or capability.description,
        "engines": [_engine(engine, static) for engine in capability.engines],
    }


def _engine(engine: Any, static: bool) -> dict[str, Any]:
    reason = "No worker has reported yet." if static else _why_not(engine)
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


def _why_not(engine: Any) -> str | None:
    """An engine that cannot be examined is not live, and keeps no other from being."""
    try:
        reason: str | None = engine.why_not()
    except Exception as error:
        log.warning("%s cannot be examined", engine.id, exc_info=True)
        return f"What it needs cannot be examined: {type(error).__name__}: {error}."
    return reason


def _split(model: type[Ports]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ports as one object schema; parameters as the seed's list."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    schema = _inlined(schema, schema.get("$defs", {}))
    required = schema.get("required", [])
    ports: dict[str, Any] = {}
    parameters: list[dict[str, Any]] = []
    for name, raw in schema.get("properties", {}).items():
        port = _plain(raw)
        if not port.pop("x-parameter", False):
            ports[name] = port
            continue
        default = {"default": port["default"]} if "default" in port else {}
        entry = {"name": name, "type": port.get("type", "string"), "description": port.get("description", "")}
        parameters.append({**entry, "required": name in required, **default, "schema": port})
    return {"type": "object", "required": [name for name in required if name in ports], "properties": ports}, parameters


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema without references: each port is read by itself, where nothing is beside it that it could refer to.

    :raises ValueError: if a model contains itself
    """
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _inlined(value, definitions) for key, value in schema.items() if key not in ("$ref", "$defs")}
    if not isinstance(reference := schema.get("$ref"), str):
        return rest
    name = reference.removeprefix("#/$defs/")
    if name not in definitions:
        raise ValueError(f"{name} contains itself, which the schema of a port cannot say.")
    others = {key: value for key, value in definitions.items() if key != name}
    return {**_inlined(definitions[name], others), **rest}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """`X | None` with default None is just an optional X."""
    choices = schema.get("anyOf")
    if choices and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        outer = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        if len(rest) == 1:
            return {**rest[0], **outer}
    return {key: value for key, value in schema.items() if key != "default" or value is not None}
