"""The files of a project whose SQL both engines get, and what of it is not portable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from snowmelt.deploy.portable.template import macros_in, sql_of
from snowmelt.project.dashboards import FOLDER as DASHBOARDS
from snowmelt.project.project import Project
from snowmelt.project.targets import SnowflakeTarget

FOLDERS = ("models", "tests", "macros", "snapshots")
"""SQL of tasks is not among them: `deploy` reads it, more strictly (`statements`)."""
CONDITIONS = frozenset({"expression", "where", "condition"})
"""Keys of properties whose values are SQL that tests send."""
OF_CARDS = frozenset({"sql", "where"})
"""Keys whose values are SQL of cards and metrics: it is written anew for a target."""
METRICS = "metrics"
IGNORE = "snowmelt: not portable"
"""A comment on a line that says: this is meant, and for one engine alone."""


@dataclass(frozen=True)
class Place:
    """One place in a project's SQL that is not portable."""

    file: str
    line: int
    found: str
    why: str

    @property
    def document(self) -> dict[str, str | int]:
        return {
            "file": self.file,
            "line": self.line,
            "found": self.found,
            "why": self.why,
        }

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.found}: {self.why}"


def unportable(root: Path) -> list[Place]:
    """Return every place of a project that would not be the same on Snowflake."""
    from snowmelt.deploy.portable.linting import findings_in  # sqlglot takes a while

    texts = {path: _read(path) for path in _files(root)}
    macros = {name for text in texts.values() for name in macros_in(text)}
    found = []
    for path, above, text, is_rewritten in (
        *((path, 0, text, False) for path, text in texts.items()),
        *_properties(root),
        *_cards(root),
    ):
        shown, lines = path.relative_to(root).as_posix(), text.splitlines()
        for each in findings_in(sql_of(text, macros), is_rewritten=is_rewritten):
            if IGNORE not in lines[each.line - 1]:
                line = above + each.line
                found.append(Place(shown, line, each.found, each.why))
    return found


_Text = tuple[Path, int, str, bool]
"""A file, the lines above a text of it, the text, and whether it is written anew."""


def _properties(root: Path) -> Iterator[_Text]:
    """Yield SQL that stands in files of properties: of tests, and where they look.

    And that of metrics, which cards ask. What is no YAML is dbt's to tell.
    """
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.y*ml")):
            for keys, above, text in scalars_of(_read(path)):
                if keys[-1] in CONDITIONS:
                    yield path, above, text, False
                elif keys[-1] in OF_CARDS and METRICS in keys:
                    yield path, above, text, True


def _cards(root: Path) -> Iterator[_Text]:
    """Yield the SQL of dashboards: in their files, and in files of its own."""
    folder = root / DASHBOARDS
    for path in sorted(folder.glob("*.yml")):
        for keys, above, text in scalars_of(_read(path)):
            if keys[-1] in OF_CARDS and not text.strip().endswith(".sql"):
                yield path, above, text, True
    for path in sorted(folder.rglob("*.sql")):
        yield path, 0, _read(path), True


def scalars_of(text: str) -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Yield every text in YAML, with the keys above it and the lines before it."""
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    for keys, node in _scalars(top, ("",)):
        is_block = node.style in ("|", ">")
        yield keys, node.start_mark.line + is_block, str(node.value)


def _scalars(
    node: yaml.Node | None, keys: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], yaml.ScalarNode]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalars(value, (*keys, str(name.value)))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _scalars(value, keys)
    elif isinstance(node, yaml.ScalarNode):
        yield keys, node


def unportable_warnings(project: Project) -> list[str]:
    """Return what a project with a target is warned of: how much, and the first."""
    target = next(
        (
            name
            for name, each in project.settings.targets.items()
            if isinstance(each, SnowflakeTarget)
        ),
        None,
    )
    found = unportable(project.root) if target else []
    if not found:
        return []
    more = len(found) - 1
    others = f" and {more:,} other{'' if more == 1 else 's'}" if more else ""
    return [
        f"{found[0]}{others}: not the same on {target}; "
        f"snowmelt validate --target {target} names each"
    ]


def _files(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((root / folder).rglob("*.sql"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
