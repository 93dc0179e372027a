"""ISO 8601 times and UTC offsets, as logs of gateways and their APIs print them.

A time with an offset or ``Z`` is an instant; without, it is a local time of unknown zone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pandas as pd

from kitlib.readers import dates

LEAST: Final = -12 * 60
MOST: Final = 14 * 60
"""Minutes from UTC that local clocks have: from UTC-12 to UTC+14."""

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?"
)
_OFFSET: Final = re.compile(r"[+-]\d\d:?\d\d")


def read(value: str) -> dates.When | None:
    """Read a time; None if it is none.

    Parameters
    ----------
    value
        ``2022-01-12T09:30:00.123456+01:00``; a blank may stand for the ``T``, up to nine decimals.

    Returns
    -------
    When or None
        Basis ``utc`` for ``Z``, ``offset`` for an offset, else ``local``, and then without `date`.

    Examples
    --------
    >>> read("2022-01-12T09:30:00+0100").date
    Timestamp('2022-01-12 08:30:00+0000', tz='UTC')
    """
    found = _ISO.fullmatch(value.strip())
    made = dates.wall(found.groups()[:6]) if found else None
    if found is None or made is None:
        return None
    digits, zone = (found[7] or "0").ljust(9, "0"), found[8]
    if not zone:
        wall = made.replace(tzinfo=None, microsecond=int(digits[:6]))
        return replace(dates.open_wall({"readings": [wall]}), date=None)
    offset = 0 if zone == "Z" else minutes_of(zone)
    if offset is None:
        return None
    exact = pd.Timestamp(made - timedelta(minutes=offset)).as_unit("ns")
    exact += pd.Timedelta(int(digits), unit="ns")
    return dates.instant(exact, basis="utc" if zone == "Z" else "offset")


def minutes_of(zone: str) -> int | None:
    """Return the minutes from UTC of ``+0100`` or ``-05:00``; None if no clock has that offset.

    Examples
    --------
    >>> minutes_of("-05:00")
    -300
    """
    if not _OFFSET.fullmatch(zone):
        return None
    offset = int(dates.offset_of(zone).total_seconds()) // 60
    return offset if LEAST <= offset <= MOST else None
