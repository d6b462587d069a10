"""Which missing column a new one may be: guesses that a person is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.pipe.renaming import likely_renames, likeness

NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
TYPES = st.sampled_from(["varchar", "integer", "decimal(12,2)", "date", "boolean"])
COLUMNS = st.lists(st.tuples(NAMES, TYPES), max_size=6, unique_by=lambda each: each[0])


@pytest.mark.parametrize(
    ("missing", "new", "wanted"),
    [
        (["client_name"], ["client_label"], True),
        (["region"], ["region_name"], True),
        (["orderId"], ["order_id"], True),
        (["amount"], ["amnt"], True),
        (["region"], ["phone"], False),
        (["id"], ["identity_card"], False),
        (["city"], [], False),
    ],
)
def test_names_that_are_alike_are_paired(
    missing: list[str], new: list[str], wanted: bool
) -> None:
    pairs = likely_renames(
        [(name, "varchar") for name in missing], [(name, "varchar") for name in new]
    )
    assert bool(pairs) is wanted


def test_the_most_alike_are_paired_and_types_have_to_fit() -> None:
    missing = [("amount", "decimal(12,2)"), ("amount_net", "decimal(12,2)")]
    new = [("amounts", "double"), ("amount_nett", "bigint"), ("amount_on", "date")]
    assert sorted(likely_renames(missing, new)) == [
        ("amount", "amounts"),
        ("amount_net", "amount_nett"),
    ]
    assert not likely_renames([("paid", "boolean")], [("paid", "date")])
    assert likely_renames([("paid", "boolean")], [("paid_", "varchar")])


@given(COLUMNS, COLUMNS)
def test_each_column_is_in_one_pair_at_most(
    missing: list[tuple[str, str]], new: list[tuple[str, str]]
) -> None:
    pairs = likely_renames(missing, new)
    assert len({old for old, _ in pairs}) == len(pairs)
    assert len({fresh for _, fresh in pairs}) == len(pairs)
    assert {old for old, _ in pairs} <= {name for name, _ in missing}
    assert {fresh for _, fresh in pairs} <= {name for name, _ in new}


@given(NAMES, NAMES)
def test_likeness_does_not_ask_which_comes_first(one: str, other: str) -> None:
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, one) in (0.0, 1.0)
