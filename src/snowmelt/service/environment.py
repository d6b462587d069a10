"""What doctor says of the interpreter and the packages that are installed."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from snowmelt import __version__
from snowmelt.serve.commands import Document
from snowmelt.service.finding import Finding, finding

NEEDED = ("duckdb", "dbt-duckdb")
SHOWN = {
    "dbt-core": "models",
    "starlette": "pages",
    "boto3": "buckets (extra s3)",
    "pyarrow": "Arrow (extra arrow)",
    "apprise": "alerts through Apprise (extra alerts)",
    "opentelemetry-sdk": "traces (extra otel)",
    "openlineage-python": "lineage (extra lineage)",
}
"""Other packages whose versions are told, and what they are for."""


def environment_checks() -> list[Finding]:
    """Check the interpreter and the packages that nothing goes without."""
    ok = sys.version_info >= (3, 11)
    needs = "Snowmelt needs Python 3.11 or newer."
    found = [finding("python", ok, platform.python_version(), needs)]
    return [*found, *map(_package, NEEDED)]


def _package(name: str) -> Finding:
    known = _version(name)
    if known is None:
        return finding(name, False, "missing", f"Install it: pip install {name}")
    return finding(name, True, known)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> list[Document]:
    """Return what is installed, and what for; None for what is not."""
    known: list[tuple[str, str | None, str]] = [
        ("snowmelt", __version__, "this"),
        ("python", platform.python_version(), "the interpreter"),
        *((name, _version(name), "the warehouse") for name in NEEDED),
        *((name, _version(name), use) for name, use in SHOWN.items()),
        ("system", platform.platform(terse=True), platform.machine()),
    ]
    return [{"name": name, "version": found, "use": use} for name, found, use in known]
