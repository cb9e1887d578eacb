"""What the voices' programs do with a long text, with a model in the real one's place that computes nothing."""

from __future__ import annotations

import io
import itertools
import sys
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spindle_worker.engine.programs import f5_tts, kokoro
from spindle_worker.media import write_wav

RATE = 24000
PART_SECONDS = 0.2


class Task:
    """A request that keeps what is shown."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.target = folder / "speech.wav"
        self.values = {"target": str(self.target), "speed": 1.0, **values}
        self.previews: list[bytes] = []

    def progress(self, *_: Any, **__: Any) -> None: ...

    def preview(self, data: bytes, _mime: str, **_: Any) -> None:
        self.previews.append(data)


class Kokoro:
    def create(self, *_: Any, **__: Any) -> tuple[npt.NDArray[np.float32], int]:
        return np.full(round(PART_SECONDS * RATE), 0.1, np.float32), RATE


class F5:
    """torch and f5-tts as far as the program calls them: each group is a draw from the seed that was set last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: list[str] = []
        self._random = np.random.default_rng()
        torch = ModuleType("torch")
        torch.manual_seed = self._seed  # type: ignore[attr-defined]
        torch.from_numpy = lambda sample: type("Tensor", (), {"unsqueeze": lambda self, _: sample})()  # type: ignore[attr-defined]
        utils = ModuleType("f5_tts.infer.utils_infer")
        utils.infer_batch_process = self._infer  # type: ignore[attr-defined]
        for name, module in {
            "torch": torch,
            "f5_tts": ModuleType("f5_tts"),
            "f5_tts.infer": ModuleType("infer"),
            utils.__name__: utils,
        }.items():
            monkeypatch.setitem(sys.modules, name, module)

    def _seed(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def _infer(self, _sample: Any, _text: str, groups: list[str], *_: Any, **__: Any) -> Any:
        self.groups += groups
        yield self._random.uniform(-0.5, 0.5, RATE).astype(np.float32), RATE, None


def samples(wav: bytes) -> npt.NDArray[np.int16]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def clone(task: Task) -> npt.NDArray[np.int16]:
    sample = task.folder / "sample.wav"
    write_wav(sample, np.full(3 * RATE, 0.1, np.float32), RATE)
    task.values |= {"sample": str(sample), "sampleText": "Some call me nature, others call me mother nature."}
    f5_tts.speak(task, None, None, "cpu")  # type: ignore[arg-type]
    return samples(task.target.read_bytes())


def test_the_previews_of_the_longest_text_cost_no_more_than_the_speech_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[W8] By Kokoro, which speaks 2,000 sentences, as by F5-TTS: the first part is heard at once, and then each doubling."""
    F5(monkeypatch)
    light = Task(tmp_path / "light", text="Hi there. " * 2000)
    kokoro.speak(light, Kokoro(), {"voice": "v", "language": "en-us"})  # type: ignore[arg-type]
    cloned = Task(tmp_path / "cloned", text="One two three four. " * 1000, seed=5)
    clone(cloned)
    for task in (light, cloned):
        assert len(task.previews) > 3
        assert sum(map(len, task.previews)) <= 2 * task.target.stat().st_size + 100 * len(task.previews)
        lengths = [len(samples(preview)) for preview in task.previews]
        assert all(longer >= 2 * shorter for shorter, longer in itertools.pairwise(lengths))


def test_a_preview_is_the_beginning_of_the_speech(tmp_path: Path) -> None:
    """[W8] And between two sentences is a pause, with none at the end."""
    task = Task(tmp_path, text="One. Two. Three.")
    about = kokoro.speak(task, Kokoro(), {"voice": "v", "language": "en-us"})  # type: ignore[arg-type]
    speech = samples(task.target.read_bytes())
    assert about["duration"] == pytest.approx(3 * PART_SECONDS + 2 * kokoro.PAUSE_SECONDS) == pytest.approx(len(speech) / RATE)
    assert np.count_nonzero(speech) == round(3 * PART_SECONDS * RATE)
    for preview in map(samples, task.previews):
        assert np.array_equal(preview, speech[: len(preview)])


def test_each_group_of_a_long_text_is_drawn_from_the_same_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[M4] One seed is one voice, from the first word to the last; the groups fade into each other."""
    model = F5(monkeypatch)
    task = Task(tmp_path, text="It left a galaxy long before the Earth was made. " * 30, seed=5)
    speech = clone(task)
    fade = round(f5_tts.CROSS_FADE_SECONDS * RATE)
    each = RATE - fade
    count = len(model.groups)
    assert count > 2
    assert len(speech) == each * count + fade
    parts = [speech[index * each + fade : (index + 1) * each] for index in range(count)]
    assert all(np.array_equal(part, parts[0]) for part in parts)
