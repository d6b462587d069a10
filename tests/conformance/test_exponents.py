"""Decimals written with exponents come out right, however the file is read."""

from __future__ import annotations

import io
import random
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.bronze import exponents

CENT = Decimal("0.01")


def drawn(seed: int, count: int) -> list[str]:
    """Return numbers of all sizes, most with an exponent, many below a cent."""
    rng = random.Random(seed)
    mark = rng.choice("eE")
    return [
        rng.choice(["", "-"])
        + f"{rng.randint(0, 99999)}.{rng.randint(0, 9999)}{mark}{rng.randint(-12, 3)}"
        for _ in range(count)
    ]


def rounded(text: str) -> Decimal:
    return Decimal(text).quantize(CENT, ROUND_HALF_UP)


def pipe(kind: str) -> dict[str, Any]:
    contract = columns("n integer, amount decimal(18,2)")
    return {
        "name": kind,
        "pattern": f"*.{kind}",
        "file_format": {"type": kind},
        "contract": contract,
    }


def amounts(shop: Shop, table: str) -> dict[int, Decimal]:
    return dict(shop.rows(f"select n, amount from bronze.{table}"))


@pytest.mark.parametrize("looked_at_max", [0, 10_000])
@pytest.mark.parametrize("seed", range(3))
def test_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, looked_at_max: int
) -> None:
    """Few records of one unit are looked at; of many the whole file is."""
    monkeypatch.setattr(exponents, "_LOOKED_AT_MAX", looked_at_max)
    numbers = drawn(seed, 500)
    lines = [f'{n},"{text}"\n' for n, text in enumerate(numbers)]
    with open_shop(tmp_path / "shop", [pipe("csv")]) as shop:
        shop.land("a.csv", ("n,amount\n" + "".join(lines)).encode())
        shop.land("b.csv", b"n,amount\n1000,5e-5\n1001,0.01\nx,1\n")
        shop.land("c.csv", b"n,amount\n2000,0.01\n2001,12345e-2\n")
        shop.load()
        found = amounts(shop, "csv")
        expected = {n: rounded(text) for n, text in enumerate(numbers)}
        expected |= {2000: CENT, 2001: Decimal("123.45")}
        assert found == expected
        (failed,) = shop.history("b.csv")
        assert (failed["status"], failed["error_count"]) == ("Load failed", 1)


def test_many_files_at_once(tmp_path: Path) -> None:
    """Of a batch only the files with such numbers are read again."""
    given = pipe("csv") | {"on_error": "continue"}
    with open_shop(tmp_path / "shop", [given]) as shop:
        for n in range(20):
            amount = "7e-6" if n % 5 == 0 else f"{n}.01"
            shop.land(f"{n}.csv", f"n,amount\n{n},{amount}\nx,1\n".encode())
        shop.load()
        found = amounts(shop, "csv")
        assert found == {
            n: Decimal("0.00") if n % 5 == 0 else Decimal(f"{n}.01") for n in range(20)
        }
        assert shop.rows("select count(*) from snowmelt.rejects") == [(20,)]


def test_parquet_doubles_and_texts(tmp_path: Path) -> None:
    numbers = drawn(7, 500)
    with open_shop(tmp_path / "shop", [pipe("parquet")]) as shop:
        for first, kind in ((0, pa.float64()), (1000, pa.string())):
            values = [float(t) for t in numbers] if first == 0 else numbers
            table = {
                "n": pa.array(range(first, first + 500), pa.int32()),
                "amount": pa.array(values, kind),
            }
            written = io.BytesIO()
            pq.write_table(pa.table(table), written)
            shop.land(f"{first}.parquet", written.getvalue())
        shop.load()
        found = amounts(shop, "parquet")
        texts = {1000 + n: rounded(text) for n, text in enumerate(numbers)}
        doubles = {n: rounded(repr(float(text))) for n, text in enumerate(numbers)}
        assert found == texts | doubles


@pytest.mark.parametrize("at", [0, 1, 33_333, 77_777, 119_998, 119_999])
def test_one_in_a_large_file(tmp_path: Path, at: int) -> None:
    """Only the parts of a file that hold values of one unit are looked through."""
    amounts_written = ["7.25"] * 120_000
    amounts_written[60_000] = "0.01"
    amounts_written[at] = "7e-6"
    lines = [f"{n},{amount}\n" for n, amount in enumerate(amounts_written)]
    with open_shop(tmp_path / "shop", [pipe("csv")]) as shop:
        shop.land("a.csv", ("n,amount\n" + "".join(lines)).encode())
        shop.load()
        found = shop.rows(
            "select n, amount from bronze.csv where amount <> 7.25 order by n"
        )
        assert sorted(found) == sorted([(at, Decimal("0.00")), (60_000, CENT)])
