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

Nothing here knows a host's time zone. What a source says in local time is kept beside the interval
(`When.local`), so that `kitlib.localtime` can put it on UTC when other files tell the offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EAST: Final = timedelta(hours=14)
"""The largest UTC offset in use: local clocks ahead of UTC."""
WEST: Final = timedelta(hours=12)
"""The largest UTC offset in use, local clocks behind UTC."""

Order = Literal["month first", "day first", "undecided", "mixed"]


Local = dict[str, Any]
"""What a source says in local time: see `When`."""


@dataclass(frozen=True, slots=True)
class When:
    """A time of table `updates`: the stated one, the interval that holds it, the basis.

    Attributes
    ----------
    date, low, high
        The stated time and the UTC interval that is sure to hold the true one.
    basis
        One of `kitlib.schema.BASES`; empty where nothing is known.
    local
        None where the source states UTC or its offset. Else what it says in local time, in types
        of JSON: ``kind`` is ``wall`` (a clock time), ``day`` (a calendar day) or ``shifted`` (UTC
        minus the host's offset, see above); ``readings`` lists the times it can mean, ISO 8601
        without zone; where only the order of day and month is open, ``month first`` and ``day
        first`` hold the readings instead. ``width`` is how many seconds later than read it can be,
        ``offsets`` the least and the greatest offset (minutes) where the file itself bounds them.
        A clock time whose year is not printed has ``yearless`` instead of readings: ISO 8601
        without the year, ``01-12T03:15:00``.
    """

    date: pd.Timestamp | None
    low: pd.Timestamp | None
    high: pd.Timestamp | None
    basis: str
    local: Local | None = None

    def cells(self) -> dict[str, object]:
        """Return it as cells of table `updates`."""
        return {
            "date": self.date,
            "date_low": self.low,
            "date_high": self.high,
            "date_basis": self.basis,
            "local": self.local,
        }


def _local(kind: str, moments: Iterable[date], *, width: timedelta = timedelta(0)) -> Local:
    said: Local = {"kind": kind, "readings": [one.isoformat() for one in moments]}
    return said | ({"width": width.total_seconds()} if width else {})


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
    anywhere = (east, west) == (EAST, WEST)
    said = _local("day", [date(when.year, when.month, when.day)]) if anywhere else None
    return When(midnight, midnight - east, midnight + timedelta(hours=24) + west, "date", said)


def either(month_first: date, day_first: date) -> When:
    """Return the interval that spans both readings of a day; the stated date is left open."""
    spans = [day(one) for one in (month_first, day_first)]
    lows = [span.low for span in spans if span.low is not None]
    highs = [span.high for span in spans if span.high is not None]
    readings = {"month first": [month_first.isoformat()], "day first": [day_first.isoformat()]}
    return When(None, min(lows), max(highs), "date", {"kind": "day", **readings})


def shifted(written: pd.Timestamp, *, east: timedelta = EAST, west: timedelta = WEST) -> When:
    """Return the interval of a UTC time that PowerShell 5.1 shifted by an unknown UTC offset."""
    bare = written.tz_localize(None).to_pydatetime()
    said = _local("shifted", [bare]) if (east, west) == (EAST, WEST) else None
    return When(written, written - west, written + east, "local", said)


def _utc(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment).as_unit("ns")


_NUMERIC: Final = re.compile(r"(\d{1,4})([./-]) ?(\d{1,2})\2 ?(\d{4}|\d{1,2})(?!\d)")
# Marks of direction say nothing; blanks that do not break stand before AM and PM.
_MARKS: Final = str.maketrans("\u00a0\u202f", "  ", "\u200e\u200f\u202a\u202b\u202c")


class _Printed(NamedTuple):
    """The parts of a printed date; `short` if the last has two digits, as a year may."""

    first: int
    mark: str
    second: int
    third: int
    short: bool
    two: bool  # whether the first has two digits, as it must have to be a year

    def year_first(self) -> list[date]:
        """Return what it means if a year of two digits stands first."""
        if not (self.short and self.two):
            return []
        days = (_date(year, self.second, self.third) for year in _years(self.first))
        return [one for one in days if one]


