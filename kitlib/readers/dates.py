r"""Dates as Windows prints them, as intervals that cannot lie.

A stamp in UTC is an instant. A bare local date is a whole day somewhere on Earth: local midnight
at UTC+14 comes 14 h before midnight UTC, and the day ends at UTC-12 36 h after it, so the day D
is the UTC interval [D - 14 h, D + 36 h). `M/d` or `d/M` is decided from all values of a file or
not at all; an undecided date covers both readings.

PowerShell 5.1 writes a UTC time of unspecified kind as ``/Date(ms)/`` after subtracting the
host's UTC offset, as if it were local. The truth is ms + offset, between 12 h before and 14 h
after what is written.

A local time of day without a zone, ``5/15/2025 3:15 AM``, is an instant somewhere between 14 h
before and 12 h after what is written, plus the minute or second it was cut to.

Nothing here knows a host's time zone; `kitlib.clocks` narrows the intervals later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
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


def local(wall: datetime, *, low: timedelta = -WEST, high: timedelta = EAST) -> When:
    """Return the interval of a local time whose UTC offset lies between `low` and `high`.

    Parameters
    ----------
    wall
        What a clock on the wall showed; a zone on it is not looked at.
    low, high
        The UTC offsets that are possible, negative west of Greenwich.

    Returns
    -------
    When
        ``date`` is the local time written as if it were UTC, so that it prints as the source
        prints it; basis ``local``.

    Examples
    --------
    >>> local(datetime(2022, 1, 12, 3, 15)).high
    Timestamp('2022-01-12 15:15:00+0000', tz='UTC')
    """
    written = _utc(wall.replace(tzinfo=UTC))
    return When(written, written - high, written - low, "local")


def known(wall: datetime, offset: timedelta) -> When:
    """Return the instant of a local time whose UTC offset is known; basis ``offset``."""
    return instant(_utc(wall.replace(tzinfo=UTC) - offset), basis="offset")


def offset_of(zone: str) -> timedelta:
    """Read a UTC offset as Windows prints it, ``+01:00`` or ``-0700``."""
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def wall(digits: Iterable[str | int]) -> datetime | None:
    """Build a time from year, month, day, hour, minute and second.

    Returns None if there is no such time or Windows could not have stamped it.
    """
    year, month, dom, hour, minute, second = map(int, digits)
    found = _date(year, month, dom)
    try:
        return datetime.combine(found, time(hour, minute, second), UTC) if found else None
    except ValueError:
        return None


_CLOCK: Final = re.compile(r"(?<!\d)(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?(?!\d)")
_HALF: Final = re.compile(r"\b([ap])\.? ?m\b", re.IGNORECASE)


def read_local(value: str, order: Order) -> When | None:
    """Read a printed local date with its time of day; the zone is not known.

    Parameters
    ----------
    value
        As printed, ``5/15/2025 3:15 AM`` or ``2021/10/13 8:45``. A word beside a clock time up to
        12 that is neither AM nor PM may be either in its language, so both halves of the day are
        covered.
    order
        What `order_of` said about the file.

    Returns
    -------
    When or None
        Basis ``local``; ``date`` is left open where more than one reading is possible. A date
        without a time of day is a day, as `read_day` gives it. None if it is no date.
    """
    plain = value.translate(_MARKS).strip()
    whole_day = read_day(plain, order)
    printed = _NUMERIC.match(plain)
    if whole_day is None or printed is None:
        return whole_day
    rest = plain[printed.end() :].removeprefix("T")  # ISO 8601
    clock = _CLOCK.search(rest)
    if not clock:
        return whole_day if not re.search(r"\d", rest) else None
    days = [whole_day.date] if whole_day.date is not None else _both(whole_day)
    hours = _hours(int(clock[1]), rest)
    width = timedelta(minutes=0 if clock[3] else 1)
    try:
        moments = [
            one.to_pydatetime().replace(hour=hour, minute=int(clock[2]), second=int(clock[3] or 0))
            for one in days
            for hour in hours
        ]
    except ValueError:
        return None
    first, last = local(min(moments)), local(max(moments) + width)
    return When(first.date if len(moments) == 1 else None, first.low, last.high, "local")


def _both(span: When) -> list[pd.Timestamp]:
    """Return the first and the last day of a span of several readings."""
    if span.low is None or span.high is None:
        return []
    return [span.low + EAST, span.high - WEST - timedelta(hours=24)]


def _hours(hour: int, words: str) -> list[int]:
    half = _HALF.search(words)
    if hour == 0 or hour > 12 or not re.search(r"[^\W\d_]", words):
        return [hour]
    morning = hour % 12
    return [morning + 12 * (half[1] in "Pp")] if half else [morning, morning + 12]


_WRITTEN: Final = re.compile(r"\\?/Date\((-?\d{1,15})\)\\?/")
_STAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-][01]\d:\d\d)?"
)
_QUARTER: Final = timedelta(minutes=15)
_LONGEST_DAY: Final = timedelta(hours=25)


def read_midnight(value: str) -> When | None:
    """Read the local midnight that PowerShell has of a hotfix, ISO 8601 or ``/Date(ms)/``.

    ``/Date(ms)/`` is the midnight in UTC, put there with the offset the host had that day, so the
    local day begins exactly then, and ends 25 h later at the latest (a day of 25 h is one on
    which clocks go back). Bare ISO is the local day of an unknown zone; ISO with an offset is a
    day again; ISO with ``Z`` and a time of day comes from a FILETIME and is an instant.

    Returns
    -------
    When or None
        None if it is neither.
    """
    found = _WRITTEN.fullmatch(value)
    if found:
        return _begun(int(found[1]))
    stamp = _STAMP.fullmatch(value)
    moment = wall(stamp.groups()[:6]) if stamp else None
    if stamp is None or moment is None:
        return None
    zone = stamp[8] or ""
    at_midnight = moment.time() == datetime.min.time() and not (stamp[7] or "").strip("0")
    if zone == "Z" and not at_midnight:
        return instant(_utc(moment) + pd.Timedelta(int(f"{stamp[7] or 0:0<9}"), unit="ns"))
    if zone in ("", "Z"):
        return day(moment.date())
    offset = offset_of(zone)
    return day(moment.date(), east=offset, west=_LONGEST_DAY - timedelta(hours=24) - offset)


def _begun(milliseconds: int) -> When | None:
    try:
        start = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    if not 1990 <= start.year <= 2100:
        return None
    if (start - datetime.min.replace(tzinfo=UTC)) % _QUARTER:
        return shifted(_utc(start))  # no midnight of any zone: what it is cannot be known
    # Midnight at UTC+14 is at 10:00 UTC, at UTC-12 at 12:00: only between the two is the day open.
    days = {found.date() for found in _midnights(start)}
    named = _utc(datetime(*days.pop().timetuple()[:3], tzinfo=UTC)) if len(days) == 1 else None
    begin = _utc(start)
    return When(named, begin, begin + _LONGEST_DAY, "date")


def _midnights(start: datetime) -> list[datetime]:
    """List the midnights that local clocks somewhere on Earth may show at an instant."""
    quarters = range(-int(WEST / _QUARTER), int(EAST / _QUARTER) + 1)
    return [shown for n in quarters if _midnight(shown := start + n * _QUARTER)]


def _midnight(moment: datetime) -> bool:
    return moment.time() == datetime.min.time()
