"""A Dramatiq broker whose queue is the supervisor's socket: consume, ack, nack, progress (DESIGN W9)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import dramatiq
from dramatiq.broker import Broker, Consumer, MessageProxy

from ..wire import Wire

QUEUE = "tasks"


class SocketBroker(Broker):
    """Messages come from the supervisor alone; nothing is enqueued here."""

    def __init__(self, wire: Wire, middleware: list[dramatiq.Middleware]) -> None:
        super().__init__(middleware=middleware)
        self.wire = wire
        self.closed = threading.Event()
        self.results: dict[str, dict[str, Any]] = {}

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        return SocketConsumer(self, timeout)

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.queues[queue_name] = True
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        raise NotImplementedError("Tasks come from the runtime, by the supervisor.")

    def get_declared_queues(self) -> set[str]:
        return set(self.queues)


class SocketConsumer(Consumer):
    """Turns the supervisor's tasks into Dramatiq messages."""

    def __init__(self, broker: SocketBroker, timeout: int) -> None:
        self._broker = broker
        self._timeout = timeout / 1000

    def __next__(self) -> MessageProxy | None:
        if self._broker.closed.is_set():
            return None
        try:
            task = self._broker.wire.receive(self._timeout)
        except EOFError:
            self._broker.closed.set()
            return None
        if task is None:
            return None
        service = task["capability"].split("@")[0]
        message: dramatiq.Message[Any] = dramatiq.Message(queue_name=QUEUE, actor_name=service, args=(), kwargs={"task": task}, options={})
        return MessageProxy(message)

    def ack(self, message: MessageProxy) -> None:
        self._report(message)

    def nack(self, message: MessageProxy) -> None:
        self._report(message)

    def _report(self, message: MessageProxy) -> None:
        lost = {"outcome": "failed", "error": {"class": "infra", "code": "task.crashed", "message": "The node ended without a result."}}
        self._broker.wire.send({"type": "result", "result": self._broker.results.pop(message.message_id, lost)})

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Nothing is ever prefetched, so nothing goes back."""
