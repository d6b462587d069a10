"""What a migration asks of a service that runs: its routes, and how they are asked."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
MOVING_POSTS: dict[str, dict[str, type]] = {
    "moving_pieces": {"wish": dict},
    "moving_piece": {"wish": dict},
    "moving_digest": {"wish": dict, "by_file": bool},
}


class MovingQuestions:
    """A part of `ServiceClient`."""

    def _ask(self, verb: str, **arguments: Any) -> Document:
        raise NotImplementedError

    def moving_pieces(self, wish: Document) -> Document:
        return self._ask("moving_pieces", wish=wish)

    def moving_piece(self, wish: Document) -> Document:
        return self._ask("moving_piece", wish=wish)

    def moving_digest(self, wish: Document, by_file: bool) -> Document:
        return self._ask("moving_digest", wish=wish, by_file=by_file)
