"""snowmelt deploy rights"""

from __future__ import annotations

import json
from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import project_option


@click.command("rights")
@click.option("--target", default="prod", show_default=True, help="A target.")
@click.option(
    "--for",
    "whom",
    type=click.Choice(["deploy", "service"]),
    default="deploy",
    show_default=True,
    help="For who deploys, or for `snowmelt up` and `land` while they run.",
)
@click.option(
    "--with-data", is_flag=True, help="For who empties the bucket, too (destroy)."
)
@click.option(
    "--puts-away", is_flag=True, help="For pipes that archive, tag or purge files."
)
@project_option
def command(
    target: str, whom: str, with_data: bool, puts_away: bool, directory: Path
) -> int:
    """Print the policy that a person or the service needs on AWS: no right more.

    Nobody is asked and nothing is granted: give it to who hands out rights.
    """
    from snowmelt.deploy.aws import rights
    from snowmelt.deploy.aws.site import Site
    from snowmelt.deploy.opening import names_of
    from snowmelt.project.project import load_project

    site = Site.of(names_of(load_project(directory), target))
    if whom == "service":
        document = rights.service(site, puts_away=puts_away)
    else:
        document = rights.operator(site)
        if with_data:
            document["Statement"] += rights.erasing(site)["Statement"]
    output.show(json.dumps(document, indent=2))
    return 0
