"""An operator and a viewer of a target, over an account in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gold_account import GoldAccount
from read_by_dbt import ReadByDbt
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.events import Events
from snowmelt.project.project import Project
from snowmelt.serve.commands import Commands
from snowmelt.service.loop import Loop
from snowmelt.service.masking.commands import masked
from snowmelt.service.targets import files
from snowmelt.service.targets.answering import let_tell
from snowmelt.service.targets.commands import target_commands
from snowmelt.service.targets.files import FilesThere
from snowmelt.service.targets.gold import GoldThere
from snowmelt.service.targets.observing import Observing
from snowmelt.service.targets.opening import opened_target
from snowmelt.service.targets.project import observed_project


@dataclass
class Looking:
    """Who looks; the account and the files that they look at; what was told."""

    operator: Commands
    viewer: Commands
    account: GoldAccount
    files: FilesThere
    told: list[str]


@contextmanager
def looking_at(
    project: Project, account: GoldAccount, dbt: ReadByDbt | None
) -> Iterator[Looking]:
    """Have a target answered, as one process does; `dbt` is None: by the real one."""
    observed, clock = observed_project(project, "prod"), SystemClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "connect", lambda *_: account)
        if dbt is not None:
            patch.setattr(files, "Dbt", dbt)
        with opened_target(observed, clock, Events()) as parts:
            assert isinstance(parts.files, FilesThere)
            told: list[str] = []
            let_tell(parts.files, told.append)
            observing = Observing(parts, observed)
            gold = parts.gold = GoldThere(observing)
            observing.read_if_due()
            loop = Loop(parts)
            operator = target_commands(loop, observing, serving=False)
            try:
                viewer = masked(operator, loop)
                yield Looking(operator, viewer, account, parts.files, told)
            finally:
                loop.close()
                gold.close()


def rows_of(document: dict[str, Any], place: int) -> list[dict[str, Any]]:
    """Return the rows of a dashboard's card by the names of columns."""
    card = document["cards"][place]
    return [dict(zip(card["columns"], row, strict=True)) for row in card["rows"]]
