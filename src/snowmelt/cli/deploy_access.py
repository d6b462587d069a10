"""snowmelt deploy access"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.command("access")
@click.option("--target", default="prod", show_default=True, help="A target.")
@project_option
@json_option
def command(target: str, directory: Path, as_json: bool) -> int:
    """Ask the policies that are on AWS who may do what; exits with 1 if that is wrong.

    All statements count, those of others too: the one that refuses Snowflake, or that
    lets the world in, is named.
    """
    from snowmelt.cli.deploy import _opened
    from snowmelt.deploy.aws.asking import ask_access

    with _opened(target, directory) as deployment:
        judgements = ask_access(deployment)
    if as_json:
        output.show_json({"access": [each.document for each in judgements]})
    else:
        for each in judgements:
            output.show(f"{'✓' if each.is_good else '✗'} {each}")
    return 0 if all(each.is_good for each in judgements) else 1
