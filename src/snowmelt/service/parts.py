"""What the loop works with."""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.bronze.copy import Copier
from snowmelt.clock import Clock
from snowmelt.events import Events
from snowmelt.gold.publication import Publication
from snowmelt.gold.vacuum import Vacuum
from snowmelt.landing.stage import Stage
from snowmelt.observe.pipeline_log import PipelineLog
from snowmelt.pipe.attempts import Attempts
from snowmelt.pipe.pending import PendingFiles
from snowmelt.project.project import Project
from snowmelt.service.boards.asking import Gold
from snowmelt.service.lane import Lane, MakeLane
from snowmelt.service.load_lanes import PipeLocks, Trial
from snowmelt.service.noticing import Noticing
from snowmelt.service.project_files import ProjectFiles
from snowmelt.warehouse.port import Warehouse


@dataclass
class Parts:
    """What the loop works with."""

    project: Project
    warehouse: Warehouse
    stage: Stage
    pending: PendingFiles
    copier: Copier
    attempts: Attempts
    publication: Publication
    vacuum: Vacuum
    clock: Clock
    events: Events
    pipeline_log: PipelineLog
    loading: PipeLocks
    """Held while load history is read and added to: by copies and by replays."""
    trial: Trial
    """Tries a file in a process of its own."""
    make_lane: MakeLane = Lane
    gold: Gold | None = None
    """Who has the rows of gold where the warehouse has not: the account of a target."""
    files: ProjectFiles | None = None
    """Who knows what dbt says of the project where no build of this machine does."""
    noticing: Noticing | None = None
    """Where a service runs: whether the project's files are what it works with."""
    pages: str = ""
    """Where pages are seen, or why there are none; empty where nobody asked."""
