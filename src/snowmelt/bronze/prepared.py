"""A batch that was read and judged, before it is committed."""

from __future__ import annotations

from dataclasses import dataclass, field

from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.fitting import Fitting
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.reading import Reading
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.external import KeptFile
from snowmelt.pipe.held import HeldFile
from snowmelt.pipe.history import LoadRecord
from snowmelt.pipe.identity import Identity, Verdict


@dataclass
class Outcome:
    """What one file of a batch came to, before and after it has its position.

    `kept`: of an external pipe, the file that bronze is to read.
    """

    pending: Pending
    inspection: Inspection
    identity: Identity
    read: FileRead | None
    record: LoadRecord
    kept: KeptFile | None = None


@dataclass
class Prepared:
    """A batch that was read. `again` are files to offer once more, with the reason.

    `held` are files that wait for a person instead of being loaded.
    """

    pipe: Pipe
    fitting: Fitting
    intake: Intake
    reading: Reading
    held: list[HeldFile] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)
    by_views: bool = False

    @property
    def errors(self) -> list[LoadRecord]:
        """Return the records of files that have an error of any kind."""
        return [
            each.record
            for each in self.outcomes
            if each.record.first_error_message
            and each.identity.verdict is not Verdict.IGNORED
        ]

    def close(self) -> None:
        """Remove what was put aside for reading."""
        self.reading.close()
        self.intake.close()
