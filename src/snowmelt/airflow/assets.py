"""Assets that change when a service loads or publishes, for `schedule=[...]`."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Asset, AssetWatcher

from snowmelt.airflow.happenings import HappeningsTrigger
from snowmelt.airflow.hooks import DEFAULT


def snowmelt_asset(
    name: str,
    *,
    kinds: Sequence[str] = ("published",),
    pipe: str | None = None,
    conn_id: str = DEFAULT,
    start: str = "now",
    poll_interval: float = 5.0,
) -> Asset:
    """Return an asset with an event for each happening of some kinds.

    `kinds`: loaded, load_failed, published, run_failed. `pipe`: loads of one pipe only.
    `start`: `now`, or `beginning`, for the very first time that it is watched.
    """
    trigger = HappeningsTrigger(
        conn_id=conn_id,
        asset=name,
        kinds=list(kinds),
        pipe=pipe,
        start=start,
        poll_interval=poll_interval,
    )
    watcher = AssetWatcher(name=f"{name}_watcher", trigger=trigger)
    return Asset(name=name, watchers=[watcher])
