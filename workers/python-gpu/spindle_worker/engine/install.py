"""`spindle engine list | install | check | remove | report`: an engine's packages in an environment of its own."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..device import gpus, lock
from ..errors import (
    EngineEndedError,
    EngineError,
    InstallationError,
    TransientError,
    UserError,
    install_again,
    is_out_of_memory,
    is_passing,
)
from ..settings import engine_cache, engines_folder, models_folder
from .definition import EngineDefinition, definition, names
from .process import Engines, Launch, Listener, clean_environment


def engine_command(command: str, name: str | None) -> int:
    """:returns: the exit code"""
    if not names():
        return _refuse(f"{engines_folder()} holds no engine. Set SPINDLE_ENGINES to a folder of definitions, or unset it.")
    if not models_folder().is_absolute():
        return _refuse(f"SPINDLE_MODELS is {str(models_folder())!r}, but has to be an absolute path.")
    try:
        if command == "list" or name is None:
            return _list()
        return {"install": install, "check": check, "remove": remove, "report": report}[command](definition(name))
    except FileNotFoundError as error:
        return _refuse(f"There is no engine {name}. There are: {', '.join(names())}." if name not in names() else str(error))
    except (InstallationError, OSError) as error:
        return _refuse(str(error))


def install(engine: EngineDefinition) -> int:
    """Makes the environment anew, and says at the end what else is missing. One that does not import is not installed.

    :returns: 0 once the packages are installed, whatever else is missing
    """
    engine_cache().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(engine_cache()).free / 1e9
    if free < engine.installed_gigabytes:
        return _refuse(f"{engine.label} needs {engine.installed_gigabytes:g} GB in {engine_cache()}, and {free:.1f} GB are free.")
    stamp = engine.stamp()
    with _only_here(engine), _kept_on_failure(engine):
        print(f"Installing {engine.label} ({engine.installed_gigabytes:g} GB) into {engine.environment}", flush=True)
        steps = (
            [sys.executable, "-m", "venv", "--without-pip", str(engine.environment)],
            [
                *(sys.executable, "-m", "pip", "--python", str(engine.python), "install"),
                *("--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet", "-r", str(engine.requirements)),
            ],
        )
        for step in steps:
            if subprocess.run(step, check=False).returncode != 0:
                return _refuse(f"{engine.label} could not be installed: see above. A working installation that was there before is kept.")
        if broken := _import_failure(engine):
            return _refuse(f"The packages of {engine.label} are installed and cannot be imported:\n{broken}")
        (engine.environment / "installed").write_text(stamp)
    print(f"The packages of {engine.label} are installed.")
    _say_missing(engine)
    return 0


def check(engine: EngineDefinition) -> int:
    """Imports the packages, compares the files with their hashes, and loads the model where there is a device for it."""
    was = engine.forget_broken()
    if _say_missing(engine) != 0:
        engine.mark_broken(was)
        return 1
    if broken := _import_failure(engine):
        last = broken.splitlines()[-1]
        error = Exception(last)
        engine.mark_broken(was if is_out_of_memory(error) or is_passing(error) else last)
        return _refuse(f"The packages of {engine.label} cannot be imported:\n{broken}\n{install_again(engine.name)}")
    print("Its packages can be imported.")
    try:
        launch = engine.launch()
        with _device(launch) as held:
            seconds = _load(launch, held)
    except InstallationError as error:
        engine.mark_broken(error.cause)
        return _refuse(f"{engine.label} does not load. {error}")
    except (UserError, EngineError, EngineEndedError, MemoryError, TransientError) as error:
        engine.mark_broken(was)  # a file, the machine's trouble or a process that was killed says nothing of the packages
        return _refuse(str(error) if isinstance(error, UserError) else f"{engine.label} could not be loaded this time: {error}")
    print(f"Its files are the right ones, and it loads in {seconds:.1f} s.")
    return 0


def _load(launch: Launch, held: list[int]) -> float:
    """:returns: how many seconds it took"""
    began = time.monotonic()
    engines = Engines(held)
    try:
        engines.load(launch, Listener(progress=lambda _: None, preview=lambda *_: None))
    finally:
        engines.end()
    return time.monotonic() - began


@contextmanager
def _device(launch: Launch) -> Iterator[list[int]]:
    """The GPU that nobody else uses, as a worker has it (DESIGN W9): its lock's descriptor. :raises UserError: if there is none"""
    if launch.setup["device"] == "cpu":
        yield []
        return
    for uuid in gpus():
        if (handle := lock(uuid)) is None:
            continue
        before = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = uuid
        try:
            yield [handle.fileno()]
        finally:
            os.environ.pop("CUDA_VISIBLE_DEVICES")
            if before is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = before
            handle.close()
        return
    raise UserError("A worker uses the GPU, so the model is not loaded beside it. Stop Spindle, and check again.")


