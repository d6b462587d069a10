"""The DBT PROJECT of an account: what is sent, when, and what lets nothing be sent."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from shipped import TARGET, deployed_into, make_project
from snowflake_account import Account
from snowflake_gate import problems
from snowmelt.deploy.applying import StepError, apply_plan
from snowmelt.deploy.diagnosis.building import check_dbt
from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Asking
from snowmelt.deploy.harvest.scope import scope_of
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.planning import changed_elsewhere
from snowmelt.deploy.snowflake.dbt_files import (
    patterns_of,
    profile_text,
    read_files,
    write_files,
)
from snowmelt.deploy.snowflake.dbt_project import DbtProject
from snowmelt.deploy.steps import Action
from snowmelt.errors import ConfigError
from snowmelt.project.new import make_project as make_from_template
from snowmelt.project.project import Project, load_project

MADE = ("DBT PROJECT", ("SHOP", "SNOWMELT", "SHOP"))
BY_ITSELF = "version: 1\nname: shop\n" + yaml.safe_dump({"targets": {"prod": TARGET}})
SERVICE = BY_ITSELF.replace("type: snowflake", "runner: service\n    type: snowflake")


def with_target(root: Path) -> Project:
    """A template's project, as `snowmelt init` makes it, with a target."""
    make_from_template(root, "storefront", "shop")
    with (root / "snowmelt.yml").open("a") as settings:
        settings.write(yaml.safe_dump({"targets": {"prod": TARGET}}))
    return load_project(root)


def test_what_is_sent_is_whole_and_signs_in_as_nobody(tmp_path: Path) -> None:
    """Packages are files, not links; of profiles there is the account's alone."""
    project = with_target(tmp_path / "shop")
    account = Account()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    sent = account.things[MADE].more["files"]
    folder = project.root / ".snowmelt/targets/prod/dbt_project"
    here = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*")}
    assert not [name for name, path in here.items() if path.is_symlink()]
    assert {n: p.read_bytes() for n, p in here.items() if p.is_file()} == sent
    ours = "dbt_packages/snowmelt/dbt_project.yml"
    assert (
        sent[ours] == (project.root / "packages/snowmelt/dbt_project.yml").read_bytes()
    )
    models = {
        p.relative_to(project.root) for p in (project.root / "models").rglob("*.*")
    }
    assert models
    assert {str(each) for each in models} <= sent.keys()
    told = yaml.safe_load(sent["models/bronze/_sources.yml"])["sources"]
    assert {each["name"] for each in told[0]["tables"]} == {
        pipe.table_name for pipe in project.pipes
    }
    assert not {"snowmelt.yml", "landing", "README.md"} & sent.keys()
    outputs = yaml.safe_load(sent["profiles.yml"])["snowmelt"]["outputs"]
    assert outputs == {
        "prod": {
            "type": "snowflake",
            "account": "of_the_session",
            "user": "of_the_session",
            "role": "ACCOUNTADMIN",
            "warehouse": "SHOP_WH",
            "database": "SHOP",
            "schema": "main",
            "threads": 4,
        }
    }
    assert not account.staged, "the files' stage is left behind"
    assert account.things[MADE].options["DEFAULT_TARGET"] == "prod"


