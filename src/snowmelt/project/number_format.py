"""How a figure is written: `$0.0a`, `0,0.00 EUR`, `0.0%`.

A zero stands for digits, `0,0` for thousands apart, zeros after the point for decimals.
`a` shortens (4.2M), `%` writes a share of one as a percentage. What stands before and
after is written as it is. `ui/format.js` does the same in the browser.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

_FORMAT = re.compile(
    r"(?P<before>[^0-9{}%]*)(?P<grouped>0,)?0(?:\.(?P<decimals>0{1,6}))?"
    r"(?P<short>a)?(?P<percent>%)?(?P<after>[^0-9{}%]*)"
)
UNITS = (("", 1), ("k", 10**3), ("M", 10**6), ("B", 10**9), ("T", 10**12))
HELP = "Write it as $0.0a, 0,0.00 EUR or 0.0%."


@dataclass(frozen=True)
class NumberFormat:
    """One way to write a figure."""

    before: str
    after: str
    decimals: int
    grouped: bool
    short: bool
    percent: bool

    def as_document(self) -> dict[str, Any]:
        """Return it as the browser's script takes it."""
        return asdict(self)

    def write(self, value: object) -> str:
        """Write a figure; what is none stands as it is."""
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            return str(value)
        if not amount.is_finite():
            return str(value)
        if self.percent:
            amount *= 100
        digits, unit = self._digits(abs(amount))
        sign = "-" if amount < 0 and digits.strip("0.,") else ""
        percent = "%" if self.percent else ""
        return f"{sign}{self.before}{digits}{unit}{percent}{self.after}"

    def _digits(self, amount: Decimal) -> tuple[str, str]:
        place, decimals = 0, self.decimals
        if self.short:
            while place + 1 < len(UNITS) and amount >= UNITS[place + 1][1]:
                place += 1
            rounded = _rounded(amount / UNITS[place][1], decimals)
            if rounded >= 1000 and place + 1 < len(UNITS):
                place += 1
            if place == 0 and amount == amount.to_integral_value():
                decimals = 0
        name, size = UNITS[place]
        figure = _rounded(amount / size, decimals)
        return f"{figure:,f}" if self.grouped else f"{figure:f}", name


def _rounded(amount: Decimal, decimals: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


@lru_cache(maxsize=256)
def read_format(text: str) -> NumberFormat:
    """Read a format. Raises ValueError for a text that is none."""
    found = _FORMAT.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no format. {HELP}")
    return NumberFormat(
        before=found["before"],
        after=found["after"],
        decimals=len(found["decimals"] or ""),
        grouped=bool(found["grouped"]),
        short=bool(found["short"]),
        percent=bool(found["percent"]),
    )