def _years_may_stand_first(printed: Iterable[_Printed]) -> bool:
    return {bool(one.year_first()) for one in printed} == {True}


def _years(short: int) -> list[int]:
    """Return the years that two digits can mean."""
    return [2000 + short] if short < 90 else [1900 + short, 2000 + short]


def _parts(value: str) -> _Printed | None:
    found = _NUMERIC.match(value.translate(_MARKS).strip())
    if not found:
        return None
    first, mark, second, third = found.groups()
    if len(third) == 1 and len(first) < 4:
        return None  # a year has two digits at least, and it stands at one end
    return _Printed(int(first), mark, int(second), int(third), len(third) == 2, len(first) == 2)


def order_of(values: Iterable[str]) -> Order:
    """Decide from all dates of one file whether the month or the day stands first.

    A part above 12 decides. So do ``.`` and ``-``: of the 1,082 locales of CLDR none prints the
    month first with them. Dates with the year first say nothing and need nothing. Where years have
    two digits nothing decides while all dates can be read with the year first as well.

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
    printed = list(filter(None, map(_parts, values)))
    if _years_may_stand_first(printed):
        return "undecided"
    for first, mark, second, *_ in printed:
        if first > 31:
            continue
        if first > 12 or (mark != "/" and second <= 12):
            seen.add("day first")
        elif second > 12:
            seen.add("month first")
    return "mixed" if len(seen) > 1 else seen.pop() if seen else "undecided"


def order_in_time(values: Iterable[str]) -> Order:
    """Decide as `order_of`, for a file that is known to be written in the order of time.

    Where no value decides, the order does under which the times (local, to the second as printed)
    rise or fall throughout, if the other one makes them go to and fro on three days or more.

    Parameters
    ----------
    values
        Dates with times of day as printed, in the order of the file.
    """
    printed = [value for value in values if value]
    found = order_of(printed)
    if found != "undecided" or _years_may_stand_first(filter(None, map(_parts, printed))):
        return found
    orders: tuple[Order, ...] = ("month first", "day first")
    straight = [order for order in orders if _is_straight(printed, order)]
    return straight[0] if len(straight) == 1 else "undecided"


def _is_straight(values: Iterable[str], order: Order) -> bool:
    """Tell whether the times can rise, or fall, throughout; each may be anywhere in its interval."""
    found = [span for value in values if (span := read_local(value, order))]
    spans = [(s.low, s.high) for s in found if s.low is not None and s.high is not None]
    if len({low.floor("D") for low, _ in spans}) < 3:
        return True  # nothing speaks against it
    return _can_rise(spans) or _can_rise(spans[::-1])


def _can_rise(spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]]) -> bool:
    earliest: pd.Timestamp | None = None
    for low, high in spans:
        earliest = low if earliest is None else max(earliest, low)
        if earliest > high:
            return False
    return True


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
    first, _, second, third, short, _ = parts
    if short and first <= 31:
        return _short(parts, order)
    if first > 31:
        return _single(first, second, third)
    return _in_order(_date(third, first, second), _date(third, second, first), order)


def _short(parts: _Printed, order: Order) -> When | None:
    """Read a date whose year has two digits: the year may be the first of them, and of 19xx."""
    first, _, second, third, *_ = parts
    month_first = [_date(year, first, second) for year in _years(third)]
    day_first = [_date(year, second, first) for year in _years(third)]
    decided = order in ("month first", "day first")
    other = [] if decided else parts.year_first()
    if not other and len(month_first) == 1:
        return _in_order(month_first[0], day_first[0], order)
    readings = {"month first": month_first, "day first": day_first}
    chosen = readings.get(order, [*month_first, *day_first, *other])
    days = sorted({one for one in chosen if one})
    if len(days) < 2:
        return day(days[0]) if days else None
    return replace(either(days[0], days[-1]), local=_local("day", days))


def _in_order(month_first: date | None, day_first: date | None, order: Order) -> When | None:
    """Choose between the two readings of a day, or keep both; an impossible one is none."""
    possible = {
        "month first": [month_first],
        "day first": [day_first],
    }.get(order, [month_first, day_first])
    days = sorted({one for one in possible if one})
    if len(days) < 2 or month_first is None or day_first is None:
        return day(days[0]) if days else None
    if order == "mixed":  # no order holds for the file, so none can be found for it later
        span = either(month_first, day_first)
        return replace(span, local=_local("day", (month_first, day_first)))
    return either(month_first, day_first)


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
        prints it, or the nearest instant of the interval; basis ``local``.

    Examples
    --------
    >>> local(datetime(2022, 1, 12, 3, 15)).high
    Timestamp('2022-01-12 15:15:00+0000', tz='UTC')
    """
    written = _utc(wall.replace(tzinfo=UTC))
    said = _local("wall", [wall.replace(tzinfo=None)])
    if (low, high) != (-WEST, EAST):
        said["offsets"] = [int(edge.total_seconds() // 60) for edge in (low, high)]
    stated = min(max(written, written - high), written - low)
    return When(stated, written - high, written - low, "local", said)


def yearless(month: int, dom: int, clock: time) -> When | None:
    """Return what is known of a local time whose year is not printed: nothing, but `When.local`.

    None if no year has that day.
    """
    leap_year = 2000
    if _date(leap_year, month, dom) is None:
        return None
    stated = datetime.combine(date(leap_year, month, dom), clock).isoformat()
    return replace(UNKNOWN, local={"kind": "wall", "yearless": [stated.partition("-")[2]]})


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
_HALF: Final = re.compile(r"\b([ap])\.?[ ?]?m\b", re.IGNORECASE)


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
    if not clock or whole_day.local is None:
        return whole_day if not re.search(r"\d", rest) else None
    hours = _hours(int(clock[1]), rest)
    try:
        readings = {
            name: [
                datetime.combine(
                    date.fromisoformat(one), time(hour, int(clock[2]), int(clock[3] or 0))
                )
                for one in days
                for hour in hours
            ]
            for name, days in whole_day.local.items()
            if name != "kind"
        }
    except ValueError:
        return None
    return open_wall(readings, width=timedelta(minutes=0 if clock[3] else 1))


def open_wall(
    readings: Mapping[str, list[datetime]],
    *,
    width: timedelta = timedelta(0),
    offsets: tuple[timedelta, timedelta] = (-WEST, EAST),
) -> When:
    """Return the interval of a local time that can be read in several ways.

    Parameters
    ----------
    readings
        The times it can mean, under the keys of `When.local`: ``readings``, or ``month first`` and
        ``day first`` where only their order is open.
    width
        How much later than read it can be: a minute where seconds are not printed.
    offsets
        The least and the greatest UTC offset that are possible.

    Returns
    -------
    When
        ``date`` as `local` gives it where one reading is left, else None.
    """
    every = sorted({one for moments in readings.values() for one in moments})
    if not every:
        return UNKNOWN
    first, last = (local(edge, low=offsets[0], high=offsets[1]) for edge in (every[0], every[-1]))
    said: Local = {name: [one.isoformat() for one in ones] for name, ones in readings.items()}
    said |= {"kind": "wall"} | ({"width": width.total_seconds()} if width else {})
    if first.local and "offsets" in first.local:
        said["offsets"] = first.local["offsets"]
    high = None if last.high is None else last.high + width
    return When(first.date if len(every) == 1 else None, first.low, high, "local", said)


def _hours(hour: int, words: str) -> list[int]:
    half = _HALF.search(words)
    # A question mark is what ASCII leaves of a letter.
    if hour == 0 or hour > 12 or not re.search(r"[^\W\d_]|[?\ufffd]", words):
        return [hour]
    morning = hour % 12
    return [morning + 12 * (half[1] in "Pp")] if half else [morning, morning + 12]
