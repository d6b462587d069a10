"""The demo itself: files land in waves, and what came of them is shown.

Everything is done with the commands a person would type. The service goes on until
Ctrl-C; with DEMO_EXIT=1, or when stdout is no terminal, it is stopped at the end.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SNOWMELT = str(Path(sys.executable).with_name("snowmelt"))
PARTS = 4
START_SECONDS_MAX = 180  # the first start on a slow machine compiles everything

_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")


@dataclass(frozen=True)
class Made:
    """What `snowmelt synth` makes for the demo of a template."""

    what: str
    words: tuple[str, ...]


SETS = {
    "olist": Made(
        "an Olist-shaped shop: 4,000 orders",
        ("--orders", "4000", "--dirty", "0.01", "--parts", str(PARTS)),
    ),
    "storefront": Made(
        "a web shop: 300 customers and 3,000 sales in three days",
        ("--customers", "300", "--dirty", "0.05"),
    ),
    "crm-erp": Made(
        "a company with a CRM and an ERP: 2,000 customers and their sales",
        ("--customers", "2000", "--dirty", "0.05"),
    ),
    "realtime": Made(
        "the events of a shop's users in ninety days",
        ("--at-once", "--for=90s", "--pace=1d", "--rate=40/s", "--dirty=0.05"),
    ),
    "retail": Made(
        "a retailer: 20,000 customers and 200,000 transactions",
        (
            "--customers=20000",
            "--products=500",
            "--transactions=200000",
            "--parts=2",
            "--compression=gzip",
            "--dirty=0.02",
        ),
    ),
}


def say(line: str = "") -> None:
    """Write a line of the demo's own."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class DemoError(Exception):
    """The demo cannot go on; what it says is told."""


