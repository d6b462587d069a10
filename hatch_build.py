"""The pages' scripts and styles: built by node into the package, found in the wheel.

A wheel or a source distribution has them, so that who installs Snowmelt needs no
node. In a checkout `make setup` builds them where node is; without it Snowmelt works
as ever, and has no pages.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # as a script, to build the assets alone
    BuildHookInterface = object  # type: ignore[assignment,misc]

BUILT = Path("src/snowmelt/serve/static")
STAMP = ".built-from"
LACKING = (
    "the pages' scripts are not built, and this machine has no npm.\n"
    "Install Node.js 20 or newer (on Debian or Ubuntu: apt-get install nodejs npm), "
    "then: make setup"
)


def digest_of(root: Path) -> str:
    """Return what the assets are made from, as one text."""
    made_from = [root / "package.json", root / "package-lock.json"]
    made_from += sorted(path for path in (root / "ui").iterdir() if path.is_file())
    found = hashlib.sha256()
    for path in made_from:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def is_built(root: Path) -> bool:
    """Are the assets there, and of these sources?

    A source distribution has them without what they were made from.
    """
    stamp = root / BUILT / STAMP
    if not stamp.is_file():
        return False
    return not (root / "ui").is_dir() or stamp.read_text() == digest_of(root)


def build_assets(root: Path) -> str:
    """Build them if they are not; return what is lacking, empty if nothing is."""
    if is_built(root):
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return LACKING
    modules = root / "node_modules"
    if modules.is_symlink():  # `npm ci` would empty the folder that it leads to
        return (
            f"{modules} is a link to {modules.resolve()}, and npm ci empties what it "
            "finds there, for whoever else uses it.\nRemove the link: "
            f"rm {shlex.quote(str(modules))}"
        )
    for words in ("ci", "--silent", "--ignore-scripts"), ("run", "--silent", "build"):
        done = subprocess.run(
            [npm, *words], cwd=root, check=False, capture_output=True, text=True
        )
        if done.returncode:
            told = (done.stderr or done.stdout).strip()[-800:]
            return f"npm {words[0]} failed: {told}\nTry it again with: make setup"
    (root / BUILT / STAMP).write_text(digest_of(root))
    return ""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the assets before a wheel or a source distribution is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise RuntimeError when what is to be given away would have no pages."""
        del build_data
        if version == "editable":
            return  # `make setup` builds them afterwards, and says what is missing
        if lacking := build_assets(Path(self.root)):
            raise RuntimeError(lacking)


if __name__ == "__main__":
    if problem := build_assets(Path(__file__).resolve().parent):
        sys.stderr.write(f"No pages: {problem}\n")
