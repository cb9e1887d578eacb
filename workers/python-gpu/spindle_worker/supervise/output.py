"""What a child writes to its standard output and error: the end of it goes with the task's result, the beginning to our own."""

from __future__ import annotations

import os
import select
import sys
import threading
import time

KEPT_BYTES = 16_000
SHOWN_BYTES = 64_000
CHUNK = 65_536
LAG_SECONDS = 0.2


class Output:
    """Reads a pipe until it closes, so that a child that writes much is never held up, and never fills a memory.

    :param descriptor: the pipe's end to read; closed when the other end is
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._tail = b""
        self._shown = 0
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """A task begins: what was written before is not its."""
        self.collect()
        self._shown = 0

    def collect(self) -> str:
        """The end of what was written since, at most `KEPT_BYTES`."""
        end = time.monotonic() + LAG_SECONDS
        while self._thread.is_alive() and time.monotonic() < end and self._has_more():
            time.sleep(0.002)
        with self._lock:
            tail, self._tail = self._tail, b""
        return tail.decode(errors="replace").strip()

    def _has_more(self) -> bool:
        try:
            return bool(select.select([self._descriptor], [], [], 0)[0])
        except (OSError, ValueError):
            return False  # closed meanwhile

    def _pump(self) -> None:
        while chunk := os.read(self._descriptor, CHUNK):
            with self._lock:
                self._tail = (self._tail + chunk)[-KEPT_BYTES:]
            if self._shown < SHOWN_BYTES:
                sys.stderr.buffer.write(chunk[: SHOWN_BYTES - self._shown])
                sys.stderr.buffer.flush()
            self._shown += len(chunk)
        os.close(self._descriptor)
