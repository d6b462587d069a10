"""dbt in a program that stays: `python -m bench.live.warm_dbt FOLDER`.

For each line of stdin it builds the project and prints the seconds that took. The
warehouse is let go of after each build, so that another program can load.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

from bench.live.shop import profile_words


def main(folder: str) -> None:
    """Build once a line."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    runner = dbtRunner()
    words = ["--project-dir", folder, *profile_words(Path(folder))]
    quiet = ["--log-level", "none", "--log-level-file", "none", "--quiet"]
    for _ in sys.stdin:
        begun = perf_counter()
        ended = runner.invoke(["build", *quiet, *words])
        seconds = perf_counter() - begun
        DuckDBConnectionManager.close_all_connections()
        print(seconds if ended.success else ended.exception, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
