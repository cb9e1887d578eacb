"""Messages between supervisor and child: one JSON object a line, over a socket pair."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any


class Wire:
    """Sends from any thread; receives from one."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._buffer = b""
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """:raises OSError: if the other side is gone"""
        with self._lock:
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout: float | None) -> dict[str, Any] | None:
        """The next message, or None after `timeout` seconds (never, where that is None). :raises EOFError: when the other side is gone"""
        while b"\n" not in self._buffer:
            self.socket.settimeout(timeout)
            try:
                chunk = self.socket.recv(65536)
            except TimeoutError:
                return None
            except ConnectionError as error:
                raise EOFError from error
            if not chunk:
                raise EOFError
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        message = json.loads(line)
        assert isinstance(message, dict)
        return message
