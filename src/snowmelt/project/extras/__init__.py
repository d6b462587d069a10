"""What a project may have besides: a DAG for Airflow, a workflow for GitHub."""

from __future__ import annotations

from pathlib import Path

from snowmelt.errors import UsageError

AIRFLOW = Path(__file__).with_name("airflow")
GITHUB = Path(__file__).with_name("github")
DAG, WORKFLOW = "airflow/dags/snowmelt.py", ".github/workflows/snowmelt.yml"
ANY = "any"
SAMPLES = {
    "olist": "snowmelt synth olist sample --orders 500",
    "crm-erp": "snowmelt synth crm-erp sample --customers 200",
    "storefront": "snowmelt synth storefront sample --customers 200",
    "retail": "snowmelt synth retail sample --transactions 2000 --days 3",
    "realtime": "snowmelt synth realtime sample --for 60s --at-once",
}
"""How the files of a template are made to try it on."""
_LAND = "cp -r sample/. landing/"
_OWN = (
    "mkdir -p sample # put small files of your own there, one for each pipe",
    _LAND,
)


def write_extras(
    directory: Path, template: str | None, *, airflow: bool, github: bool
) -> list[str]:
    """Write what was asked for into a project, and return the files made.

    Raises UsageError, before anything is written, for a file that is there already.
    """
    require_room(directory, airflow=airflow, github=github)
    wanted = {}
    if airflow:
        wanted[DAG] = _dag(template)
    if github:
        wanted[WORKFLOW] = _workflow(template)
    for name, text in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(wanted)


def require_room(directory: Path, *, airflow: bool, github: bool) -> None:
    """Raise UsageError for a file that would be written over."""
    for name, is_wanted in ((DAG, airflow), (WORKFLOW, github)):
        if is_wanted and (directory / name).exists():
            raise UsageError(
                str(directory / name), "it is there already; nothing was written"
            )


def _dag(template: str | None) -> str:
    path = AIRFLOW / f"{(template or ANY).replace('-', '_')}.py"
    if not path.exists():
        path = AIRFLOW / f"{ANY}.py"
    return path.read_text(encoding="utf-8")


def _workflow(template: str | None) -> str:
    """Return the workflow, with the lines that make this template's sample."""
    made = SAMPLES.get(template or "")
    lines = (made, _LAND) if made else _OWN
    text = (GITHUB / "snowmelt.yml").read_text(encoding="utf-8")
    return text.replace("@SAMPLE@", "\n          ".join(lines))
