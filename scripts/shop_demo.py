"""The demo itself: a shop's files land in waves, and what came of them is shown.

Everything is done with the commands a person would type. The service goes on until
Ctrl-C; with DEMO_EXIT=1, or when stdout is no terminal, it is stopped at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SNOWMELT = str(Path(sys.executable).with_name("snowmelt"))
PARTS = 4

MONTHS = """
    select month, orders, order_value, payment_value, active_customers,
           new_customers, average_order_value
    from gold.monthly_metrics order by month desc limit 6
"""
STATES = """
    select customer_state, sum(orders)::int as orders, sum(order_value) as order_value
    from gold.orders_by_state group by all order by order_value desc limit 5
"""
CATEGORIES = """
    select category, item_count, orders, price_value
    from gold.category_sales order by price_value desc limit 5
"""
TOTALS = """
    select count(*) as orders, sum(order_value) as order_value,
           sum(payment_value) as payment_value,
           round(avg(review_score), 2) as mean_review_score,
           count(*) filter (is_late) as late_deliveries
    from gold.fct_orders
"""


def say(line: str = "") -> None:
    """Write a line of the demo's own."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class ShopDemo:
    """One project, and the files that land in it.

    `arrives_in` is where a person would put more files.
    """

    def __init__(self, folder: Path, arrives_in: str) -> None:
        self.shop = folder / "shop"
        self.files = folder / "files"
        self._arrives_in = arrives_in

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a command with --json and return what it answers."""
        done = subprocess.run(
            [SNOWMELT, *words, "--json"],
            cwd=self.shop,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def prepare(self) -> None:
        """Make the files and the project; what an earlier demo left goes."""
        for left_over in (self.shop, self.files):
            shutil.rmtree(left_over, ignore_errors=True)
        self.shop.parent.mkdir(parents=True, exist_ok=True)
        say("Making an Olist-shaped shop: 4,000 orders, some of it broken on purpose …")
        words = ["--orders", "4000", "--seed", "7", "--dirty", "0.01"]
        words += ["--parts", str(PARTS)]
        subprocess.run(
            [SNOWMELT, "synth", "olist", str(self.files), *words],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(
            [SNOWMELT, "init", str(self.shop), "--template", "olist", "--no-input"],
            check=True,
        )
        (self.files / "inventory.csv").write_text("sku,stock\nA-1,12\n")
        (self.files / "olist_sellers_dataset_new.csv").write_text("id;city\n7;recife\n")

    def waves(self) -> list[tuple[str, list[Path]]]:
        """Return what lands, in order."""
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
        """Start `snowmelt up` and show what it says, indented."""
        say("\n$ snowmelt up &")
        service = subprocess.Popen(
            [SNOWMELT, "up"], cwd=self.shop, stderr=subprocess.PIPE, text=True
        )
        assert service.stderr is not None
        lines = service.stderr

        def show() -> None:
            for line in lines:
                say(f"    {line.rstrip()}")

        threading.Thread(target=show, daemon=True).start()
        return service

    def land(self, wave: list[Path]) -> None:
        """Put files in as a person would."""
        subprocess.run(
            [SNOWMELT, "land", *map(str, wave)],
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
        count = rejects["count"]
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

    def show_gold(self) -> None:
        """Show what the files became."""
        for query in (MONTHS, STATES, CATEGORIES, TOTALS):
            say()
            subprocess.run(
                [SNOWMELT, "sql", " ".join(query.split())], cwd=self.shop, check=True
            )

    def run(self, show_more: Callable[[], None] = lambda: None) -> int:
        """Land everything, show what came of it; return the exit code."""
        service = self.start_service()
        try:
            for what, files in self.waves():
                say(f"\n→ {len(files)} file{'s' * (len(files) > 1)}: {what}")
                self.land(files)
                self.ask("run")  # waits until what they change is published
            self.show_gold()
            self.show_rejected()
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
