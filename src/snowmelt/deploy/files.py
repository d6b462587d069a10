"""A plan as files of SQL in their order, for who reviews or runs them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.snowflake.dbt_project import DbtProject
from snowmelt.deploy.steps import Plan, Step

_PARTS = (
    ("account", {"warehouse", "resource_monitor", "database", "schema"}),
    ("access", {"role", "role_grant", "grant"}),
    ("doors", {"storage_integration", "storage_access", "notification_integration"}),
)


def write_scripts(deployment: Deployment, plan: Plan, out: Path) -> Iterator[Path]:
    """Write the statements of a plan, one file for each part of it, in order.

    A part is a run of steps of one sort: a step that needs a later sort begins another
    file. Files of an earlier plan are removed. What statements send is written where
    they look for it, below the project: they are run from there.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("[0-9][0-9][0-9]_*.sql"):
        old.unlink()
    parts: list[tuple[str, list[Step]]] = []
    for step in plan.acting:
        if step.address.provider != "snowflake":
            continue
        part = _part_of(step)
        if not parts or parts[-1][0] != part:
            parts.append((part, []))
        parts[-1][1].append(step)
    for number, (part, steps) in enumerate(parts, start=1):
        file = out / f"{number:03d}_{part}.sql"
        file.write_text(_text(deployment, plan, steps))
        yield file
    for step in plan.acting:
        if isinstance(step.wanted, DbtProject):
            yield step.wanted.write()


def _part_of(step: Step) -> str:
    kind = step.address.kind
    return next((name for name, kinds in _PARTS if kind in kinds), f"{kind}s")


def _text(deployment: Deployment, plan: Plan, steps: list[Step]) -> str:
    lines = [f"-- {deployment.owner}, plan {plan.digest[:12]}", ""]
    for step in steps:
        lines.append(f"-- {step.action} {step.address}")
        lines += [f"{statement};" for statement in deployment.script(step)]
        lines.append("")
    return "\n".join(lines)
