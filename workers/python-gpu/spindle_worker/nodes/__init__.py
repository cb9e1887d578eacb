"""The capabilities, one file each."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from ..capability import Capability

FOLDER = "spindle_worker/nodes"


@cache
def capabilities() -> dict[str, Capability]:
    """The `capability` of every module here, by id; a module whose name begins with `_` has none.

    :raises ValueError: if a module has no capability, two have the same id, or a file is no module
    """
    for folder in __path__:
        refuse_misnamed(Path(folder))
    found: dict[str, Capability] = {}
    files: dict[str, str] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith("_"):
            continue
        file = f"{FOLDER}/{info.name}.py"
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


def refuse_misnamed(folder: Path) -> None:
    """:raises ValueError: if a file is no module, so that a node in it would be missed without a word"""
    modules = {info.name for info in pkgutil.iter_modules([str(folder)])}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        top = name.parts[0]
        is_other = path.suffix.lower() != ".py" or top.startswith(("_", "."))
        if is_other or (path.stem if top == name.name else top) in modules:
            continue
        if top == name.name:
            stem = path.stem.replace(".", "_")
            raise ValueError(f"{FOLDER}/{name} is no node under this name: call it {stem}.py, or _{stem}.py if it only helps others.")
        where = f"{FOLDER}/{name} is no node in a subfolder"
        raise ValueError(f"{where}: move it to {FOLDER}/{path.name}, or call the folder _{top} if it only helps others.")
