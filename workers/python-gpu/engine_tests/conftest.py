"""Each engine with its real packages, on the CPU, with random weights that are made here. `npm test -- --engines` runs these alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_tests.tiny import OPTIONS, make
from spindle_worker.engine.definition import EngineDefinition, definition
from spindle_worker.engine.process import Engines
from tests.runtime import Attempt, Runtime

ENGINES = pytest.StashKey[dict[str, str]]()
"""Of each test by its id, the engines that it needs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", help="only the tests that need this engine and no other")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--engine")
    if wanted and wanted not in OPTIONS:
        raise pytest.UsageError(f"There is no engine {wanted}. There are: {', '.join(OPTIONS)}.")
    if wanted:
        items[:] = [item for item in items if needed_by(item) == {wanted}]
    config.stash[ENGINES] = {item.nodeid: " + ".join(sorted(needed_by(item))) for item in items}


def needed_by(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("needs") for name in mark.args}


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A line for each engine: what passed and how long it took, with the installation that the first test waited for."""
    outcomes: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport):
                continue
            engines = config.stash[ENGINES][report.nodeid]
            seconds[engines] += report.duration
            outcomes.setdefault(engines, Counter()).update([outcome] if outcome else [])
    terminalreporter.section("engines")
    for engines, counts in sorted(outcomes.items()):
        words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        terminalreporter.write_line(f"{engines:22} {words}, {seconds[engines] / 60:.1f} minutes")


@pytest.fixture(scope="session", autouse=True)
def tiny_engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the engines that a selected test needs: a part of the suite is run without the others' gigabytes."""
    needed = {name for item in request.session.items for name in needed_by(item)}
    folder = tmp_path_factory.mktemp("engines")
    patch = pytest.MonkeyPatch()
    patch.setenv("SPINDLE_ENGINE_DEVICE", "cpu")
    patch.setenv("SPINDLE_MODELS", str(folder / "models"))
    make(folder / "definitions", needed)
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