def remove(engine: EngineDefinition) -> int:
    """The packages. The model files stay: they may be another program's too."""
    with _only_here(engine):
        shutil.rmtree(engine.environment, ignore_errors=True)
    print(f"The packages of {engine.label} are removed.")
    for file in engine.files.values():
        if file.place.exists():
            print(f"Its file stays: {file.place}")
    return 0


def report(engine: EngineDefinition) -> int:
    """What a person sends who ran it on a GPU: what it ran on, and whether it loads. Nothing of what was made with it."""
    print(f"engine: {engine.name}, definition {engine.stamp()[:12]}")
    print(f"system: {platform.platform()}, Python {platform.python_version()}")
    print(f"device: {_gpu_names() or 'no NVIDIA GPU'}")
    if engine.python.exists():
        code = "from importlib.metadata import distributions\nprint(', '.join(sorted(f'{d.name} {d.version}' for d in distributions())))"
        found = subprocess.run([str(engine.python), "-c", code], capture_output=True, text=True, check=False, env=clean_environment())
        print(f"packages: {found.stdout.strip()}")
    return check(engine)


def _list() -> int:
    print(f"Definitions: {engines_folder()}. Environments: {engine_cache()}. Models: {models_folder()}.")
    for name in names():
        try:
            engine = definition(name)
            missing = engine.missing()
        except (InstallationError, OSError) as error:
            print(f"{name:12} cannot be examined: {error}")
            continue
        use = "" if engine.commercial else ", no commercial use"
        print(f"{engine.name:12} {engine.label}, {_memory(engine)}, licence {engine.licence}{use}")
        print(f"{'':12} {'ready' if not missing else 'missing: ' + '; '.join(missing)}")
    return 0


def _memory(engine: EngineDefinition) -> str:
    return f"{engine.vram_gigabytes:g} GB of GPU memory" if engine.vram_gigabytes else "on the CPU"


def _say_missing(engine: EngineDefinition) -> int:
    missing = engine.missing()
    if not missing:
        return 0
    print(f"{engine.label} is not ready. Missing:")
    for entry in missing:
        print(f"- {entry}")
    if not engine.commercial and any(file.whats_wrong() for file in engine.files.values()):
        print(f"Licence: {engine.licence}. No commercial use.")
    return 1


def _import_failure(engine: EngineDefinition) -> str | None:
    """The end of what Python says, or None."""
    code = "\n".join(f"import {module}" for module in engine.imports)
    try:
        done = subprocess.run([str(engine.python), "-c", code], capture_output=True, text=True, check=False, env=clean_environment())
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else "\n".join(done.stderr.strip().splitlines()[-20:]) or f"Python ended with {done.returncode}."


def _gpu_names() -> str:
    if not gpus():
        return ""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    return "; ".join(subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip().splitlines())


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


@contextmanager
def _kept_on_failure(engine: EngineDefinition) -> Iterator[None]:
    """Makes room for a new environment. The one that works comes back unless the new one is installed, whatever ends it."""
    before = engine_cache() / f".{engine.name}.before"
    if (engine.environment / "installed").is_file() and not (engine.environment / "broken").exists():
        shutil.rmtree(before, ignore_errors=True)
        engine.environment.rename(before)
    shutil.rmtree(engine.environment, ignore_errors=True)
    try:
        yield
    finally:
        if (engine.environment / "installed").is_file():
            shutil.rmtree(before, ignore_errors=True)
        elif before.is_dir():
            shutil.rmtree(engine.environment, ignore_errors=True)
            before.rename(engine.environment)


@contextmanager
def _only_here(engine: EngineDefinition) -> Iterator[None]:
    """Two installations of one engine at a time would mix their files."""
    engine_cache().mkdir(parents=True, exist_ok=True)
    with Path(engine_cache() / f".{engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
