"""Speech recognition: what its draft gives, and which settings it takes. Files that hold no voice: test_bad_input.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from spindle_worker.child.process import describe
from spindle_worker.errors import UserError
from tests.runtime import Attempt, Runtime
from tests.test_bad_input import sound


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


def test_the_draft_of_speech_recognition_gives_what_is_typed_and_says_that_it_heard_nothing(runtime: Runtime, tmp_path: Path) -> None:
    """[M4] With the length of the sound, however long that is."""
    for seconds, typed in ((3, ""), (40, " Good evening. ")):
        given = runtime.offer(sound(tmp_path, seconds), "audio/wav")
        made: Any = Attempt(runtime, tmp_path).run("speech.transcribe", "typed", audio_artifact=given, typed_text=typed)
        assert (made.text, made.duration, made.language) == (typed.strip(), seconds, None)
        assert "No speech was recognised" in made.note and f"{seconds}.0 s" in made.note
        assert ("Nothing is typed" in made.note) is (typed == "")


def test_more_speech_than_the_limit_is_refused_with_the_limit(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[E10] Which is an hour; an hour of sound would take this test too long."""
    monkeypatch.setattr("spindle_worker.nodes.transcribe_speech.MAX_SECONDS", 60)
    with pytest.raises(UserError, match=r"is longer than 1 minutes, which is the limit\. Cut it"):
        Attempt(runtime, tmp_path).run("speech.transcribe", "typed", audio_artifact=runtime.offer(sound(tmp_path, 120), "audio/wav"))


@pytest.mark.parametrize(
    ("values", "place"),
    [({"language": "english"}, "language"), ({"language": "EN"}, "language"), ({"typed_text": "x" * 5001}, "typedText")],
)
def test_a_setting_that_does_not_fit_is_refused_at_its_field(values: dict[str, str], place: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] Before the sound is fetched."""
    given = runtime.offer(sound(tmp_path, 1), "audio/wav")
    with pytest.raises(ValidationError) as caught:
        Attempt(runtime, tmp_path).run("speech.transcribe", "typed", audio_artifact=given, **values)
    assert describe(caught.value)["class"] == "user"
    assert place in describe(caught.value)["message"].replace("typed_text", "typedText")


def test_a_model_is_given_the_sound_its_length_and_the_language(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[M4] And what it hears is the text, with the language that it found."""
    asked: list[dict[str, Any]] = []

    def delegate(_: Any, request: dict[str, Any], gives: list[str]) -> dict[str, Any]:
        asked.append({**request, "sound": len(Path(request["sound"]).read_bytes()), "gives": gives})
        return {"text": " Good evening. ", "language": "en"}

    monkeypatch.setattr("spindle_worker.context.TaskContext.delegate", delegate)
    given = runtime.offer(sound(tmp_path, 2), "audio/wav")
    made: Any = Attempt(runtime, tmp_path).run("speech.transcribe", "faster-whisper", audio_artifact=given, language="en")
    assert (made.text, made.duration, made.language, made.note) == ("Good evening.", 2, "en", None)
    samples_of_two_seconds = 2 * 16000 * 2
    assert [(one["seconds"], one["language"], one["gives"]) for one in asked] == [(2, "en", ["text"])]
    assert asked[0]["sound"] >= samples_of_two_seconds


def test_a_model_that_hears_no_words_says_what_to_check(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[E10] An empty text was given, so that no output is missing."""
    monkeypatch.setattr("spindle_worker.context.TaskContext.delegate", lambda *_, **__: {"text": ""})
    given = runtime.offer(sound(tmp_path, 2), "audio/wav")
    with pytest.raises(UserError, match=r"No words were recognised in .*Check that somebody speaks in it"):
        Attempt(runtime, tmp_path).run("speech.transcribe", "faster-whisper", audio_artifact=given)
