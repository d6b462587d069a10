"""Variables of an environment, which an account has not: said with file and line."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from shipped import TARGET, make_project
from snowmelt.deploy.opening import NoSession, names_of, open_deployment
from snowmelt.deploy.snowflake.env_vars import env_vars
from snowmelt.errors import ConfigError
from snowmelt.project.project import Project, load_project

BY_ITSELF = "version: 1\nname: shop\n" + yaml.safe_dump({"targets": {"prod": TARGET}})
SERVICE = BY_ITSELF.replace("type: snowflake", "runner: service\n    type: snowflake")


def found(**files: str) -> list[tuple[str, int, str, str | None]]:
    sent = {name.replace("__", "."): text.encode() for name, text in files.items()}
    told = env_vars(sent)
    return [(each.file, each.line, each.name, each.default) for each in told]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("select '{{ env_var('A', 'eu') }}'", [(1, "'A'", "'eu'")]),
        ('\n\n{{ env_var("A") }}', [(3, '"A"', None)]),
        ("{{ env_var('A', none) }}", [(1, "'A'", None)]),
        ("{{ env_var('A', default='x,y') }}", [(1, "'A'", "'x,y'")]),
        (
            "{{ env_var('A', ['b', f(1, 2)][0]) | upper }}",
            [(1, "'A'", "['b',f(1,2)][0]")],
        ),
        (
            "{{ env_var('A', env_var('B')) }}",
            [(1, "'A'", "env_var('B')"), (1, "'B'", None)],
        ),
        ("{{ env_var(name) }}", [(1, "name", None)]),
        ("{%- set a =\n  env_var('A', '') -%}", [(2, "'A'", "''")]),
        ("{% if env_var('A', 'x') == 'x' %}1{% endif %}", [(1, "'A'", "'x'")]),
        ("{% test t(m) %}{{ env_var('A', 1) }}{% endtest %}", [(1, "'A'", "1")]),
        # what is not asked for
        ("{# {{ env_var('A') }} #} -- env_var('A')", []),
        ("{{ \"env_var('A')\" }} {{ mine.env_var('A') }} {{ env_var }}", []),
        ("{% raw %}{{ env_var('A') }}{% endraw %}", []),
        # what is asked for elsewhere
        ("{% if target.type == 'duckdb' %}{{ env_var('A') }}{% endif %}", []),
        (
            "{% if target.type == 'duckdb' %}{{ env_var('A') }}\n"
            "{% else %}{{ env_var('B') }}{% endif %}",
            [(2, "'B'", None)],
        ),
        (
            "{% if target.type != 'duckdb' %}{{ env_var('A') }}\n"
            "{% elif x %}{{ env_var('B') }}{% else %}{{ env_var('C') }}{% endif %}",
            [(1, "'A'", None)],
        ),
        ("{% if target.type == 'duckdb' and x %}{{ env_var('A') }}{% endif %}", []),
        (
            "{% if target.type == 'duckdb' and x or y %}{{ env_var('A') }}{% endif %}",
            [(1, "'A'", None)],
        ),
        ("{% macro duckdb__m() %}{{ env_var('A') }}{% endmacro %}", []),
        (
            "{% macro default__m() %}{{ env_var('A') }}{% endmacro %}",
            [(1, "'A'", None)],
        ),
        (
            "{% macro default__m() %}{{ env_var('A') }}{% endmacro %}\n"
            "{% macro snowflake__m() %}{{ env_var('B') }}{% endmacro %}",
            [(2, "'B'", None)],
        ),
    ],
)
def test_a_variable_is_found_where_dbt_there_asks_for_it(
    text: str, calls: list[tuple[int, str, str | None]]
) -> None:
    assert found(m__sql=text) == [("m.sql", *call) for call in calls]


WORDS = st.text(st.sampled_from("aB(,)['] \\\"%{}"), max_size=6)


@given(WORDS, st.none() | WORDS, st.integers(0, 3))
def test_a_call_is_read_as_jinja_reads_it(
    name: str, default: str | None, above: int
) -> None:
    """Names and defaults with quotes, brackets and commas in them."""
    written = ", ".join(repr(each) for each in (name, default) if each is not None)
    if "{%" in written or "%}" in written or "}}" in written or "{{" in written:
        return  # the marks of Jinja in a text: which come first is the pattern's
    text = "\n" * above + "{{ env_var(" + written + ") }}"
    [(_, line, told, other)] = found(m__sql=text)
    assert line == above + 1
    given_ = Environment(autoescape=False).from_string("{{ " + told + " }}").render()
    assert given_ == name
    if other is None:
        assert default is None
    else:
        assert Environment().from_string("{{ " + other + " }}").render() == default


HERE, THERE = "target.type == 'duckdb'", "target.type == 'snowflake'"
CONDITIONS = st.sampled_from(
    [
        *(HERE, THERE, HERE.replace("==", "!="), THERE.replace("==", "!="), "x"),
        *(f"{HERE} and x", f"{THERE} and x", f"{HERE} or x"),
    ]
)
TEMPLATES = st.recursive(
    st.sampled_from(
        [
            "{{ env_var('#') }}",
            "{# {{ env_var('#') }} #}",
            "{% raw %}{{ env_var('#') }}{% endraw %}",
        ]
    ),
    lambda inner: (
        st.tuples(CONDITIONS, CONDITIONS, inner, inner, inner).map(
            lambda t: (
                f"{{% if {t[0]} %}}{t[2]}{{% elif {t[1]} %}}{t[3]}"
                f"{{% else %}}{t[4]}{{% endif %}}"
            )
        )
        | st.tuples(inner, inner).map("\n".join)
        | inner.map(lambda each: f"{{% for i in [1] %}}{each}{{% endfor %}}")
    ),
    max_leaves=8,
)


@given(TEMPLATES)
def test_what_snowflake_may_ask_for_is_found_and_nothing_that_it_cannot(
    template: str,
) -> None:
    """By Jinja itself, with whatever else may hold."""
    numbers = count()
    text = re.sub("#(?=')", lambda _: f"v{next(numbers)}", template)
    asked: set[str] = set()
    for x in (True, False):
        Environment(autoescape=False).from_string(text).render(
            target={"type": "snowflake"}, x=x, env_var=lambda name: asked.add(name)
        )
    told = {name.strip("'") for _, _, name, _ in found(m__sql=text)}
    assert asked <= told
    if " x" not in text:
        assert told == asked


def test_properties_are_read_by_their_texts() -> None:
    text = """version: 2
