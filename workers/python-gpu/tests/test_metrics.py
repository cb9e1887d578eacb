"""What a worker says of its devices."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from spindle_worker.device import Usage, usage
from spindle_worker.supervise.metrics import Devices

ANSWER = "GPU-1, 37, 2048, 81559\nGPU-2, [N/A], 0, 40960\nGPU-3, [Insufficient Permissions], [N/A], [N/A]\n"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{ANSWER}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tool


@pytest.mark.usefixtures("driver")
def test_a_gpu_has_its_use_and_its_memory_in_bytes() -> None:
    """A device that does not say how much memory it has is left out, and one without a figure of its use has none."""
    assert usage() == [Usage("GPU-1", 0.37, 2048 * 2**20, 81559 * 2**20), Usage("GPU-2", 0.0, 0, 40960 * 2**20)]
    registry = CollectorRegistry()
    registry.register(Devices())
    text = generate_latest(registry).decode()
    assert 'spindle_worker_device_utilization_ratio{device="GPU-1"} 0.37' in text
    assert 'spindle_worker_device_memory_used_bytes{device="GPU-1"} 2.147483648e+09' in text


def test_a_machine_without_a_driver_has_no_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked, and nothing fails."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert usage() == []


def test_a_driver_that_fails_has_none_to_show(driver: Path) -> None:
    """As while it is being updated."""
    driver.write_text("#!/bin/sh\necho 'Driver/library version mismatch' >&2\nexit 18\n")
    assert usage() == []
