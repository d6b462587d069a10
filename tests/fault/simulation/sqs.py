"""The queue as an edge: messages come late, twice, in any order, or never."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote_plus

from simulation.world import World
from snowmelt.errors import UnreachableError
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.queue import QueueListener

LetGo = Callable[["Message"], None]


@dataclass
class Message:
    """What the queue keeps until it is told to delete it."""

    number: int
    name: str
    put: int
    visible_at: float
    receives: int = 0


@dataclass
class FakeQueue:
    """At least once, in any order; a received message hides for a while."""

    world: World
    messages: dict[int, Message] = field(default_factory=dict)
    _numbers: int = 0

    def tell_put(self, name: str, put: int) -> None:
        """An object was put: tell of it, late or twice or not at all."""
        world = self.world
        if world.chance(world.chances.dropped):
            world.tell(f"the message of {name} is lost")
            return
        copies = 2 if world.chance(world.chances.repeated) else 1
        for _ in range(copies):
            self._numbers += 1
            late = world.rng.choice([0, 0, 0, 5, 40])
            at = world.clock.monotonic() + late
            self.messages[self._numbers] = Message(self._numbers, name, put, at)

    def call(self, operation: str, **words: Any) -> dict[str, Any]:
        """Do as a client of the queue service does."""
        self.world.moment(operation)
        self._fail_perhaps(operation)
        done = cast("Callable[..., dict[str, Any]]", getattr(self, f"_{operation}"))
        answer = done(**words)
        self._fail_perhaps(f"the answer of {operation}")
        return answer

    def _fail_perhaps(self, what: str) -> None:
        if self.world.chance(self.world.chances.queue_error):
            self.world.tell(f"{what} is lost")
            raise UnreachableError("the queue", "it does not answer")

    def _receive_message(
        self, MaxNumberOfMessages: int, VisibilityTimeout: int, **_: Any
    ) -> dict[str, Any]:
        now = self.world.clock.monotonic()
        there = [each for each in self.messages.values() if each.visible_at <= now]
        self.world.rng.shuffle(there)
        taken = there[: self.world.rng.randint(1, MaxNumberOfMessages)]
        for message in taken:
            message.receives += 1
            message.visible_at = now + VisibilityTimeout
        if taken:
            self.world.tell(f"received {[each.name for each in taken]}")
        return {"Messages": [_sent(each) for each in taken]}

    def _delete_message_batch(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        failed = []
        for entry in Entries:
            number, receive = map(int, entry["ReceiptHandle"].split("/"))
            message = self.messages.get(number)
            if message is None:
                continue
            if message.receives != receive:
                failed.append({"Id": entry["Id"]})  # an older handle may be refused
                continue
            self.world.tell(f"deleted the message of {message.name}")
            del self.messages[number]
        return {"Failed": failed}

    def _change_message_visibility_batch(
        self, Entries: list[dict[str, Any]]
    ) -> dict[str, Any]:
        for entry in Entries:
            number, receive = map(int, entry["ReceiptHandle"].split("/"))
            message = self.messages.get(number)
            if message is not None and message.receives == receive:
                hidden = int(entry["VisibilityTimeout"])
                message.visible_at = self.world.clock.monotonic() + hidden
        return {}


def _sent(message: Message) -> dict[str, Any]:
    record = {
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "simulated"},
            "object": {"key": quote_plus(message.name)},
        },
    }
    return {
        "MessageId": str(message.number),
        "ReceiptHandle": f"{message.number}/{message.receives}",
        "Body": json.dumps({"Records": [record]}),
        "Attributes": {"ApproximateReceiveCount": str(message.receives)},
    }


class InlineListener:
    """The real listener, whose threads are steps of the simulation."""

    def __init__(self, queue: FakeQueue, config: LandingConfig, let_go: LetGo) -> None:
        assert config.bucket_path is not None
        self.queue = queue
        self.let_go = let_go
        nobody = cast("Any", None)
        clock = queue.world.clock
        self.real = QueueListener(nobody, config.bucket_path, config, clock, 20)
        cast("Any", self.real)._queue = queue
        self.real._outbox.close()  # so that an empty one is not waited for

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        """Let go of messages: each is judged then, not as its deletion is sent.

        Until that is sent a listing may have found what was forgotten.
        """
        before = set(self.real._receipts)
        self.real.acknowledge(is_pending)
        for number in sorted(map(int, before - set(self.real._receipts))):
            if number in self.queue.messages:
                self.let_go(self.queue.messages[number])

    def receive(self) -> None:
        """Do one round of the thread that receives."""
        try:
            self.real._receive()
        except UnreachableError:
            return

    def send(self) -> None:
        """Do what the thread that deletes and extends does, as far as it can."""
        while (letter := self.real._outbox.next()) is not None:
            try:
                self.real._send(letter)
            except UnreachableError:
                continue
