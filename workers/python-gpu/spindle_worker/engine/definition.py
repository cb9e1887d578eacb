"""What an engine needs, as data: `engines/NAME/engine.json` and `requirements.txt`. What is missing here is worked out from it."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from pathlib import Path

from pydantic import ValidationError

from ..contract.generated import models
from ..device import gpus
from ..errors import InstallationError, TransientError, UserError, is_passing
from ..settings import engine_cache, engine_device, engines_folder, models_folder
from .process import Launch

log = logging.getLogger("spindle.engine")

CHUNK = 1 << 22


class WeightFile(models.EngineDefinitionWeightFile):
    """A file that a person puts below the models folder (SPINDLE_MODELS)."""

    @property
    def place(self) -> Path:
        return models_folder() / self.path

    def origin(self) -> str:
        return f"{size(self.bytes)}, licence {self.licence}, from {self.url}"

    def whats_wrong(self) -> str | None:
        """By its place and its size: both are known at once."""
        try:
            found = self.place.stat().st_size if self.place.is_file() else None
        except OSError as error:
            return f"{self._unreadable(error)} ({self.origin()})"
        if found == self.bytes:
            return None
        if found is None:
            return f"{self.place} ({self.origin()})"
        return f"{self.place} is not the file that is needed: it has {found} bytes instead of {self.bytes} ({self.origin()})"

    def verify(self) -> None:
        """:raises UserError: if it is missing or not the file whose hash is known"""
        if wrong := self.whats_wrong():
            raise UserError(f"A model file is missing or broken: {wrong}.")
        digest = hashlib.sha256()
        try:
            with self.place.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        except OSError as error:
            kind = TransientError if is_passing(error) else UserError
            raise kind(f"{self._unreadable(error)} ({self.origin()}).") from error
        if digest.hexdigest() != self.sha256:
            raise UserError(
                f"{self.place} is broken or another file: its SHA-256 is {digest.hexdigest()} instead of {self.sha256}. "
                f"Delete it and fetch it again ({self.origin()})."
            )

    def _unreadable(self, error: OSError) -> str:
        return f"{self.place} cannot be read ({error.strerror}){'' if is_passing(error) else ': let the worker read it'}"


class EngineDefinition(models.EngineDefinition):
    """One engine that runs in an environment of its own."""

    name: str
    files: dict[str, WeightFile]  # type: ignore[assignment]  # Pydantic makes these from the start, so that nobody can put in others

    @property
    def requirements(self) -> Path:
        return engines_folder() / self.name / "requirements.txt"

    @property
    def environment(self) -> Path:
        return engine_cache() / self.name

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def licence(self) -> str:
        return ", ".join(dict.fromkeys(file.licence for file in self.files.values()))

    @property
    def commercial(self) -> bool:
        return all(file.commercial for file in self.files.values())

    @property
    def fetch(self) -> str:
        """The command for its model files (apps/runtime/src/cli/models.ts)."""
        return f"npx spindle models fetch {self.name}"

    def stamp(self) -> str:
        """What an installed environment was made from. :raises InstallationError: if nobody can say"""
        try:
            return hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        except OSError as error:
            raise InstallationError(f"{self.requirements} cannot be read ({error.strerror}): restore it.") from error

    def missing(self) -> list[str]:
        """All that keeps it from running here, each with what to do; the files together, with one command."""
        return [
            *self._missing_packages(),
            *(f"the program {program} ({how})" for program, how in self.programs.items() if shutil.which(program) is None),
            *self._missing_files(),
            *self._missing_device(),
        ]

    def why_not(self) -> str | None:
        """One sentence for the manifest."""
        missing = self.missing()
        return f"Missing: {'; '.join(missing)}." if missing else None

    def launch(self) -> Launch:
        """:raises InstallationError: :raises UserError: as `missing` says"""
        if packages := self._missing_packages():
            raise InstallationError(f"{self.label} cannot run: missing are {packages[0]}.")
        for file in self.files.values():
            if wrong := file.whats_wrong():
                raise UserError(f"A model file is missing or broken: {wrong}. The command: {self.fetch}")
        device = "cpu" if self.vram_gigabytes == 0 else engine_device() or ("cuda" if gpus() else None)
        if device is None:
            raise UserError(f"{self.label} cannot run: {self._missing_device()[0]}.")
        return Launch(
            engine=self.name,
            module=self.module,
            python=str(self.python),
            setup={"device": device, "files": {key: str(file.place) for key, file in self.files.items()}, "options": self.options},
            verify=self.verify,
        )

    def verify(self) -> None:
        for file in self.files.values():
            try:
                file.verify()
            except UserError as error:
                raise UserError(f"{error} The command: {self.fetch}") from None

    def forget_broken(self) -> str:
        """What `mark_broken` wrote last; nothing if it did not."""
        mark = self.environment / "broken"
        was = self._broken() or ""
        if mark.is_dir():
            shutil.rmtree(mark)
        mark.unlink(missing_ok=True)
        return was

    def mark_broken(self, message: str) -> None:
        """Takes it out of the live ones, until it is installed again or checked."""
        if not message:
            return
        try:
            (self.environment / "broken").write_text(message.splitlines()[0][:500])
        except OSError as error:
            log.error("%s is broken, which cannot be written down (%s): %s", self.label, error, message)

    def _missing_packages(self) -> list[str]:
        command = f"npx spindle engine install {self.name}"
        stamp = self.environment / "installed"
        if not stamp.is_file():
            return [f"its packages, {self.installed_gigabytes:g} GB ({command})"]
        try:
            if stamp.read_text(errors="replace") != self.stamp():
                return [f"its packages as they are now: others are installed ({command})"]
        except InstallationError as error:
            return [f"a definition that is whole: {str(error).rstrip('.')}"]
        if not self.python.exists():
            return [f"its packages anew: the Python that they were installed with is gone ({command})"]
        if wrong := self._wrong_packages():
            return [f"its packages as they were tried: {enumerated(wrong)} ({command})"]
        if broken := self._broken():
            return [f"working packages: {broken.rstrip('.')} ({command}, or npx spindle engine check {self.name})"]
        return []

    def _wrong_packages(self) -> list[str]:
        """Those that are not what `requirements` pins, by the folders in which their installation is noted."""
        found: dict[str, set[str]] = {}
        for note in self.environment.glob("lib/python*/site-packages/*.dist-info"):
            name, _, version = note.stem.partition("-")
            found.setdefault(same_name(name), set()).add(version)
        pinned: dict[str, list[str]] = {}
        certain = set()
        for line in self.requirements.read_text(errors="replace").splitlines():
            if pin := PIN.fullmatch(line.strip()):
                name, version, condition = pin.groups()
                pinned.setdefault(same_name(name), []).append(version)
                if not condition:
                    certain.add(same_name(name))
        wrong = []
        for name, versions in sorted(pinned.items()):
            there = found.get(name, set())
            if not there and name in certain:
                wrong.append(f"{name} {versions[0]} is missing")
            elif any(not is_version(version, versions) for version in there):
                wrong.append(f"{name} is {' and '.join(sorted(there))} instead of {' or '.join(versions)}")
        return wrong

    def _broken(self) -> str | None:
        mark = self.environment / "broken"
        if mark.is_file():
            return mark.read_text(errors="replace")
        return f"{mark} says so, which is a folder" if mark.exists() else None

    def _missing_files(self) -> list[str]:
        absent = {wrong: file.bytes for file in self.files.values() if (wrong := file.whats_wrong())}
        if not absent:
            return []
        return [f"model files, {size(sum(absent.values()))} ({self.fetch}): {', '.join(absent)}"]

    def _missing_device(self) -> list[str]:
        if self.vram_gigabytes == 0 or engine_device() == "cpu" or gpus():
            return []
        return [f"an NVIDIA GPU with {self.vram_gigabytes:g} GB (SPINDLE_ENGINE_DEVICE=cpu runs it on the CPU, slowly)"]


PIN = re.compile(r"([\w.-]+)(?:\[[^]]*\])?==([\w.!+]+)\s*(;.*)?")


def same_name(package: str) -> str:
    """As the index knows it, however it is written."""
    return re.sub(r"[-_.]+", "-", package).lower()


def is_version(found: str, pinned: list[str]) -> bool:
    """A build of a version (`2.13.0+cu130`) is that version, and zeros at its end say nothing."""

    def short(version: str) -> str:
        return re.sub(r"(\.0)+$", "", version)

    return not {short(found), short(found.split("+")[0])}.isdisjoint(map(short, pinned))


def enumerated(entries: list[str], most: int = 3) -> str:
    more = f" and {len(entries) - most} more" if len(entries) > most else ""
    return ", ".join(entries[:most]) + more


def definition(name: str) -> EngineDefinition:
    """:raises FileNotFoundError: if there is no such engine :raises InstallationError: if what describes it cannot be read"""
    path = engines_folder() / name / "engine.json"
    try:
        return EngineDefinition.model_validate({"name": name, **json.loads(path.read_text())})
    except FileNotFoundError:
        raise
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()[:3])
        raise InstallationError(f"{path} is no definition of an engine ({words}). Restore it, and start Spindle again.") from error
    except (OSError, ValueError, TypeError) as error:
        raise InstallationError(f"{path} is no definition of an engine ({error}). Restore it, and start Spindle again.") from error


def names() -> list[str]:
    """Of the engines that are described here, whether or not their definitions can be read."""
    return [path.parent.name for path in sorted(engines_folder().glob("*/engine.json"))]


def definitions() -> list[EngineDefinition]:
    return [definition(name) for name in names()]


def size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"
