"""The worker's end of the Redis protocol (packages/task-bus has the runtime's). Only the supervisor uses it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import redis
from pydantic import ValidationError

from .contract.generated.constants import BUS
from .contract.generated.models import TaskEntry


def name(key: str, **values: str) -> str:
    """A key, stream or channel of the protocol (schemas/tasks/bus.json)."""
    return f"{BUS['prefix']}:{BUS['names'][key].format(**values)}"


class BadEntry(Exception):
    """An entry that the runtime did not write."""


class Bus:
    """One connection; every call may raise `redis.RedisError` during an outage."""

    def __init__(self, url: str, worker: str, key: str) -> None:
        self.redis = redis.Redis.from_url(url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)
        self.worker = worker
        self._key = key.encode()

    def _call(self, function: str, keys: list[str], *args: str | int) -> Any:
        return self.redis.execute_command(  # type: ignore[no-untyped-call]
            "FCALL", function, len(keys), *keys, *args
        )

    def claim(self, streams: list[str]) -> TaskEntry | None:
        """:raises BadEntry: for an entry that is malformed or not signed with this worker's key; the runtime is told of it"""
        reply = self._call("spindle_take", streams, self.worker)
        if not reply:
            return None
        stream, entry_id, text = reply
        try:
            return self._read(text)
        except BadEntry:
            self._call("spindle_refuse", [name("results")], json.dumps([stream, entry_id]), f"{name('results')}:bell")
            raise

    def _read(self, text: str) -> TaskEntry:
        try:
            raw = json.loads(text)
            entry = TaskEntry.model_validate(raw)
        except (ValueError, ValidationError) as error:
            raise BadEntry(str(error)) from error
        sig = raw.pop("sig")
        canonical = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
        if not hmac.compare_digest(sig, hmac.new(self._key, canonical, hashlib.sha256).hexdigest()):
            raise BadEntry("The signature is wrong.")
        return entry

    def beat(self, entry: TaskEntry) -> str:
        """Takes or renews the lease: `ok`, `cancel` or `lost`."""
        keys = [name("lease", task=entry.task), name("cancel", task=entry.task)]
        return str(self._call("spindle_beat", keys, self.worker, entry.lease_ms))

    def progress(self, message: dict[str, Any]) -> None:
        self.redis.xadd(name("progress"), {"progress": json.dumps(message)}, maxlen=BUS["progressKept"], approximate=True)

    def settle(self, task: str, result: dict[str, Any]) -> None:
        """Idempotent by task; the runtime acknowledges after its commit."""
        text = json.dumps({"v": 1, "task": task, "worker": self.worker, **result})
        if len(text) > BUS["outputMaxBytes"]:
            result = {key: value for key, value in result.items() if key != "log"}
            text = json.dumps({"v": 1, "task": task, "worker": self.worker, **result})
        if len(text) > BUS["outputMaxBytes"]:
            error = {
                "class": "user",
                "code": "task.bad_result",
                "message": f"The output has {len(text)} bytes; the limit is {BUS['outputMaxBytes']}. Store large values as artifacts.",
            }
            text = json.dumps({"v": 1, "task": task, "worker": self.worker, "outcome": "failed", "error": error})
        bell = f"{name('results')}:bell"
        self._call("spindle_settle", [name("settled", task=task), name("results")], text, BUS["markTtlMs"], bell, self.signature(text))

    def signature(self, text: str) -> str:
        """What a result is signed with: its text as it goes over the bus, letter by letter (DESIGN W6)."""
        return hmac.new(self._key, f"task-result:{text}".encode(), hashlib.sha256).hexdigest()

    def token(self, task: str) -> str:
        """What the child shows the runtime to act for this task (DESIGN A3)."""
        return hmac.new(self._key, f"task-token:{task}".encode(), hashlib.sha256).hexdigest()

    def publish(self, manifest: dict[str, Any], ttl_ms: int) -> None:
        """Each worker speaks for itself: another one may offer other things."""
        self.redis.set(name("workerManifest", plane="python", worker=self.worker), json.dumps(manifest), px=ttl_ms)
        self.redis.sadd(name("workers", plane="python"), self.worker)

    def report(self, report: dict[str, Any], ttl_ms: int) -> None:
        """Says what this worker is (schemas/tasks/worker-report.schema.json), which no run depends on."""
        self.redis.set(name("workerReport", plane="python", worker=self.worker), json.dumps(report), px=ttl_ms)

    def is_to_drain(self) -> bool:
        """Whether a person wants this worker to end once it has done what it has."""
        return bool(self.redis.exists(name("drain", worker=self.worker)))

    def withdraw(self) -> None:
        """Offers nothing any more, now and not only when the manifest's time is over."""
        self.redis.srem(name("workers", plane="python"), self.worker)
        self.redis.delete(name("workerManifest", plane="python", worker=self.worker))
