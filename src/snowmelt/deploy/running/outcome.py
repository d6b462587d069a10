"""What came of a run on a target, from what dbt wrote of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from snowmelt.deploy.running.invocation import Ended
from snowmelt.deploy.running.remedies import Around, remedy_of

_FAILED = ("error", "fail", "runtime error", "partial success")


@dataclass(frozen=True)
class Problem:
    """What went wrong in one place: the object, its statement, the way out."""

    node: str
    status: str
    message: str
    statement: str = ""
    """The file with the statement as it was sent."""
    remedy: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    run_id: str
    seconds: float
    models: int = 0
    tests: int = 0
    tests_passed: int = 0
    tests_warned: int = 0
    skipped: int = 0
    problems: tuple[Problem, ...] = field(default=())
    publication: str = ""
    """What the log of the pipeline says: ok, refused, left; empty without a line."""
    why: str = ""
    tables: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """How it ended, as runs of this machine say it."""
        return "FAILED" if self.problems else "SUCCEEDED"

    @property
    def document(self) -> dict[str, Any]:
        """The outcome as `--json` has it."""
        return {**asdict(self), "state": self.state}


def outcome_of(ended: Ended, folder: Path, around: Around) -> Outcome:
    """Read what dbt wrote; without that, what it said is the problem."""
    if ended.results is None:
        return Outcome("", 0.0, problems=_said(ended, around))
    nodes: Mapping[str, Any] = ended.manifest["nodes"]
    results: Sequence[Mapping[str, Any]] = ended.results["results"]
    tests = [
        r for r in results if r["unique_id"].split(".")[0] in ("test", "unit_test")
    ]
    models = [r for r in results if r["unique_id"].startswith("model.")]
    problems = tuple(
        _problem(each, nodes.get(each["unique_id"], {}), folder, around)
        for each in results
        if each["status"] in _FAILED
    )
    if ended.code != 0 and not problems:
        problems = _said(ended, around)
    return Outcome(
        str(ended.results["metadata"]["invocation_id"]),
        float(ended.results["elapsed_time"]),
        len(models),
        len(tests),
        sum(each["status"] == "pass" for each in tests),
        sum(each["status"] == "warn" for each in tests),
        sum(each["status"] == "skipped" for each in results),
        problems,
    )


def _said(ended: Ended, around: Around) -> tuple[Problem, ...]:
    said = " ".join(" ".join(ended.errors).split())
    told = said or f"dbt ended with {ended.code}"
    return (Problem("dbt", "error", told, remedy=remedy_of(told, around)),)


def _problem(
    result: Mapping[str, Any], node: Mapping[str, Any], folder: Path, around: Around
) -> Problem:
    message = " ".join(str(result["message"] or "").split())
    name = str(node.get("relation_name") or node.get("name") or result["unique_id"])
    sent = folder / "target" / "compiled" / str(node.get("package_name", ""))
    sent /= str(node.get("original_file_path", ""))
    statement = str(sent) if sent.is_file() else str(node.get("compiled_path") or "")
    return Problem(
        name, str(result["status"]), message, statement, remedy_of(message, around)
    )
