r"""Dates as Windows prints them, as intervals that cannot lie.

A stamp in UTC is an instant. A bare local date is a whole day somewhere on Earth: local midnight
at UTC+14 comes 14 h before midnight UTC, and the day ends at UTC-12 36 h after it, so the day D
is the UTC interval [D - 14 h, D + 36 h). `M/d` or `d/M` is decided from all values of a file or
not at all; an undecided date covers both readings.

PowerShell 5.1 writes a UTC time of unspecified kind as ``/Date(ms)/`` after subtracting the
host's UTC offset, as if it were local. The truth is ms + offset, between 12 h before and 14 h
after what is written.

Nothing here knows a host's time zone; `kitlib.clocks` narrows the intervals later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

EAST: Final = timedelta(hours=14)
"""The largest UTC offset in use: local clocks ahead of UTC."""
WEST: Final = timedelta(hours=12)
"""The largest UTC offset in use, local clocks behind UTC."""

Order = Literal["month first", "day first", "undecided", "mixed"]
Undecided = Literal["undecided", "mixed"]


@dataclass(frozen=True, slots=True)
class When:
    """A time of table `updates`: the stated one, the interval that holds it, the basis."""

    date: pd.Timestamp | None
    low: pd.Timestamp | None
    high: pd.Timestamp | None
    basis: str

    def cells(self) -> dict[str, object]:
        """Return it as cells of table `updates`."""
        return {
            "date": self.date,
            "date_low": self.low,
            "date_high": self.high,
            "date_basis": self.basis,
        }


UNKNOWN: Final = When(None, None, None, "")
"""The source states no time: nothing is known, which is not the same as a wide interval."""


def instant(moment: pd.Timestamp, *, basis: str = "utc") -> When:
    """Return the time of a source that states UTC or an offset: an interval of no width."""
    return When(moment, moment, moment, basis)


def day(when: date, *, east: timedelta = EAST, west: timedelta = WEST) -> When:
    """Return the UTC interval of a local calendar day whose zone is not known.

    Parameters
    ----------
    when
        The local date.
    east, west
        How far local clocks can be ahead of and behind UTC; both positive.

    Returns
    -------
    When
        ``low`` = 00:00 - `east`, ``high`` = 00:00 + 24 h + `west`; ``date`` is the stated day at
        00:00 UTC, so that it prints as the source prints it.

    Examples
    --------
    >>> day(date(2022, 1, 12)).low
    Timestamp('2022-01-11 10:00:00+0000', tz='UTC')
    """
    midnight = _utc(datetime(when.year, when.month, when.day, tzinfo=UTC))
    return When(midnight, midnight - east, midnight + timedelta(hours=24) + west, "date")


def either(days: Iterable[date]) -> When:
    """Return the interval that spans several possible days; the stated date is left open."""
    spans = [day(one) for one in days]
    lows = [span.low for span in spans if span.low is not None]
    highs = [span.high for span in spans if span.high is not None]
    return When(None, min(lows), max(highs), "date")


def shifted(written: pd.Timestamp, *, east: timedelta = EAST, west: timedelta = WEST) -> When:
    """Return the interval of a UTC time that PowerShell 5.1 shifted by an unknown UTC offset."""
    return When(written, written - west, written + east, "local")


def _utc(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment).as_unit("ns")


_NUMERIC: Final = re.compile(r"(\d{1,4})([./-]) ?(\d{1,2})\2 ?(\d{4}|\d{2})(?!\d)")
_MARKS: Final = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202f"), None)


def _parts(value: str) -> tuple[int, str, int, int] | None:
    found = _NUMERIC.match(value.translate(_MARKS).strip())
    if not found:
        return None
    first, mark, second, third = found.groups()
    return int(first), mark, int(second), int(third) + (2000 if len(third) == 2 else 0)


def order_of(values: Iterable[str]) -> Order:
    """Decide from all dates of one file whether the month or the day stands first.

    A part above 12 decides. So do ``.`` and ``-``: of the 1,082 locales of CLDR none prints the
    month first with them. Dates with the year first say nothing and need nothing.

    Parameters
    ----------
    values
        Dates as printed, ``1/12/2022 12:00:00 AM`` or ``12.01.2022``; others are ignored.

    Returns
    -------
    str
        ``"mixed"`` when some rows allow only the one and some only the other.
    """
    seen: set[Order] = set()
    for first, mark, second, _ in filter(None, map(_parts, values)):
        if first > 31:
            continue
        if first > 12 or (mark != "/" and second <= 12):
            seen.add("day first")
        elif second > 12:
            seen.add("month first")
    return "mixed" if len(seen) > 1 else seen.pop() if seen else "undecided"


def read_day(value: str, order: Order) -> When | None:
    """Read a printed local date of known, or unknown, order; the time of day is not looked at.

    Parameters
    ----------
    value
        As printed; ``yyyyMMdd`` and year-first dates need no order.
    order
        What `order_of` said about the file.

    Returns
    -------
    When or None
        None if it is no date.
    """
    if re.fullmatch(r"\d{8}", value):
        return _single(int(value[:4]), int(value[4:6]), int(value[6:]))
    parts = _parts(value)
    if parts is None:
        return None
    first, _, second, third = parts
    if first > 31:
        return _single(first, second, third % 100 if third > 2000 else third)
    readings = {
        "month first": [(first, second)],
        "day first": [(second, first)],
    }.get(order, [(first, second), (second, first)])
    days = {found for month, dom in readings if (found := _date(third, month, dom))}
    if not days:
        return None
    return day(days.pop()) if len(days) == 1 else either(days)


def _single(year: int, month: int, dom: int) -> When | None:
    found = _date(year, month, dom)
    return day(found) if found else None


def _date(year: int, month: int, dom: int) -> date | None:
    """Return the date if there is one and Windows could have stamped it."""
    if not 1990 <= year <= 2100:
        return None
    try:
        return date(year, month, dom)
    except ValueError:
        return None


_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)


def filetime(digits: str) -> When | None:
    """Read a FILETIME of 16 hex digits (100 ns since 1601, UTC), as Vista's WMI gives it."""
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]{16}", digits):
        return None
    ticks = int(digits, 16)
    try:
        whole = _utc(_EPOCH + timedelta(microseconds=ticks // 10))
    except (OverflowError, ValueError):
        return None
    return instant(whole + pd.Timedelta(ticks % 10 * 100, unit="ns"))
