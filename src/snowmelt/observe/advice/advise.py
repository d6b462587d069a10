"""All advice that the histories give, the dearest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from snowmelt.observe.advice.building import fallbacks, refreshed_models
from snowmelt.observe.advice.checks import idle_tests, whole_table_tests
from snowmelt.observe.advice.evidence import Evidence
from snowmelt.observe.advice.limits import Limits
from snowmelt.observe.advice.piece import Advice
from snowmelt.observe.advice.reading import busy_views, key_searches, unread_models
from snowmelt.observe.advice.slow import growing_nodes, slow_nodes

_RULES: tuple[Callable[[Evidence, Limits], Iterator[Advice]], ...] = (
    whole_table_tests,
    idle_tests,
    growing_nodes,
    fallbacks,
    refreshed_models,
    key_searches,
    busy_views,
    unread_models,
)
LIMITS = Limits()


def advise(evidence: Evidence, limits: Limits = LIMITS) -> list[Advice]:
    """Return what to change, by the seconds of a run that it is about.

    That a node is slow is said where nothing else is said of it.
    """
    found = [advice for rule in _RULES for advice in rule(evidence, limits)]
    explained = {each.node for each in found}
    found += [
        each for each in slow_nodes(evidence, limits) if each.node not in explained
    ]
    return sorted(found, key=lambda each: (-each.seconds, each.node, each.kind))
