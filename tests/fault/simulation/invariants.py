"""What has to be true, whatever happened: the promises, asked of the warehouse."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulation.contents import FileContent
from simulation.stages import FakeBucket
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.attempts import Attempts

if TYPE_CHECKING:
    from simulation.driver import Simulation
    from simulation.sqs import Message

_ROWS = ("Loaded", "Partially loaded")


@dataclass(frozen=True)
class Load:
    """One record of load history, as far as it is checked."""

    load_seq: int
    pipe_name: str
    file_name: str
    sha256: str | None
    status: str
    row_count: int
    row_parsed: int
    error_count: int
    superseded_by: int | None
    duplicate_of: int | None

    @property
    def has_rows(self) -> bool:
        return self.status in _ROWS

    @property
    def is_live(self) -> bool:
        return self.superseded_by is None and self.status != "Load failed"


def find_loads(simulation: Simulation) -> list[Load]:
    """Return load history."""
    rows = simulation.ask(
        "select load_seq, pipe_name, file_name, content_sha256, status, row_count, "
        "row_parsed, error_count, superseded_by, duplicate_of "
        "from snowmelt.load_history order by load_seq, file_name"
    )
    return [Load(*row) for row in rows]


def pipe_of(name: str) -> str | None:
    """Return the pipe that a file of the simulation belongs to."""
    return name[0] if name[0] in "ab" and name.endswith(".csv") else None


def on_error_of(pipe_name: str) -> str:
    """Return how a pipe of the simulation judges."""
    return {"a": "continue", "b": "skip_file"}[pipe_name]


class Findings:
    """Collects what does not hold."""

    def __init__(self, simulation: Simulation) -> None:
        self._world = simulation.world

    def require(self, holds: bool, promise: str) -> None:
        """Note a promise that does not hold."""
        if not holds:
            self._world.violate(promise)


def check_told(simulation: Simulation) -> None:
    """Check that the last process told of no more loads than it committed."""
    committed = Counter(
        (load.pipe_name, load.file_name)
        for load in find_loads(simulation)
        if load.load_seq > simulation.first_seq
    )
    findings = Findings(simulation)
    for what, count in simulation.told.items():
        findings.require(count <= committed[what], f"{what} was told {count} times")


def check_let_go(simulation: Simulation, message: Message) -> None:
    """Check that what a message told of is dealt with when it is let go of."""
    name, stage = message.name, simulation.stage
    assert isinstance(stage, FakeBucket)
    if stage.puts.get(name) != message.put or pipe_of(name) is None:
        return  # it is gone, or there is another, of which another message told
    if name in stage.missed or pipe_of(name) in simulation.world.paused:
        return
    raw, _ = stage.lying()[name]
    content = next(c for c in simulation.world.contents.values() if c.raw == raw)
    loads = [
        load
        for load in find_loads(simulation)
        if load.file_name == name and load.sha256 == content.sha256
    ]
    done = any(not load.superseded_by or load.duplicate_of for load in loads)
    held = simulation.ask(
        "select 1 from snowmelt.held_files where file_name = $1", [name]
    )
    Findings(simulation).require(
        done or bool(held), f"the message of {name} was let go of before its load"
    )


def check_rest(simulation: Simulation) -> None:
    """Check everything that holds when nothing is left to do."""
    findings = Findings(simulation)
    loads = find_loads(simulation)
    check_loads(simulation, findings, loads)
    check_rows(simulation, findings, loads)
    check_stage(simulation, findings, loads)
    check_left_overs(simulation, findings)
    check_told(simulation)


def check_loads(simulation: Simulation, findings: Findings, loads: list[Load]) -> None:
    """Every load has its own position, an account, and a file that was there."""
    seqs = [load.load_seq for load in loads]
    findings.require(len(set(seqs)) == len(seqs), f"a load_seq is there twice: {seqs}")
    live: dict[tuple[str, str], list[int]] = defaultdict(list)
    for load in loads:
        told = f"load {load.load_seq} of {load.file_name}"
        findings.require(load.pipe_name == pipe_of(load.file_name), f"{told}: pipe")
        content = simulation.world.contents.get(load.sha256 or "")
        if content is None:
            findings.require(False, f"{told}: its bytes never lay there ({load})")
            continue
        placed = (load.file_name, content.sha256) in simulation.world.placed
        findings.require(placed, f"{told}: its bytes never had this name")
        _check_account(findings, load, content, told)
        if load.is_live and load.has_rows and load.row_parsed:
            live[load.pipe_name, content.sha256].append(load.load_seq)
    for (pipe_name, _), twice in live.items():
        findings.require(
            len(twice) == 1, f"pipe {pipe_name}: loads {twice} have the same bytes"
        )


def _check_account(
    findings: Findings, load: Load, content: FileContent, told: str
) -> None:
    expected = content.account(on_error_of(load.pipe_name))
    if load.status == "Load skipped":
        findings.require(load.duplicate_of is not None, f"{told}: a skip of nothing")
        findings.require(load.row_count == 0, f"{told}: a skip has rows")
        return
    findings.require(
        load.status == expected.status, f"{told}: {load.status}, not {expected}"
    )
    if load.status == "Load failed":
        findings.require(load.row_count == 0, f"{told}: a failed load has rows")
        return
    account = (load.row_parsed, load.row_count, load.error_count)
    right = (expected.parsed, len(expected.rows), len(expected.rejected))
    findings.require(account == right, f"{told}: account {account}, not {right}")


def check_rows(simulation: Simulation, findings: Findings, loads: list[Load]) -> None:
    """Bronze has exactly the rows, and the rejects, of the loads in history."""
    by_seq = {load.load_seq: load for load in loads}
    for pipe_name in "ab":
        found: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
        for seq, file, *row in simulation.ask(
            "select _load_seq, _file, _file_row, id, note "
            f'from bronze."{pipe_name}__all" order by all'
        ):
            found[seq].append((row[0], row[1], row[2]))
            right = seq in by_seq and by_seq[seq].file_name == file
            findings.require(right, f"a row of {file} has no load {seq}")
        for load in loads:
            if load.pipe_name != pipe_name:
                continue
            content = simulation.world.contents.get(load.sha256 or "")
            rows: list[tuple[int, int, str]] = []
            if content is not None and load.has_rows:
                rows = list(content.account(on_error_of(pipe_name)).rows)
            findings.require(
                found.get(load.load_seq, []) == rows,
                f"load {load.load_seq} of {load.file_name}: rows "
                f"{found.get(load.load_seq)}, not {rows}",
            )
        live = simulation.ask(
            f'select _load_seq, count(*) from bronze."{pipe_name}" group by 1'
        )
        expected = {
            load.load_seq: load.row_count
            for load in loads
            if load.pipe_name == pipe_name and load.is_live and load.row_count
        }
        findings.require(
            dict(live) == expected, f"pipe {pipe_name}: live {live}, not {expected}"
        )
    _check_rejects(simulation, findings, loads)


def _check_rejects(
    simulation: Simulation, findings: Findings, loads: list[Load]
) -> None:
    kept: dict[int, list[int]] = defaultdict(list)
    for seq, row in simulation.ask(
        "select load_seq, file_row from snowmelt.rejects order by all"
    ):
        kept[seq].append(row)
    known = {load.load_seq for load in loads}
    findings.require(set(kept) <= known, f"rejects without a load: {set(kept) - known}")
    for load in loads:
        content = simulation.world.contents.get(load.sha256 or "")
        if content is None or load.status == "Load skipped":
            continue
        rejected = list(content.account(on_error_of(load.pipe_name)).rejected)
        findings.require(
            kept.get(load.load_seq, []) == rejected,
            f"load {load.load_seq}: rejects {kept.get(load.load_seq)}, not {rejected}",
        )


def check_stage(simulation: Simulation, findings: Findings, loads: list[Load]) -> None:
    """What lies in the stage is what counts in bronze."""
    lying = simulation.stage.lying()
    contents = {c.raw: c for c in simulation.world.contents.values()}
    settled = _settled(simulation, findings)
    for name, (raw, state) in lying.items():
        content = contents[raw]
        if pipe_of(name) is None:
            continue
        if content.poison:
            held = simulation.ask(
                "select 1 from snowmelt.held_files "
                "where file_name = $1 and decided is null",
                [name],
            )
            findings.require(bool(held), f"{name} kills and is not held")
            continue
        _check_settled(findings, name, state, settled.get(name), loads)
        _check_version(findings, name, content, loads)
    for name in {load.file_name for load in loads} - set(lying):
        live = [each for each in loads if each.file_name == name and each.is_live]
        findings.require(len(live) <= 1, f"{name} is gone and has loads {live}")


_State = tuple[int, int, int, str, int]


def _settled(simulation: Simulation, findings: Findings) -> dict[str, _State]:
    settled: dict[str, _State] = {}
    for name, *state in simulation.ask(
        "select file_name, file_size, file_mtime_ns, file_ctime_ns, settled, load_seq "
        "from snowmelt.staged_files"
    ):
        findings.require(name not in settled, f"{name} is settled twice")
        settled[name] = (state[0], state[1], state[2], state[3], state[4])
    return settled


def _check_settled(
    findings: Findings,
    name: str,
    state: StagedFile,
    known: _State | None,
    loads: list[Load],
) -> None:
    """The state that lies there is known, with the load that dealt with it."""
    if known is None:
        findings.require(False, f"{name} lies there and was not dealt with")
        return
    *seen, status, load_seq = known
    lies = [state.size, state.mtime_ns, state.ctime_ns]
    findings.require(seen == lies, f"{name}: another version was dealt with")
    if load_seq:
        load = next((each for each in loads if each.load_seq == load_seq), None)
        right = load and (load.file_name, load.status) == (name, status)
        findings.require(bool(right), f"{name}: settled by {load}, as {status}")


def _check_version(
    findings: Findings, name: str, content: FileContent, loads: list[Load]
) -> None:
    """A version that lies there has its record, and its content counts once."""
    pipe_name = name[0]
    expected = content.account(on_error_of(pipe_name))
    own = [load for load in loads if load.file_name == name]
    here = [load for load in own if load.sha256 == content.sha256]
    findings.require(bool(here), f"{name}: what lies there has no record")
    live = [load for load in own if load.is_live]
    findings.require(len(live) <= 1, f"{name}: several versions count: {live}")
    if expected.status == "Load failed":
        return
    if live and live[0].duplicate_of is not None:
        origin = [each for each in loads if each.load_seq == live[0].duplicate_of]
        right = origin and origin[0].is_live and origin[0].sha256 == content.sha256
        findings.require(bool(right), f"{name}: a duplicate of {origin}")
    findings.require(
        [load.sha256 for load in live] == [content.sha256],
        f"{name}: {live} counts, not what lies there",
    )


def check_left_overs(simulation: Simulation, findings: Findings) -> None:
    """Nothing is left of what was under way."""
    attempts = Attempts(simulation.site.project.attempts_path).interrupted()
    left = [name for name in attempts if name in simulation.stage.lying()]
    findings.require(not left, f"attempts are left: {left}")
    spool = simulation.site.project.spool
    findings.require(not list(spool.iterdir()), "files are left in the spool")
    if simulation.queue is not None:
        told = simulation.queue.messages
        findings.require(not told, f"messages are left in the queue: {told}")
