"""Each engine with its real packages, on the CPU, with random weights that are made here. `npm test -- --engines` runs these alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from spindle_worker.engine.definition import EngineDefinition, definition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import Engines, clean_environment
from spindle_worker.settings import PACKAGE_ROOT
from tests.runtime import Attempt, Runtime

TINY = {
    "f5-tts": {
        "architecture": {"dim": 64, "depth": 2, "heads": 2, "ff_mult": 2, "text_dim": 32, "text_mask_padding": True, "conv_layers": 1}
    },
    "realesrgan": {},
    "kokoro": {"voice": "af_heart", "language": "en-us"},
    "faster-whisper": {"computeType": "int8", "beamSize": 5},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", help="only the tests that need this engine and no other")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--engine")
    if wanted and wanted not in TINY:
        raise pytest.UsageError(f"There is no engine {wanted}. There are: {', '.join(TINY)}.")
    if wanted:
        items[:] = [item for item in items if {name for mark in item.iter_markers("needs") for name in mark.args} == {wanted}]


@pytest.fixture(scope="session", autouse=True)
def tiny_engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The committed definitions, with other weights; an engine that is not installed yet is, by the product's own command.

    Only those that a selected test needs: a part of the suite is run without the others' gigabytes.
    """
    needed = {name for item in request.session.items for mark in item.iter_markers("needs") for name in mark.args}
    folder = tmp_path_factory.mktemp("engines")
    patch = pytest.MonkeyPatch()
    patch.setenv("SPINDLE_ENGINE_DEVICE", "cpu")
    patch.setenv("SPINDLE_MODELS", str(folder / "models"))
    shutil.copytree(PACKAGE_ROOT / "engines", folder / "definitions")
    for name in sorted(needed):
        options, committed = TINY[name], definition(name)
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
        (folder / "definitions" / name / "engine.json").write_text(json.dumps(data))
    patch.setenv("SPINDLE_ENGINES", str(folder / "definitions"))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def f5(tiny_engines: None) -> EngineDefinition:
    return definition("f5-tts")


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One child's: the chain of engines runs in it, test after test."""
    engines = Engines()
    yield engines
    engines.end()


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


@pytest.fixture
def attempt(runtime: Runtime, engines: Engines, tmp_path: Path) -> Attempt:
    (tmp_path / "task").mkdir()
    return Attempt(runtime, tmp_path / "task", engines)