class TemplateDemo:
    """One project of a template, and the files that land in it.

    `arrives_in` is where a person would put more files.
    """

    def __init__(self, folder: Path, template: str, arrives_in: str) -> None:
        self.shop = folder / "shop"
        self.files = folder / "files"
        self._template = template
        self._arrives_in = arrives_in

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a command with --json and return what it answers.

        Raises DemoError when it answers that it could not be done.
        """
        done = subprocess.run(
            [SNOWMELT, *words, "--json"],
            cwd=self.shop,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        if error := answer.get("error"):
            told = f"{error['where']}: {error['problem']} {error['remedy']}"
            raise DemoError(f"snowmelt {' '.join(words)}: {told}")
        return answer

    def prepare(self) -> None:
        """Make the files and the project; what an earlier demo left goes."""
        for left_over in (self.shop, self.files):
            shutil.rmtree(left_over, ignore_errors=True)
        self.shop.parent.mkdir(parents=True, exist_ok=True)
        made = SETS[self._template]
        say(f"Making {made.what}, some of it broken on purpose …")
        synth = ["synth", self._template, str(self.files), "--seed", "7", *made.words]
        subprocess.run(
            [SNOWMELT, *synth],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(
            [SNOWMELT, "init", self.shop, "--template", self._template, "--no-input"],
            check=True,
        )
        if self._template == "olist":
            (self.files / "inventory.csv").write_text("sku,stock\nA-1,12\n")
            odd = self.files / "olist_sellers_dataset_new.csv"
            odd.write_text("id;city\n7;recife\n")

    def waves(self) -> list[tuple[str, list[Path]]]:
        """Return what lands, in order."""
        if self._template == "olist":
            return self._waves_of_olist()
        of_day: dict[str, list[Path]] = {}
        for path in sorted(path for path in self.files.rglob("*") if path.is_file()):
            day = _DAY.search(path.name)
            of_day.setdefault(day[0] if day else "", []).append(path)
        return [
            (f"what is of {day}" if day else "what has no day in its name", of_day[day])
            for day in sorted(of_day)
        ]

    def _waves_of_olist(self) -> list[tuple[str, list[Path]]]:
        whole = sorted(p for p in self.files.glob("*.csv") if not p.stem[-4:].isdigit())
        odd = [p for p in whole if p.stem.endswith(("inventory", "_new"))]
        lists = [p for p in whole if p not in odd]
        landed = [("the product, seller, place and translation lists", lists)]
        for part in range(1, PARTS + 1):
            files = sorted(self.files.glob(f"*_{part:04d}.csv"))
            landed.append((f"part {part} of {PARTS} of the shop's orders", files))
        late, resent, corrected = (
            sorted((self.files / folder).glob("*.csv"))
            for folder in ("late", "resent", "corrected")
        )
        again = "late orders, and files sent twice under other names"
        landed.append((again, late + resent))
        landed.append(("a corrected file under a name that was loaded", corrected))
        landed.append(("a file with a wrong header, and one nobody asked for", odd))
        return landed

    def start_service(self) -> subprocess.Popen[str]:
        """Start `snowmelt up`, show what it says, indented; return once it answers.

        Before that a command would find no service, and own the warehouse itself.
        Raises DemoError when it ends instead.
        """
        say("\n$ snowmelt up &")
        service = subprocess.Popen(
            [SNOWMELT, "up"], cwd=self.shop, stderr=subprocess.PIPE, text=True
        )
        assert service.stderr is not None
        lines, answers, said = service.stderr, threading.Event(), threading.Event()

        def show() -> None:
            with lines:
                for line in lines:
                    say(f"    {line.rstrip()}")
                    if line.startswith(("Pages: ", "No pages: ")):
                        answers.set()
                        said.set()
            said.set()

        threading.Thread(target=show, daemon=True).start()
        said.wait(START_SECONDS_MAX)
        if not answers.is_set():
            service.kill()
            raise DemoError(f"The service does not answer; it ended: {service.wait()}")
        return service

    def land(self, wave: list[Path]) -> None:
        """Put files in as a person would, in the folders they are in."""
        of_folder: dict[Path, list[Path]] = {}
        for path in wave:
            of_folder.setdefault(path.parent, []).append(path)
        for folder, paths in of_folder.items():
            words = [str(path) for path in paths]
            if self._template != "olist" and folder != self.files:
                words += ["--into", str(folder.relative_to(self.files))]
            subprocess.run(
                [SNOWMELT, "land", *words],
                cwd=self.shop,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def show_rejected(self) -> None:
        """Show what was refused, and why."""
        rejects = self.ask("rejects")
        reasons: dict[str, list[dict[str, Any]]] = {}
        for reject in rejects["rejects"]:
            reasons.setdefault(reject["category"].lower(), []).append(reject)
        if count := rejects["count"]:
            say(f"\n{count} records were refused, the rest of their files loaded:")
        for reason, found in sorted(reasons.items(), key=lambda each: -len(each[1])):
            first = found[0]
            column = f"{first['column_name']}: " if first["column_name"] else ""
            place = f"{first['file_name']}:{first['line']}"
            say(f"  {len(found):>4} {reason:<17} e.g. {place}")
            say(f"       {column}{first['error']}")
        failed = self.ask("history", "--status", "Load failed")["loads"]
        skipped = self.ask("history", "--status", "Load skipped")["loads"]
        unmatched = self.ask("status")["unmatched"]
        for load in failed:
            say(f"failed:    {load['file_name']}: {load['first_error_message']}")
        for load in skipped:
            of = load["duplicate_of"]
            say(f"skipped:   {load['file_name']}: the same bytes as load {of}")
        for name in unmatched:
            say(f"unmatched: {name}: no pipe takes this name")

    def show_quarantine(self) -> None:
        """Show how many rows each rule refused."""
        if groups := self.ask("quarantine", "--group")["groups"]:
            say("\nRows that the rules of silver refused, for a person to look at:")
        for group in groups:
            rule = f"{group['model']}: {group['rule']}"
            say(f"  {group['count']:>4} {rule:<42} e.g. {group['first']}")

    def show_gold(self) -> None:
        """Show what the files became: the dashboards' figures."""
        for dashboard in self.ask("dashboards")["dashboards"]:
            say(f"\n$ snowmelt dashboards {dashboard['name']}")
            subprocess.run(
                [SNOWMELT, "dashboards", dashboard["name"]], cwd=self.shop, check=True
            )

    def run(self, show_more: Callable[[], None] = lambda: None) -> int:
        """Land everything, show what came of it; return the exit code."""
        try:
            return self._shown(self.start_service(), show_more)
        except DemoError as error:
            say(f"\n{error}")
            return 1

    def _shown(
        self, service: subprocess.Popen[str], show_more: Callable[[], None]
    ) -> int:
        try:
            for what, files in self.waves():
                say(f"\n→ {len(files)} file{'s' * (len(files) > 1)}: {what}")
                self.land(files)
                self.ask("run")  # waits until what they change is published
            self.show_gold()
            self.show_rejected()
            self.show_quarantine()
            show_more()
            if sys.stdout.isatty() and os.environ.get("DEMO_EXIT") != "1":
                say(f"\nThe service goes on. Drop files into {self._arrives_in}")
                say(f"or ask it: cd {self.shop} && {SNOWMELT} status")
                say("Stop with Ctrl-C.")
                service.wait()
        except KeyboardInterrupt:
            say()
        finally:
            if service.poll() is None:
                service.send_signal(signal.SIGTERM)
            code = service.wait(timeout=120)
        return code
