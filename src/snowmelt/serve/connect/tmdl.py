"""A semantic model for Power BI: a project of TMDL files. Experimental.

https://learn.microsoft.com/analysis-services/tmdl/tmdl-overview. The same tables give
the same files, so that they can be under version control.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence

from snowmelt.serve.connect.endpoint import Endpoint, ModelColumn, ModelTable

NAME = "snowmelt"
_SPACE = uuid.UUID("6f1d4d0e-8a53-4d0c-9a3e-53e1d7b7a001")
_WHOLE = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER"),
)
_LARGE = ("DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_WHEN = '{"version":"5.59","themeCollection":{}}'


def project_files(endpoint: Endpoint, tables: Sequence[ModelTable]) -> dict[str, str]:
    """Return the files of a project, by path."""
    model, report = f"{NAME}.SemanticModel", f"{NAME}.Report"
    definition = f"{model}/definition"
    known = {table.name for table in tables}
    files = {
        f"{NAME}.pbip": _json(
            {
                "version": "1.0",
                "artifacts": [{"report": {"path": report}}],
                "settings": {"enableAutoRecovery": True},
            }
        ),
        f"{model}/.platform": _platform("SemanticModel"),
        f"{model}/definition.pbism": _json({"version": "4.0", "settings": {}}),
        f"{definition}/database.tmdl": "database\n\tcompatibilityLevel: 1567\n",
        f"{definition}/model.tmdl": _model(tables),
        f"{definition}/expressions.tmdl": _expressions(endpoint),
        f"{report}/.platform": _platform("Report"),
        f"{report}/definition.pbir": _json(
            {
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{model}"}},
            }
        ),
        f"{report}/report.json": _json(_empty_report()),
    }
    relationships = _relationships(tables, known)
    if relationships:
        files[f"{definition}/relationships.tmdl"] = relationships
    for table in tables:
        files[f"{definition}/tables/{_file(table.name)}.tmdl"] = _table(endpoint, table)
    return files


def as_zip(files: Mapping[str, str]) -> bytes:
    """Return files as one archive; the same files are the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[path])
    return buffer.getvalue()


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def _platform(kind: str) -> str:
    return _json(
        {
            "$schema": "https://developer.microsoft.com/json-schemas/fabric/"
            "gitIntegration/platformProperties/2.0.0/schema.json",
            "metadata": {"type": kind, "displayName": NAME},
            "config": {"version": "2.0", "logicalId": _tag(kind)},
        }
    )


def _empty_report() -> dict[str, object]:
    page = {
        "name": "page1",
        "displayName": "Page 1",
        "displayOption": 1,
        "width": 1280,
        "height": 720,
        "visualContainers": [],
        "filters": "[]",
        "config": "{}",
    }
    return {"config": _WHEN, "layoutOptimization": 0, "sections": [page]}


def _model(tables: Sequence[ModelTable]) -> str:
    lines = [
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "\tsourceQueryCulture: en-US",
        "",
        *(f"ref table {_name(table.name)}" for table in tables),
    ]
    return "\n".join(lines) + "\n"


def _expressions(endpoint: Endpoint) -> str:
    meta = 'meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
    given = {"Server": endpoint.server, "Database": endpoint.database}
    return "\n".join(
        f"expression {name} = {_quoted(value)} {meta}\n\tlineageTag: {_tag(name)}\n"
        for name, value in given.items()
    )


def _table(endpoint: Endpoint, table: ModelTable) -> str:
    lines = [
        *_description(table.description, ""),
        f"table {_name(table.name)}",
        f"\tlineageTag: {_tag(table.name)}",
        "",
    ]
    for column in table.columns:
        lines += _column(table, column)
    item = f"Schema={_quoted(endpoint.schema)},Item={_quoted(table.name)}"
    lines += [
        f"\tpartition {_name(table.name)} = m",
        "\t\tmode: directQuery",
        "\t\tsource =",
        "\t\t\tlet",
        "\t\t\t\tSource = PostgreSQL.Database(Server, Database),",
        f"\t\t\t\tRows = Source{{[{item}]}}[Data]",
        "\t\t\tin",
        "\t\t\t\tRows",
        "",
    ]
    return "\n".join(lines)


def _column(table: ModelTable, column: ModelColumn) -> list[str]:
    kind = _kind(column.type)
    is_key = table.key == (column.name,)
    refers = column.name in {own for own, _, _ in table.references}
    adds_up = kind in ("int64", "double", "decimal") and not refers
    adds_up = adds_up and column.name not in table.key
    return [
        *_description(column.description, "\t"),
        f"\tcolumn {_name(column.name)}",
        f"\t\tdataType: {kind}",
        *(["\t\tisKey"] if is_key else []),
        f"\t\tlineageTag: {_tag(f'{table.name}.{column.name}')}",
        f"\t\tsummarizeBy: {'sum' if adds_up else 'none'}",
        f"\t\tsourceColumn: {' '.join(column.name.split())}",
        "",
    ]


def _relationships(tables: Sequence[ModelTable], known: set[str]) -> str:
    keys = {table.name: table.key for table in tables}
    parts = []
    for table in tables:
        for own, parent, field in table.references:
            if parent in known and keys[parent] == (field,):
                parts.append(
                    f"relationship {_tag(f'{table.name}.{own}>{parent}.{field}')}\n"
                    f"\tfromColumn: {_name(table.name)}.{_name(own)}\n"
                    f"\ttoColumn: {_name(parent)}.{_name(field)}\n"
                )
    return "\n".join(parts)


def _kind(written: str) -> str:
    if written in _WHOLE:
        return "int64"
    if written.startswith(_LARGE):
        return "decimal"
    if written in ("DOUBLE", "FLOAT"):
        return "double"
    if written == "BOOLEAN":
        return "boolean"
    is_time = written.startswith(("DATE", "TIMESTAMP"))
    return "dateTime" if is_time else "string"


def _description(text: str, indent: str) -> list[str]:
    return [
        f"{indent}/// {line}".rstrip() for line in text.splitlines() if line.strip()
    ]


def _name(name: str) -> str:
    if name and set(name) <= _PLAIN:
        return name
    plain = name.replace("\n", " ").replace("'", "''")
    return f"'{plain}'"


def _file(name: str) -> str:
    """Return a name of a file; odd marks of a table's name are not in it."""
    plain = "".join(c if c in _PLAIN else "_" for c in name)
    return plain if plain == name else f"{plain}_{_tag(name)[:8]}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _tag(name: str) -> str:
    return str(uuid.uuid5(_SPACE, name))