# {{ env_var('NOT_RENDERED') }}
models:
  - name: a
    config: {schema: "{{ env_var('SCHEMA', 'gold') }}"}
    description: |
      Of {{ env_var('REGION') }}.
      {{ env_var('ZONE') }}
"""
    assert found(models__yml=text) == [
        ("models.yml", 5, "'SCHEMA'", "'gold'"),
        ("models.yml", 7, "'REGION'", None),
        ("models.yml", 8, "'ZONE'", None),
    ]
    project = """name: shop
profile: "{{ env_var('P', 'a') }}"
vars: {x: "{{ env_var('X') }}"}
models: {shop: {+schema: "{{ env_var('S', 'b') }}"}}
on-run-end: ["{{ env_var('E', 'c') }}"]
"""
    told = found(dbt_project__yml=project)
    assert [each[1:] for each in told] == [
        (3, "'X'", None),  # which is asked for where var('x') is
        (4, "'S'", "'b'"),
        (5, "'E'", "'c'"),
    ]
    token = "packages: [{git: \"{{ env_var('TOKEN') }}\"}]"
    assert found(packages__yml=token) == [("packages.yml", 1, "'TOKEN'", None)]
    assert found(dependencies__yml=token) == []
    assert found(readme__md="{{ env_var('A') }}", m__py="env_var('A')") == []


def remarks_of(project: Project) -> list[str]:
    names = names_of(project, "prod")
    deployment = open_deployment(project, names, NoSession(), None)  # type: ignore[arg-type]
    told = [f"{each.where}: {each.told}" for each in deployment.remarks]
    return [each for each in told if "env_var" in each]


def test_a_plan_says_what_a_variable_is_there(tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        **{
            "snowmelt.yml": BY_ITSELF,
            "models/gold/a.sql": "select 1\nwhere '{{ env_var('A', 'e') }}' = 'x'",
            "models/gold/a.yml": "models:\n- name: a\n"
            "  description: \"{{ env_var('B', 'c') }}\"",
            "packages/other/dbt_project.yml": "name: other\n",
            "packages/other/macros/m.sql": "{% macro m() %}{{ env_var('C', 'd') }}\n"
            "{{ env_var('TOKEN') }}{% endmacro %}",
        },
    )
    assert remarks_of(project) == [
        "models/gold/a.sql:2: env_var('A') is 'e' there: no environment is sent there",
        "models/gold/a.yml:3: env_var('B') is 'c' there: no environment is sent there",
        "packages/other/macros/m.sql:2: env_var('TOKEN') of a package has no default, "
        "and no environment is sent there: what calls it fails there",
    ]
    # a machine that runs dbt has an environment
    (tmp_path / "snowmelt.yml").write_text(SERVICE)
    (tmp_path / "models/gold/a.sql").write_text("select '{{ env_var('REGION') }}'")
    assert remarks_of(load_project(tmp_path)) == []


def test_a_variable_without_a_default_is_refused_with_every_place(
    tmp_path: Path,
) -> None:
    project = make_project(
        tmp_path,
        **{
            "snowmelt.yml": BY_ITSELF,
            "models/gold/a.sql": "select 1\nwhere '{{ env_var('REGION') }}' = 'x'",
            "macros/m.sql": "{% macro m() %}\n{{ env_var('ZONE') }}{% endmacro %}",
        },
    )
    with pytest.raises(ConfigError) as refused:
        remarks_of(project)
    told = str(refused.value)
    assert told.startswith("macros/m.sql:2: env_var('ZONE') has no default")
    assert "models/gold/a.sql:2: env_var('REGION') has no default" in told
    assert told.count("Give it one: env_var('REGION', '…')") == 1
    assert "runner: service" in told
