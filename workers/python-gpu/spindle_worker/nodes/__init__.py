"""The capabilities, one file each."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ..capability import Capability


@cache
def capabilities() -> dict[str, Capability]:
    """Every module here that has a `capability`, by id. :raises ValueError: if two have the same id"""
    found: dict[str, Capability] = {}
    for info in pkgutil.iter_modules(__path__):
        capability = getattr(importlib.import_module(f"{__name__}.{info.name}"), "capability", None)
        if not isinstance(capability, Capability):
            continue
        if capability.id in found:
            raise ValueError(f"Two files define {capability.id}.")
        found[capability.id] = capability
    return dict(sorted(found.items()))
