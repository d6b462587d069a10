"""The making of the files, beside DuckDB's own COPY TO of the same tables.

`python -m bench.scale.generation SET PLACE THREADS` reads each file into a table of its
own and prints the seconds that writing them again takes, in the same formats with the
same compression: nothing is worked out then.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import duckdb

from bench.live.shop import environment
from bench.scale.inputs import COMPRESSION, Company, synth_words
from bench.scale.programs import run_to_its_end


@dataclass(frozen=True)
class Generation:
    """Seconds and bytes of both."""

    synth_seconds: float
    synth_bytes: int
    copy_seconds: float
    copy_bytes: int

    @property
    def times(self) -> float:
        return self.synth_seconds / self.copy_seconds


_READS = {
    "customers": (
        "select * replace (total_purchases::decimal(18, 2) as total_purchases) "
        "from read_csv('{path}', all_varchar = true, header = true)",
        f"format csv, header, compression {COMPRESSION}",
    ),
    "products": (
        "from read_json('{path}', format = 'array', columns = {{product_id: 'varchar', "
        "name: 'varchar', category: 'varchar', brand: 'varchar', "
        "price: 'decimal(18, 2)', stock_quantity: 'json', rating: 'decimal(4, 1)', "
        "is_active: 'boolean'}})",
        f"format json, array, compression {COMPRESSION}",
    ),
    "transactions": (
        "from read_parquet('{path}')",
        f"format parquet, compression {COMPRESSION}",
    ),
}


def measure_generation(
    company: Company, made: Path, place: Path, threads: int
) -> Generation:
    """Make the set once more, and have the engine copy the one that is there."""
    anew = place / "generated"
    synth = run_to_its_end(synth_words(company, anew.name), place, environment())
    synth_bytes = bytes_below(anew)
    shutil.rmtree(anew)
    words = (str(made), str(place / "copied"), str(threads))
    copied = run_to_its_end(
        [sys.executable, "-m", "bench.scale.generation", *words], place, environment()
    )
    told = json.loads(copied.output)
    return Generation(synth.seconds, synth_bytes, told["seconds"], told["bytes"])


def bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def copy_again(made: Path, place: Path, threads: int) -> float:
    """Return the seconds that the engine needs to write the same files."""
    place.mkdir()
    written: list[tuple[str, str, Path]] = []
    with duckdb.connect(str(place / "tables.duckdb")) as connection:
        connection.execute(f"set threads = {threads:d}")
        for number, path in enumerate(sorted((made / "raw").rglob("*.*"))):
            read, form = _READS[path.parent.name]
            connection.execute(f"create table t{number} as {read.format(path=path)}")
            written.append((f"t{number}", form, place / "files" / path.name))
        connection.execute("checkpoint")
        (place / "files").mkdir()
        begun = perf_counter()
        for table, form, path in written:
            connection.execute(f"copy {table} to '{path}' ({form})")
        return perf_counter() - begun


if __name__ == "__main__":
    own = Path(sys.argv[2])
    seconds = copy_again(Path(sys.argv[1]), own, int(sys.argv[3]))
    size = bytes_below(own / "files")
    shutil.rmtree(own)
    print(json.dumps({"seconds": seconds, "bytes": size}))
