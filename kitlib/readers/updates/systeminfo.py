r"""`systeminfo` in any language, as list or CSV: which hotfixes are there, without a date.

Labels are translated and never asked. Hotfixes are the numbered lines ``[01]: KB...`` under one
label, whose own line states how many there are. Windows 7 and older stop printing at some 240 of
them without a word, so what is claimed is compared with what is listed. The host is the value of
the first line, taken only where the second names Windows, as it does in every language.

Redirected by cmd the file is in the OEM code page, which follows from the locale it names. No
install date stands anywhere in it: every row's date is unknown. The CSV form packs all hotfixes
of a host into one cell; it is read from its description, no real file of it was seen.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, offsets, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates.hotfix import qfe_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitlib.readers.sniffing import Head

KIND: Final = "systeminfo"

_LABELLED: Final = re.compile(r"(\S[^:]{0,80}):\s*(.*)")
_ITEM: Final = re.compile(r"\s+\[\d{2,4}\]\s?:\s*(\S.*)")
_WHOLE_ID: Final = 9  # "KB" and the seven digits of every update since 2010
_ID: Final = re.compile(r"(?:KB|Q)\d{6,8}(?!\d)")
_ZONE: Final = re.compile(
    r"^[^:\s][^:\n]{0,80}:\s{1,60}\((?:UTC|GMT)([+-]\d\d:\d\d)?\)", re.MULTILINE
)
_OFFSET: Final = re.compile(r"\((?:UTC|GMT)(?:([+-])(\d\d):(\d\d))?\)")
_PACKED: Final = re.compile(r"(?:^|,)\s?\[\d{2,4}\]: ")
_LOCALE: Final = re.compile(rb"(?::\s{1,60}|\")([a-z]{2}(?:-[a-zA-Z]{2,4})?);")
_HOST: Final = re.compile(r"[^\s.,:;\\/\"]{1,63}")


@dataclass(frozen=True, slots=True)
class _Group:
    """What stands under one label: the host, the number claimed, the numbered items."""

    host: str
    claimed: int | None
    items: list[str]


def is_report(head: Head) -> bool:
    """Tell it by its zone line and its numbered lists, or as CSV by such a list in a cell."""
    if _is_csv(head.lines):
        return True
    listed = any(map(_ITEM.match, head.lines))
    return listed and _ZONE.search(head.text) is not None


def _is_csv(lines: Sequence[str]) -> bool:
    filled = [line for line in lines[:5] if line.strip()]
    return (
        len(filled) > 1
        and all(line.startswith('"') for line in filled[:2])
        and "Windows" in filled[1]
        and _PACKED.search(filled[1]) is not None
    )


def read(data: bytes) -> Parsed:
    """Read the output of `systeminfo`.

    Parameters
    ----------
    data
        The whole file, in any encoding Windows writes.

    Returns
    -------
    Parsed
        `updates` with one row a hotfix listed, of unknown date; `clocks` with the host's zone;
        `problems` with how many the list is short of what it claims.
    """
    decoded = text.decode(data, code_page=_code_page(data))
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    lines = lines_of.split(decoded.text)
    groups = list(_csv_groups(lines, problems) if _is_csv(lines) else _list_group(lines))
    rows = [
        qfe_row({"hotfixid": item, "csname": group.host}, dates.UNKNOWN, kind=KIND)
        for group in groups
        for item in _whole(group, problems)
    ]
    if rows:
        reason = f"systeminfo states no install dates: those of {len(rows)} updates are unknown"
        problems.append({"reason": reason, "records_lost": 0})
    elif not groups:
        problems.append({"reason": "no list of hotfixes found"})
    return parsed(
        updates=schema.frame("updates", rows),
        problems=problems,
        clocks=_clocks(decoded.text, groups[0].host if groups else _host(lines)),
    )


def _clocks(whole: str, host: str) -> list[dict[str, Any]]:
    """Give what the zone line says; it is the same in summer and winter."""
    zone = _OFFSET.search(whole)
    if not zone:
        return []
    minutes = int(zone[2] or 0) * 60 + int(zone[3] or 0)
    return [offsets.of_zone(-minutes if zone[1] == "-" else minutes, source=KIND, host=host)]


def _code_page(data: bytes) -> str:
    locale = _LOCALE.search(data)
    return text.oem_code_page(locale[1].decode("ascii")) if locale else "cp1252"


def _whole(group: _Group, problems: list[dict[str, Any]]) -> list[str]:
    """Return the items of a list, without one that was cut; state what is missing."""
    items = group.items
    missing = (group.claimed or 0) - len(items)
    if missing > 0:
        # Lists break off after a number of bytes, not of items: the last one may be half a name.
        cut = bool(items) and len(text.kb_of(items[-1])) < _WHOLE_ID
        items = items[:-1] if cut else items
        problems.append(
            {
                "reason": f"claims {group.claimed} hotfixes and lists {len(items)}: "
                "systeminfo cuts long lists off without a word",
                "records_lost": (group.claimed or 0) - len(items),
            }
        )
    return items


def _list_group(lines: list[str]) -> Iterator[_Group]:
    """Find the numbered list that holds hotfixes."""
    head, items = "", []
    for line in [*lines, "."]:
        item = _ITEM.match(line)
        if item:
            items.append(item[1].strip())
        elif line[:1].strip():  # a new label, or the end
            if any(map(_ID.match, items)):
                yield _Group(_host(lines), _claimed(head), items)
                return
            head, items = line, []


def _claimed(line: str) -> int | None:
    """Return the one number in the value of a label line."""
    labelled = _LABELLED.match(line)
    numbers = re.findall(r"\d{1,6}", labelled[2]) if labelled else []
    return int(numbers[0]) if len(numbers) == 1 else None


def _host(lines: list[str]) -> str:
    """Return the value of the first line if the second is about Windows."""
    labelled = [found for line in lines[:10] if (found := _LABELLED.match(line))]
    for first, second in pairwise(labelled[:2]):
        if "Windows" in second[2] and _HOST.fullmatch(first[2].strip()):
            return first[2].strip()
    return ""


def _csv_groups(lines: list[str], problems: list[dict[str, Any]]) -> Iterator[_Group]:
    try:
        for row in csv.reader(line for line in lines if line.strip()):
            lists = ([part.strip() for part in _PACKED.split(cell)] for cell in row)
            # Processors and network cards are packed alike.
            found = next((one for one in lists if any(map(_ID.match, one[1:]))), None)
            if found is not None:
                yield _Group(row[0], _claimed(f"x: {found[0]}"), found[1:])
    except csv.Error as error:
        problems.append({"reason": f"broken CSV: {error}"})
