"""Making a project from a template; what is there already is never touched."""

from __future__ import annotations

import re
import shutil
import unicodedata
from importlib.resources import as_file, files
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.project.project import SETTINGS_FILE
from snowmelt.transform.package import PACKAGE, write_package


def template_names() -> list[str]:
    """Return the templates there are."""
    folder = files("snowmelt.project") / "templates"
    return sorted(each.name for each in folder.iterdir() if each.is_dir())


def name_of(directory: Path) -> str | None:
    """Return what a project in a directory is called; None if that is no name.

    What a target's account gets is named after the project, so that two of one template
    must not share a name.
    """
    plain = unicodedata.normalize("NFKD", directory.resolve().name)
    letters = plain.encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")
    return name if re.match(r"[a-z]", name) else None


def make_project(directory: Path, template: str, name: str | None = None) -> list[str]:
    """Copy a template into a directory and return the files made.

    `name` is the project's, if not that of the template.
    Raises UsageError, before anything is written, for an unknown template and for
    files that are there already.
    """
    if template not in template_names():
        raise UsageError(
            f"--template {template}",
            "there is no such template",
            f"Known: {', '.join(template_names())}.",
        )
    with as_file(files("snowmelt.project") / "templates" / template) as origin:
        copies = {
            path: directory / path.relative_to(origin)
            for path in sorted(origin.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        taken = [copy for copy in copies.values() if copy.exists()]
        if (directory / PACKAGE).exists():
            taken.append(directory / PACKAGE)
        if taken:
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            raise UsageError(
                str(directory),
                f"{taken[0].relative_to(directory)}{more} exists already; "
                "nothing was written",
                "Choose another directory.",
            )
        for path, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    if name is not None:
        settings = directory / SETTINGS_FILE
        text = re.sub(r"(?m)^name: .*$", f"name: {name}", settings.read_text())
        settings.write_text(text)
    (directory / "landing").mkdir(exist_ok=True)
    return [
        *(str(copy.relative_to(directory)) for copy in copies.values()),
        *write_package(directory),
    ]
