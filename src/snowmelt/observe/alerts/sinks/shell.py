"""A message to a command of the user's own, as JSON on its stdin."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.observe.alerts.message import Message
from snowmelt.observe.alerts.sinks.sending import SendError

_TOLD_MAX = 200


class Shell(BaseModel):
    """A command; exit code 0 says that the message was taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str = Field(min_length=1, description="What /bin/sh is to run.")

    def send(self, message: Message, seconds_max: float) -> None:
        """Run the command; what takes too long is killed, children and all."""
        environment = os.environ | {"SNOWMELT_MESSAGE_ID": message.message_id}
        try:
            child = subprocess.Popen(
                ["/bin/sh", "-c", self.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise SendError(f"it could not be run: {error}") from None
        given = json.dumps(message.document, ensure_ascii=False).encode()
        try:
            _, told = child.communicate(given, timeout=seconds_max)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise SendError(f"it did not end within {seconds_max:g} s") from None
        if child.returncode:
            text = told.decode(errors="replace").strip()
            why = f": {text[-_TOLD_MAX:]}" if text else ""
            raise SendError(f"it ended with code {child.returncode}{why}")
