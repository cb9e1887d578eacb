"""The committed definitions of engines, with random weights instead of trained ones.

`python -m engine_tests.tiny FOLDER NAME...` makes them for a test that is not Python's, and prints the environment in which they are found.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spindle_worker.engine.definition import definition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import clean_environment
from spindle_worker.settings import PACKAGE_ROOT

OPTIONS: dict[str, dict[str, Any]] = {
    "f5-tts": {
        "architecture": {"dim": 64, "depth": 2, "heads": 2, "ff_mult": 2, "text_dim": 32, "text_mask_padding": True, "conv_layers": 1}
    },
    "realesrgan": {},
    "kokoro": {"voice": "af_heart", "language": "en-us"},
    "faster-whisper": {"computeType": "int8", "beamSize": 5},
}


def make(folder: Path, names: Iterable[str]) -> None:
    """An engine that is not installed yet is, by the product's own command; the weights go below SPINDLE_MODELS.

    :param folder: gets the definitions
    """
    shutil.copytree(PACKAGE_ROOT / "engines", folder)
    for name in sorted(names):
        options, committed = OPTIONS[name], definition(name)
        if committed.python.exists() is False or "packages" in (committed.why_not() or ""):
            engine_command("install", name)
        paths = {key: str(file.place) for key, file in committed.files.items()}
        script = PACKAGE_ROOT / "engine_tests" / f"tiny_{name.replace('-', '_')}.py"
        subprocess.run(
            [str(committed.python), str(script), json.dumps(paths), json.dumps(options)], check=True, env=clean_environment(), timeout=600
        )
        data = json.loads((PACKAGE_ROOT / "engines" / name / "engine.json").read_text())
        data["options"] = options
        for key, path in paths.items():
            data["files"][key] |= {"bytes": Path(path).stat().st_size, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
        (folder / name / "engine.json").write_text(json.dumps(data))


if __name__ == "__main__":
    home = Path(sys.argv[1])
    environment = {"SPINDLE_ENGINE_DEVICE": "cpu", "SPINDLE_MODELS": str(home / "models")}
    os.environ.update(environment)
    make(home / "definitions", sys.argv[2:])
    print(json.dumps({**environment, "SPINDLE_ENGINES": str(home / "definitions")}))
