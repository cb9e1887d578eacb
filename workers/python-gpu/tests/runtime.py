"""Plays the runtime to a node's function: hands out artifacts and keeps what is stored."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from spindle_worker.capability import Ports
from spindle_worker.context import TaskContext
from spindle_worker.contract.generated.models import ArtifactRef
from spindle_worker.engine.process import Engines, Launch
from spindle_worker.nodes import capabilities
from spindle_worker.wire import Wire


class Runtime:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def offer(self, path: Path, mime: str, name: str | None = None) -> ArtifactRef:
        data, artifact = path.read_bytes(), str(uuid.uuid4())
        self.objects[artifact] = data
        return ArtifactRef.model_validate(
            {"artifact": artifact, "mime": mime, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "name": name}
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                wish = json.loads(self.rfile.read(int(self.headers["content-length"])))
                artifact = wish.get("artifact") or str(uuid.uuid4())
                self._answer(
                    json.dumps({"artifact": artifact, "key": artifact, "url": f"{runtime.url}/{artifact}", "headers": {}}).encode()
                )

            def do_PUT(self) -> None:
                runtime.objects[self.path[1:]] = self.rfile.read(int(self.headers["content-length"]))
                self._answer(b"")

            def do_GET(self) -> None:
                self._answer(runtime.objects[self.path[1:]])

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        return Handler


class Attempt:
    """One call of a capability, with what it said on the way."""

    def __init__(self, runtime: Runtime, folder: Path, engines: Engines | None = None, launch: Launch | None = None) -> None:
        """:param launch: of a program that stands in for the engine's"""
        self._runtime, self._folder, self._engines, self._launch = runtime, folder, engines, launch
        self.news: list[dict[str, Any]] = []

    def run(self, capability: str, engine: str, **values: Any) -> Ports:
        """Without engine processes an engine that has one gets as far as the checks before it. :raises Exception: what the node's function raises"""
        entry = capabilities()[capability]
        (offered,) = (found for found in entry.engines if found.id == engine)
        ours, theirs = map(Wire, socket.socketpair())
        listener = threading.Thread(target=self._listen, args=(ours,))
        listener.start()
        task = {"engine": engine, "runtime": self._runtime.url, "task": "t", "token": "x"}
        try:
            launch = self._launch or (offered.process() if self._engines and offered.process else None)
            context = TaskContext(task, theirs, self._folder, self._engines, launch)
            return entry.run(context, entry.input.model_validate(values))
        finally:
            theirs.socket.close()
            listener.join()

    @property
    def progress(self) -> list[float]:
        return [message["progress"] for message in self.news if "progress" in message]

    @property
    def previews(self) -> list[dict[str, Any]]:
        return [message["preview"] for message in self.news if "preview" in message]

    def made(self, reference: ArtifactRef, path: Path) -> Path:
        path.write_bytes(self._runtime.objects[str(reference.artifact)])
        return path

    def _listen(self, wire: Wire) -> None:
        while True:
            try:
                message = wire.receive(None)
            except EOFError:
                return
            assert message is not None
            self.news.append(message["progress"])
