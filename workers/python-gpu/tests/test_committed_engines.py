"""The engines that come with Spindle."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from spindle_worker.engine.definition import EngineDefinition, definitions
from spindle_worker.nodes import capabilities


@pytest.mark.parametrize("real", definitions(), ids=lambda real: real.name)
def test_a_definition_has_exact_packages_a_program_and_a_node(real: EngineDefinition) -> None:
    """[M4] So that an installation is the one that was tried."""
    lines = [line for line in real.requirements.read_text().splitlines() if line and not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z,]+\])?==[\w.!+]+( ; .+)?", line) for line in lines)
    assert find_spec(real.module) is not None
    assert real.name in {engine.id for capability in capabilities().values() for engine in capability.engines}
