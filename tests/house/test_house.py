"""The rules of the house, as tests: sizes, names, what an import costs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src" / "snowmelt"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    *("duckdb", "dbt", "pydantic", "starlette", "uvicorn", "httpx", "rich", "yaml"),
    *("structlog", "prometheus_client"),
)
REFUSED = re.compile(
    r"(^|_)(manager|helper|util|utils|common|handler|processor|wrapper|data|info|item"
    r"|object|thing|process|job)(s)?(_|$)"
)
OF_OTHERS = {"order_items", "get_provider_info"}  # the shop's, and Airflow's


def relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


AMONG_OTHERS = ("airflow", "dagster")
"""Packages whose classes stand beside those of others, in people's DAGs and assets."""


def definitions(path: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_has_at_most_400_lines_and_a_function_60(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    for node in definitions(path):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, node.name


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_names_say_what_they_are(path: Path) -> None:
    names = [path.stem, *(node.name for node in definitions(path))]
    refused = [name for name in names if REFUSED.search(snake(name))]
    assert not set(refused) - OF_OTHERS
    for node in definitions(path):
        if isinstance(node, ast.ClassDef) and path.parent.name not in AMONG_OTHERS:
            assert "snowmelt" not in node.name.lower() or node.name == "SnowmeltError"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_docstring_begins_with_a_caption(path: Path) -> None:
    tree = ast.parse(path.read_text())
    public = [tree, *(n for n in definitions(path) if not n.name.startswith("_"))]
    for node in public:
        caption = (ast.get_docstring(node) or "").split("\n")[0]
        assert len(caption) <= 84, caption
    assert ast.get_docstring(tree), "a module says what it is"


def test_only_output_and_progress_write_to_the_terminal() -> None:
    writers = [
        relative(path)
        for path in MODULES
        if re.search(
            r"sys\.std(out|err)\.write|click\.echo|\bprint\(", path.read_text()
        )
    ]
    assert writers == [
        "src/snowmelt/cli/output.py",
        "src/snowmelt/observe/progress.py",
    ]


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_snowmelt_loads_no_driver() -> None:
    assert not loaded_by("import snowmelt") & set(HEAVY)


def test_help_loads_no_driver() -> None:
    code = (
        "import contextlib, io\n"
        "from snowmelt.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), "
        "contextlib.suppress(SystemExit): main(['--help'])"
    )
    assert not loaded_by(code) & set(HEAVY)


def test_the_readme_is_short_and_the_changelog_knows_this_version() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 120
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    version = project["project"]["version"]
    assert f"## {version}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_lock_has_a_hash_for_everything_and_names_no_registry() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in lock
    pins = re.findall(r"^[a-z0-9][^\n]*==[^\n]*\\\n(    --hash=sha256:)?", lock, re.M)
    assert pins
    assert all(pins), "a pin without a hash"


def test_every_package_stands_in_the_codemap() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    codemap = (REPOSITORY / "ARCHITECTURE.md").read_text()
    missing = [name for name in sorted(packages) if f"`{name}/`" not in codemap]
    assert not missing


def test_the_reference_is_what_the_code_says() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json, runpy; "
            "print(json.dumps(runpy.run_path('scripts/reference.py')['pages']()))",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name, text in json.loads(done.stdout).items():
        written = (REPOSITORY / "docs" / "reference" / name).read_text()
        assert written == text, f"run: python scripts/reference.py ({name})"


def test_what_the_copy_page_names_is_there() -> None:
    page = (REPOSITORY / "docs" / "reference" / "copy.md").read_text()
    cases = "".join(
        path.read_text()
        for path in (REPOSITORY / "tests" / "conformance").glob("*_inputs.py")
    )
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?(?:\[\w+\])?`", page)
    assert len(named) > 20
    for path, test in named:
        text = (REPOSITORY / path).read_text()
        assert f"def {test or 'test_'}" in text, (path, test)
    for case in re.findall(r"\[(\w+)\]`", page):
        assert f'"{case}"' in cases, case
