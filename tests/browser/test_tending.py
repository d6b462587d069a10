"""Stories of those who tend a pipeline: tasks, alerts, drift, rows, doctor, doors.

In a real browser on a real service; what each person did is on record afterwards.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from looking import WAIT_MS, looking, require_accessible
from playwright.sync_api import Browser, Page, expect
from seen_project import Served, until

from shop import SNOWMELT
from snowmelt.serve.users import Role, Users

PASSWORD = "correct horse battery"
EARLIER = "2026-01-01T00:00:00+00:00"
LIVE = "html[data-connection=live]"


def live(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_selector(LIVE)
    page.evaluate("window.notReloaded = true")


def was_done(served: Served, action: str, door: str = "pages") -> list[Any]:
    """Return who did something, with which words, and what came of it; newest last."""
    sql = (
        "select who, arguments, result from snowmelt.action_log "
        f"where action = '{action}' and door = '{door}' order by started_at"
    )
    with served.socket() as service:
        rows: list[Any] = service.query(sql, None)["rows"]
    return rows


def test_a_graph_fails_is_mended_and_retried_without_a_reload(
    browser: Browser, served: Served
) -> None:
    """The graph shows where it broke; from there it is one click to what it said."""
    with looking(browser, served) as page:
        live(page, "/tasks")
        graph = page.locator("#drawing svg")
        expect(graph.get_by_role("link", name=re.compile("^report"))).to_be_visible()
        page.get_by_role("button", name="Run now").click()
        expect(page.locator("#said")).to_contain_text("snowmelt tasks run nightly")
        broken = graph.get_by_role("link", name=re.compile("^report.*failed"))
        expect(broken).to_be_visible(timeout=WAIT_MS)
        assert page.evaluate("window.notReloaded")
        require_accessible(page)
        expect(page.locator("#graph-runs tbody tr").first).to_contain_text("report")

        broken.click()
        expect(page.locator("#task-failed")).to_contain_text("exit code 3")
        expect(page.locator("#task-runs")).to_contain_text("failed")
        page.locator("#task-runs tbody a").first.click()
        expect(page.locator("#first-error")).to_contain_text("report failed first")
        require_accessible(page)

        (served.root / "mended").touch()
        page.wait_for_selector(LIVE)
        page.get_by_role("button", name="Retry what failed").click()
        expect(page.locator("#said")).to_contain_text("snowmelt tasks retry")
        second = page.locator("#attempt-2")
        expect(second).to_contain_text("succeeded", timeout=WAIT_MS)
        expect(page.locator("#attempt-1")).to_contain_text("failed")
        page.goto("/tasks?state=FAILED#graph-runs")
        expect(page.locator("#graph-runs")).to_contain_text("No run is like that.")
        page.goto("/tasks?task=report&state=failed")
        expect(page.locator("#graph-runs tbody tr")).to_have_count(1)
    assert was_done(served, "task_run")[-1][2] == "done"
    assert was_done(served, "task_retry")[-1][2] == "done"


def test_a_task_that_a_command_suspends_is_seen_at_once_and_resumed(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served, "dark", 400) as page:
        live(page, "/tasks/measure")
        with served.socket() as service:
            service.task_suspend("measure", "<b>moving</b>")
        page.reload()
        suspended = page.locator("#task-suspended")
        expect(suspended).to_contain_text("<b>moving</b>. It is passed over")
        page.wait_for_selector(LIVE)
        page.goto("/tasks")
        page.wait_for_selector(LIVE)
        box = page.locator("#drawing svg").get_by_role(
            "link", name=re.compile("^measure.*suspended")
        )
        expect(box).to_be_visible()
        with served.socket() as service:
            service.task_resume("measure")
        expect(box).to_have_count(0, timeout=WAIT_MS)
        page.goto("/tasks/measure")
        page.get_by_label("Let it not run for now").fill("inventory")
        page.get_by_role("button", name="Suspend").press("Enter")
        expect(page.locator("#said")).to_contain_text("--reason inventory")
        page.goto("/tasks/measure")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#said")).to_contain_text("Task measure runs again.")
    assert was_done(served, "task_suspend")[-1][1:] == [
        '{"name": "measure", "reason": "inventory"}',
        "done",
    ]


def test_an_alert_opens_leads_to_the_line_is_muted_and_ends(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        live(page, "/alerts")
        head = "order_id,region,amount,ordered_on\n"
        served.land("orders_77.csv", f"{head}700,north,1.00,2026-03-01\n701,x,y,z\n")
        row = page.locator("#open ol > li", has_text="orders_77.csv")
        expect(row).to_contain_text("1 of 2 records refused", timeout=WAIT_MS)
        expect(row).to_contain_text("snowmelt rejects --file orders_77.csv")
        assert page.evaluate("window.notReloaded")
        require_accessible(page)
        row.get_by_role("button", name="Mute").click()
        expect(page.locator("#said")).to_contain_text("--for 1h")
        expect(row).to_contain_text("muted until")
        broken = page.locator("#sinks tr", has_text="broken")
        expect(broken).to_contain_text("fails", timeout=WAIT_MS)
        page.locator("#sinks tr", has_text="ops").get_by_role("button").click()
        expect(page.locator("#said")).to_contain_text("ops: sent in")
        assert '"kind": "test"' in (served.root / "told.jsonl").read_text()
        broken.get_by_role("button").click()
        expect(page.locator("#said.bad")).to_contain_text("nobody is there")

        row.get_by_role("link", name="orders_77.csv:3").click()
        expect(page.locator("#line-3")).to_contain_text("701,x,y,z")
        live(page, "/alerts")
        served.land("orders_77.csv", f"{head}700,north,1.00,2026-03-01\n")
        expect(row).to_have_count(0, timeout=WAIT_MS)
        history = page.locator("#history tr", has_text="orders_77.csv")
        expect(history.first).to_contain_text("resolved")
        history.first.get_by_role("link").first.click()
        expect(page.locator("#messages")).to_contain_text("ops")
        require_accessible(page)
        page.goto("/alerts/sinks/broken?state=due")
        expect(page.locator("#deliveries")).to_contain_text("nobody is there")
    assert was_done(served, "mute_alerts")[-1][2] == "done"
    assert was_done(served, "test_alerts")[-1][2] == "done"


def test_a_new_column_waits_is_approved_and_is_on_record(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        live(page, "/drift")
        held = page.locator("#held ol > li", has_text="vendors_8.csv")
        served.land("vendors_8.csv", "vendor_id,vendor_label,city\n8,Di,Rome\n")
        expect(held).to_contain_text("vendor_name may be called vendor_label now")
        expect(held).to_contain_text("bronze.vendors gets column city (varchar)")
        expect(held).to_contain_text("vendor_name becomes optional")
        expect(page.locator("#side-counts")).to_contain_text("Drift2")
        require_accessible(page)
        hostile = page.locator("#held ol > li", has_text="vendors_2.csv")
        expect(hostile).to_contain_text("cannot be approved")
        expect(hostile.get_by_role("button", name="Approve")).to_have_count(0)

        held.get_by_role("button", name="Approve").click()
        said = page.locator("#said")
        expect(said).to_contain_text("city is a column now", timeout=WAIT_MS)
        expect(said).to_contain_text("snowmelt drift approve vendors_8.csv")
        expect(held).to_have_count(0)
        expect(page.locator("#evolution")).to_contain_text("city")
        served.land("vendors_9.csv", "vendor_id,vendor_name,phone\n9,Eli,555\n")
        waiting = page.locator("#held ol > li", has_text="vendors_9.csv")
        expect(waiting).to_contain_text("phone", timeout=WAIT_MS)
        waiting.get_by_role("button", name="Reject").click()
        expect(said).to_contain_text("snowmelt drift reject vendors_9.csv")
        expect(waiting).to_have_count(0)
    assert was_done(served, "approve")[-1][1:] == [
        '{"file": "vendors_8.csv"}',
        "done",
    ]


def test_rows_of_quarantine_are_seen_and_come_back_corrected(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        live(page, "/rejects")
        part = page.locator("#quarantine")
        part.get_by_role("link", name="not_null_vendor_name").click()
        row = part.get_by_role("row", name=re.compile("vendors_1.csv"))
        expect(row).to_contain_text("record 2")
        expect(part).to_contain_text("snowmelt quarantine export FILE.csv --model")
        require_accessible(page)
        page.wait_for_selector(LIVE)
        text = (served.root / "landing" / "vendors_1.csv").read_text()
        served.land("vendors_1.csv", text.replace("2,\n", "2,Al\n"))
        expect(row).to_have_count(0, timeout=WAIT_MS)
    with served.socket() as service:
        found = service.query("select * from silver.vendors where vendor_id = 2", None)
    assert found["rows"], "what was corrected is in silver"


@pytest.mark.long
def test_a_pipe_that_was_written_is_noticed_and_told_until_it_is_as_before(
    browser: Browser, served: Served
) -> None:
    """It counts after a restart; one that is off is told before that."""
    pipe = served.root / "pipes" / "visits.yml"
    before = pipe.read_text()
    words = [SNOWMELT, "status"]
    try:
        with looking(browser, served) as page:
            live(page, "/")
            pipe.write_text(before + "description: Who came.\n")
            verdict = page.locator("#verdict")
            told = "pipes/visits.yml changed; `snowmelt up` reads it after a restart"
            expect(verdict).to_contain_text(told, timeout=WAIT_MS)
            pipe.write_text(before + "on_eror: continue\n")
            expect(verdict).to_contain_text("on_eror: unknown key", timeout=WAIT_MS)
            assert page.evaluate("window.notReloaded")
            line = f"pipes/visits.yml:{before.count(chr(10)) + 1}: on_eror"
            expect(verdict).to_contain_text(line)
            verdict.get_by_role("link", name=re.compile("on_eror")).click()
            expect(page.locator("#changed")).to_contain_text(line)
            require_accessible(page)
            status = subprocess.run(
                words, cwd=served.root, capture_output=True, text=True
            )
            assert status.returncode == 0, "who looks for trouble is not sent away"
            assert line in status.stderr
            pipe.write_text(before)
            expect(page.locator("#changed .card")).to_have_count(0, timeout=WAIT_MS)
    finally:
        pipe.write_text(before)
    assert line in (served.root / "said.txt").read_text()


def test_doctor_says_what_is_wrong_and_looks_again_when_asked(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        live(page, "/doctor")
        checks = page.locator("#checks")
        expect(checks.get_by_role("row", name=re.compile("^python"))).to_contain_text(
            "pass"
        )
        before = page.locator("#checked time").get_attribute("datetime")
        macros = served.root / "packages" / "snowmelt" / "macros" / "rules.sql"
        text = macros.read_text()
        macros.write_text(text + "-- of long ago\n")
        page.reload()
        again = page.locator("#checked time").get_attribute("datetime")
        assert again == before, "a page that is looked at checks nothing"
        page.wait_for_selector(LIVE)
        page.get_by_role("button", name="Check again").click()
        expect(page.locator("#said")).to_contain_text("snowmelt doctor")
        first = checks.locator("tbody tr").first
        expect(first).to_contain_text(re.compile("macros|alerts"))
        expect(checks).to_contain_text("Write them: snowmelt upgrade")
        require_accessible(page)
        macros.write_text(text)
    told = subprocess.run(
        [SNOWMELT, "doctor"], cwd=served.root, capture_output=True, text=True
    )
    assert "✓ macros: packages/snowmelt: current" in told.stdout
    assert "✗ alerts: 3 rules, 2 sinks" in told.stdout, "the service's own findings"


def test_a_viewer_looks_an_operator_acts_and_who_left_is_out(
    browser: Browser, served: Served
) -> None:
    users = Users(served.root / ".snowmelt" / "users.json")
    users.add("vera", Role.VIEWER, PASSWORD, EARLIER)
    users.add("omar", Role.OPERATOR, PASSWORD, EARLIER)
    with browser.new_context(base_url=served.url) as context:
        page = context.new_page()
        page.goto("/tasks/report?state=failed")
        expect(page).to_have_url(re.compile("/login"))
        require_accessible(page)
        log_in(page, "vera", "wrong horse battery")
        expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong")
        log_in(page, "vera", PASSWORD)
        expect(page).to_have_url(re.compile(r"/tasks/report\?state=failed$"))
        for path in ("/", "/tasks", "/tasks/report", "/alerts", "/drift", "/doctor"):
            page.goto(path)
            expect(page.locator("form[action^='/actions']")).to_have_count(0)
        page.wait_for_selector(LIVE)
        refused = page.request.post("/actions/task_run", form={"name": "nightly"})
        assert refused.status == 403

        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(re.compile("/login"))
        page.goto("/alerts")
        expect(page).to_have_url(re.compile("/login"))
        log_in(page, "omar", PASSWORD)
        expect(page.get_by_role("button", name="Send a test").first).to_be_visible()
        page.goto("/doctor")
        page.wait_for_selector(LIVE)
        users.remove("omar")
        page.get_by_role("button", name="Check again").click()
        page.goto("/doctor")
        expect(page).to_have_url(re.compile("/login"))
    assert not [row for row in was_done(served, "task_run") if row[0] == "vera"]


def log_in(page: Page, name: str, password: str) -> None:
    """Log in; where others guessed before from this address, once one may again."""
    for _ in range(30):
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password)
        with page.expect_navigation():
            page.get_by_role("button", name="Log in").click()
        if not page.get_by_text("Too many wrong passwords").count():
            return
        page.wait_for_timeout(1000)


@pytest.mark.long  # without a browser it is asked of every page in test_safety.py
def test_what_people_name_is_only_text_on_these_pages(
    browser: Browser, served: Served
) -> None:
    """Nothing runs of what tasks return, alerts say, or columns are called."""
    with looking(browser, served) as page:
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        with served.socket() as service:
            service.task_run("fetch", None)
            until(lambda: service.alert_history(50)["alerts"], "no alert")
            alerts = service.alert_history(50)["alerts"]
        evil = next(each for each in alerts if each["rule"] == "figures")
        paths = (
            *("/tasks", "/tasks/fetch", "/tasks/report", "/alerts", "/drift"),
            *(f"/alerts/{evil['alert_id']}", "/alerts/sinks/broken", "/"),
            "/rejects?model=silver.vendors",
        )
        seen = 0
        for path in paths:
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            assert page.locator("img[src=x]").count() == 0, path
            seen += page.content().count("&lt;img src=x")
        assert seen > 8, "they were there to be seen"
        assert not dialogs
