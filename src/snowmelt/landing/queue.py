"""A queue that is told of new objects: received, held, let go of.

One thread receives, another deletes and extends; the loop only hands over decisions
and never waits for the network. A message lost on the way costs nothing but time: the
listing finds what it told of.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from snowmelt.aws import Aws, calling
from snowmelt.clock import Clock
from snowmelt.errors import UnreachableError
from snowmelt.landing.config import BucketPath, LandingConfig
from snowmelt.landing.queue_outbox import BATCH, Letter, Outbox
from snowmelt.landing.s3_event import (
    BodyError,
    Receipt,
    Remedy,
    names_told,
    remedy_of,
    settle,
)
from snowmelt.landing.stage import Channel

log = logging.getLogger("snowmelt")
POLL_SECONDS = 20
BACKOFF_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 5.0


@dataclass(frozen=True)
class QueueAddress:
    """A queue as it was named: by URL, ARN or name."""

    url: str | None
    name: str
    account: str | None
    endpoint: str | None
    region: str | None

    @staticmethod
    def of(given: str) -> QueueAddress:
        """Read a URL, an ARN or a name."""
        if "://" in given:
            parts = urlsplit(given)
            host = (parts.hostname or "").split(".")
            region = host[1] if host[0] == "sqs" and len(host) > 2 else None
            endpoint = f"{parts.scheme}://{parts.netloc}"
            return QueueAddress(
                given, parts.path.rsplit("/", 1)[-1], None, endpoint, region
            )
        if given.startswith("arn:"):
            _, _, _, region, account, name = given.split(":", 5)
            return QueueAddress(None, name, account, None, region)
        return QueueAddress(None, given, None, None, None)


class Queue:
    """One queue as a client speaks to it. Raises UnreachableError."""

    def __init__(self, aws: Aws, given: str) -> None:
        self._address = QueueAddress.of(given)
        self._aws = aws
        self._opened: tuple[Any, str] | None = None

    def call(self, operation: str, **words: Any) -> Any:
        """Call an operation of the queue."""
        with calling(f"queue {self._address.name}"):
            client, url = self._open()
            return getattr(client, operation)(QueueUrl=url, **words)

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            address = self._address
            client = self._aws.sqs(address.endpoint, address.region)
            url = address.url
            if url is None:
                owner = (
                    {"QueueOwnerAWSAccountId": address.account}
                    if address.account
                    else {}
                )
                url = client.get_queue_url(QueueName=address.name, **owner)["QueueUrl"]
            self._opened = client, url
        return self._opened


@dataclass
class QueueListener:
    """Receives what a queue tells, until it is let go of."""

    aws: Aws
    stage: BucketPath
    config: LandingConfig
    clock: Clock
    poll_seconds: int

    def __post_init__(self) -> None:
        self.channel = Channel(self.config.queue or "")
        self._queue = Queue(self.aws, self.config.queue or "")
        buried = self.config.dead_letter_queue
        self._dead_letters = Queue(self.aws, buried) if buried else None
        self._visibility = int(self.config.visibility_timeout.total_seconds())
        self._lock = threading.Lock()
        self._receipts: dict[str, Receipt] = {}
        self._stop = threading.Event()
        self._room = threading.Event()
        self._outbox = Outbox(self._visibility)
        self._running: list[threading.Thread] = []

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to receive; call `wake` when files were told of."""
        self._stop.clear()
        self._outbox.open()
        self._running = [
            threading.Thread(
                target=self._receive_on, args=(wake,), name="queue", daemon=True
            ),
            threading.Thread(target=self._send_on, name="queue-settle", daemon=True),
        ]
        for thread in self._running:
            thread.start()

    def stop(self) -> None:
        """Stop receiving; what was decided is still sent, for some seconds.

        A poll that is under way is not waited for: a message that comes with it
        shows itself again when its time is over.
        """
        self._stop.set()
        self._room.set()
        self._outbox.close()
        for thread in reversed(self._running):
            thread.join(STOP_SECONDS_MAX if thread.name == "queue-settle" else 0.1)
        self._running = []

    def take(self) -> set[str]:
        """Return the names told of since the last call; the loop now knows them."""
        with self._lock:
            new = [each for each in self._receipts.values() if not each.told]
            for each in new:
                self._receipts[each.message_id] = replace(each, told=True)
        return {name for each in new for name in each.names}

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        """Hand over which messages to delete, and which to hold for longer."""
        now = self.clock.monotonic()
        with self._lock:
            receipts = list(self._receipts.values())
        over, held = settle(receipts, is_pending, now, self._visibility)
        with self._lock:
            over = [each for each in over if self._is_current(each)]
            for each in over:
                del self._receipts[each.message_id]
            for each in held:
                if self._is_current(each):
                    self._receipts[each.message_id] = each
            self.channel.outstanding = len(self._receipts)
        if over:
            self._room.set()
        self._outbox.add(over, held)

    def _is_current(self, receipt: Receipt) -> bool:
        """Is this the last delivery of its message, and told of no less?"""
        known = self._receipts.get(receipt.message_id)
        return known is not None and known.handle == receipt.handle

    def _receive_on(self, wake: Callable[[], None]) -> None:
        backoff = 1.0
        while not self._stop.is_set():
            if self._is_full():
                self.clock.wait(self._room, 1.0)
                continue
            try:
                if self._receive():
                    wake()
            except UnreachableError as error:
                self._note(str(error))
                self.clock.wait(self._stop, backoff)
                backoff = min(2 * backoff, BACKOFF_SECONDS_MAX)
            except Exception:
                log.exception("what a queue sent could not be taken")
                self.clock.wait(self._stop, BACKOFF_SECONDS_MAX)
            else:
                backoff = 1.0

    def _is_full(self) -> bool:
        with self._lock:
            waiting = len(self._receipts) + len(self._outbox)
            full = waiting > self.config.queue_messages_max - BATCH
            if full:
                self._room.clear()
        return full

    def _receive(self) -> bool:
        """Wait for messages; say whether any tells of a file of ours."""
        asked_at = self.clock.monotonic()
        answer = self._queue.call(
            "receive_message",
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=self.poll_seconds,
            VisibilityTimeout=self._visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        self.channel.problem = None
        self.channel.last_pulled_at = self.clock.now()
        messages = answer.get("Messages", [])
        self.channel.received_count += len(messages)
        if messages:
            self.channel.last_received_at = self.channel.last_pulled_at
        # The time of a message begins to run when it leaves the queue: after asking,
        # before the answer is here. A long poll on an empty queue is no part of it.
        held_at = max(asked_at, self.clock.monotonic() - 1.0)
        told: list[Receipt] = []
        ignored: list[Receipt] = []
        for message in messages:
            receipt = self._read(message, held_at)
            if receipt is not None:
                (told if receipt.names else ignored).append(receipt)
        with self._lock:
            self._receipts.update((each.message_id, each) for each in told)
            self.channel.outstanding = len(self._receipts)
        self._outbox.add(ignored)
        return bool(told)

    def _read(self, message: dict[str, Any], held_at: float) -> Receipt | None:
        """Read one message; None when it cannot be read and was dealt with."""
        number, handle = message["MessageId"], message["ReceiptHandle"]
        try:
            names = frozenset(names_told(message["Body"], self.stage))
        except BodyError as error:
            self._refuse(message, Receipt(number, handle, frozenset(), held_at), error)
            return None
        return Receipt(number, handle, names, held_at)

    def _refuse(
        self, message: dict[str, Any], receipt: Receipt, why: BodyError
    ) -> None:
        """Leave a message to its queue, or have it buried; say so each time."""
        counted = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
        self.channel.unread_count += 1
        remedy = remedy_of(
            int(counted),
            self.config.queue_receives_max,
            has_dead_letters=self._dead_letters is not None,
        )
        log.warning(
            "message %s of the queue cannot be read: %s; %s",
            receipt.message_id,
            why,
            remedy.value,
        )
        if remedy is Remedy.BURY:
            self._outbox.bury(receipt, message["Body"])

    def _send_on(self) -> None:
        while (letter := self._outbox.next()) is not None:
            try:
                self._send(letter)
            except UnreachableError as error:
                # They come again when their time is over, and are let go of then.
                self._note(str(error))
            except Exception:
                log.exception("messages could not be let go of")

    def _send(self, letter: Letter) -> None:
        if letter.buried is not None and self._dead_letters is not None:
            self._dead_letters.call("send_message", MessageBody=letter.buried)
        answer = self._queue.call(letter.operation, Entries=letter.entries)
        failed = answer.get("Failed", [])
        if failed:
            log.info("%d messages: %s failed", len(failed), letter.operation)

    def _note(self, problem: str) -> None:
        if self.channel.problem != problem:
            log.warning("%s", problem)
        self.channel.problem = problem
