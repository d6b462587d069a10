"""One command, one file; each imports what it needs when it is called."""

from __future__ import annotations

from snowmelt.cli.main import main

__all__ = ["main"]
