"""The dbt package of Snowmelt's macros, as it lies in a project."""

from __future__ import annotations

import os
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from snowmelt.transform.dbt_project import read_dbt_project

PACKAGE = Path("packages/snowmelt")


def write_package(project_dir: Path) -> list[str]:
    """Write the package as this version has it; return the files that changed.

    A file that is there as it should be is left alone, one that the package has no
    more is removed.
    """
    changed = _differences(project_dir)
    with as_file(files("snowmelt.transform") / "dbt_package") as origin:
        for name in changed:
            path, target = origin / Path(name).relative_to(PACKAGE), project_dir / name
            if path.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            else:
                target.unlink()
    install_package(project_dir)
    return changed


def _differences(project_dir: Path) -> list[str]:
    """Return the package's files that are not in a project as this version has them."""
    wanted = package_files()
    folder = project_dir / PACKAGE
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(
        str(PACKAGE / name)
        for name in {*wanted, *found}
        if not (folder / name).is_file()
        or (folder / name).read_bytes() != wanted.get(name)
    )


def outdated_files(project_dir: Path) -> list[str]:
    """Return the files that `write_package` would change; none without a package."""
    if not (project_dir / PACKAGE).is_dir():
        return []
    return _differences(project_dir)


def package_files() -> dict[Path, bytes]:
    """Return the package's files as this version has them, by their paths in it."""
    with as_file(files("snowmelt.transform") / "dbt_package") as origin:
        return {
            path.relative_to(origin): path.read_bytes()
            for path in sorted(origin.rglob("*"))
            if path.is_file()
        }


def installed_package(project_dir: Path) -> Path:
    """Return where dbt looks for the package."""
    return project_dir / read_dbt_project(project_dir).packages_path / PACKAGE.name


def install_package(project_dir: Path) -> None:
    """Put the package where dbt looks for it, as `dbt deps` does with a local one.

    A copy, which a copied project has, is made a link again: it would grow old.
    """
    package, installed = project_dir / PACKAGE, installed_package(project_dir)
    if (installed.is_symlink() and installed.exists()) or not package.is_dir():
        return
    folder = installed.parent
    folder.mkdir(parents=True, exist_ok=True)
    if installed.is_dir() and not installed.is_symlink():
        shutil.rmtree(installed)
    installed.unlink(missing_ok=True)
    installed.symlink_to(os.path.relpath(package, folder), target_is_directory=True)
