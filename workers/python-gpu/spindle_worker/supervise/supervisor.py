"""The supervisor: the only part that speaks Redis. It never runs a node itself, so a busy node cannot silence it."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import threading
import time
from typing import Any

import redis

from .. import RELEASE
from ..bus import Bus, name
from ..device import gpus
from ..log import open_log
from ..manifest import manifest
from ..nodes import capabilities
from ..settings import Settings, read_settings
from .folders import TaskFolders
from .metrics import REDIS_ERRORS, serve
from .slot import Slot

log = logging.getLogger("spindle.supervisor")

MANIFEST_TTL_MS = 6000
REPORT_TTL_MS = 6000
LOOK_SECONDS = 5.0
"""How often it is worked out what can run here: a file that was put into its place, or packages that turned out to be broken."""
MOST_SLOTS = 64
"""Of those that a report names."""
DRAIN_TICK_SECONDS = 0.05
ALIVE: dict[str, Any] = {
    "socket_keepalive": True,
    "socket_keepalive_options": {socket.TCP_KEEPIDLE: 2, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 3},
}
"""One who only listens would never notice that its connection leads nowhere."""


def supervise() -> int:
    """Runs until it is to end: then nothing is taken any more. What runs may end; after a signal in its grace, or until the next one."""
    open_log(logging.INFO)
    settings = read_settings()
    stop, over = threading.Event(), threading.Event()
    deadline = math.inf

    def end(*_: object) -> None:
        nonlocal deadline
        deadline = time.monotonic() + settings.drain_seconds if deadline == math.inf else 0.0
        stop.set()

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, end)
    serve(settings.metrics_host, settings.metrics_port)
    current = manifest(capabilities().values())
    folders = TaskFolders()
    slots = _slots(settings, folders)
    _offer(slots, current)
    working = [threading.Thread(target=slot.run, name=slot.label, daemon=True) for slot in slots]
    threads = list(working)
    threads.append(threading.Thread(target=_listen, args=(settings, slots, over), name="bells", daemon=True))
    threads.append(threading.Thread(target=_report, args=(settings, slots, stop, over), name="report", daemon=True))
    threads.append(threading.Thread(target=_publish, args=(settings, slots, current, stop), name="manifest", daemon=True))
    for thread in threads:
        thread.start()
    log.info("%d capabilities, slots: %s", len(current["capabilities"]), ", ".join(slot.label for slot in slots))
    stop.wait()
    for slot in slots:
        slot.drain()
    while any(thread.is_alive() for thread in working) and time.monotonic() < deadline:
        time.sleep(DRAIN_TICK_SECONDS)
    for slot in slots:
        slot.stop()
    over.set()
    for thread in threads:
        thread.join(5)
    folders.close()
    return 0


def _slots(settings: Settings, folders: TaskFolders) -> list[Slot]:
    """A slot per GPU (or one for this machine's CPU), and one for what needs no device and must never wait for it."""
    devices = [Slot(uuid, "gpu", settings, folders, {"CUDA_VISIBLE_DEVICES": uuid, "SPINDLE_DEVICE": uuid}, uuid) for uuid in gpus()]
    devices = devices or [
        Slot(f"cpu-{index}", "gpu", settings, folders, {"SPINDLE_DEVICE": f"cpu-{index}"}) for index in range(settings.device_slots)
    ]
    return [*devices, Slot("light", "cpu", settings, folders, {"CUDA_VISIBLE_DEVICES": ""})]


def _offer(slots: list[Slot], current: dict[str, Any]) -> None:
    """Tasks are taken for the engines that are live, and for no others."""
    offered = {entry["id"]: entry["engines"] for entry in current["capabilities"]}
    for slot in slots:
        slot.streams = [
            name("queue", plane="python", capability=capability.id, version=capability.version, engine=engine["id"])
            for capability in capabilities().values()
            if capability.kind == slot.kind
            for engine in offered[capability.id]
            if engine["live"]
        ]


def _publish(settings: Settings, slots: list[Slot], current: dict[str, Any], stop: threading.Event) -> None:
    bus = Bus(settings.redis_url, settings.worker, settings.worker_key)
    looked_at = time.monotonic()
    while not stop.is_set():
        try:
            if time.monotonic() - looked_at > LOOK_SECONDS:
                looked_at = time.monotonic()
                current = manifest(capabilities().values())
                _offer(slots, current)
            bus.publish(current, MANIFEST_TTL_MS)
            if bus.is_to_drain():
                stop.set()
        except redis.RedisError as error:
            REDIS_ERRORS.labels("manifest").inc()
            log.warning("Redis: %s", error)
        except Exception:
            log.exception("The manifest could not be worked out; the last one stands")
        stop.wait(settings.publish_seconds)
    with contextlib.suppress(redis.RedisError):
        bus.withdraw()


def _report(settings: Settings, slots: list[Slot], stop: threading.Event, over: threading.Event) -> None:
    """Goes on while the worker drains, when it offers nothing any more."""
    bus = Bus(settings.redis_url, settings.worker, settings.worker_key)
    ended = False
    while not ended:
        ended = over.is_set()
        report = {
            "v": 1,
            "version": RELEASE,
            "draining": stop.is_set(),
            "ended": ended,
            "slots": [{"id": slot.label, "kind": slot.kind, "ready": slot.is_ready} for slot in slots[:MOST_SLOTS]],
        }
        try:
            bus.report(report, REPORT_TTL_MS)
        except redis.RedisError:
            REDIS_ERRORS.labels("report").inc()  # what it offers is reported elsewhere, with a line in the log
        over.wait(settings.publish_seconds)


def _listen(settings: Settings, slots: list[Slot], stop: threading.Event) -> None:
    """The doorbell only makes things faster: every loop looks by itself too."""
    while not stop.is_set():
        try:
            bells = redis.Redis.from_url(settings.redis_url, decode_responses=True, socket_connect_timeout=5, **ALIVE).pubsub()  # type: ignore[no-untyped-call]
            bells.subscribe(name("doorbell", plane="python"))
            while not stop.is_set():
                message = bells.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is None:
                    continue
                cancelled = str(message["data"]).removeprefix("cancel ")
                for slot in slots:
                    if slot.current is None or slot.current == cancelled:
                        slot.bell.set()
        except redis.RedisError:
            REDIS_ERRORS.labels("bells").inc()
            stop.wait(0.5)
        except Exception:
            log.exception("The doorbell is listened to anew")
            stop.wait(0.5)
