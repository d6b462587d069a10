"""What is measured, and what it must come to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Inputs:
    """Files to make: how many, with how many records each, in which format.

    Every `broken_every`-th record breaks the contract in one of five ways; 0: none.
    Those that are not kept are removed when they were measured.
    """

    files: int
    records_each: int
    broken_every: int = 0
    format: Literal["csv", "json", "parquet"] = "csv"
    is_kept: bool = True

    @property
    def records(self) -> int:
        return self.files * self.records_each

    def scaled(self, scale: float) -> Inputs:
        """Return a share of the files or, of a single file, of its records."""
        if self.files > 1:
            return replace(self, files=max(round(self.files * scale), 2))
        return replace(self, records_each=max(round(self.records_each * scale), 1))


@dataclass(frozen=True)
class Side:
    """One of those that are compared: a program, run anew for each measurement.

    `program` is a module that does `work` on the inputs; `starts` instead is a command
    of which the CPU time as a whole is measured. `history_rows` are loads that the
    warehouse knows of before it begins.
    """

    name: str
    program: str = ""
    work: str = "load"
    starts: tuple[str, ...] = ()
    history_rows: int = 0
    reader: str = ""
    inputs: Inputs | None = None


@dataclass(frozen=True)
class Bound:
    """What a figure of one side, or its ratio over another side's, must keep to."""

    figure: Literal["median", "p95", "peak MB"]
    of: str
    kept: Literal[">=", "<="]
    bound: float
    over: str = ""

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.kept == ">=" else value <= self.bound


@dataclass(frozen=True)
class Scenario:
    """One thing to measure. The last side is the one that is judged: ours.

    `runs_alone`: it takes long, or needs what the others do not; only by its name.
    `disk_bytes` must be free.
    """

    name: str
    caption: str
    raw_is: str
    unit: Literal["s", "ms/file", "ms"]
    sides: tuple[Side, ...]
    bounds: tuple[Bound, ...]
    inputs: Inputs | None = None
    rounds_per_pair: int = 1
    pairs_max: int = 99
    runs_alone: bool = False
    disk_bytes: float = 0.0

    def inputs_of(self, side: Side, scale: float) -> Inputs | None:
        """Return what a side works on, at a share of its full size."""
        inputs = side.inputs or self.inputs
        return inputs.scaled(scale) if inputs else None


RAW = Side("raw", "bench.raw")
OURS = Side("ours", "bench.ours")
ONE_GIGABYTE = Inputs(files=1, records_each=9_500_000, broken_every=9_500)
TEN_GIGABYTES = Inputs(
    files=1, records_each=95_000_000, broken_every=95_000, is_kept=False
)


def _ratio_least(bound: float, side: str = "raw") -> Bound:
    """Return the bound that ours takes at most 1/`bound` of that side's time."""
    return Bound("median", side, ">=", bound, over="ours")


