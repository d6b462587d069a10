"""A shop of the olist template with orders loaded and published, made once and copied.

The shop is made by the commands that a person would give. It is kept below
`bench/.data/shops` under the number of its orders and a digest of the product's
sources, the template with them: other sources make another shop.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import snowmelt
from bench.inputs import MADE
from snowmelt.clock import SystemClock

SHOPS = MADE / "shops"
PARTS = 10
KNOWN_MAX = 20_000
_REHEARSAL_SECONDS_MAX = 120.0

_SOURCES = Path(snowmelt.__file__).parent
_SNOWMELT = (sys.executable, "-c", "from snowmelt.cli import main; main()")
_KNOWN = {
    "customers": "select customer_id from bronze.customers order by md5(customer_id)",
    "products": "select product_id from bronze.products order by md5(product_id)",
    "sellers": "select seller_id from bronze.sellers order by md5(seller_id)",
}


class CommandError(Exception):
    """A command that prepares or measures a shop failed."""


@dataclass(frozen=True)
class Known:
    """Keys of the rows that the shop has already, for new orders to refer to."""

    customers: Sequence[str]
    products: Sequence[str]
    sellers: Sequence[str]


@dataclass(frozen=True)
class Shop:
    """A project of its own, in a folder that goes when it was measured."""

    root: Path
    known: Known

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def warehouse(self) -> Path:
        return self.root / ".snowmelt" / "warehouse.duckdb"


def command(*words: str) -> list[str]:
    """Return the command line of a snowmelt command: of the sources beside us."""
    return [*_SNOWMELT, *words]


def profile_words(root: Path) -> list[str]:
    """Return dbt's words for the profile that the service of a project builds with."""
    folder = str(root / ".snowmelt" / "dbt")
    return ["--profiles-dir", folder, "--profile", "snowmelt", "--target", "local"]


def environment(**more: str) -> Mapping[str, str]:
    """Return the variables under which a program finds the product and this bench."""
    roots = [str(_SOURCES.parent), str(MADE.parent.parent)]
    path = os.pathsep.join([*roots, *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path} | more


def snowmelt_says(root: Path, *words: str) -> Any:
    """Give a command with `--json` in a project and return its document.

    Raises CommandError, with what it told, unless it ends well.
    """
    return json.loads(run_program(command(*words, "--json"), root, environment()))


def run_program(words: Sequence[str], root: Path, given: Mapping[str, str]) -> str:
    """Run a program in a folder and return its output; CommandError if it fails."""
    ended = subprocess.run(
        words, cwd=root, env=given, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        told = f"{ended.stdout[-2000:]}{ended.stderr[-2000:]}".strip()
        raise CommandError(f"{' '.join(words[-4:])} failed: {told}")
    return ended.stdout


def copy_shop(orders: int, place: Path) -> Shop:
    """Copy the shop of so many orders into a place; make it first if need be."""
    made = _ensure_shop(orders)
    root = place / "shop"
    shutil.copytree(made / "project", root, symlinks=True)
    known = json.loads((made / "known.json").read_text())
    return Shop(root, Known(**known))


def _ensure_shop(orders: int) -> Path:
    made = SHOPS / f"olist-{orders}-{_digest()}"
    if made.is_dir():
        return made
    for older in SHOPS.glob(f"olist-{orders}-*"):
        shutil.rmtree(older)
    print(f"making a shop of {orders:,} orders", file=sys.stderr)
    making = made.with_name(f"{made.name}.making")
    root, files = making / "project", making / "files"
    making.mkdir(parents=True)
    snowmelt_says(making, "synth", "olist", files.name, *_sizes(orders))
    words = ("init", root.name, "--template", "olist", "--no-input")
    run_program(command(*words), making, environment())
    last = f"_{PARTS:04d}.csv"
    for is_last in (False, True):
        for file in sorted(files.iterdir()):
            if file.name.endswith(last) is is_last:
                file.rename(root / "landing" / file.name)
        snowmelt_says(root, "run")
        for file in (root / "landing").iterdir():
            file.unlink()
    _rehearse(root)
    (making / "known.json").write_text(json.dumps(_known_of(root)))
    shutil.rmtree(files)
    making.rename(made)
    return made


def _rehearse(root: Path) -> None:
    """Let a service run until it has rehearsed, as one in operation has."""
    service = subprocess.Popen(
        command("up"),
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        waited = 0.0
        while not _is_recorded(root) and waited < _REHEARSAL_SECONDS_MAX:
            SystemClock().wait(Event(), 0.5)
            waited += 0.5
    finally:
        service.terminate()
        service.wait()


def _is_recorded(root: Path) -> bool:
    path = root / ".snowmelt" / "recordings.json"
    if not path.exists():
        return False
    nodes = json.loads(path.read_text())["nodes"].values()
    return bool(nodes) and all(node["times_seen"] > 1 for node in nodes)


def _sizes(orders: int) -> tuple[str, ...]:
    return "--orders", str(orders), "--seed", "1", "--parts", str(PARTS)


def _known_of(root: Path) -> dict[str, list[str]]:
    return {
        name: [
            key
            for (key,) in snowmelt_says(root, "sql", query, "--limit", str(KNOWN_MAX))[
                "rows"
            ]
        ]
        for name, query in _KNOWN.items()
    }


def _digest() -> str:
    """Return a digest of the product and its templates, and of how a shop is made."""
    digest = hashlib.sha256(snowmelt.__version__.encode())
    digest.update(Path(__file__).read_bytes())
    for path in sorted(_SOURCES.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path.relative_to(_SOURCES)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
