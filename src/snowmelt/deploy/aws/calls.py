"""Calls to AWS: made, with patience and errors that help; or written down.

Whatever deploys asks and tells through `Calls`. `LiveCalls` does it; `WrittenCalls`
asks nothing, and writes what would be told as commands of the `aws` program: so a
script cannot say other things than what is done.
"""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from snowmelt.aws import Aws, AwsCallError, calling_service
from snowmelt.clock import Clock
from snowmelt.deploy.aws.refusals import refusal_of
from snowmelt.errors import SnowmeltError

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
_VARIABLE = re.compile(r"(\$[A-Z][A-Z_]+)")
_COMMANDS = {"s3": "s3api"}


class Missing(Exception):
    """What was asked about is not there."""


class Calls(Protocol):
    """How deploying speaks to AWS."""

    def ask(self, service: str, operation: str, **words: Any) -> dict[str, Any]:
        """Read something. Raises Missing, SnowmeltError."""

    def tell(
        self,
        service: str,
        operation: str,
        *,
        patient: frozenset[str] = frozenset(),
        **words: Any,
    ) -> dict[str, Any]:
        """Change something. Raises Missing, SnowmeltError.

        `patient`: errors that pass by themselves, because AWS has not yet heard
        everywhere of what was made a moment ago.
        """

    def note(self, text: str) -> None:
        """Say in a script what one command cannot."""


class LiveCalls:
    """Calls that are made."""

    def __init__(self, open_chain: Callable[[], Aws], clock: Clock) -> None:
        self._open_chain = open_chain
        self._aws: Aws | None = None
        self._clock = clock
        self._clients: dict[str, Any] = {}

    def ask(self, service: str, operation: str, **words: Any) -> dict[str, Any]:
        return self._call(service, operation, words)

    def tell(
        self,
        service: str,
        operation: str,
        *,
        patient: frozenset[str] = frozenset(),
        **words: Any,
    ) -> dict[str, Any]:
        give_up_at = self._clock.monotonic() + PATIENCE_SECONDS
        pauses = iter(_PAUSE_SECONDS)
        while True:
            try:
                return self._call(service, operation, words, patient)
            except _NotYet as error:
                pause = next(pauses, _PAUSE_SECONDS[-1])
                if self._clock.monotonic() + pause > give_up_at:
                    raise error.cause from None
                self._clock.wait(threading.Event(), pause)

    def note(self, text: str) -> None:
        """Nobody reads it here."""

    def _call(
        self,
        service: str,
        operation: str,
        words: Mapping[str, Any],
        patient: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        client = self._client(service)
        try:
            with calling_service():
                answer: dict[str, Any] = getattr(client, operation)(**words)
                return answer
        except AwsCallError as error:
            if error.code in patient:
                raise _NotYet(refusal_of(service, operation, words, error)) from None
            if error.is_missing:
                raise Missing(f"{service} {operation}") from None
            raise refusal_of(service, operation, words, error) from None

    def _client(self, service: str) -> Any:
        if self._aws is None:
            self._aws = self._open_chain()
        if service not in self._clients:
            self._clients[service] = self._aws.service(service)
        return self._clients[service]


class _NotYet(Exception):
    def __init__(self, cause: SnowmeltError) -> None:
        super().__init__(cause)
        self.cause = cause


class WrittenCalls:
    """Calls that are written down; what was asked about is taken not to be there.

    What only AWS can tell becomes a variable of the shell, set where it is first told.
    """

    _TOLD: Mapping[str, tuple[tuple[str, str], ...]] = {
        "create_key": (("KEY_ID", "KeyMetadata.KeyId"),),
        "describe_key": (("KEY_ID", "KeyMetadata.KeyId"),),
        "create_queue": (("QUEUE_URL", "QueueUrl"),),
        "get_queue_url": (("QUEUE_URL", "QueueUrl"),),
    }
    _ANSWERS: Mapping[str, dict[str, Any]] = {
        "KEY_ID": {
            "KeyMetadata": {
                "KeyId": "$KEY_ID",
                "Arn": "$KEY_ARN",
                "KeyState": "Enabled",
            }
        },
        "QUEUE_URL": {"QueueUrl": "$QUEUE_URL"},
    }

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._known: set[str] = set()

    def ask(self, service: str, operation: str, **words: Any) -> dict[str, Any]:
        if operation not in self._TOLD:
            raise Missing(f"{service} {operation}")
        ((variable, _),) = self._TOLD[operation]
        if variable not in self._known:
            return self.tell(service, operation, **words)
        return self._ANSWERS[variable]

    def tell(
        self,
        service: str,
        operation: str,
        *,
        patient: frozenset[str] = frozenset(),
        **words: Any,
    ) -> dict[str, Any]:
        line = as_command(service, operation, words)
        for variable, query in self._TOLD.get(operation, ()):
            self._known.add(variable)
            self.lines.append(f"{variable}=$({line} --query {query} --output text)")
            return self._ANSWERS[variable]
        self.lines.append(line)
        return {}

    def note(self, text: str) -> None:
        self.lines.append(f"# {text}")


def as_command(service: str, operation: str, words: Mapping[str, Any]) -> str:
    """Return a call as a command of the `aws` program."""
    parts = ["aws", _COMMANDS.get(service, service), operation.replace("_", "-")]
    for name, value in words.items():
        option = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        # A variable is not quoted with the rest: the shell would not look at it.
        quoted = _VARIABLE.sub(r"""'"\1"'""", shlex.quote(text))
        parts += [f"--{option}", quoted.removeprefix("''").removesuffix("''")]
    return " ".join(parts)