_ALL = (
    Scenario(
        name="big",
        caption="one CSV file of about 1 GB, with about 1000 broken records",
        raw_is="INSERT ... SELECT * FROM read_csv, typed, store_rejects",
        unit="s",
        sides=(RAW, OURS),
        bounds=(_ratio_least(0.75), Bound("peak MB", "ours", "<=", 1500)),
        inputs=ONE_GIGABYTE,
    ),
    Scenario(
        name="json",
        caption="one file of about 1 GB, a JSON object a line",
        raw_is="INSERT ... SELECT * FROM read_json, typed, newline_delimited",
        unit="s",
        sides=(RAW, OURS),
        bounds=(_ratio_least(0.85),),
        inputs=Inputs(files=1, records_each=4_200_000, format="json"),
    ),
    Scenario(
        name="parquet",
        caption="one Parquet file of about 0.5 GB",
        raw_is="INSERT ... SELECT * FROM read_parquet",
        unit="s",
        sides=(RAW, OURS),
        bounds=(_ratio_least(0.85),),
        inputs=Inputs(files=1, records_each=9_500_000, format="parquet"),
    ),
    Scenario(
        name="many",
        caption="10,000 CSV files of about 2 KB",
        raw_is="one such statement over the list of files",
        unit="ms/file",
        sides=(RAW, OURS),
        bounds=(Bound("median", "ours", "<=", 0.5),),
        inputs=Inputs(files=10_000, records_each=22),
    ),
    Scenario(
        name="trickle",
        caption="300 files of 2 KB, one at a time, from rename to commit",
        raw_is="one INSERT ... SELECT a file, told of its name and committed",
        unit="ms",
        sides=(replace(RAW, work="trickle"), replace(OURS, work="trickle")),
        bounds=(Bound("p95", "ours", "<=", 15),),
        inputs=Inputs(files=300, records_each=22),
    ),
    Scenario(
        name="listing",
        caption="10 new files among 100,000 that are loaded, found by a listing",
        raw_is="names and sizes by read_blob, those known by name left out",
        unit="s",
        sides=(replace(RAW, work="listing"), replace(OURS, work="listing")),
        bounds=(Bound("median", "ours", "<=", 1.0),),
        inputs=Inputs(files=100_000, records_each=0),
    ),
    Scenario(
        name="growth",
        caption="100 files one at a time, after 10,000 loads and after 1,000,000",
        raw_is="one INSERT ... SELECT a file; it knows of no loads",
        unit="ms",
        sides=(
            replace(RAW, work="trickle"),
            Side("10,000", "bench.ours", "trickle", history_rows=10_000),
            Side("1,000,000", "bench.ours", "trickle", history_rows=1_000_000),
        ),
        bounds=(Bound("median", "1,000,000", "<=", 1.2, over="10,000"),),
        inputs=Inputs(files=100, records_each=22),
    ),
    Scenario(
        name="help",
        caption="snowmelt --help, CPU of the whole program",
        raw_is="python -c pass",
        unit="s",
        sides=(
            Side("raw", starts=("python", "-c", "pass")),
            Side("ours", starts=("snowmelt", "--help")),
        ),
        bounds=(Bound("median", "ours", "<=", 0.15),),
        rounds_per_pair=5,
    ),
    Scenario(
        name="dlt-big",
        caption="one CSV file of about 1 GB, none of its records broken",
        raw_is="as in big; dlt is read_csv_duckdb(use_pyarrow, chunks of 100,000)",
        unit="s",
        sides=(RAW, Side("dlt", "bench.peers.dlt_load", reader="duckdb"), OURS),
        bounds=(_ratio_least(2, "dlt"),),
        inputs=Inputs(files=1, records_each=9_500_000),
        pairs_max=2,
        runs_alone=True,
    ),
    Scenario(
        name="dlt-many",
        caption="1,000 CSV files of about 2 KB",
        raw_is="as in many; dlt by its readers read_csv and read_csv_duckdb",
        unit="ms/file",
        sides=(
            RAW,
            Side("dlt pandas", "bench.peers.dlt_load", reader="pandas"),
            Side("dlt duckdb", "bench.peers.dlt_load", reader="duckdb"),
            OURS,
        ),
        bounds=(_ratio_least(8, "dlt pandas"), _ratio_least(8, "dlt duckdb")),
        inputs=Inputs(files=1_000, records_each=22),
        runs_alone=True,
    ),
    Scenario(
        name="huge",
        caption="one CSV file of about 10 GB beside one of 1 GB, memory",
        raw_is="as in big, of the 10 GB",
        unit="s",
        sides=(
            replace(RAW, inputs=TEN_GIGABYTES),
            replace(OURS, name="1 GB", inputs=ONE_GIGABYTE),
            replace(OURS, name="10 GB", inputs=TEN_GIGABYTES),
        ),
        bounds=(Bound("peak MB", "10 GB", "<=", 1.15, over="1 GB"),),
        pairs_max=1,
        runs_alone=True,
        disk_bytes=40e9,
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _ALL}
GROUPS = {"peers": ("dlt-big", "dlt-many")}
