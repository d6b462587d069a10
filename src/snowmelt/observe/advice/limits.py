"""When a finding is worth saying: every threshold of the advice, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Thresholds. On less evidence, or for smaller sums, nothing is said."""

    runs_max: int = 500
    """The newest runs that are looked at."""
    runs_min: int = 10
    """Runs in which a model or test was made before its time is judged."""
    seconds_min: float = 0.2
    """Seconds a run, below which nothing is worth a change."""
    share_min: float = 0.2
    """The part of a run's time from which a model or test is called slow."""
    growth_runs_min: int = 15
    """Runs before it is said that a time grows; a third of them is compared."""
    growth_rows_min: float = 1.5
    """How many times more rows there have to be in the last third."""
    growth_seconds_min: float = 1.3
    """How many times longer it has to take in the last third."""
    growth_fit_min: float = 0.5
    """How much of the times the rows have to explain (r², of 1)."""
    idle_test_runs_min: int = 30
    """Runs of a test that never failed before its price is questioned."""
    idle_test_share_min: float = 0.1
    """The part of a run's time from which its price is."""
    fallbacks_share_min: float = 0.2
    """The part of runs that had to ask dbt, for one reason."""
    refreshes_min: int = 3
    """How often corrections let a model start from nothing."""
    refreshes_share_min: float = 0.1
    """The part of runs in which they did."""
    scan_rows_min: int = 1_000_000
    """Rows of a table from which the search for its keys counts."""
    scan_written_max: float = 0.01
    """The part of a table that a run writes at most, for a search to be too much."""
    scan_overlap_min: float = 0.5
    """The part of row groups that one key is in the range of, on average."""
    view_readers_min: int = 4
    """Models and tests of one run that read the same view."""
    unread_share_min: float = 0.05
    """The part of a run's time from which a model that nobody reads is told of."""
