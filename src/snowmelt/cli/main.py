"""The command group: lazy, with the nearest word for one it does not know."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

import click

from snowmelt import __version__
from snowmelt.cli import output
from snowmelt.cli.target_option import with_target
from snowmelt.errors import SnowmeltError

# In the order of a first day with Snowmelt; the help keeps it.
COMMANDS = {
    "init": "Make a project from a template, or adopt a dbt project.",
    "synth": "Make believable data to try things on.",
    "validate": "Check settings, pipes and dbt models.",
    "infer": "Draft a pipe from sample files.",
    "land": "Put files into the landing folder, whole or not at all.",
    "run": "Load what is pending, build, test, publish; then end.",
    "up": "Run the service: files become gold as they land.",
    "status": "Show pipes, pending files and the last run.",
    "history": "Show what became of every file.",
    "runs": "Show the runs that built gold, and what one was made of.",
    "log": "Show every step: listings, copies, runs, models, tests.",
    "check": "Say what loading a file would come to; load nothing.",
    "why": "Say why a file or a model was or was not dealt with.",
    "trace": "Show which files and lines made a row, and what a file became.",
    "refresh": "List the stage now and load what is new.",
    "reload": "Load files again although they are loaded.",
    "pause": "Let a pipe's files wait.",
    "resume": "Let a paused pipe go on.",
    "hold": "Let a file wait for a decision.",
    "release": "Let a held file go on.",
    "drift": "Show and decide about files whose columns differ.",
    "rejects": "Show records that were refused, with file, line and reason.",
    "quarantine": "Show rows that silver refused, with rule, file and record.",
    "replay": "Load refused records again, after a fix.",
    "streams": "Show how far models have read what they stream.",
    "alerts": "Show what is wrong, and who heard of it.",
    "tasks": "Show, run, retry and suspend the tasks of snowmelt.yml.",
    "rebuild": "Build silver and gold anew from bronze.",
    "advise": "Say what costs runs their time, and what to change.",
    "audit": "Rebuild everything and compare it with what is published.",
    "vacuum": "Let go of rows that were superseded; show what is kept and why.",
    "sql": "Ask the warehouse one query.",
    "publish": "Publish gold to Postgres or as Parquet files, for other tools.",
    "dashboards": "Show the figures of dashboards/*.yml.",
    "link": "Print a link that opens the pages, once.",
    "users": "Say who may see the pages with a password.",
    "tokens": "Say which programs may ask the service, and which may act.",
    "errands": "Show what programs asked for, and what came of it.",
    "backup": "Copy the warehouse into a new folder while it is in use.",
    "restore": "Put the warehouse of a backup back.",
    "deploy": "Put the project on AWS and Snowflake.",
    "migrate": "Ship what was loaded here to a target, and prove it the same.",
    "observe": "Watch a target: its pages, alerts and history on this machine.",
    "cost": "Show what a target took of credits: pipes, warehouse, models.",
    "upgrade": "Write this version's dbt package into the project.",
    "doctor": "Check this machine and this project.",
}


class LazyGroup(click.Group):
    """Knows every command's name and caption; imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"snowmelt.cli.{cmd_name}")
        command: click.Command = module.command
        return with_target(cmd_name, command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"there is no command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snowmelt")
def group() -> None:
    """Files land, gold appears.

    Exit codes: 0 done (also when records were rejected under `continue`), 1 a load
    or a test failed, 2 usage, 3 configuration, 4 the warehouse cannot be reached,
    5 partial (only with --fail-on), 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        code = group.main(given, prog_name="snowmelt", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.ClickException as error:
        _show_usage(error, as_json)
        sys.exit(2)
    except SnowmeltError as error:
        output.show_error(error.as_document(), as_json=as_json)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _show_usage(error: click.ClickException, as_json: bool) -> None:
    told = {"where": "usage", "problem": error.format_message(), "remedy": ""}
    if not as_json and isinstance(error, click.UsageError) and error.ctx:
        told["remedy"] = f"See: {error.ctx.command_path} --help"
    output.show_error(told, as_json=as_json)
