"""Actions of people, written into the warehouse."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from snowmelt.serve.actions import Action, Actor, recorded
from snowmelt.serve.commands import Commands
from snowmelt.warehouse.port import Warehouse

if TYPE_CHECKING:
    from snowmelt.service.loop import Loop


class WarehouseActionLog:
    """Writes each action as a row of `snowmelt.action_log`, in a commit of its own."""

    def __init__(
        self, warehouse: Warehouse, told: Callable[[], None] = lambda: None
    ) -> None:
        self._warehouse = warehouse
        self._told = told

    def record(self, action: Action) -> None:
        """Write one down."""
        with self._warehouse.session() as session:
            session.insert(
                "snowmelt.action_log",
                {
                    "who": [action.actor.name],
                    "door": [action.actor.door],
                    "action": [action.verb],
                    "arguments": [json.dumps(action.arguments, default=str)],
                    "result": [action.result],
                    "problem": [action.problem],
                    "started_at": [action.started_at],
                    "ended_at": [action.ended_at],
                },
            )
        self._told()


def owner() -> str:
    """Return the name of who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "owner"


def recording(
    commands: Commands,
    loop: Loop,
    door: str,
    told: Callable[[], None] = lambda: None,
) -> Commands:
    """Return commands whose actions by this machine's owner are put on record.

    `told` is called after each.
    """
    action_log = WarehouseActionLog(loop.parts.warehouse, told)
    return recorded(commands, Actor(owner(), door), action_log, loop.parts.clock)