def test_another_model_is_another_project_and_nothing_else(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    account = Account()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty
    (tmp_path / "models/gold/sales.sql").write_text("select 3 as total")
    (tmp_path / "models/gold/more.sql").write_text("select 1 as n")
    (tmp_path / "dbt_project.yml").write_text(
        "name: shop\nprofile: \"{{ env_var('P', 'other') }}\"\n"
    )
    after = deployed_again(project, account)
    [change, *settled] = after.plan().acting
    assert change.address.kind == "dbt_project"
    assert change.action is Action.CHANGE
    assert {each.address.kind for each in settled} <= {"task_graph"}
    apply_plan(after, after.plan())
    sent = account.things[MADE].more["files"]
    assert sent["models/gold/sales.sql"] == b"select 3 as total"
    assert "other:" in sent["profiles.yml"].decode()
    assert deployed_again(project, account).plan().is_empty
    (tmp_path / "models/gold/more.sql").unlink()
    apply_plan(again := deployed_again(project, account), again.plan())
    assert "models/gold/more.sql" not in account.things[MADE].more["files"]


def test_another_dbt_is_drift_and_put_right(tmp_path: Path) -> None:
    account = Account()
    deployment = deployed_into(make_project(tmp_path), account)
    apply_plan(deployment, deployment.plan())
    account.rows("ALTER DBT PROJECT SHOP.SNOWMELT.SHOP SET DBT_VERSION = '1.9.4'")
    [drifted] = changed_elsewhere(deployment.plan())
    [told] = drifted.differences
    assert (told.name, told.before, told.after) == ("dbt_version", "1.9.4", "1.11.11")
    apply_plan(deployment, deployment.plan())
    assert account.things[MADE].options["DBT_VERSION"] == "1.11.11"
    assert deployment.plan().is_empty


def deployed_again(project: Project, account: Account):  # type: ignore[no-untyped-def]
    """The project as it stands now."""
    import shipped

    shipped.wanted.cache_clear()
    return deployed_into(load_project(project.root), account)


def test_nothing_runs_where_the_project_is_somebody_elses(tmp_path: Path) -> None:
    """A plan is not green, and no graph is started, while tasks have nothing to run."""
    project = make_project(tmp_path)
    account = Account()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    made = account.things[MADE]
    for key in [k for k in account.things if k[0] in ("TASK", "PROCEDURE")]:
        account.states.pop(key[1], None)
        del account.things[key]
    made.options["COMMENT"] = "deployed by hand"
    plan = deployment.plan()
    stuck = {s.address.kind: (s.action, s.why, s.remedy) for s in plan.stuck}
    action, why, remedy = stuck["dbt_project"]
    assert action is Action.CONFLICT
    assert "not ours" in why
    assert "by the comment" in remedy
    assert {"procedure", "task", "task_graph"} <= stuck.keys()
    apply_plan(deployment, plan)
    started = {name[2] for name, state in account.states.items() if state == "started"}
    assert not started & {"HOURLY", "BUILD", "DONE"}
    made.options["COMMENT"] = "snowmelt shop/prod 000000000000"
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty
    assert account.states["SHOP", "SNOWMELT", "HOURLY"] == "started"


def test_who_runs_dbt_from_a_machine_has_none(tmp_path: Path) -> None:
    project = make_project(tmp_path, **{"snowmelt.yml": SERVICE})
    (tmp_path / "dbt_project.yml").unlink()
    desired = deployed_into(project, Account()).desired
    assert not [each for each in desired if isinstance(each, DbtProject)]


@pytest.mark.parametrize(
    ("changed", "where", "told"),
    [
        ({"dbt_project.yml": None}, "dbt_project.yml", "it is not there"),
        (
            {"packages.yml": "packages: [{package: a/b, version: 1.3.0}]"},
            "packages.yml",
            "it lists 1 packages, of which 0 are here",
        ),
        (
            {"dbt_project.yml": "name: shop\nprofile: \"{{ env_var('P') }}\"\n"},
            "dbt_project.yml",
            "its profile is named by a variable",
        ),
        (
            {"dbt_project.yml": "name: shop\nmodel-paths: [../beside]\n"},
            "dbt_project.yml",
            "../beside is outside the project",
        ),
    ],
)
def test_what_cannot_be_sent_whole_is_refused(
    tmp_path: Path, changed: dict[str, str | None], where: str, told: str
) -> None:
    (tmp_path / "beside").mkdir()
    project = make_project(tmp_path / "shop", **{"snowmelt.yml": BY_ITSELF})
    for name, text in changed.items():
        if text is None:
            (project.root / name).unlink()
        else:
            (project.root / name).write_text(text)
    with pytest.raises(ConfigError, match=told) as refused:
        deployed_into(load_project(project.root), Account())
    assert refused.value.where == where
    assert "runner: service" in refused.value.remedy


def test_a_dbt_that_the_account_has_not_is_told(tmp_path: Path) -> None:
    account = Account()
    account.dbts = ["1.9.4"]
    deployment = deployed_into(make_project(tmp_path), account)
    with pytest.raises(StepError, match=r"1\.11\.11 is not supported"):
        apply_plan(deployment, deployment.plan())
    assert not account.states or "started" not in account.states.values()


def test_doctor_says_what_keeps_dbt_from_running(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    account = Account()
    deployment = deployed_into(project, account)
    scope = scope_of(project, names_of(project, "prod"))

    def found() -> dict[str, tuple[str, str, str]]:
        told = check_dbt(Asking(account, scope))
        assert not [each for c in told for each in problems(c.statement)]
        return {each.name: (each.level, each.found, each.remedy) for each in told}

    apply_plan(deployment, deployment.plan())
    assert {level for level, _, _ in found().values()} == {PASS}
    del account.things[MADE]
    account.dbts = ["1.9.4", "1.10.15"]
    level, told, remedy = found()["dbt project"]
    assert (level, remedy) == (FAIL, "snowmelt deploy apply --target prod")
    assert "tasks run it" in told
    level, told, remedy = found()["dbt"]
    assert (level, told) == (FAIL, "the account has 1.9.4, 1.10.15")
    assert "dbt_version:" in remedy
    account.dbts = []
    assert found()["dbt"][0] == WARN
    account.denied = {"SHOW DBT"}
    level, told, remedy = found()["dbt project"]
    assert level == FAIL
    assert remedy.startswith("GRANT USAGE ON DBT PROJECT SHOP.SNOWMELT.SHOP TO ROLE")
    service = make_project(tmp_path, **{"snowmelt.yml": SERVICE})
    served = scope_of(service, names_of(service, "prod"))
    assert not check_dbt(Asking(account, served))


def test_a_pattern_takes_files_alone_and_each_of_them_once(tmp_path: Path) -> None:
    files = {
        each: each.encode()
        for each in (
            "a.sql",
            "m/x.sql",
            "m/y.sql",
            "m/y.yml",
            "m/n.sql/z.yml",
            "m/LICENSE",
        )
    }
    folder = tmp_path / "sent"
    write_files(files | {"old/gone.sql": b""}, folder)
    write_files(files, folder)
    assert not (folder / "old").exists()
    taken = [
        path.relative_to(folder).as_posix()
        for pattern, below in patterns_of(files)
        for path in folder.glob(pattern)
        if path.parent == folder / below
    ]
    assert sorted(each for each in taken if (folder / each).is_file()) == sorted(files)


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/a.sql").write_text("select 1")
    (tmp_path / "models/again").symlink_to(tmp_path / "models")
    for name in ("logs/b.sql", ".git/c.sql", "__pycache__/d.pyc"):
        (tmp_path / "models" / name).parent.mkdir()
        (tmp_path / "models" / name).write_text("")
    found = read_files(tmp_path, profile_text("snowmelt", "prod", {}), ())
    assert [*found] == [
        *("dbt_project.yml", "models/a.sql", "models/logs/b.sql", "profiles.yml")
    ]
