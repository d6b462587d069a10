"""Records that were refused at copy: kept exactly, listed, counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from snowmelt.bronze.raw import Reject
from snowmelt.pipe.history import LoadRecord
from snowmelt.warehouse.port import Session

# Open: not replayed, and of a load whose rows count. A failed load's rejects are
# evidence, not an account: its file is.
OPEN = """
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history using (load_seq)
    where rejects.replayed_by is null
      and history.superseded_by is null
      and history.status = 'Partially loaded'
"""


# Listed: the open ones, and the evidence of the newest load of a file, if it failed.
LISTED = """
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history using (load_seq)
    where rejects.replayed_by is null
      and history.superseded_by is null
      and (
          history.status = 'Partially loaded'
          or not exists (
              select 1 from snowmelt.load_history as later
              where later.file_name = history.file_name
                and later.load_seq > history.load_seq
          )
      )
"""


def insert_rejects(
    session: Session, load: LoadRecord, rejects: Sequence[Reject]
) -> None:
    """Store refused records; part of the load's transaction."""
    count = len(rejects)
    session.insert(
        "snowmelt.rejects",
        {
            "load_seq": [load.load_seq] * count,
            "pipe_name": [load.pipe_name] * count,
            "file_name": [load.file_name] * count,
            "file_row": [reject.file_row for reject in rejects],
            "line": [reject.line for reject in rejects],
            "byte_offset": [reject.byte_offset for reject in rejects],
            "column_name": [reject.errors[0].column_name for reject in rejects],
            "category": [reject.errors[0].category for reject in rejects],
            "error": [reject.errors[0].error for reject in rejects],
            "errors": [
                json.dumps([asdict(error) for error in reject.errors])
                for reject in rejects
            ],
            "rejected_record": [reject.raw for reject in rejects],
        },
    )
