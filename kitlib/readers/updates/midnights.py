"""The local midnights that PowerShell has of hotfixes: `InstalledOn` as JSON or Clixml gives it.

PowerShell 5.1 puts the midnight into UTC with the offset of the host, so its day is known exactly;
later versions and Clixml give the bare date. See `kitlib.readers.dates` for the intervals.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd

from kitlib.readers.dates import EAST, WEST, When, day, instant, offset_of, shifted, wall

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
        return instant(_stamped(moment) + pd.Timedelta(int(f"{stamp[7] or 0:0<9}"), unit="ns"))
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
        return shifted(_stamped(start))  # no midnight of any zone: what it is cannot be known
    # Midnight at UTC+14 is at 10:00 UTC, at UTC-12 at 12:00: only between the two is the day open.
    days = {found.date() for found in _midnights(start)}
    named = _stamped(datetime(*days.pop().timetuple()[:3], tzinfo=UTC)) if len(days) == 1 else None
    begin = _stamped(start)
    return When(named, begin, begin + _LONGEST_DAY, "date")


def _midnights(start: datetime) -> list[datetime]:
    """List the midnights that local clocks somewhere on Earth may show at an instant."""
    quarters = range(-int(WEST / _QUARTER), int(EAST / _QUARTER) + 1)
    return [shown for n in quarters if _midnight(shown := start + n * _QUARTER)]


def _midnight(moment: datetime) -> bool:
    return moment.time() == datetime.min.time()


def _stamped(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment).as_unit("ns")
