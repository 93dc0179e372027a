"""strongSwan's IKE daemon (charon) in syslog: pfSense, OPNsense, VyOS and plain Linux gateways.

One grammar, ``NN[SUB] <connection|id> text``, under the envelopes of `kitlib.readers.gateway.syslog`.
Lines that are about a connection become rows; the daemon's own housekeeping is counted and left
out. What one line of a connection says of its user and peer is given to the others: see
`kitlib.readers.gateway.connections`.

VyOS logs each line a second time under the unit's name: those twins count once. BSD stamps have
no year: their rows have no time, and keep the stamp in their message.

What the words mean stands in ``gateways.toml``.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from kitlib import schema
from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.dates import UNKNOWN
from kitlib.readers.gateway import connections, gateways, syslog

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND: Final = "charon_syslog"
DIALECT: Final = "charon"

_APP: Final = re.compile(r"charon(?:-systemd|-nm)?")
_MESSAGE: Final = re.compile(
    r"(?:\d\d\[(?P<part>[A-Z]{3})\] )?(?:<(?P<connection>[^>]{1,200})> ?)?(?P<words>.*)", re.DOTALL
)


def _is_charon(line: syslog.Line) -> bool:
    return _APP.fullmatch(line.app) is not None


def read(data: bytes) -> Parsed:
    """Read a syslog file with lines of charon.

    Parameters
    ----------
    data
        The whole file; lines of other programs are left out.

    Returns
    -------
    Parsed
        `sessions`, one row a line about a connection; `problems`.
    """
    decoded = text.decode(data)
    notes = gateways.Notes(decoded.note)
    lines = list(_lines(decoded.text, notes))
    twins = Counter(_key(line) for _, line in lines if line.app == "charon")
    rows, keys = [], []
    for number, line in lines:
        if line.app != "charon" and twins[_key(line)]:
            twins[_key(line)] -= 1
            notes.add("the same line stands there a second time under charon-systemd: counted once")
            continue
        fields = cut(line.text) | {"gateway": line.host}
        made = _row(number, line, fields, notes)
        if made:
            rows.append(made)
            keys.append(connection(fields, process=line.pid))
    told = connections.joined(rows, keys)
    return parsed(sessions=schema.frame("sessions", told), problems=notes.rows())


def _lines(whole: str, notes: gateways.Notes) -> Iterator[tuple[int, syslog.Line]]:
    for number, raw in gateways.lines(whole, notes):
        line = syslog.parse(raw)
        if line is None:
            notes.add("no line of syslog", line=number, lost=True)
        elif _is_charon(line):
            yield number, line
        else:
            notes.add("a line of another program: left out", line=number)


def _key(line: syslog.Line) -> tuple[str, str, str]:
    found = _MESSAGE.match(line.text)
    return line.stamp, line.pid, found["words"] if found else line.text


def _row(
    number: int, line: syslog.Line, fields: gateways.Fields, notes: gateways.Notes
) -> gateways.Row | None:
    if not fields["connection"] and not gateways.means_something(DIALECT, fields):
        notes.add("a line about no connection (the daemon's own affairs): left out", line=number)
        return None
    when = line.when
    if when is None:
        notes.add("its time is none: left open", line=number)
    elif line.yearless:
        notes.add(_YEARLESS, line=number)
    elif when.basis != "utc" and when.date is None:
        notes.add("the time states no zone: given as the span of all zones", line=number)
    kept = f"{line.stamp} {line.text}" if line.yearless or when is None else line.text
    return gateways.row(DIALECT, fields, when or UNKNOWN, kept)


_YEARLESS: Final = "the time states no year (BSD syslog); the message keeps the stamp"


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


def connection(fields: gateways.Fields, *, process: str = "") -> connections.Key | None:
    """Return which connection of which daemon a cut line is of; None if it bears no tag.

    Parameters
    ----------
    fields
        As `cut` gives them, with ``gateway``.
    process
        The daemon's process id, where the envelope states it.
    """
    tag = fields.get("connection", "")
    if not tag:
        return None
    return connections.Key(fields.get("gateway", ""), process, connections.number_of(tag))
