"""The same samples that TypeScript runs (schemas/samples.test.ts), through the generated Pydantic models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from spindle_worker.contract.generated import models

SAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "samples"
CASES = [(path.parent.parent.name, path.parent.name, path) for path in sorted(SAMPLES.glob("*/*/*.json"))]


@pytest.mark.parametrize(("kind", "verdict", "path"), CASES, ids=[str(path.relative_to(SAMPLES)) for _, _, path in CASES])
def test_sample(kind: str, verdict: str, path: Path) -> None:
    model = getattr(models, "".join(part.capitalize() for part in kind.split("-")))
    text = path.read_text()
    if verdict == "valid":
        model.model_validate(json.loads(text))
    else:
        with pytest.raises(ValidationError):
            model.model_validate(json.loads(text))
