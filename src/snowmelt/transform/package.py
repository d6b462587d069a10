"""The dbt package of Snowmelt's macros, as it lies in a project."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

PACKAGE = Path("packages/snowmelt")
INSTALLED = Path("dbt_packages/snowmelt")


def write_package(project_dir: Path) -> list[str]:
    """Write the package as this version has it; return the files that were written.

    A file that is there as it should be is left alone, one that the package has no
    more is removed.
    """
    written = []
    with as_file(files("snowmelt.transform") / "dbt_package") as origin:
        wanted = {
            PACKAGE / path.relative_to(origin): path
            for path in sorted(origin.rglob("*"))
            if path.is_file()
        }
        for name, path in wanted.items():
            target = project_dir / name
            if target.is_file() and target.read_bytes() == path.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            written.append(str(name))
    for found in (project_dir / PACKAGE).rglob("*"):
        if found.is_file() and found.relative_to(project_dir) not in wanted:
            found.unlink()
    install_package(project_dir)
    return written


def install_package(project_dir: Path) -> None:
    """Put the package where dbt looks for it, as `dbt deps` does with a local one.

    A copy, which a copied project has, is made a link again: it would grow old.
    """
    installed = project_dir / INSTALLED
    if installed.is_symlink() and installed.exists():
        return
    if not (project_dir / PACKAGE).is_dir():
        return
    installed.parent.mkdir(parents=True, exist_ok=True)
    if installed.is_dir() and not installed.is_symlink():
        shutil.rmtree(installed)
    installed.unlink(missing_ok=True)
    installed.symlink_to(Path("..") / PACKAGE, target_is_directory=True)
