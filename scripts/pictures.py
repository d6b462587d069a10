"""Take the pictures of the documents anew: `python scripts/pictures.py`.

A shop of the olist template with some of its files broken, looked at in a browser as
docs/how-to/find-the-broken-line.md tells.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SNOWMELT = str(Path(sys.executable).with_name("snowmelt"))
WAIT_SECONDS = 120
sys.path += [str(ROOT / "tests" / "browser")]


def main() -> None:
    """Make the shop, look at it, and write the pictures."""
    from chromium import require_chromium

    root = Path(tempfile.mkdtemp(prefix="pictures-")) / "my_shop"
    run("init", str(root), "--template", "olist", "--no-input")
    run("synth", "olist", str(root / "landing"), "--orders", "2000", "--dirty", "0.02")
    service = subprocess.Popen([SNOWMELT, "up"], cwd=root, stderr=subprocess.PIPE)
    try:
        wait_for(root)
        link = run("link", cwd=root).strip().splitlines()[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=require_chromium(), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(link[link.index("http") :])
            page.wait_for_selector("html[data-ready]")
            look(page)
            browser.close()
    finally:
        service.terminate()
        service.wait()


def look(page: Page) -> None:
    """Walk from the start page to the broken line, and to gold."""
    shoot(page, "health")
    page.get_by_role("link", name="Rejects").first.click()
    shoot(page, "rejects")
    page.locator("main td a[href*='/rejects?']").first.click()
    page.locator("main a[href*='#line-']").first.click()
    shoot(page, "line")
    page.goto(page.url.split("/files")[0] + "/dashboards/executive")
    page.wait_for_timeout(1500)
    shoot(page, "dashboard")


def shoot(page: Page, name: str) -> None:
    """Take one picture, once nothing moves."""
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")


def wait_for(root: Path) -> None:
    """Wait until gold is published."""
    for _ in range(WAIT_SECONDS * 2):
        told = subprocess.run(
            [SNOWMELT, "sql", "select count(*) from gold.fct_orders", "--json"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0 and '"rows": [[0]]' not in told.stdout:
            return
        threading.Event().wait(0.5)
    raise SystemExit("nothing was published")


def run(*words: str, cwd: Path = ROOT) -> str:
    """Give a command; return what it says."""
    done = subprocess.run(
        [SNOWMELT, *words], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
