"""Times in exports of management tools: stated zone, stated format, and what 'reported' means.

The export's map says which zone a bare time is in and how dates are written; a time that states
its own offset needs neither. Nothing is guessed: an order of day and month that the map leaves to
the file is decided from all its values or covers both readings.

A **reported** time is when the service wrote down what a device had sent, hours to days late.
Whatever happened, happened then or earlier. So the reported time is the end of an interval. Its
beginning is the update's release where the export states it. The report before it of the same
host and update is no beginning: that one was late as well, so the installation may lie before it.
Where nothing bounds it, the interval begins at `EARLIEST`, so that it can be compared.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib.readers import dates
from kitlib.readers.events import exports

if TYPE_CHECKING:
    from kitlib.readers.updates.column_maps import ColumnMap

EARLIEST: Final = pd.Timestamp("1990-01-01", tz="UTC").as_unit("ns")
"""Begins an interval that nothing bounds: `kitlib.readers.dates` takes nothing older for a time."""

_YEAR_FIRST: Final = re.compile(r"\d{4}[./-]|\d{8}(?!\d)")
_CIM: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-]\d{3}|[+-]?\*{3})")
_PLAIN: Final = re.compile(
    r"(\d{4})([-/])(\d\d?)\2(\d\d?)[T ](\d\d?):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ?([ap])m)?",
    re.IGNORECASE,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_FRACTION: Final = re.compile(r":\d\d[.,](\d{1,9})(?!\d)")
_HALF: Final = re.compile(r"(?<!\d)(\d{1,2})[:.]\d\d[^a-z]{0,40}([ap])\.? ?m\b", re.IGNORECASE)
_GLUED: Final = re.compile(r"(?<=\d)(?=[ap]\.? ?m\b)", re.IGNORECASE)
_SINGLE: Final = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?!\d)")
_DAYS: Final = re.compile(r"\d{5}(\.\d{1,12})?")
_SECONDS: Final = re.compile(r"\d{9,10}(\.\d{1,9})?")
_FIRST: Final = EARLIEST.value
_END: Final = pd.Timestamp("2101-01-01", tz="UTC").as_unit("ns").value
_EXCEL: Final = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of spreadsheets and OLE automation."""


def order_of(columns: ColumnMap, cells: list[str]) -> dates.Order:
    """Return the order of day and month: as the map says, else as all times of the file show."""
    if "month first" in columns.dates:
        return "month first"
    if "day first" in columns.dates:
        return "day first"
    return dates.order_of(cells) if "decide" in columns.dates else "undecided"


def read(cell: str, columns: ColumnMap, order: dates.Order, *, zone: str) -> dates.When | None:
    """Read one time.

    Parameters
    ----------
    cell
        As exported.
    columns
        Says how dates are written.
    order
        From `order_of`.
    zone
        ``utc``, ``local`` (the host's own clock), ``unknown``, or an offset like ``+01:00``: what
        a time is in that does not say so itself.

    Returns
    -------
    When or None
        The interval that holds the stated time; None if it cannot be read, or if it says that it
        is morning and afternoon at once.
    """
    stated = _stated(cell)
    if stated is not None:
        return stated
    if "unix seconds" in columns.dates and _SECONDS.fullmatch(cell):
        return _instant(exports.unix_seconds(cell), basis="utc")
    plain = _plain(cell) if zone != "local" else None
    if plain is not None:
        return _placed_plain(plain, zone)
    bare = _bare(cell, columns, order)
    return None if bare is None else _placed(bare, zone)


def reported(when: dates.When, not_before: dates.When | None) -> dates.When:
    """Return the interval of what was reported at `when` and cannot lie before `not_before`.

    An impossible bound, later than the report itself, is not used.
    """
    low = not_before.low if not_before else None
    if low is None or when.high is None or low > when.high:
        low = EARLIEST if when.high is None else min(EARLIEST, when.high)
    return replace(when, low=low, local=None)  # what a late report says, no offset makes exact


def _instant(ticks: int | None, *, basis: str) -> dates.When | None:
    """Return an instant if it is one that Windows could have stamped, as `dates` has it."""
    if ticks is None or not _FIRST <= ticks < _END:
        return None
    return dates.instant(pd.Timestamp(ticks, unit="ns", tz="UTC").as_unit("ns"), basis=basis)


