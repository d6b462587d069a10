"""What several workers need and is dear to make: it is made once, by who is first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """Return a folder that `make` filled, in this worker or in another one.

    It is everybody's: copy what is to be changed. When making it fails, nothing of it
    stays and the next one tries.
    """
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = base / "once" / name
    root.parent.mkdir(exist_ok=True)
    with FileLock(root.with_suffix(".lock")):
        if not root.exists():
            try:
                make(root)
            except BaseException:
                shutil.rmtree(root, ignore_errors=True)
                raise
    return root
