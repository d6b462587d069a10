"""The operating verbs as a user types them, with and without a running service."""

from __future__ import annotations

import csv
import inspect
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shop import SNOWMELT, Answer, Shop
from snowmelt.cli.main import main
from snowmelt.serve.api import GETS, POSTS
from snowmelt.serve.client import ServiceClient
from snowmelt.serve.commands import Commands
from snowmelt.serve.page_commands import PageCommands
from snowmelt.service.commands import OwnCommands

ORDERS = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,"
    "order_estimated_delivery_date\n"
)
PAYMENTS = (
    "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
)
FIRST = "olist_order_payments_dataset.csv"
SECOND = "olist_order_payments_dataset_2.csv"
THIRD = "olist_order_payments_dataset_3.csv"


def order(order_id: str) -> str:
    times = "2018-03-01 10:00:00,,,,2018-03-20 00:00:00"
    return f"{order_id},c-{order_id},delivered,{times}\n"


def payment(order_id: str, number: str, value: str) -> str:
    return f"{order_id},{number},credit_card,1,{value}\n"


def land(shop: Shop, name: str, *payments: str) -> None:
    shop.land_bytes(name, (PAYMENTS + "".join(payments)).encode())


class TypedShop(Shop):
    """A project whose commands run in this process: the same words, sooner."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str, cwd: Path | None = None) -> Answer:
        with pytest.MonkeyPatch.context() as here, pytest.raises(SystemExit) as ended:
            here.chdir(cwd or self.root)
            self.capture.readouterr()
            main(list(words))
        said = self.capture.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, said.out, said.err)


@pytest.fixture
def shop(built_shop: Shop, capsys: pytest.CaptureFixture[str]) -> Shop:
    typed = TypedShop(built_shop.root)
    typed.capture = capsys
    return typed


@contextmanager
def service(shop: Shop, *, serving: bool = True) -> Iterator[Path]:
    """Run the service, or none; yield where its stdout goes."""
    said = shop.root / "said.txt"
    if not serving:
        yield said
        return
    with said.open("w") as file:
        process = subprocess.Popen(
            [SNOWMELT, "up", "--json"], cwd=shop.root, stdout=file
        )
        try:
            deadline = time.monotonic() + 30
            while not shop("status", "--json").document["service"]["running"]:
                assert time.monotonic() < deadline, "the service did not start"
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


def done(answer: Answer) -> dict[str, Any]:
    assert answer.code == 0, answer.stdout + answer.stderr
    return answer.document


def paid(shop: Shop) -> str:
    answer = shop("sql", "select sum(payment_value) from gold.fct_orders", "--json")
    value: str = done(answer)["rows"][0][0]
    return value


def of_pipe(shop: Shop, name: str) -> dict[str, Any]:
    pipes = done(shop("status", "--json"))["pipes"]
    return next(each for each in pipes if each["pipe_name"] == name)


@pytest.mark.parametrize("serving", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_day_of_an_operator(shop: Shop, tmp_path: Path, serving: bool) -> None:
    with service(shop, serving=serving):
        said = shop("pause", "order_payments", "--reason", "the bank is late")
        assert (said.code, "is paused" in said.stdout) == (0, True)
        assert "snowmelt resume order_payments" in said.stderr
        shop.land_bytes(
            "olist_orders_dataset.csv", (ORDERS + order("a") + order("b")).encode()
        )
        land(shop, FIRST, payment("a", "1", "10.00"), payment("b", "1", "5.50"))
        land(shop, SECOND, payment("b", "2", "1.00"))
        run = done(shop("run", "--json"))
        assert run["paused"] == ["order_payments"]
        assert of_pipe(shop, "orders")["files_loaded"] == 1
        told = of_pipe(shop, "order_payments")
        assert (told["execution_state"], told["pending"]) == ("PAUSED", 2)
        shown = shop("status").stderr
        assert "order_payments is paused since" in shown
        assert "(the bank is late)" in shown
        assert "snowmelt resume order_payments" in shop("why", FIRST).stdout

        held = done(shop("hold", f"landing/{SECOND}", "--reason", "odd", "--json"))
        assert (held["file_name"], held["state"]) == (SECOND, "held")
        assert done(shop("resume", "order_payments", "--json"))["changed"] is True
        done(shop("run", "--json"))
        assert paid(shop) == "15.50"
        assert f"snowmelt release {SECOND}" in shop("status").stderr
        assert shop("release", SECOND).code == 0
        done(shop("run", "--json"))
        assert paid(shop) == "16.50"

        again = done(shop("reload", f"landing/{FIRST}", "--json"))
        assert [each["file_name"] for each in again["loads"]] == [FIRST]
        assert again["run"]["reason"] == "corrections in order_payments"
        assert paid(shop) == "16.50"
        assert done(shop("refresh", "--pipe", "orders", "--json"))["loads"] == []

        land(shop, THIRD, payment("a", "one", "2.00"), payment("a", "3", "4.00"))
        assert shop("run").code == 0
        assert paid(shop) == "20.50"
        (group,) = done(shop("rejects", "--group", "--json"))["groups"]
        assert (group["count"], group["first"]) == (1, f"{THIRD}:2")
        mended = mend(shop, tmp_path / "rejects.csv")
        replayed = done(shop("replay", "--edit", str(mended), "--json"))
        assert [each["loaded"] for each in replayed["replayed"]] == [1]
        assert paid(shop) == "22.50", "replayed rows reach gold"
        assert done(shop("rejects", "--json"))["count"] == 0
        backup = tmp_path / "kept"
        assert done(shop("backup", str(backup), "--json"))["folder"]


def mend(shop: Shop, path: Path) -> Path:
    """Export the rejects, correct them as a person would, and return the file."""
    assert shop("rejects", "export", str(path)).code == 0
    with path.open(newline="") as file:
        records = list(csv.DictReader(file))
    assert records[0]["error"].startswith("'one' is not")
    records[0]["rejected_record"] = payment("a", "2", "2.00").strip()
    mended = path.with_name("mended.csv")
    with mended.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return mended


@pytest.mark.parametrize("serving", [False, pytest.param(True, marks=pytest.mark.long)])
def test_what_cannot_be_done_says_what_can(shop: Shop, serving: bool) -> None:
    with service(shop, serving=serving):
        shop.land_bytes("stock.csv", b"sku\n1\n")
        for words, said in (
            (["pause", "orderz"], "Known: "),
            (["resume", "orderz"], "Known: "),
            (["reload", "nothing.csv"], "snowmelt why nothing.csv"),
            (["reload", "stock.csv"], "no pipe takes its name"),
            (["hold", "stock.csv"], "no pipe takes its name"),
            (["release", "stock.csv"], "not held"),
            (["refresh", "--modified-after", "soon"], "2026-11-21"),
            (["refresh", "--pipe", "orderz"], "Known: "),
            (["replay", "--since", "soon"], "2026-11-21"),
            (["rejects", "--group", "--pipe", "orderz"], "Known: "),
            (["rejects", "export", "/nowhere/at/all.csv"], "cannot be written"),
            (["replay", "--edit", "snowmelt.yml"], "rejects export"),
        ):
            answer = shop(*words, "--json")
            assert answer.code == 2, (words, answer.stdout, answer.stderr)
            assert "error" in answer.document, words
            assert said in answer.stderr, (words, answer.stderr)


def test_the_service_tells_its_events_as_lines_of_json(shop: Shop) -> None:
    with service(shop) as said:
        shop.land_bytes("olist_orders_dataset.csv", (ORDERS + order("a")).encode())
        assert shop("run").code == 0
    events = [json.loads(line) for line in said.read_text().splitlines()]
    settled = [each for each in events if each["event"] == "file_settled"]
    assert [each["file_name"] for each in settled] == ["olist_orders_dataset.csv"]
    assert settled[0]["status"] == "Loaded"
    ended = [each["state"] for each in events if each["event"] == "run_finished"]
    assert ended[-1] == "SUCCEEDED"


def test_every_verb_can_be_asked_of_whoever_answers() -> None:
    """The protocol, the API, its client and the owner of the warehouse agree."""
    verbs = {
        name
        for protocol in (Commands, PageCommands)
        for part in protocol.__mro__
        if part.__module__.startswith("snowmelt.")
        for name in vars(part)
        if not name.startswith("_")
    }
    assert verbs == set(GETS) | set(POSTS)
    assert not set(GETS) & set(POSTS)
    for answerer in (OwnCommands, ServiceClient):
        assert verbs <= set(dir(answerer))
    for verb, arguments in (GETS | POSTS).items():
        taken = inspect.signature(getattr(OwnCommands, verb)).parameters
        named = {name for name in taken if name != "self"}
        assert set(arguments) == named or "filters" in named, verb
