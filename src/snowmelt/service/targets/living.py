"""Doctor on a live target: the canary, its transcript, and one run at a time."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from snowmelt import __version__
from snowmelt.clock import Clock, SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.canary import bucket as buckets
from snowmelt.deploy.canary.run import Live, run_canary
from snowmelt.deploy.canary.transcript import Transcript, WrittenDown
from snowmelt.deploy.diagnosis.check import Check
from snowmelt.deploy.harvest.scope import scope_of
from snowmelt.errors import UsageError
from snowmelt.project.project import load_project
from snowmelt.serve.commands import Document
from snowmelt.service.diagnosing import diagnosis_document
from snowmelt.service.finding import Finding
from snowmelt.service.targets.diagnosing import as_finding
from snowmelt.service.targets.project import ObservedProject, observed_project

Tell = Callable[[Finding], None]


def diagnose_live(
    directory: Path,
    target: str,
    deadline: timedelta,
    tell: Tell,
    clock: Clock | None = None,
) -> Document:
    """Send a canary through a target; `tell` hears of each promise as it is held.

    Raises UsageError when another run is under way on this machine.
    """
    clock = clock or SystemClock()
    project = observed_project(load_project(directory), target)
    names = project.names
    began_at = clock.now()
    findings: list[Finding] = []

    def told(check: Check) -> None:
        transcript.write(f"= {check.level} {check.name} {check.object}: {check.found}")
        findings.append(as_finding(check))
        tell(findings[-1])

    with _alone(project):
        account = opening.connect(project, names, clock)
        path = project.state / "live" / f"{began_at:%Y%m%dT%H%M%SZ}.txt"
        transcript = Transcript(path, clock)
        try:
            transcript.write(
                f"snowmelt {__version__} doctor --live --target {target}; account "
                f"{names.target.account}, user {names.target.user}, role "
                f"{names.target.role}, bucket {names.target.aws.bucket}"
            )
            live = Live(
                WrittenDown(account, transcript),
                buckets.open_bucket(names, clock),
                scope_of(project, names),
                clock,
                socket.gethostname().replace(" ", "-"),
                deadline,
            )
            run_canary(live, told)
        except BaseException as error:
            transcript.write(f"! ended by {type(error).__name__}: {error}")
            raise
        finally:
            transcript.close()
            account.close()
    return diagnosis_document(findings, clock.now()) | {
        "target": {"name": target, "account": names.target.account},
        "transcript": str(path),
    }


@contextmanager
def _alone(project: ObservedProject) -> Iterator[None]:
    """Let one canary at a time run on this machine: others' are left-overs then."""
    project.state.mkdir(parents=True, exist_ok=True)
    with (project.state / "canary.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                "doctor --live",
                "another one is under way on this machine",
                "Wait until it ends.",
            ) from None
        yield
