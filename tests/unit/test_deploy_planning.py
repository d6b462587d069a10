"""Planning and applying, whatever the clouds: what is promised of every provider."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clouds import OTHER, OWNER, Cloud, Part, Stopped
from snowmelt.deploy.address import Address, Reference, digest_of
from snowmelt.deploy.applying import StepError, apply_plan, require_same
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.planning import Words, changed_elsewhere, plan
from snowmelt.deploy.provider import Values
from snowmelt.deploy.resource import Found, Mark, Sight, Traits, Unseen
from snowmelt.deploy.showing import show_plan
from snowmelt.deploy.steps import Action, Plan, Step
from snowmelt.errors import ConfigError, SnowmeltError, UsageError


def deployment(*parts: Part, cloud: Cloud | None = None) -> tuple[Deployment, Cloud]:
    cloud = cloud or Cloud()
    return Deployment(OWNER, parts, {cloud.name: cloud}), cloud


def actions(found: Plan) -> list[tuple[str, str]]:
    return [(str(step.action), step.address.name) for step in found.steps]


def at(name: str) -> Address:
    return Address("sky", "part", name)


def test_what_is_needed_comes_first_over_all_clouds() -> None:
    sea = Part(
        "role", {"trusts": Reference(at("door"), "id")}, (at("door"),), cloud="sea"
    )
    wall = Part("wall", needs=(sea.address,))
    here, there = Cloud(), Cloud("sea")
    whole = Deployment(OWNER, (wall, sea, Part("door")), {"sky": here, "sea": there})
    first = whole.plan()
    assert [step.address.name for step in first.steps] == ["door", "role", "wall"]
    apply_plan(whole, first)
    assert there.there[sea.address].properties == {"trusts": "id of door"}
    assert whole.plan().is_empty


def test_a_circle_is_named() -> None:
    with pytest.raises(ConfigError, match="needs itself"):
        plan((Part("a", needs=(at("b"),)), Part("b", needs=(at("a"),))), Sight(), OWNER)


def test_others_are_never_touched_and_what_needs_them_waits() -> None:
    whole, cloud = deployment(
        Part("a", {"size": 1}), Part("b", needs=(at("a"),)), Part("c")
    )
    cloud.there[at("a")] = Found(at("a"), {"size": 2}, Mark(OTHER, "0" * 12), Traits(0))
    cloud.there[at("x")] = Found(at("x"), {}, None, Traits(0))
    before = dict(cloud.there)
    found = whole.plan()
    assert actions(found) == [("conflict", "a"), ("blocked", "b"), ("create", "c")]
    assert "bakery/prod" in found.steps[0].why
    apply_plan(whole, found)
    assert all(cloud.there[each] == before[each] for each in before)
    everything = whole.plan_destroy()
    assert actions(everything) == [("drop", "c")]


def test_a_missing_privilege_is_named_with_its_grant() -> None:
    unseen = Unseen(at("a"), "SHOW PARTS: no", "GRANT LOOK TO ROLE r")
    found = plan((Part("a"), Part("b", needs=(at("a"),))), Sight((), (unseen,)), OWNER)
    assert actions(found) == [("unknown", "a"), ("blocked", "b")]
    assert found.steps[0].remedy == "GRANT LOOK TO ROLE r"


def test_what_cannot_be_changed_is_made_anew_only_when_it_is_named() -> None:
    whole, cloud = deployment(Part("a", {"kind": "new"}, fixed=frozenset({"kind"})))
    mark = Mark(OWNER, digest_of({"kind": "old"}))
    cloud.there[at("a")] = Found(at("a"), {"kind": "old"}, mark, Traits(0))
    assert actions(whole.plan()) == [("blocked", "a")]
    assert "--replace sky:part:a" in whole.plan().steps[0].remedy
    named = whole.plan(Words(replace=frozenset({at("a")})))
    assert actions(named) == [("replace", "a")]
    apply_plan(whole, named)
    assert whole.plan().is_empty


def test_what_holds_data_is_not_made_anew_by_a_word_alone() -> None:
    keeps = Traits(0, keeps=True)
    whole, cloud = deployment(Part("a", {"k": 1}, fixed=frozenset({"k"}), traits=keeps))
    cloud.there[at("a")] = Found(
        at("a"), {"k": 0}, Mark(OWNER, "0" * 12), keeps, holds="9 rows"
    )
    words = Words(replace=frozenset({at("a")}))
    assert actions(whole.plan(words)) == [("blocked", "a")]
    both = replace(words, with_data=frozenset({at("a")}))
    assert actions(whole.plan(both)) == [("replace", "a")]


def test_destroy_keeps_data_and_what_it_needs_until_it_is_named() -> None:
    whole, cloud = deployment(Part("base"), Part("rows"), Part("view"))
    for name, keeps, needs in (
        ("base", False, ()),
        ("rows", True, (at("base"),)),
        ("view", False, (at("rows"),)),
    ):
        cloud.there[at(name)] = Found(
            at(name),
            {},
            Mark(OWNER, "0" * 12),
            Traits(0, keeps=keeps),
            needs,
            inside=at("base") if name == "rows" else None,
        )
    assert actions(whole.plan_destroy()) == [
        ("drop", "view"),
        ("keep", "rows"),
        ("keep", "base"),
    ]
    # naming what it is in is naming it
    named = whole.plan_destroy(frozenset({at("base")}))
    assert actions(named) == [("drop", "view"), ("drop", "rows"), ("drop", "base")]


def test_what_strangers_need_stays_and_what_holds_the_unseen() -> None:
    mark = Mark(OWNER, "0" * 12)
    ours = [Found(at(n), {}, mark, Traits(0)) for n in ("base", "room", "free")]
    theirs = Found(at("x"), {}, Mark(OTHER, "0" * 12), Traits(0), (at("base"),))
    unseen = Unseen(at("y"), "no", "", inside=at("room"))
    found = plan((), Sight((*ours, theirs), (unseen,)), OWNER)
    assert actions(found) == [("drop", "free"), ("keep", "room"), ("keep", "base")]


def test_what_works_by_itself_is_dropped_before_others_are_made() -> None:
    whole, cloud = deployment(Part("new"))
    for name, first in (("pump", True), ("pipe", False)):
        traits = Traits(0, stops_first=first)
        cloud.there[at(name)] = Found(at(name), {}, Mark(OWNER, "0" * 12), traits)
    assert actions(whole.plan()) == [
        ("drop", "pump"),
        ("create", "new"),
        ("drop", "pipe"),
    ]


def test_what_follows_is_settled_anew_when_what_it_needs_moves() -> None:
    follows = Traits(1, follows=True, is_state=True)
    parts = Part("a", {"n": 1}), Part("graph", {"state": "on"}, (at("a"),), follows)
    whole, cloud = deployment(*parts)
    apply_plan(whole, whole.plan())
    changed, _ = deployment(Part("a", {"n": 2}), parts[1], cloud=cloud)
    assert actions(changed.plan()) == [("change", "a"), ("change", "graph")]
    assert "settled anew" in changed.plan().steps[1].why
    assert whole.plan().is_empty
    assert actions(whole.plan_destroy()) == [("drop", "a")]


def test_drift_tells_a_change_made_elsewhere_from_one_of_the_project() -> None:
    whole, cloud = deployment(Part("a", {"n": 1}), Part("b", {"n": 1}))
    apply_plan(whole, whole.plan())
    cloud.there[at("a")] = replace(cloud.there[at("a")], properties={"n": 7})
    project, _ = deployment(Part("a", {"n": 1}), Part("b", {"n": 2}), cloud=cloud)
    assert [e.address.name for e in changed_elsewhere(project.plan())] == ["a"]
    assert actions(project.plan()) == [("change", "a"), ("change", "b")]


def test_what_cannot_be_read_is_compared_by_the_mark() -> None:
    cloud = Cloud(hidden=frozenset({"code"}))
    whole, _ = deployment(Part("a", {"code": "x"}), cloud=cloud)
    apply_plan(whole, whole.plan())
    assert whole.plan().is_empty
    changed, _ = deployment(Part("a", {"code": "y"}), cloud=cloud)
    [step] = changed.plan().steps
    assert (step.action, step.differences[0].is_seen) == (Action.CHANGE, False)
    assert "(cannot be read) → y" in "\n".join(show_plan(changed.plan()))


def test_only_the_plan_that_was_approved_is_applied() -> None:
    whole, cloud = deployment(Part("a", {"n": 1}))
    shown = whole.plan()
    require_same(shown.digest[:12], whole.plan())
    cloud.there[at("a")] = Found(at("a"), {"n": 3}, Mark(OWNER, "0" * 12), Traits(0))
    with pytest.raises(UsageError, match="changed: the plan is"):
        require_same(shown.digest[:12], whole.plan())
    with pytest.raises(UsageError):
        require_same("", whole.plan())


def test_a_step_that_fails_says_how_far_it_came() -> None:
    class Broken(Cloud):
        def carry_out(self, step: Step, values: Values) -> None:
            if step.address.name == "b":
                raise SnowmeltError("CREATE b", "no", "GRANT it")
            super().carry_out(step, values)

    cloud = Broken()
    whole, _ = deployment(*(Part(name) for name in "abc"), cloud=cloud)
    with pytest.raises(StepError, match="CREATE b: no") as told:
        apply_plan(whole, whole.plan())
    assert (told.value.done, told.value.left) == (1, 1)
    assert "GRANT it" in told.value.remedy
    assert set(cloud.there) == {at("a")}


NAMES = "abcdef"
BOTH = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(["m", "n"]), st.integers(0, 2)),
)


def parts_of(wanted: dict[str, dict[str, int]], linked: int) -> list[Part]:
    """Make parts of which each may need those before it, by the bits of a number."""
    names = sorted(wanted)
    return [
        Part(
            name,
            dict(wanted[name]),
            tuple(at(e) for k, e in enumerate(names[:i]) if linked >> (i * 6 + k) & 1),
        )
        for i, name in enumerate(names)
    ]


@given(
    BOTH,
    BOTH,
    st.integers(0, 2**36 - 1),
    st.integers(0, 40),
    st.sets(st.sampled_from(NAMES)),
)
def test_stopped_anywhere_the_next_apply_ends_the_same(
    first: dict[str, dict[str, int]],
    second: dict[str, dict[str, int]],
    linked: int,
    stop_after: int,
    others: set[str],
) -> None:
    """From any state to any other: by a stop anywhere, too; others' things stay."""
    cloud, straight = Cloud(), Cloud()
    for each in (cloud, straight):
        whole, _ = deployment(*parts_of(first, linked), cloud=each)
        apply_plan(whole, whole.plan())
        for name in others:
            if name not in first:
                each.there[at(name)] = Found(
                    at(name), {"x": 1}, Mark(OTHER, "0" * 12), Traits(0)
                )
    whole, _ = deployment(*parts_of(second, linked), cloud=cloud)
    aim, _ = deployment(*parts_of(second, linked), cloud=straight)
    apply_plan(aim, aim.plan())
    cloud.stop_after = len(cloud.calls) + stop_after
    try:
        apply_plan(whole, whole.plan())
    except Stopped:
        cloud.stop_after = None
        apply_plan(whole, whole.plan())
    cloud.stop_after = None
    assert cloud.there == straight.there
    assert not whole.plan().acting
    for name in others - set(first):
        assert cloud.there[at(name)].properties == {"x": 1}
    apply_plan(whole, whole.plan_destroy())
    assert set(cloud.there) == {at(name) for name in others - set(first)}
