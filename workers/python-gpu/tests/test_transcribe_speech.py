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
    with pytest.raises(UserError, match=r"is 2 minutes long; the limit is 1\. Cut it"):
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
