"""A plan as a person reads it: sections that hold together, words, short lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shipped import STATES, deployed_into, states
from snowflake_account import Account
from snowmelt.deploy.address import Address
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.showing import show_plan
from snowmelt.deploy.steps import Action, Step
from snowmelt.deploy.wording import KEPT, SECTIONS, in_words, section_of

PLANS = sorted(
    (Path(__file__).parents[2] / "docs" / "reference" / "plans").glob("*.txt")
)


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_the_plan_of_each_template_can_be_read(file: Path) -> None:
    lines = file.read_text().splitlines()
    headings = [line for line in lines if line in SECTIONS]
    assert headings == [*dict.fromkeys(headings)], "a section is told in two parts"
    assert headings == list(SECTIONS)[: len(headings)]
    steps = [line for line in lines if line.startswith("+ ")]
    assert max(map(len, steps)) <= 140
    assert not [line for line in steps if re.search(r"\(\?:|\[\^/\]|…$", line)]


@pytest.mark.parametrize("state", sorted(set(STATES) - {"nothing"}))
def test_every_kind_has_words(state: str) -> None:
    plan = deployed_into(states()[state], Account()).plan_offline()
    silent = {step.address.kind for step in plan.steps if in_words(step) is None}
    assert not silent


def test_a_short_plan_has_no_headings() -> None:
    account = Account()
    deployment = deployed_into(states()["first"], account)
    whole = [*show_plan(deployment.plan_offline())]
    assert whole[0] == "Places and what they cost"
    for step in deployment.plan().acting:
        if step.address.kind != "alert":
            deployment.providers["snowflake"].carry_out(step, None)  # type: ignore[arg-type]
    short = [*show_plan(deployment.plan())]
    assert [line for line in short if line in SECTIONS] == []
    assert short[0].startswith("+ alert SHOP.SNOWMELT.ALERT_FAILED: looks every 15 min")


def test_what_is_unknown_stays_where_it_is() -> None:
    part = Step(Address("sky", "part", "x"), Action.DROP)
    assert section_of(part, "Bronze") == "Bronze"
    queue = Step(Address("aws", "queue", "x"), Action.CREATE)
    assert section_of(queue, "") == "Where files arrive"
    door = "The door between both clouds"
    assert section_of(queue, door) == door


def test_what_destroy_keeps_stands_at_its_end() -> None:
    account = Account()
    deployment = deployed_into(states()["rows"], account)
    apply_plan(deployment, deployment.plan())
    account.land("raw/orders/1.csv", "1")
    lines = [*show_plan(deployment.plan_destroy())]
    kept = lines[lines.index(KEPT) :]
    assert "= table SHOP.BRONZE.ORDERS__ALL" in kept
    assert "      it is kept: 1 row" in kept
    assert not [line for line in kept if line.startswith("- ")]
    assert "that deploy did not make" not in "".join(lines), "the procedure is ours"
