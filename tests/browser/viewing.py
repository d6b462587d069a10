"""A viewer of the pages, without a screen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from seen_project import Served

from shop import SNOWMELT

PASSWORD = "correct horse battery"


@contextmanager
def viewing(served: Served) -> Iterator[httpx.Client]:
    """Return a browser without a screen in which a viewer is logged in."""
    words = ("users", "add", "vera", "--role", "viewer", "--password-stdin")
    given = f"{PASSWORD}\n"
    subprocess.run(
        [SNOWMELT, *words], cwd=served.root, input=given, text=True, check=True
    )
    with served.client(signed_in=False) as client:
        client.post("/login", data={"name": "vera", "password": PASSWORD})
        yield client