def _stated(cell: str) -> dates.When | None:
    """Read a time that states its offset itself; PowerShell's ``/Date()/`` is off by an unknown one."""
    exact = _instant(exports.instant(cell), basis="utc" if cell[-1:] in "ZC" else "offset")
    if exact is not None:
        return exact
    written = _instant(exports.json_date(cell), basis="utc")
    if written is not None and written.date is not None:
        return replace(dates.shifted(written.date), local=None)
    cim = _CIM.fullmatch(cell)
    wall = dates.wall(cim.groups()[:6]) if cim and "*" not in cim[8] else None
    if cim is None or wall is None:
        return None
    return dates.known(wall.replace(microsecond=int(cim[7])), timedelta(minutes=int(cim[8])))


def _plain(cell: str) -> pd.Timestamp | None:
    """Read the commonest form, year first with seconds, as if it were UTC; None for all others.

    Says what `_bare` says, five times as fast: such an export has a row a host and update.
    """
    found = _PLAIN.fullmatch(cell)
    if found is None or _twice(cell):
        return None
    year, _, month, dom, hour, minute, second, fraction, half = found.groups()
    if half and int(hour) <= 12:
        hour = int(hour) % 12 + (12 if half in "pP" else 0)
    wall = dates.wall((year, month, dom, hour, minute, second))
    if wall is None:
        return None
    ticks = (wall - _EPOCH) // _SECOND * 1_000_000_000 + int(f"{fraction or 0:0<9}")
    return pd.Timestamp(ticks, unit="ns", tz="UTC").as_unit("ns")


def _placed_plain(plain: pd.Timestamp, zone: str) -> dates.When:
    if zone == "unknown":
        return dates.When(plain, plain - dates.EAST, plain + dates.WEST, "local")
    if zone == "utc":
        return dates.instant(plain)
    return dates.instant(plain - dates.offset_of(zone), basis="offset")


def _bare(cell: str, columns: ColumnMap, order: dates.Order) -> dates.When | None:
    """Read a time without zone as the interval of all offsets."""
    if "excel days" in columns.dates and _DAYS.fullmatch(cell):
        moment = _EXCEL + timedelta(milliseconds=round(float(cell) * 86_400_000))
        return dates.local(moment) if 1990 <= moment.year <= 2100 else None
    cim = _CIM.fullmatch(cell)
    if cim:
        cell = "{}-{}-{} {}:{}:{}.{}".format(*cim.groups()[:7])
    open_order = {"month first", "day first", "decide"}.isdisjoint(columns.dates)
    if (open_order and not _YEAR_FIRST.match(cell)) or _twice(cell):
        return None
    found = dates.read_local(_tidy(cell), order)
    fraction = _FRACTION.search(cell)
    if found is None or fraction is None or found.basis != "local":
        return found
    return _later(found, pd.Timedelta(int(f"{fraction[1]:0<9}"), unit="ns"))


def _tidy(cell: str) -> str:
    """Write ``2020-5-4 9:26PM`` as `dates` knows it, ``2020-05-04 9:26 PM``."""
    day = _SINGLE.match(cell)
    if day:
        cell = f"{day[1]}-{day[3]:0>2}-{day[4]:0>2}{cell[day.end() :]}"
    return _GLUED.sub(" ", cell)


def _twice(cell: str) -> bool:
    """Tell a time whose hour and half of the day contradict each other: 14:26 AM, 00:26 PM.

    The portal's ``09:26:03.478 AM`` and ``14:26:03.478 PM`` do not, whichever clock is meant.
    """
    half = _HALF.search(cell)
    return half is not None and (
        (int(half[1]) > 12 and half[2] in "aA") or (int(half[1]) == 0 and half[2] in "pP")
    )


def _later(when: dates.When, by: pd.Timedelta) -> dates.When:
    edges = (None if edge is None else edge + by for edge in (when.date, when.low, when.high))
    date, low, high = edges
    local = {name: _all_later(said, by) for name, said in (when.local or {}).items()}
    return dates.When(date, low, high, when.basis, local or None)


def _all_later(said: Any, by: pd.Timedelta) -> Any:  # noqa: ANN401  # a value of `When.local`
    """Move the readings; what else is said of the local time stays."""
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        return said
    return [(datetime.fromisoformat(one) + by.to_pytimedelta()).isoformat() for one in said]


def _placed(bare: dates.When, zone: str) -> dates.When:
    """Put an interval of all offsets on the zone that is known."""
    if zone == "local":
        return bare
    if zone == "unknown" or bare.low is None or bare.high is None:
        return replace(bare, local=None)  # no host's offset says what this clock showed
    offset = timedelta(0) if zone == "utc" else dates.offset_of(zone)
    low, high = bare.low + dates.EAST - offset, bare.high - dates.WEST - offset
    if bare.basis == "date":
        return dates.When(bare.date, low, high, "date")
    date = None if bare.date is None else bare.date - offset
    return dates.When(date, low, high, "utc" if zone == "utc" else "offset")
