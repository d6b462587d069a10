"""What the next run does, from what changed since the last."""

from __future__ import annotations

import pytest

from snowmelt.transform.trigger import BuildPlan, Changes, Pass, plan_build


def tables(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (Changes(), None),
        (
            Changes(first=True),
            BuildPlan((Pass(full_refresh=True),), "first run", ("everything",)),
        ),
        (
            Changes(project_changed=True),
            BuildPlan(
                (Pass(full_refresh=True),), "the dbt project changed", ("everything",)
            ),
        ),
        (
            Changes(loaded=tables("orders", "items")),
            BuildPlan(
                (Pass(select=("source:bronze.items+", "source:bronze.orders+")),),
                "new rows in items, orders",
            ),
        ),
        (
            Changes(loaded=tables("orders"), corrected=tables("orders")),
            BuildPlan(
                (Pass(select=("source:bronze.orders+",), full_refresh=True),),
                "corrections in orders",
                ("orders",),
            ),
        ),
        (
            Changes(loaded=tables("items"), corrected=tables("orders")),
            BuildPlan(
                (
                    Pass(
                        select=("source:bronze.items+", "source:bronze.orders+"),
                        exclude=("source:bronze.orders+",),
                        own_tests_only=True,
                    ),
                    Pass(select=("source:bronze.orders+",), full_refresh=True),
                ),
                "corrections in orders",
                ("orders",),
            ),
        ),
    ],
)
def test_the_plan_follows_from_the_changes(
    changes: Changes, expected: BuildPlan | None
) -> None:
    assert plan_build(changes) == expected


def test_a_rebuild_is_never_nothing() -> None:
    plan = plan_build(Changes(), rebuild=True)
    assert plan is not None
    assert plan.passes == (Pass(full_refresh=True),)
