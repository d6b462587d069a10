"""snowmelt deploy"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import deploy_access, deploy_rights, output
from snowmelt.cli.project_option import json_option, project_option
from snowmelt.errors import UsageError

if TYPE_CHECKING:
    from snowmelt.deploy.address import Address
    from snowmelt.deploy.deployment import Deployment
    from snowmelt.deploy.steps import Plan, Step

target_option = click.option(
    "--target", default="prod", show_default=True, help="A target of snowmelt.yml."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
sql_option = click.option(
    "--sql", "with_script", is_flag=True, help="Show the statements of each step."
)
replace_option = click.option(
    "--replace", multiple=True, metavar="ADDRESS", help="Make this anew."
)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the statements there, as files in their order.",
)


@click.group("deploy")
def command() -> None:
    """Put the project on AWS and Snowflake.

    What is to be there is compared with what is there; nothing is remembered
    elsewhere. What bears no mark of this project is never touched.
    """


@command.command("plan")
@target_option
@sql_option
@replace_option
@out_option
@click.option("--offline", is_flag=True, help="Ask nobody: all is yet to be made.")
@project_option
@json_option
def show(target: str, directory: Path, as_json: bool, **given: Any) -> int:
    """Show what would be made, changed and dropped; change nothing."""
    offline, with_script, replace = (
        given[key] for key in ("offline", "with_script", "replace")
    )
    with _opened(target, directory, offline=offline) as deployment:
        plan = deployment.plan_offline() if offline else _planned(deployment, replace)
        if given["out"] is not None:
            _write_files(deployment, plan, given["out"])
        if as_json:
            output.show_json(_document(deployment, plan, with_script))
        else:
            _show(deployment, plan, with_script)
            if plan.acting and not offline:
                output.tell(f"Do it: {_apply_line(plan, target, directory, replace)}")
        return 1 if plan.stuck else 0


@command.command("apply")
@target_option
@click.option(
    "--plan", "approved", metavar="DIGEST", help="Only this plan, as `plan` showed it."
)
@replace_option
@yes_option
@project_option
@json_option
def apply(
    target: str,
    approved: str | None,
    replace: tuple[str, ...],
    yes: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """Do exactly what the plan says, step by step.

    It can be stopped anywhere: the next apply goes on from there.
    """
    with _opened(target, directory) as deployment:
        plan = _planned(deployment, replace)
        if approved is not None:
            from snowmelt.deploy.applying import require_same

            require_same(approved, plan)
        elif not yes:
            _show(deployment, plan, with_script=False)
            if plan.acting:
                _ask(f"Do these {len(plan.acting)} steps?", as_json)
                _require_unchanged(plan, _planned(deployment, replace))
        return _carry_out(deployment, plan, as_json)


@command.command("destroy")
@target_option
@click.option(
    "--with-data",
    multiple=True,
    metavar="ADDRESS",
    help="Drop this too, though it holds data; a database with all that is in it.",
)
@yes_option
@project_option
@json_option
def destroy(
    target: str,
    with_data: tuple[str, ...],
    yes: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """Drop what deploy made. What holds data is kept unless it is named."""
    with _opened(target, directory) as deployment:
        named = frozenset(_address(each) for each in with_data)
        _require_there(deployment, named)
        plan = deployment.plan_destroy(named)
        if not as_json:
            _show(deployment, plan, with_script=False)
        if plan.acting and not yes:
            _ask(f"Drop these {len(plan.acting)}?", as_json)
            _require_unchanged(plan, deployment.plan_destroy(named))
        return _carry_out(deployment, plan, as_json)


@command.command("drift")
@target_option
@project_option
@json_option
def drift(target: str, directory: Path, as_json: bool) -> int:
    """Show what differs there from what was applied; exits with 1 if anything does."""
    from snowmelt.deploy.planning import changed_elsewhere
    from snowmelt.deploy.steps import Plan

    with _opened(target, directory) as deployment:
        plan = Plan(changed_elsewhere(deployment.plan()))
        if as_json:
            output.show_json(_document(deployment, plan, with_script=False))
        elif plan.steps:
            _show(deployment, plan, with_script=False)
            output.tell(f"Undo it: snowmelt deploy apply --target {target}")
        else:
            output.show("Nothing was changed elsewhere.")
        return 1 if plan.steps else 0


@contextmanager
def _opened(
    target: str, directory: Path, *, offline: bool = False
) -> Iterator[Deployment]:
    from snowmelt.clock import SystemClock
    from snowmelt.deploy.opening import (
        NoSession,
        connect,
        names_of,
        open_deployment,
        with_region,
    )
    from snowmelt.project.project import load_project

    clock = SystemClock()
    project = load_project(directory)
    names = names_of(project, target)
    if offline:
        yield open_deployment(project, names, NoSession(), clock)
        return
    # what has no mapping is told before anybody signs in
    open_deployment(project, names, NoSession(), clock)
    session = connect(project, names, clock)
    try:
        deployment = open_deployment(project, names, session, clock)
        yield with_region(deployment, project, names, session)
    finally:
        session.close()


def _planned(deployment: Deployment, replace: tuple[str, ...]) -> Plan:
    from snowmelt.deploy.planning import Words

    named = frozenset(_address(each) for each in replace)
    return deployment.plan(Words(replace=named))


def _address(given: str) -> Address:
    from snowmelt.deploy.address import Address

    parts = given.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise UsageError(
            given,
            "an address is PROVIDER:KIND:NAME",
            "Take it from the plan, as shown.",
        )
    return Address(*parts)


def _require_there(deployment: Deployment, named: frozenset[Address]) -> None:
    there = {each.address for each in deployment.look().found}
    for each in sorted(named - there):
        raise UsageError(f"--with-data {each}", "there is nothing of this name")


def _require_unchanged(shown: Plan, now: Plan) -> None:
    from snowmelt.deploy.applying import require_same

    require_same(shown.digest, now)


def _carry_out(deployment: Deployment, plan: Plan, as_json: bool) -> int:
    from snowmelt.deploy.applying import apply_plan
    from snowmelt.deploy.showing import SIGNS

    def told(step: Step) -> None:
        output.tell(f"{SIGNS[step.action]} {step.address}")

    done = apply_plan(deployment, plan, told)
    if as_json:
        output.show_json({**_document(deployment, plan, False), "done": done})
    else:
        output.show(f"{output.count(done, 'step')} done.")
        for step in plan.stuck:
            output.tell(f"Left: {step.address}: {step.why}")
    return 1 if plan.stuck else 0


def _show(deployment: Deployment, plan: Plan, with_script: bool) -> None:
    from snowmelt.deploy.showing import show_plan

    script = deployment.script if with_script else None
    colour = sys.stdout.isatty() and not _wants_no_colour()
    for line in show_plan(plan, colour=colour, script=script):
        output.show(line)
    for remark in deployment.remarks:
        output.tell(f"{remark.where}: {remark.told}")


def _wants_no_colour() -> bool:
    import os

    return bool(os.environ.get("NO_COLOR"))


def _document(deployment: Deployment, plan: Plan, with_script: bool) -> dict[str, Any]:
    told = plan.document
    if with_script:
        for step, document in zip(plan.steps, told["steps"], strict=True):
            document["statements"] = list(deployment.script(step))
    remarks = [{"where": each.where, "told": each.told} for each in deployment.remarks]
    return {"target": str(deployment.owner), **told, "remarks": remarks}


def _write_files(deployment: Deployment, plan: Plan, out: Path) -> None:
    from snowmelt.deploy.aws.terraform.writing import write_infra
    from snowmelt.deploy.files import write_scripts

    for file in (*write_scripts(deployment, plan, out), *write_infra(deployment, out)):
        output.tell(str(file))


def _apply_line(
    plan: Plan, target: str, directory: Path, replace: tuple[str, ...]
) -> str:
    import shlex

    words = ["snowmelt", "deploy", "apply", "--target", target]
    words += ["--plan", plan.digest[:12]]
    words += [word for each in replace for word in ("--replace", each)]
    if directory != Path():
        words += ["--project-dir", str(directory)]
    return shlex.join(words)


def _ask(question: str, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise UsageError(
            "deploy", "nobody can be asked here", "Add --yes, or --plan DIGEST."
        )
    output.tell(f"{question} Type yes:")
    if sys.stdin.readline().strip().lower() != "yes":
        raise click.Abort


command.add_command(deploy_access.command)
command.add_command(deploy_rights.command)
