"""DISM's package lists: `/get-packages` as list or table, `/get-packageinfo`, in any language.

Labels are translated, so fields are told by their place, which is the same in every language: a
list block has four lines, a `/get-packageinfo` block begins with the same seventeen. So are the
states, and only those in `STATES` are understood. Times are local, cut to the minute and printed
in the culture of the console, so their order is decided per file as for every printed date.

A cumulative update is a package called after its build, ``Package_for_RollupFix~...~19041.1466``:
the identity is kept as the title, and the KB is given only where the package itself or its
description names one. `Get-WindowsPackage` prints the same four fields and is read alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates.hotfix import doubts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND: Final = "dism_packages"

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "installed": ("install", "succeeded"),
    "superseded": ("install", "succeeded"),
    "インストール済み": ("install", "succeeded"),
    "install pending": ("install", "in_progress"),
    "installpending": ("install", "in_progress"),
    "uninstall pending": ("uninstall", "in_progress"),
    "uninstallpending": ("uninstall", "in_progress"),
    "staged": ("install", "not_started"),
    "not present": ("install", "not_started"),
    "notpresent": ("install", "not_started"),
}
"""Package states, lower case: operation and result. A superseded package was installed once."""

_FULL_WIDTH: Final = "\uff5e"  # a tilde that Japanese tools put in place of the plain one
_IDENTITY: Final = r"[^\s:|]+[~\uff5e][0-9a-f]{16}[~\uff5e][^\s:|]*"
_FIRST: Final = re.compile(rf"([^:|]{{1,80}}?)\s*:\s*({_IDENTITY})\s*")
_TABLE: Final = re.compile(rf"\s*({_IDENTITY})\s*(?:\|[^|]*){{3,}}")
_PAIR: Final = re.compile(r"([^:|]{1,80}?)\s*:(.*)")
_ARTICLE: Final = re.compile(r"(?:kbid=|/help/|/kb/)(\d{6,8})(?!\d)")
_LONGEST_LINE: Final = 4000

_LIST_FIELDS: Final = 4
_INFO_FIELDS: Final = 17
_INSTALL_NAME: Final = 7  # in `/get-packageinfo`: identity again, with ".mum"; proves the layout


@dataclass(frozen=True, slots=True)
class _Package:
    """One package as printed."""

    line: int
    identity: str
    state: str
    installed: str
    description: str = ""
    client: str = ""


def read(data: bytes) -> Parsed:
    """Read a package list of DISM.

    Parameters
    ----------
    data
        The whole file, in any encoding Windows writes.

    Returns
    -------
    Parsed
        `updates` with one row a package, basis ``local`` (minutes); `problems` with packages cut
        off, states not understood and dates that are not sure.
    """
    decoded = text.decode(data)
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    packages = list(_packages(_lines(decoded.text), problems))
    order = dates.order_of(package.installed for package in packages)
    rows = [_row(package, order, problems) for package in packages]
    if not packages and not problems:
        problems.append({"reason": "no package identity in it"})
    problems.extend(doubts(rows, order))
    return parsed(updates=schema.frame("updates", rows), problems=problems)


def _lines(whole: str) -> list[str]:
    """Cut a text into lines; one longer than DISM prints is nothing to search in."""
    # What is piped through another console comes with doubled carriage returns.
    lines = lines_of.split(whole.replace("\r\r\n", "\n"))
    return [line if len(line) <= _LONGEST_LINE else "" for line in lines]


def _packages(lines: list[str], problems: list[dict[str, Any]]) -> Iterator[_Package]:
    label = ""
    for number, line in enumerate(lines):
        if _TABLE.fullmatch(line):
            identity, state, _, installed = [cell.strip() for cell in line.split("|")][:4]
            yield _Package(number + 1, identity, state, installed)
            continue
        first = _FIRST.fullmatch(line)
        # Other lines of a block name the package as well, under another label.
        if not first or (label and first[1].strip() != label):
            continue
        label = first[1].strip()
        package = _package(number + 1, list(_values(lines, number, label)))
        if package:
            yield package
        else:
            problems.append(
                {
                    "place": f"line {number + 1}",
                    "reason": "a package without its whole set of fields",
                    "records_lost": 1,
                }
            )


def _values(lines: list[str], start: int, label: str) -> Iterator[str]:
    """Give the values of a block: lines with a colon, up to an empty line or the next block."""
    for number in range(start, min(start + 2 * _INFO_FIELDS, len(lines))):
        pair = _PAIR.fullmatch(lines[number].rstrip())
        if not pair or (number > start and pair[1].strip() == label):
            return
        yield pair[2].strip()


def _package(line: int, values: list[str]) -> _Package | None:
    if len(values) == _LIST_FIELDS:
        identity, state, _, installed = values
        return _Package(line, identity, state, installed)
    if len(values) >= _INFO_FIELDS and values[_INSTALL_NAME].startswith(values[0]):
        named = text.kb_of(values[5]) or "".join(_ARTICLE.findall(values[15])[:1])
        return _Package(line, values[0], values[16], values[8], named, values[6])
    return None


def _row(package: _Package, order: dates.Order, problems: list[dict[str, Any]]) -> dict[str, Any]:
    state = STATES.get(package.state.lower())
    place = f"line {package.line}"
    if state is None:
        reason = f"the state {package.state[:40]!r} is not known: result left open"
        problems.append({"place": place, "reason": reason, "records_lost": 0})
    operation, result = state or ("install", "")
    # A package that waits for its removal has the time of its installation.
    when = dates.read_local(package.installed, order) if operation == "install" else None
    if package.installed and operation == "install" and when is None:
        reason = f"the install time {package.installed[:40]!r} is not a date: taken as unknown"
        problems.append({"place": place, "reason": reason, "records_lost": 0})
    named = package.description
    return {
        **(when or dates.UNKNOWN).cells(),
        "operation": operation,
        "result_code": result,
        "title": package.identity.replace(_FULL_WIDTH, "~"),
        "kb": text.kb_of(package.identity) or (f"KB{named}" if named.isdigit() else named),
        "client_application_id": package.client,
        "source_kind": KIND,
    }
