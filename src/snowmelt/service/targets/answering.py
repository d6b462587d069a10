"""Who answers for a target where no process observes it: this one, for one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from snowmelt.clock import Clock
from snowmelt.errors import SnowmeltError
from snowmelt.events import Events
from snowmelt.project.project import Project
from snowmelt.serve.commands import Commands
from snowmelt.service.action_log import recording
from snowmelt.service.loop import Loop
from snowmelt.service.targets.commands import target_commands
from snowmelt.service.targets.files import FilesThere
from snowmelt.service.targets.gold import GoldThere
from snowmelt.service.targets.observing import Observing
from snowmelt.service.targets.opening import opened_target
from snowmelt.service.targets.project import ObservedProject


@contextmanager
def answered_there(
    project: Project,
    clock: Clock,
    sink: Any,
    tell: Callable[[str], None] = lambda told: None,
) -> Iterator[Commands]:
    """Own the file of a target for the length of a block, read what is new, answer.

    `tell` hears what takes its time, and what is not as the files say.
    """
    assert isinstance(project, ObservedProject)
    events = Events()
    if sink is not None:
        events.subscribe(sink)
    with opened_target(project, clock, events) as parts:
        assert isinstance(parts.files, FilesThere)
        let_tell(parts.files, tell)
        observing = Observing(parts, project)
        gold = parts.gold = GoldThere(observing)
        try:
            observing.read_if_due()
            loop = Loop(parts)
            try:
                commands = target_commands(loop, observing, serving=False)
                yield recording(commands, loop, "command")
            finally:
                loop.close()
        finally:
            gold.close()
            observing.close()


def let_tell(files: FilesThere, tell: Callable[[str], None]) -> None:
    """Let files tell in one line what takes its time, and what is off with them."""

    def refused(error: SnowmeltError) -> None:
        if files.knows_models:  # else whoever needs them says it
            tell(f"{error} Models are shown as they were read before.")

    files.tell, files.refused = tell, refused
