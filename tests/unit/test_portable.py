"""SQL that both engines take alike passes; what one of them does not is named."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from shipped import make_project
from snowmelt.cli import main
from snowmelt.deploy.portable.checking import (
    Place,
    unportable,
    unportable_warnings,
)
from snowmelt.deploy.portable.linting import findings_in
from snowmelt.deploy.portable.template import macros_in, sql_of

TEMPLATES = Path(__file__).parents[2] / "src/snowmelt/project/templates"
PORTABLE = [
    "select a, count(*) from t group by all qualify row_number() over (order by a) = 1",
    "select * exclude (b) from t where a is distinct from b",
    "select a::integer, cast(b as decimal(12, 2)), try_cast(c as date) from t",
    "select try_cast(trim(c) as double), try_cast(cast(a as varchar) as date) from t",
    "select date_trunc('month', day), day + interval '1 day', current_date from t",
    "select datediff('day', a, b), extract(year from a), last_day(a) from t",
    "select a || '-' || b, split_part(a, '-', 2), md5(a), coalesce(a, ''), a % 2",
    "select greatest(a, coalesce(b, 0), 1), least(x._load_seq, coalesce(b, 0), c)",
    "select sum(case when a then 1 else 0 end) over (partition by b order by c) from t",
    "select max_by(a, b), median(a::double), a::timestamp",
    'select "ORDER", "_FILE" from t',
    "select first_value(a) over (order by b) as first, last from t",
    "select 1 as list, window from t where a like '%x' and b ilike 'y%'",
    "with recursive n as (select 1 as i union all select i + 1 from n) select i",
    "select trim(both from a), position('x' in a), substr(a, 2), length(a) from t",
    "select a from t where b in ('x', 'y') and (a, b) in (select a, b from u) -- //",
    "select s.filter, s.first from s",
    "values (1, 'a'), (2, 'b')",
    "select a from t where coalesce(b, false) and not c is null except select 1",
    "",
]
FLAGGED = [
    ("select a from t where b is true", "is", "coalesce(x, false)"),
    ("select a from t where b is not false", "is", "coalesce(x, false)"),
    ("select count() from t", "count", "count(*)"),
    ("select a from t limit 10 percent", "limit", "number of rows"),
    ("select a from t intersect all select a from u", "intersect", "ALL"),
    ("with x as not materialized (select 1) select * from x", "as", "leave it out"),
    ("select a at time zone 'UTC' from t", "at", "AT TIME ZONE"),
    (
        "select sum(a) over (order by b rows 1 preceding exclude current row) from t",
        "exclude",
        "end before the row",
    ),
    (
        "select sum(a) over (order by b groups between 1 preceding and current row)",
        "groups",
        "ROWS and RANGE",
    ),
    ("select a // 2 from t", "//", "snowmelt.quotient"),
    ("select a ->> 'x' from t", "->>", "JSON"),
    ("select a -> 'x' from t", "->", "JSON"),
    ("select a ~ 'x' from t", "~", "full_match"),
    ("select a ** 2 from t", "**", "power"),
    ("select a == 2 from t", "==", "= is"),
    ("select sum(a) over w from t window w as (order by b)", "over", "named window"),
    ("select 1 from t window w as (order by b)", "window", "WINDOW clause"),
    ("select count(*) filter (where a) from t", "filter", "case when"),
    ("select count(*) filter (a > 1) from t", "filter", "case when"),
    ("select try_cast(1.5 as integer)", "try_cast", "texts alone"),
    ("select try_cast(a * 2 as integer) from t", "try_cast", "texts alone"),
    ("select try_cast(cast(a as double) as integer) from t", "try_cast", "texts"),
    ("select list(a) from t", "list", "not known"),
    ("select list_sort(a) from t", "list_sort", "lists"),
    ("select struct_pack(a := 1)", "struct_pack", "structs"),
    ("select {'a': 1}", "{", "structs"),
    ("select a[1] from t", "[", "counted from 0"),
    ("select f(a)[2] from t", "[", "counted from 0"),
    ("select cast(a as integer[]) from t", "[", "lists"),
    ("select strftime(a, '%Y') from t", "strftime", "each engine"),
    ("select date_diff('day', a, b) from t", "date_diff", "datediff"),
    ("select regexp_matches(a, 'x') from t", "regexp_matches", "full_match"),
    ("select regexp_replace(a, 'x', 'y') from t", "regexp_replace", "every match"),
    ("select replace(a, '\\n', '') from t", "'\\n'", "escape"),
    ("select concat(a, b) from t", "concat", "NULL"),
    ("select concat_ws('-', a, b) from t", "concat_ws", "NULL"),
    ("select greatest(a, b) from t", "greatest", "NULL"),
    ("select least(min(a), max(b), 1) from t", "least", "NULL"),
    ("select monthname(a) from t", "monthname", "Jan"),
    ("select to_timestamp(a) from t", "to_timestamp", "seconds"),
    ("select log(a) from t", "log", "base"),
    ("select arg_max(a, b) from t", "arg_max", "max_by"),
    ("select bool_or(a) from t", "bool_or", "max(case"),
    ("select now()", "now", "current_timestamp"),
    ("select a - interval 1 hour from t", "interval", "interval '1 day'"),
    ("select date_part('epoch', a) from t", "date_part", "epoch_second"),
    ("select extract(epoch from a) from t", "extract", "epoch_second"),
    ("select distinct on (a) a from t", "distinct", "QUALIFY"),
    ("select columns('a.*') from t", "columns", "name them"),
    ("select a, b, from t", ",", "end of a list"),
    ("from t", "from", "begins with SELECT"),
    ("select * from (from t)", "from", "begins with SELECT"),
    ("select * from t semi join u using (a)", "semi", "EXISTS"),
    ("select * from t anti join u using (a)", "anti", "NOT EXISTS"),
    ("select * from t asof join u on t.a >= u.a", "asof", "otherwise"),
    ("select * from read_csv('a.csv')", "read_csv", "pipes"),
    ("select unnest(a) from t", "unnest", "each engine"),
    ("select * from range(10)", "range", "numbers"),
    ("select a::hugeint from t", "hugeint", "type"),
    ('select "order" from t', "order", "capitals"),
    ("select a similar to 'x' from t", "similar to", "full_match"),
    ("select typeof(a) from t", "typeof", "others"),
]


@pytest.mark.parametrize("sql", PORTABLE)
def test_what_both_take_passes(sql: str) -> None:
    assert findings_in(sql) == []


@pytest.mark.parametrize(("sql", "found", "why"), FLAGGED, ids=[s for s, *_ in FLAGGED])
def test_what_one_does_not_take_is_named(sql: str, found: str, why: str) -> None:
    named = {each.found.lower(): each.why for each in findings_in(sql)}
    assert found in named
    assert why in named[found]


def test_halves_of_statements_are_read_too() -> None:
    """Macros are such: whatever is cut off, what is left is looked at."""
    chance = Random(5)
    for sql in [*PORTABLE, *(flagged for flagged, *_ in FLAGGED)]:
        for _ in range(5):
            first, last = sorted(chance.choices(range(len(sql) + 1), k=2))
            for part in (sql[first:], sql[:last], sql[first:last]):
                assert isinstance(findings_in(part), list)


@pytest.mark.parametrize(
    "template", sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())
)
def test_every_template_is_portable(template: str) -> None:
    assert unportable(TEMPLATES / template) == []


MODEL = """{{ config(materialized='table') }}
{# a // b #}
select
    {{ dbt.datediff('a',
                    'b', 'day') }} as days,
    a // 2 as half,
    {% if target.type == 'duckdb' %}
    list(a)
    {% else %}
    array_agg(a)
    {% endif %} as all_of_them,
    {% if is_incremental() %} epoch(a) {% endif %} as seconds,
    strlen(b)  -- snowmelt: not portable
from {{ ref('orders') }}
"""


def test_jinja_is_left_out_and_lines_stay(tmp_path: Path) -> None:
    path = tmp_path / "models/gold/sales.sql"
    path.parent.mkdir(parents=True)
    path.write_text(MODEL)
    found = unportable(tmp_path)
    assert [(each.file, each.line, each.found) for each in found] == [
        ("models/gold/sales.sql", 6, "//"),
        ("models/gold/sales.sql", 12, "epoch"),
    ]
    assert isinstance(found[0], Place)
    assert str(found[0]).startswith("models/gold/sales.sql:6: //: // is no operator")


PROPERTIES = """
models:
  - name: sales
    columns:
      - name: amount
        data_tests:
          - snowmelt.expression: {expression: "amount // 2 > 0"}
          - not_null:
              config:
                where: |
                  -- of today
                  day = today()
"""


def test_conditions_of_tests_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "models/_models.yml"
    path.parent.mkdir()
    path.write_text(PROPERTIES)
    assert [(each.file, each.line, each.found) for each in unportable(tmp_path)] == [
        ("models/_models.yml", 7, "//"),
        ("models/_models.yml", 12, "today"),
    ]
    path.write_text("models: [")
    assert unportable(tmp_path) == []


def test_macros_of_one_engine_are_its_own() -> None:
    text = """
{% macro default__a(x) %} list({{ x }}) {% endmacro %}
{% macro duckdb__b(x) %} list({{ x }}) {% endmacro %}
{% macro snowflake__a(x) %} f('\\\\'') {% endmacro %}
{% macro default__c(x) %} list({{ x }}) {% endmacro %}
"""
    assert macros_in(text) == {"default__a", "duckdb__b", "snowflake__a", "default__c"}
    assert [each.line for each in findings_in(sql_of(text, macros_in(text)))] == [5]


def test_a_project_with_a_target_is_warned_and_each_place_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path, **{"models/gold/sales.sql": MODEL})
    [warning] = unportable_warnings(project)
    assert warning.startswith("models/gold/sales.sql:6: //: // is no operator there")
    assert warning.endswith(
        "and 1 other: not the same on prod; snowmelt validate --target prod names each"
    )
    told = checked(tmp_path, capsys, 1)
    assert [(each["file"], each["line"]) for each in told["not_portable"]] == [
        ("models/gold/sales.sql", 6),
        ("models/gold/sales.sql", 12),
    ]
    assert told["remarks"][0]["where"].startswith("snowmelt.yml:4")
    (tmp_path / "models/gold/sales.sql").write_text("select 1 as one")
    assert unportable_warnings(project) == []
    assert checked(tmp_path, capsys, 0)["not_portable"] == []


def checked(
    root: Path, capsys: pytest.CaptureFixture[str], code: int
) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--target", "prod", "--project-dir", str(root), "--json"])
    assert (ended.value.code or 0) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_a_project_without_a_target_is_not_looked_at(tmp_path: Path) -> None:
    settings = "version: 1\nname: shop\n"
    files = {"models/gold/sales.sql": MODEL, "snowmelt.yml": settings}
    assert unportable_warnings(make_project(tmp_path, **files)) == []
