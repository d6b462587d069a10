"""Airflow and Dagster in environments of their own, beside a service on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LACKING = "the environment of these tests is made by: make test-cloud"
AIRFLOW_BIN = Path(os.environ.get("SNOWMELT_AIRFLOW_BIN", ROOT / ".venv-airflow/bin"))
DAGSTER_BIN = Path(os.environ.get("SNOWMELT_DAGSTER_BIN", ROOT / ".venv-dagster/bin"))
_OURS = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")


def own_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nothing of this process's Python is found.

    What is tested of Snowmelt is that of this checkout, wherever the other
    environment was made.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **more}


class Airflow:
    """Airflow with a home, a database and a folder of DAGs of its own."""

    def __init__(self, home: Path, connections: Mapping[str, str]) -> None:
        assert (AIRFLOW_BIN / "airflow").exists(), LACKING
        self.home, self.dags = home, home / "dags"
        self.dags.mkdir(parents=True)
        self.environment = own_environment(
            {
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
                "SCARF_ANALYTICS": "false",
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
                **{
                    f"AIRFLOW_CONN_{name.upper()}": uri
                    for name, uri in connections.items()
                },
            }
        )

    def __call__(self, *words: str, seconds: float = 300) -> str:
        """Run a command of Airflow's, and return what it says."""
        done = subprocess.run(
            [AIRFLOW_BIN / "airflow", *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-6000:]
        return said

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a part of Airflow that goes on until it is ended."""
        with (self.home / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [AIRFLOW_BIN / "airflow", *words],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def python(self, script: Path, *words: str, seconds: float = 300) -> str:
        """Run a script in Airflow's environment, and return what it says."""
        done = subprocess.run(
            [AIRFLOW_BIN / "python", script, *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        return done.stdout


def copy_project(source: Path, target: Path) -> Path:
    """Make a project of a test's own."""
    shutil.copytree(source, target, symlinks=True)
    return target
