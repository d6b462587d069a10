"""A selector of dbt's names the nodes of a lineage that dbt would choose."""

from __future__ import annotations

import pytest

from snowmelt.errors import UsageError
from snowmelt.service.pages.selecting import Named, select

NODES = [
    Named("files:orders", ("orders",), frozenset({"pipe", "layer:files"}), 2),
    Named("pipe:orders", ("bronze.orders", "orders"), frozenset({"source"}), 1),
    *(
        Named(
            f"model:{name}", (name, f"{layer}.{name}"), frozenset({"model", layer_of})
        )
        for layer, name, layer_of in (
            ("silver", "orders", "layer:silver"),
            ("silver", "payments", "layer:silver"),
            ("gold", "fct_orders", "layer:gold"),
            ("gold", "revenue", "layer:gold"),
        )
    ),
    Named("dashboard:sales", ("sales",), frozenset({"exposure", "dashboard"}), 3),
]
EDGES = [
    ("files:orders", "pipe:orders"),
    ("pipe:orders", "model:orders"),
    ("model:orders", "model:fct_orders"),
    ("model:payments", "model:fct_orders"),
    ("model:fct_orders", "model:revenue"),
    ("model:revenue", "dashboard:sales"),
]
SELECTED = {
    "orders": "model:orders",
    "source:bronze.orders": "pipe:orders",
    "pipe:orders": "files:orders",
    "+fct_orders": "files:orders pipe:orders model:orders model:payments "
    "model:fct_orders",
    "1+fct_orders": "model:orders model:payments model:fct_orders",
    "2+fct_orders+1": "pipe:orders model:orders model:payments model:fct_orders "
    "model:revenue",
    "payments+": "model:payments model:fct_orders model:revenue dashboard:sales",
    "gold.*": "model:fct_orders model:revenue",
    "layer:silver": "model:orders model:payments",
    "exposure:sales": "dashboard:sales",
    "+exposure:sales,layer:gold": "model:fct_orders model:revenue",
    "payments revenue": "model:payments model:revenue",
    "0+revenue+0": "model:revenue",
    "FCT_ORDERS": "model:fct_orders",
}


@pytest.mark.parametrize("text", SELECTED)
def test_it_names_what_dbt_would_choose(text: str) -> None:
    assert select(text, NODES, EDGES) == SELECTED[text].split()


def test_a_state_that_nothing_has_is_no_mistake() -> None:
    assert select("1+state:bad+1 gold.revenue", NODES, EDGES) == ["model:revenue"]
    assert select("state:bad", NODES, EDGES) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fct_ordrs", "fct_orders"),
        ("tag:nightly", "no method 'tag'"),
        ("++revenue", "no selector"),
        (",", "no selector"),
        ("", "write a name"),
        ("<img>", "nothing has this name"),
    ],
)
def test_what_names_nothing_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        select(text, NODES, EDGES)
    assert told in str(refused.value)
