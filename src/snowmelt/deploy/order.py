"""Puts resources into an order in which each comes after what it needs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from snowmelt.deploy.address import Address
from snowmelt.errors import ConfigError

Edges = Mapping[Address, Iterable[Address]]


def in_order(needs: Edges, ranks: Mapping[Address, int]) -> list[Address]:
    """Sort addresses so that each comes after what it needs; the lowest rank first.

    What is needed and not among them is left out of account. The order depends on
    nothing else: the same addresses are always sorted alike. Raises ConfigError for a
    cycle.
    """
    left = {
        address: len({each for each in wanted if each in needs})
        for address, wanted in needs.items()
    }
    needed_by: dict[Address, set[Address]] = {address: set() for address in needs}
    for address, wanted in needs.items():
        for each in wanted:
            if each in needed_by:
                needed_by[each].add(address)
    ready = [(ranks.get(each, 0), each) for each, count in left.items() if not count]
    heapq.heapify(ready)
    ordered: list[Address] = []
    while ready:
        _, address = heapq.heappop(ready)
        ordered.append(address)
        for each in needed_by[address]:
            left[each] -= 1
            if not left[each]:
                heapq.heappush(ready, (ranks.get(each, 0), each))
    if len(ordered) < len(needs):
        cycle = sorted(str(each) for each, count in left.items() if count)
        raise ConfigError(cycle[0], f"needs itself, by way of {', '.join(cycle[1:])}")
    return ordered


def all_below(needs: Edges, start: Iterable[Address]) -> set[Address]:
    """Return what these need, at any distance, and themselves."""
    found: set[Address] = set()
    waiting = list(start)
    while waiting:
        address = waiting.pop()
        if address not in found:
            found.add(address)
            waiting += needs.get(address, ())
    return found
