"""What a node's function may do besides computing: read inputs, store outputs, report."""

from __future__ import annotations

import functools
import hashlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt, wait_exponential

from .contract.generated.constants import BUS, MEDIA_TYPES
from .contract.generated.models import ArtifactRef, ObjectWishGet, ObjectWishPut
from .crash_point import crash_point
from .engine.process import Engines, Launch, Listener
from .errors import OutputMissingError, RefusedError, TransientError
from .wire import Wire

CHUNK = 1 << 20
PREVIEW_EVERY = BUS["coalesce"]["previewMs"] / 1000
WORTH_ANOTHER_TRY = {408, 425, 429}
PATIENTLY = Retrying(
    retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(lambda answer: answer.status_code >= 500),
    wait=wait_exponential(multiplier=0.2, max=5),
    stop=stop_after_attempt(8),
    retry_error_callback=lambda state: state.outcome and state.outcome.result(),  # the last answer, or what kept it from coming
)


def extension(mime: str) -> str:
    """How the name of a file of that media type ends, with the dot."""
    extensions = MEDIA_TYPES.get(mime, {}).get("extensions", ["bin"])
    return f".{extensions[0]}"


@functools.cache
def http() -> httpx.Client:
    """One for the whole child: making one reads every certificate of the machine, which takes longer than most small nodes."""
    return httpx.Client(timeout=httpx.Timeout(20, connect=5), transport=httpx.HTTPTransport(retries=3))


class TaskContext:
    """One attempt. `folder` is its own and vanishes with it, whatever becomes of this process."""

    def __init__(
        self, task: dict[str, Any], wire: Wire, folder: Path, engines: Engines | None = None, launch: Launch | None = None
    ) -> None:
        self.engine: str = task["engine"]
        self._engines = engines
        self._launch = launch
        self.folder = folder
        self.objects: list[dict[str, Any]] = []
        self._wire = wire
        self._previewed_at = 0.0
        self._base = f"{task['runtime']}/tasks/{task['task']}"
        self._own = {"authorization": f"Bearer {task['token']}"}

    def input(self, sha256: str) -> Any:
        """The task's input. :raises TransientError: if it cannot be had or is not the one that was dispatched"""
        body = self._request("GET", f"{self._base}/input").content
        if hashlib.sha256(body).hexdigest() != sha256:
            raise TransientError("The input is not the one that was dispatched.")
        return httpx.Response(200, content=body).json()

    def progress(
        self,
        progress: float | None = None,
        *,
        step: int | None = None,
        steps: int | None = None,
        note: str | None = None,
        text: str | None = None,
    ) -> None:
        """:param progress: 0 to 1. May be called as often as one likes; the supervisor thins it out."""
        news = {"progress": progress, "step": step, "steps": steps, "note": note, "text": text}
        self._wire.send({"type": "progress", "progress": {key: value for key, value in news.items() if value is not None}})

    def fetch(self, ref: ArtifactRef) -> Path:
        """An input's bytes as a file, checked against its hash."""
        asked = self._ask(ObjectWishGet(direction="get", artifact=ref.artifact))
        path = Path(tempfile.mkstemp(dir=self.folder, prefix="input-", suffix=extension(ref.mime))[1])
        digest = hashlib.sha256()
        try:
            with path.open("wb") as file, http().stream("GET", asked["url"], headers=asked["headers"]) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_bytes(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise TransientError(f"An input cannot be read: {error}") from error
        if digest.hexdigest() != ref.sha256:
            raise TransientError("An input's bytes are not the ones its reference names.")
        return path

    def put(self, path: Path, mime: str, **known: Any) -> ArtifactRef:
        """Stores an output. :param known: width, height, duration, name where they are known"""
        ref, key = self._store(path.read_bytes(), mime, "output", known)
        self.objects.append({"key": key, "ref": ref.model_dump(exclude_none=True)})
        crash_point("afterStore")
        return ref

    def preview(self, data: bytes, mime: str, *, force: bool = False, **known: Any) -> None:
        """Shows something on the node while it runs; at most about three a second get through."""
        now = time.monotonic()
        if not force and now - self._previewed_at < PREVIEW_EVERY:
            return
        self._previewed_at = now
        try:
            ref, _ = self._store(data, mime, "preview", known)
        except (TransientError, RefusedError):
            return  # a preview is lossy by contract
        self._wire.send({"type": "progress", "progress": {"preview": ref.model_dump(exclude_none=True)}})

    def delegate(self, values: dict[str, Any], *, gives: Sequence[str] = (), makes: Mapping[str, Path] | None = None) -> dict[str, Any]:
        """Has the engine's own process do it (`Engine.process`); its progress and previews are this task's.

        :param values: what its program gets, beside this task's folder
        :param gives: outputs that its answer must hold
        :param makes: outputs that it must write, each with its file
        :raises OutputMissingError: if one of them is missing
        """
        if self._engines is None or self._launch is None:
            raise ValueError(f"The engine {self.engine} has no process of its own.")
        listener = Listener(
            progress=lambda news: self._wire.send({"type": "progress", "progress": news}),
            preview=lambda data, mime, known: self.preview(data, mime, **known),
        )
        answer = self._engines.request(self._launch, values, self.folder, listener)
        missing = [name for name in gives if answer.get(name) is None]
        missing += [name for name, path in (makes or {}).items() if not path.is_file() or path.stat().st_size == 0]
        if missing:
            raise OutputMissingError(*missing)
        return answer

    def _ask(self, wish: ObjectWishGet | ObjectWishPut) -> Any:
        return self._request("POST", f"{self._base}/objects", json=wish.model_dump()).json()

    def _store(self, data: bytes, mime: str, purpose: Literal["output", "preview"], known: dict[str, Any]) -> tuple[ArtifactRef, str]:
        asked = self._ask(ObjectWishPut(direction="put", purpose=purpose, mime=mime, size=len(data)))
        self._request("PUT", asked["url"], content=data, headers=asked["headers"], plain=True)
        ref = ArtifactRef.model_validate(
            {"artifact": asked["artifact"], "mime": mime, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **known}
        )
        return ref, asked["key"]

    def _request(self, method: str, url: str, *, plain: bool = False, **options: Any) -> httpx.Response:
        """Outages of the runtime are waited out for a while; a lost task is not."""
        own = {} if plain else {"headers": self._own}
        try:
            answer = PATIENTLY(http().request, method, url, **own, **options)
        except httpx.TransportError as error:
            raise TransientError(f"The runtime cannot be reached: {error}") from error
        if answer.is_error:
            kind = RefusedError if answer.is_client_error and answer.status_code not in WORTH_ANOTHER_TRY else TransientError
            raise kind(f"{method} {httpx.URL(url).path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer
