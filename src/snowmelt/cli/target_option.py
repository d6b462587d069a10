"""`--target`: the same command, of what runs on a target of snowmelt.yml.

Commands know nothing of it. The option is put on those that ask or act through
`project_option.connected`, which then lets the target's history answer; a verb that a
target has not is refused there, with what is to be done instead. A command that has an
option of this name already keeps its own.
"""

from __future__ import annotations

import click

_KEY = "snowmelt.target"
_LOCAL = "local"
OBSERVED = frozenset(
    (
        *("status", "history", "runs", "log", "check", "why", "trace", "refresh"),
        *("reload", "pause", "resume", "hold", "release", "drift", "rejects"),
        *("quarantine", "replay", "streams", "alerts", "tasks", "rebuild", "advise"),
        *("audit", "vacuum", "sql", "dashboards", "backup", "doctor", "cost"),
        *("observe", "link"),
    )
)
"""The commands that take it."""


def chosen_target() -> str | None:
    """Return the target that the command line names; None of this machine."""
    context = click.get_current_context(silent=True)
    target = context.meta.get(_KEY) if context is not None else None
    return None if target in (None, _LOCAL) else str(target)


def with_target(name: str, command: click.Command) -> click.Command:
    """Let a command, and those below it, take `--target`."""
    if name in OBSERVED:
        _add(command)
    return command


def _add(command: click.Command) -> None:
    if not any("--target" in each.opts for each in command.params):
        command.params.append(
            click.Option(
                ["observed_target", "--target"],
                metavar="TARGET",
                expose_value=False,
                callback=_choose,
                help="A target of snowmelt.yml; this machine without it.",
            )
        )
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _add(each)


def _choose(context: click.Context, option: click.Parameter, value: str | None) -> None:
    del option
    if value is not None:
        context.meta[_KEY] = value
