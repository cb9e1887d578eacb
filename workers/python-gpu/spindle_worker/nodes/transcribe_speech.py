"""Speech to text: faster-whisper on any CPU, or what a person types as a draft, which hears nothing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..capability import PARAMETER, Audio, Capability, Engine, Ports, installed
from ..context import TaskContext
from ..errors import UserError
from ..media import called, decode_sound, without_silence, write_wav

SAMPLE_RATE = 16000
MAX_SECONDS = 3600


class TranscriptionInput(Ports):
    audio_artifact: Annotated[Audio, Field(title="Speech", description="Sound, or a video with sound; an hour at most.")]
    language: Annotated[
        str,
        Field(
            json_schema_extra=PARAMETER,
            pattern=r"^([a-z]{2,3})?$",
            description="Code of the language that is spoken, such as en or de; empty: the model finds it out.",
        ),
    ] = ""
    typed_text: Annotated[
        str,
        Field(
            json_schema_extra={**PARAMETER, "x-multiline": True},
            max_length=5000,
            description="What is said, typed by you. The draft gives it as it is, because it recognises nothing; a model does not read it.",
        ),
    ] = ""


class TranscriptionOutput(Ports):
    text: Annotated[str, Field(title="Text", description="What is said.")]
    duration: Annotated[float, Field(title="Duration", description="Seconds of the sound.")]
    language: Annotated[str | None, Field(title="Language", description="Its code, where a model knows it.")] = None
    note: Annotated[str | None, Field(title="Note")] = None


def transcribe_speech(context: TaskContext, values: TranscriptionInput) -> TranscriptionOutput:
    name = called("speech", values.audio_artifact)
    samples = decode_sound(context.fetch(values.audio_artifact), context.folder, SAMPLE_RATE, name, most=MAX_SECONDS)
    duration = round(len(samples) / SAMPLE_RATE, 3)
    without_silence(samples, SAMPLE_RATE, name)
    if context.engine == "typed":
        text = values.typed_text.strip()
        said = "The text is what was typed on this node." if text else "Nothing is typed on this node, so the text is empty."
        note = f"No speech was recognised: this draft cannot hear. {said} The sound is {duration:.1f} s long."
        context.progress(1.0, note=note)
        return TranscriptionOutput(text=text, duration=duration, note=note)
    heard = context.folder / "heard.wav"
    write_wav(heard, samples, SAMPLE_RATE)
    answer = context.delegate({"sound": str(heard), "seconds": duration, "language": values.language}, gives=["text"])
    text = str(answer["text"]).strip()
    if not text:
        raise UserError(f"No words were recognised in {name[0].lower()}{name[1:]}. Check that somebody speaks in it, or set the language.")
    context.progress(1.0, text=text)
    return TranscriptionOutput(text=text, duration=duration, language=answer.get("language"))


capability = Capability(
    id="speech.transcribe",
    label="Transcribe speech",
    description="Writes down what is said, for instance as the text of a voice sample.",
    version="2026.01.0",
    category="Voice",
    keywords=["asr", "stt", "speech recognition", "speech to text", "whisper", "transcription"],
    input=TranscriptionInput,
    output=TranscriptionOutput,
    run=transcribe_speech,
    kind="gpu",  # it may take minutes, and the slot for small work is never to be waited for
    stall_seconds=1800,  # a model may be read from a slow disk first
    engines=[
        installed("faster-whisper"),
        Engine(
            id="typed",
            label="Typed text",
            draft=True,
            description="Recognises nothing: it gives the text that you type on the node, and the length of the sound.",
        ),
    ],
    idempotent=True,
)
