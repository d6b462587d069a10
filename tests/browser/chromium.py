"""A Chromium to test pages with: from the environment, PATH, or Playwright's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LACKING = (
    "no Chromium was found. On Debian or Ubuntu: apt-get install chromium; elsewhere: "
    "playwright install chromium; or name one in CHROME_PATH"
)


def find_chromium() -> str | None:
    """Return a browser's path; None where there is none."""
    named = os.environ.get("CHROME_PATH")
    if named:
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    own = Path.home() / ".cache" / "ms-playwright"
    return next((str(p) for p in own.glob("chromium-*/chrome-linux*/chrome")), None)


def require_chromium() -> str:
    """Return a browser's path, or report the test as not run.

    CI_REQUIRE_BROWSER=1 makes that a failure.
    """
    found = find_chromium()
    if found is None and os.environ.get("CI_REQUIRE_BROWSER") == "1":
        pytest.fail(LACKING)
    if found is None:
        pytest.skip(LACKING)
    return found
