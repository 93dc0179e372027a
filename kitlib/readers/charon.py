"""strongSwan's IKE daemon (charon) in syslog: pfSense, OPNsense, VyOS and plain Linux gateways.

One grammar, ``NN[SUB] <connection|id> text``, under the envelopes of `kitlib.readers.syslog`.
Lines that are about a connection become rows; the daemon's own housekeeping is counted and left
out. VyOS logs each line a second time under the unit's name: those twins count once. BSD stamps
have no year: their rows have no time, unless the caller bounds it, and keep the whole line.

What the words mean stands in ``gateways.toml``.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from kitlib import schema
from kitlib.readers import gateways, syslog, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.dates import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND: Final = "charon_syslog"
DIALECT: Final = "charon"

_APP: Final = re.compile(r"charon(?:-systemd|-nm)?")
_MESSAGE: Final = re.compile(
    r"(?:\d\d\[(?P<part>[A-Z]{3})\] )?(?:<(?P<connection>[^>]{1,200})> ?)?(?P<words>.*)", re.DOTALL
)
_HEAD: Final = 60


def sniff(head: bytes) -> bool:
    """Tell it by a syslog line of charon among the first lines."""
    lines = text.decode(head, partial=True).text.splitlines()[:_HEAD]
    return any(_is_charon(line) for line in map(syslog.parse, lines) if line)


def _is_charon(line: syslog.Line) -> bool:
    return _APP.fullmatch(line.app) is not None


def read(data: bytes, *, between: syslog.Span | None = None) -> Parsed:
    """Read a syslog file with lines of charon.

    Parameters
    ----------
    data
        The whole file; lines of other programs are left out.
    between
        Earliest and latest instant at which it can have been written; decides the year of BSD
        stamps where only one is possible.

    Returns
    -------
    Parsed
        `sessions`, one row a line about a connection; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    lines = list(_lines(decoded.text, between, notes))
    twins = Counter(_key(line) for _, line in lines if line.app == "charon")
    rows = []
    for number, line in lines:
        if line.app != "charon" and twins[_key(line)]:
            twins[_key(line)] -= 1
            notes.add("the same line stands there a second time under charon-systemd: counted once")
            continue
        made = _row(number, line, notes)
        if made:
            rows.append(made)
    return parsed(sessions=schema.frame("sessions", rows), problems=notes.rows())


def _lines(
    whole: str, between: syslog.Span | None, notes: gateways.Notes
) -> Iterator[tuple[int, syslog.Line]]:
    for number, raw in enumerate(whole.splitlines(), 1):
        line = syslog.parse(raw, between=between)
        if line is None:
            if raw.strip():
                notes.add("no line of syslog", line=number, lost=True)
        elif _is_charon(line):
            yield number, line
        else:
            notes.add("a line of another program: left out", line=number)


def _key(line: syslog.Line) -> tuple[str, str, str]:
    found = _MESSAGE.match(line.text)
    return line.stamp, line.pid, found["words"] if found else line.text


def _row(number: int, line: syslog.Line, notes: gateways.Notes) -> gateways.Row | None:
    fields = cut(line.text)
    fields["gateway"] = line.host
    if not fields["connection"] and not gateways.means_something(DIALECT, fields):
        notes.add("a line about no connection (the daemon's own affairs): left out", line=number)
        return None
    when = line.when
    if when is None:
        notes.add("its time is none: left open", line=number)
    elif line.yearless:
        notes.add(_YEARLESS[when is UNKNOWN], line=number)
    elif when.basis != "utc" and when.date is None:
        notes.add("the time states no zone: given as the span of all zones", line=number)
    kept = f"{line.stamp} {line.text}" if line.yearless or when is None else line.text
    return gateways.row(DIALECT, fields, when or UNKNOWN, kept)


_YEARLESS: Final = {
    True: "the time states no year (BSD syslog): the row has none; its message keeps the stamp",
    False: "the time states neither year nor zone (BSD syslog): given as a span",
}


def cut(message: str) -> gateways.Fields:
    """Cut a message of charon into its connection tag and its words.

    Parameters
    ----------
    message
        Without envelope, with or without ``NN[SUB]``; Meraki writes it without.
    """
    found = _MESSAGE.match(message)
    if found is None:
        return {"text": message, "connection": ""}
    return {"text": found["words"].strip(), "connection": found["connection"] or ""}
