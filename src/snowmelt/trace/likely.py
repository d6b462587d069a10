"""Which rows of bronze can have a key at all: a condition that is cheap, and too wide.

A silver model makes its key of a bronze column by an expression, such as
`nullif(trim(order_id), '')`, and to work it out for every row that ever came is dear.
Of many expressions it is known that their value is the column's own text, or a piece
of it. So rows whose text does not contain the value are out; of the others the
expression itself decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from snowmelt.trace.lifting import Unliftable, parse
from snowmelt.trace.models import PIECE, SAME, Likely

_OF_SEVERAL = (
    *("with_", "joins", "group", "having", "qualify", "distinct", "limit", "offset"),
    *("laterals", "sample"),
)
_AROUND = (exp.Trim, exp.Substring, exp.Left, exp.Right)


def likely_columns(
    sql: str, keys: Collection[str], texts: Mapping[str, str]
) -> dict[str, Likely]:
    """Return what is known of a model's keys. `texts`: its table's text columns."""
    try:
        select = parse(sql)
    except Unliftable:
        return {}
    from_ = select.args.get("from_")
    read = from_.this if from_ is not None else None
    if not isinstance(select, exp.Select) or not isinstance(read, exp.Table):
        return {}
    if not _is_row_by_row(select):
        return {}
    names = {"", read.alias_or_name.lower()}
    found = {}
    for each in select.expressions:
        key = each.alias_or_name.lower()
        if key in {name.lower() for name in keys}:
            likely = _likely(each.unalias(), _Columns(texts, names))
            if likely:
                found[key] = likely
    return found


def _is_row_by_row(select: exp.Select) -> bool:
    """Does each row come of one row, whatever other rows there are?"""
    if any(select.args.get(each) for each in _OF_SEVERAL):
        return False
    inner = select.find_all(exp.Window, exp.AggFunc, exp.Query, exp.Unnest)
    return all(each is select for each in inner)


@dataclass(frozen=True)
class _Columns:
    """The text columns of the one table that is read, and what it is called."""

    texts: Mapping[str, str]
    names: Collection[str]

    def find(self, column: exp.Column) -> str | None:
        of_it = column.table.lower() in self.names  # else a field of a struct
        return self.texts.get(column.name.lower()) if of_it else None


def _likely(each: exp.Expr, texts: _Columns) -> Likely | None:
    if isinstance(each, exp.Column):
        column = texts.find(each)
        return Likely(column) if column else None
    if isinstance(each, exp.Paren | exp.Nullif):
        return _likely(each.this, texts)
    if isinstance(each, _AROUND) or _keeps_a_group(each):
        inner = _likely(each.this, texts)
        # a literal may have become a piece of itself
        return replace(inner, how=PIECE) if inner and not inner.but else None
    if isinstance(each, exp.Coalesce):
        return _one_of([each.this, *each.expressions], texts)
    if isinstance(each, exp.Case):
        values = [branch.args["true"] for branch in each.args["ifs"]]
        default = each.args.get("default")
        return _one_of([*values, *([default] if default else [])], texts)
    return None


def _one_of(values: list[exp.Expr], texts: _Columns) -> Likely | None:
    """Return what holds whichever of some values it is."""
    found: list[Likely] = []
    but: list[str] = []
    for value in values:
        if isinstance(value, exp.Null):
            continue
        if isinstance(value, exp.Literal) and value.is_string:
            but.append(value.name)
            continue
        likely = _likely(value, texts)
        if likely is None:
            return None
        found.append(likely)
        but += likely.but
    if len({likely.column for likely in found}) != 1:
        return None
    how = PIECE if any(likely.how == PIECE for likely in found) else SAME
    return Likely(found[0].column, how, tuple(but))


def _keeps_a_group(each: exp.Expr) -> bool:
    r"""Is it `regexp_replace(x, '^…(…)…$', '\1')`? Then a text becomes a piece."""
    if not isinstance(each, exp.RegexpReplace):
        return False
    pattern, replacement = each.expression, each.args.get("replacement")
    if any(each.args.get(name) for name in ("position", "occurrence", "modifiers")):
        return False
    if not isinstance(pattern, exp.Literal) or not isinstance(replacement, exp.Literal):
        return False
    text = pattern.name
    whole = text.startswith("^") and text.endswith("$") and not text.endswith("\\$")
    plain = "|" not in text and "(?" not in text
    return whole and plain and replacement.name == r"\1"
