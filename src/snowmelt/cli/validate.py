"""snowmelt validate"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("validate")
@click.option(
    "--target", help="Check what this target would take instead; it is not asked."
)
@project_option
@json_option
def command(target: str | None, directory: Path, as_json: bool) -> int:
    """Check settings, pipes, contracts, dbt models and dashboards.

    SQL of models is planned in the order of a build, with nothing written and no row
    read; of which models it cannot be told whether they run, and why, is said.

    With --target: is there a place for everything, and does SQL in models, tests and
    macros mean the same there? Both get the same text. Cards of dashboards and metrics
    are written anew for it: what cannot be is named. A line with the comment
    `snowmelt: not portable` is left out.
    """
    if target is not None:
        return _check_target(target, directory, as_json)
    with connected(directory, off="refused") as commands:
        document = commands.validate()
    if as_json:
        output.show_json(document)
        return 0
    pipes = output.count(len(document["pipes"]), "pipe")
    output.show(f"{document['project']}: {pipes} and the dbt project are in order.")
    for warning in document["warnings"]:
        output.tell(f"Warning: {warning}.")
    if document["outdated"]:
        files = output.count(len(document["outdated"]), "file")
        output.tell(f"packages/snowmelt is another version's: {files} differ.")
        output.tell("Write this version's: snowmelt upgrade")
    return 0


def _check_target(target: str, directory: Path, as_json: bool) -> int:
    from snowmelt.clock import SystemClock
    from snowmelt.deploy.opening import NoSession, names_of, open_deployment
    from snowmelt.deploy.portable.checking import unportable
    from snowmelt.project.project import load_project
    from snowmelt.service.targets.unaskable import unaskable

    project = load_project(directory)
    names = names_of(project, target)
    found = [*unportable(project.root), *unaskable(project.root)]
    if not as_json:  # they are told, too, where something has no place there
        for each in found:
            output.show(str(each))
    deployment = open_deployment(project, names, NoSession(), SystemClock())
    if as_json:
        output.show_json(
            {
                "schema_version": 1,
                "target": str(names.owner),
                "not_portable": [each.document for each in found],
                "remarks": [
                    {"where": each.where, "told": each.told}
                    for each in deployment.remarks
                ],
            }
        )
        return 1 if found else 0
    for remark in deployment.remarks:
        output.tell(f"{remark.where}: {remark.told}")
    places = output.count(len(found), "place")
    output.tell(
        f"{places} of SQL would not be the same on {target}."
        if found
        else f"Everything has its place on {target}, and SQL means the same there."
    )
    return 1 if found else 0
