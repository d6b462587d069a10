"""Files land, gold appears: the main job, once through, on data made here.

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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
SHOP = DEMO / "shop"
FILES = DEMO / "files"
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


def ask(*words: str) -> dict[str, Any]:
    """Run a command with --json and return what it answers."""
    done = subprocess.run(
        [SNOWMELT, *words, "--json"],
        cwd=SHOP,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def prepare() -> None:
    """Make the data and the project; what an earlier demo left goes."""
    shutil.rmtree(DEMO, ignore_errors=True)
    FILES.parent.mkdir()
    say("Making an Olist-shaped shop: 4,000 orders, some of it broken on purpose …")
    words = ["--orders", "4000", "--seed", "7", "--dirty", "0.01"]
    subprocess.run(
        [SNOWMELT, "synth", "olist", str(FILES), *words, "--parts", str(PARTS)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        [SNOWMELT, "init", str(SHOP), "--template", "olist", "--no-input"], check=True
    )
    (FILES / "inventory.csv").write_text("sku,stock\nA-1,12\n")
    (FILES / "olist_sellers_dataset_new.csv").write_text("id;city\n7;recife\n")


def waves() -> list[tuple[str, list[Path]]]:
    """Return what lands, in order."""
    whole = sorted(p for p in FILES.glob("*.csv") if not p.stem[-4:].isdigit())
    odd = [p for p in whole if p.stem.endswith(("inventory", "_new"))]
    lists = [p for p in whole if p not in odd]
    landed = [("the product, seller, place and translation lists", lists)]
    for part in range(1, PARTS + 1):
        files = sorted(FILES.glob(f"*_{part:04d}.csv"))
        landed.append((f"part {part} of {PARTS} of the shop's orders", files))
    late, resent, corrected = (
        sorted((FILES / folder).glob("*.csv"))
        for folder in ("late", "resent", "corrected")
    )
    again = "late orders, and files sent twice under other names"
    landed.append((again, late + resent))
    landed.append(("a corrected file under a name that was loaded", corrected))
    landed.append(("a file with a wrong header, and one nobody asked for", odd))
    return landed


def start_service() -> subprocess.Popen[str]:
    """Start `snowmelt up` and show what it says, indented."""
    say("\n$ snowmelt up &")
    service = subprocess.Popen(
        [SNOWMELT, "up"], cwd=SHOP, stderr=subprocess.PIPE, text=True
    )
    assert service.stderr is not None
    lines = service.stderr

    def show() -> None:
        for line in lines:
            say(f"    {line.rstrip()}")

    threading.Thread(target=show, daemon=True).start()
    return service


def land(wave: list[Path]) -> None:
    """Put files in, and wait until what they change is published."""
    subprocess.run(
        [SNOWMELT, "land", *map(str, wave)],
        cwd=SHOP,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ask("run")


def show_rejected() -> None:
    """Show what was refused, and why."""
    rejects = ask("rejects")
    reasons: dict[str, list[dict[str, Any]]] = {}
    for reject in rejects["rejects"]:
        reasons.setdefault(reject["category"].lower(), []).append(reject)
    say(f"\n{rejects['count']} records were refused, the rest of their files loaded:")
    for reason, found in sorted(reasons.items(), key=lambda each: -len(each[1])):
        first = found[0]
        column = f"{first['column_name']}: " if first["column_name"] else ""
        say(f"  {len(found):>4} {reason:<17} e.g. {first['file_name']}:{first['line']}")
        say(f"       {column}{first['error']}")
    failed = ask("history", "--status", "Load failed")["loads"]
    skipped = ask("history", "--status", "Load skipped")["loads"]
    unmatched = ask("status")["unmatched"]
    for load in failed:
        say(f"failed:    {load['file_name']}: {load['first_error_message']}")
    for load in skipped:
        of = load["duplicate_of"]
        say(f"skipped:   {load['file_name']}: the same bytes as load {of}")
    for name in unmatched:
        say(f"unmatched: {name}: no pipe takes this name")


def main() -> int:
    """Run the demo; return the exit code."""
    prepare()
    service = start_service()
    try:
        for what, files in waves():
            say(f"\n→ {len(files)} file{'s' * (len(files) > 1)}: {what}")
            land(files)
        for query in (MONTHS, STATES, CATEGORIES, TOTALS):
            say()
            subprocess.run(
                [SNOWMELT, "sql", " ".join(query.split())], cwd=SHOP, check=True
            )
        show_rejected()
        stays = sys.stdout.isatty() and os.environ.get("DEMO_EXIT") != "1"
        if stays:
            say(f"\nThe service goes on. Drop files into {SHOP / 'landing'}")
            say(f"or ask it: cd {SHOP} && {SNOWMELT} status        Stop with Ctrl-C.")
            service.wait()
    except KeyboardInterrupt:
        say()
    finally:
        if service.poll() is None:
            service.send_signal(signal.SIGTERM)
        code = service.wait(timeout=120)
    return code


if __name__ == "__main__":
    sys.exit(main())
