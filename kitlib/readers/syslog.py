"""Syslog envelopes: where a line's time, host and program stand, and what the time is worth.

RFC 5424 and the ISO stamps of rsyslog state an offset; the BSD form (RFC 3164) states neither year
nor zone. Its stamp gets an interval only if the caller can bound the time the log was written in
(`between`); without that the time is unknown, and the stamp stays in the row's message.

Nothing here knows what the programs say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kitlib.readers import gateways
from kitlib.readers.dates import UNKNOWN, When

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

Span = tuple["pd.Timestamp", "pd.Timestamp"]
"""Earliest and latest UTC instant at which a log can have been written."""

_RFC5424: Final = re.compile(
    r"(?:<\d{1,3}>)?1 (?P<iso>\S{1,40}) (?P<host>\S{1,255}) (?P<app>\S{1,48}) (?P<pid>\S{1,128})"
    r" \S{1,32} (?:-|(?:\[(?:[^\]\\]|\\.){0,2000}\])+) ?(?P<text>.*)",
    re.DOTALL,
)
_TAG: Final = r"(?P<app>[\w./-]{1,48})(?:\[(?P<pid>\d{1,10})\])?: ?(?P<text>.*)"
_ISO: Final = re.compile(
    r"(?:<\d{1,3}>)?(?P<iso>\d{4}-\d\d-\d\dT\S{8,24}) (?:(?P<host>[\w.:-]{1,255}) )?" + _TAG,
    re.DOTALL,
)
_BSD: Final = re.compile(
    r"(?:<\d{1,3}>)?(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) (?:(?P<host>[\w.:-]{1,255}) )?" + _TAG,
    re.DOTALL,
)
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its envelope's fields. `stamp` is the time as printed."""

    stamp: str
    when: When | None
    """None if the stamp is no time; `UNKNOWN` if it has no year and none can be told."""
    host: str
    app: str
    pid: str
    text: str
    yearless: bool = False


def parse(line: str, *, between: Span | None = None) -> Line | None:
    """Take a line apart.

    Parameters
    ----------
    line
        Without its line end.
    between
        Bounds that decide the year of a BSD stamp.

    Returns
    -------
    Line or None
        None if it has none of the three envelopes.
    """
    bounded = line[: gateways.LONGEST]
    for form in (_RFC5424, _ISO):
        found = form.match(bounded)
        if found:
            when = UNKNOWN if found["iso"] == "-" else gateways.iso(found["iso"])
            return _line(found, found["iso"], when)
    found = _BSD.match(bounded)
    if found is None:
        return None
    stamp = " ".join(found.group("month", "day")) + f" {':'.join(found.group(3, 4, 5))}"
    return _line(found, stamp, _yearless(found, between), yearless=True)


def _line(found: re.Match[str], stamp: str, when: When | None, *, yearless: bool = False) -> Line:
    host = found["host"] or ""
    return Line(
        stamp=stamp,
        when=when,
        host="" if host == "-" else host,
        app=found["app"],
        pid=found["pid"] or "",
        text=found["text"],
        yearless=yearless,
    )


def _yearless(found: re.Match[str], between: Span | None) -> When | None:
    if found["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(found["month"]) + 1
    rest = [int(part) for part in found.group("day", "hour", "minute", "second")]
    if gateways.moment(2000, month, *rest) is None:  # 2000 was a leap year
        return None
    if between is None:
        return UNKNOWN
    years = range(between[0].year - 1, between[1].year + 2)
    made = (gateways.moment(year, month, *rest) for year in years)
    return gateways.local([one for one in made if one and _possible(one, between)])


def _possible(moment: datetime, between: Span) -> bool:
    """Tell whether a local time of unknown zone can lie within the bounds."""
    low, high = (gateways.utc(moment - timedelta(minutes=m)) for m in gateways.ANYWHERE[::-1])
    return low <= between[1] and high >= between[0]
