"""What was said and answered, written down as it happens: the only real proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snowmelt.clock import Clock
from snowmelt.deploy.snowflake.session import AccountError, Row, Session

ROWS_SHOWN = 20


class Transcript:
    """A file that is written line by line; of a run that is killed it holds the most.

    Statements have no secrets: sign-in is not a statement.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def write(self, text: str) -> None:
        """Write down what happened, with its time."""
        at = self._clock.now().isoformat(timespec="milliseconds")
        self._file.write(f"{at} {text}\n")
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


class WrittenDown:
    """A session whose statements and answers are written down."""

    def __init__(self, session: Session, transcript: Transcript) -> None:
        self._session = session
        self._transcript = transcript

    def rows(self, statement: str) -> list[Row]:
        """Carry out one statement."""
        self._transcript.write(f"> {' '.join(statement.split())}")
        try:
            rows = self._session.rows(statement)
        except AccountError as error:
            self._transcript.write(f"! {error.number:06d} {error.message}")
            raise
        for row in rows[:ROWS_SHOWN]:
            told = json.dumps(dict(row), default=_text, ensure_ascii=False)
            self._transcript.write(f"< {told}")
        more = len(rows) - ROWS_SHOWN
        if more > 0 or not rows:
            self._transcript.write(f"< {max(more, 0)} more rows")
        return rows


def _text(value: Any) -> str:
    return str(value)
