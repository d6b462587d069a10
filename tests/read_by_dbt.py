"""dbt as far as files of a target are read by it: small projects, in no time.

A model is in the schema that its folder is called, and reads what it names; of YAML
only columns of models are read. `refused` is what it says of the files, and
`not_compiled` of their SQL; `parsed` tells which folders it was asked to read, and
`before` is called while it reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from snowmelt.errors import ConfigError
from snowmelt.transform.dbt_project import SERVICE_FOLDER
from snowmelt.transform.graph import Graph, Node, Source
from snowmelt.warehouse.port import Session

_REF = re.compile(r"\{\{ ref\('(\w+)'\) \}\}")
_SOURCE = re.compile(r"\{\{ source\('bronze', ?'(\w+)'\) \}\}")


class ReadByDbt:
    """Stands for dbt wherever files of a target are read, while it is there."""

    def __init__(self) -> None:
        self.parsed: list[Path] = []
        self.compiled = 0
        self.refused = self.not_compiled = ""
        self.before: Callable[[], None] = lambda: None

    def __call__(self, root: Path, engine: Path, target: str, shown: Path) -> _Dbt:
        return _Dbt(self, root, target, shown)


class _Dbt:
    def __init__(self, said: ReadByDbt, root: Path, target: str, shown: Path) -> None:
        self._said, self._root, self._target, self._shown = said, root, target, shown

    def parse(self, session: Session) -> Graph:
        del session
        self._said.parsed.append(self._root)
        self._said.before()
        profile = self._root / SERVICE_FOLDER / "profiles.yml"
        assert (
            self._target in yaml.safe_load(profile.read_text())["snowmelt"]["outputs"]
        )
        if self._said.refused:
            told = f"dbt refuses the project: {self._said.refused}"
            raise ConfigError(str(self._shown), told)
        sources = self._root / "models" / "bronze" / "_sources.yml"
        (source,) = yaml.safe_load(sources.read_text())["sources"]
        tables = {
            each["name"]: Source(
                f"source.shop.bronze.{each['name']}",
                f"source:bronze.{each['name']}",
                "bronze",
                each["name"],
            )
            for each in source["tables"]
        }
        paths = sorted(self._root.glob("models/*/*.sql"))
        nodes = [self._node(path, tables) for path in paths]
        manifest = self._root / SERVICE_FOLDER / "target" / "manifest.json"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        columns = dict(self._columns())
        entries = {each.id: _entry(each, columns) for each in nodes}
        manifest.write_text(json.dumps({"nodes": entries, "sources": {}}))
        return Graph(nodes, tables.values())

    def compile(
        self, session: Session, nodes: Sequence[Node], *, whole: bool
    ) -> dict[str, str]:
        del session
        assert whole
        self._said.compiled += 1
        if self._said.not_compiled:
            raise ConfigError(str(self._shown), self._said.not_compiled)
        return {each.id: self._compiled(each) for each in nodes}

    def _compiled(self, node: Node) -> str:
        text = (self._root / node.path).read_text()
        text = _SOURCE.sub(r'"warehouse"."bronze"."\1"', text)
        return _REF.sub(r'"warehouse"."gold"."\1"', text)

    def _node(self, path: Path, tables: dict[str, Source]) -> Node:
        text, schema = path.read_text(), path.parent.name
        read = [tables[each].id for each in _SOURCE.findall(text)]
        return Node(
            id=f"model.shop.{path.stem}",
            name=path.stem,
            fqn=f"shop.{schema}.{path.stem}",
            resource_type="model",
            parents=(*read, *(f"model.shop.{each}" for each in _REF.findall(text))),
            materialized="table",
            relation=f'"warehouse"."{schema}"."{path.stem}"',
            key=f"{schema}.{path.stem}",
            path=path.relative_to(self._root).as_posix(),
        )

    def _columns(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield models with what is said of their columns."""
        for path in self._root.glob("models/*/*.yml"):
            for each in yaml.safe_load(path.read_text()).get("models", ()):
                yield each["name"], {c["name"]: c for c in each.get("columns", ())}


def _entry(node: Node, columns: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "unique_id": node.id,
        "name": node.name,
        "resource_type": "model",
        "schema": node.key.partition(".")[0],
        "original_file_path": node.path,
        "columns": columns.get(node.name, {}),
    }
