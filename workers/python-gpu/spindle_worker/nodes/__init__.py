"""The capabilities, one file each."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ..capability import Capability


@cache
def capabilities() -> dict[str, Capability]:
    """The `capability` of every module here, by id; a module whose name begins with `_` has none.

    :raises ValueError: if a module has no capability, or two have the same id
    """
    found: dict[str, Capability] = {}
    files: dict[str, str] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith("_"):
            continue
        file = f"spindle_worker/nodes/{info.name}.py"
        module = importlib.import_module(f"{__name__}.{info.name}")
        capability = getattr(module, "capability", None)
        if not isinstance(capability, Capability):
            names = [name for name, value in vars(module).items() if isinstance(value, Capability)]
            other = f" It calls its Capability {names[0]}." if names else ""
            raise ValueError(f"{file} defines no node: write `capability = Capability(...)` (docs/adding-a-node.md).{other}")
        if capability.id in found:
            raise ValueError(f"{files[capability.id]} and {file} both define {capability.id}: give one of them another id.")
        found[capability.id] = capability
        files[capability.id] = file
    return dict(sorted(found.items()))
