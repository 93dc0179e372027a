"""Syslog envelopes: where a line's time, host and program stand, and what the time is worth.

RFC 5424 and the ISO stamps of rsyslog state an offset; the BSD form (RFC 3164) states neither year
nor zone, so its time is open until other files tell the year, and the stamp stays in the row's message.

Nothing here knows what the programs say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import Final

from kitlib.readers import iso
from kitlib.readers.dates import UNKNOWN, When, yearless
from kitlib.readers.gateway import gateways

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
    """None if the stamp is no time; without times if it has no year."""
    host: str
    app: str
    pid: str
    text: str
    yearless: bool = False


def parse(line: str) -> Line | None:
    """Take a line apart.

    Parameters
    ----------
    line
        Without its line end.

    Returns
    -------
    Line or None
        None if it has none of the three envelopes.
    """
    bounded = line[: gateways.LONGEST]
    for form in (_RFC5424, _ISO):
        found = form.match(bounded)
        if found:
            when = UNKNOWN if found["iso"] == "-" else iso.read(found["iso"])
            return _line(found, found["iso"], when)
    found = _BSD.match(bounded)
    if found is None:
        return None
    stamp = " ".join(found.group("month", "day")) + f" {':'.join(found.group(3, 4, 5))}"
    return _line(found, stamp, _yearless(found), yearless=True)


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


def _yearless(found: re.Match[str]) -> When | None:
    """Return what a stamp without a year says, None for one that no year has."""
    if found["month"] not in _MONTHS:
        return None
    hour, minute, second = (int(part) for part in found.group("hour", "minute", "second"))
    try:
        clock = time(hour, minute, second)
        return yearless(_MONTHS.index(found["month"]) + 1, int(found["day"]), clock)
    except ValueError:
        return None
