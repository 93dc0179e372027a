"""`Get-WULastResults` of the PowerShell module PSWindowsUpdate: when a host last got updates.

It gives a host, the last successful search and the last successful installation, and names no
update. So it makes no row of `updates`, which would be an update without a name; what it says
stands in `problems`, one row a host, so that an analyst sees it beside the gaps that it speaks of:
a host whose last installation is old has no newer update, whatever its history has lost.

Both times are COM's UTC, passed on as they are (measured on the module's code; `Get-WUHistory` of
the same module is local). Printed ones (CSV, table, list) have an order of day and month that the
file has to tell; JSON of PowerShell 5.1 shifts them by the host's offset. The layout of the table
was taken from PowerShell's formatter, no real file was seen.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers import dates, text
from kitlib.readers import lines as lines_of
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.json_objects import into, objects
from kitlib.readers.updates import com_history
from kitlib.readers.updates.hotfix import checked, host_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from kitlib.readers.sniffing import Head

KIND: Final = "pswindowsupdate_last_results"

_INSTALLED: Final = "lastinstallationsuccessdate"
_SEARCHED: Final = "lastsearchsuccessdate"
_HOST: Final = "computername"
_COLUMNS: Final = frozenset({_SEARCHED, _INSTALLED})
_KEY: Final = re.compile(r'"LastInstallationSuccessDate"\s*:', re.IGNORECASE)
_LISTED: Final = re.compile(r"(\w{1,40}) {0,40}: ?(.{0,200})")
_DATE: Final = re.compile(r"\d{1,4}[./-] ?\d{1,2}[./-] ?\d{1,4}")

Found = dict[str, Any]


def is_result(head: Head) -> bool:
    """Tell it by its two dates, as columns, names of a list, or keys."""
    start = head.text
    return bool(_csv_header(start) or _table_header(start) or _is_list(start) or _is_json(start))


def _csv_header(whole: str) -> int:
    return text.header_line(whole, _COLUMNS)


def _table_header(whole: str) -> int:
    """Return the line, from 1, of the header of a table; 0 if there is none."""
    lines = lines_of.split(whole[:65536])[:20]
    return next((n for n, line in enumerate(lines, 1) if set(line.lower().split()) >= _COLUMNS), 0)


def _is_list(whole: str) -> bool:
    lines = lines_of.split(whole[:65536])[:20]
    names = {found[1].lower() for line in lines if (found := _LISTED.match(line))}
    return names >= _COLUMNS


def _is_json(whole: str) -> bool:
    return whole.lstrip()[:1] in ("[", "{") and _KEY.search(whole[:65536]) is not None


def read(data: bytes) -> Parsed:
    """Read ``Get-WULastResults`` as CSV, JSON, table or list.

    Parameters
    ----------
    data
        The whole file, in any encoding PowerShell writes.

    Returns
    -------
    Parsed
        No rows; `problems` with one row a host that states the two times, in UTC, with the
        interval where they are not sure.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    found = list(_found(decoded.text, problems))
    stamps = (one.get(name) for one in found for name in (_INSTALLED, _SEARCHED))
    order = dates.order_of(stamp for stamp in stamps if isinstance(stamp, str))
    problems.extend(_said(one, order) for one in found)
    if not found:
        problems.append({"reason": "holds no result of Get-WULastResults"})
    return parsed(problems=problems)


def _found(whole: str, problems: list[dict[str, Any]]) -> Iterator[Found]:
    """Give the cells of each host by lower-case name."""
    if _is_json(whole):
        for _, entry in objects(whole, into(problems)):
            yield {str(key).lower(): value for key, value in entry.items()}
    elif number := _csv_header(whole):
        for row in checked(text.cells(whole, header_line=number), problems):
            yield dict(row.cells)
    elif number := _table_header(whole):
        yield from _tabled(lines_of.split(whole), number)
    else:
        yield from _listed(whole)


def _tabled(lines: list[str], number: int) -> Iterator[Found]:
    """Read a table: a date belongs to the last column that begins before it, or just behind.

    A date may be wider than its column's name, and then stands a little to the left of it.
    """
    header = lines[number - 1].lower()
    begins = {name: header.index(name) for name in (_SEARCHED, _INSTALLED)}
    for line in lines[number:]:
        if not line.strip(" -"):
            continue
        places = [found.start() for found in _DATE.finditer(line[:1000])]
        one: Found = {_HOST: line[: places[0] if places else None].strip()}
        for place, end in zip_longest(places, places[1:]):
            name = max(begins, key=lambda name: (begins[name] <= place + 4, begins[name]))
            one[name] = line[place:end].strip()
        yield one


def _listed(whole: str) -> Iterator[Found]:
    one: Found = {}
    for line in lines_of.split(whole):
        found = _LISTED.match(line)
        name = found[1].lower() if found else ""
        if found is None or name not in (_HOST, _SEARCHED, _INSTALLED):
            continue
        if name in one:
            yield one
            one = {}
        one[name] = found[2].strip()
    if one:
        yield one


def _said(one: Mapping[str, Any], order: dates.Order) -> dict[str, Any]:
    """Return the row of `problems` that states what is known of one host."""
    host = host_of({name: str(one.get(name) or "") for name in (_HOST, "pscomputername")})
    return {
        "place": host,
        "reason": f"{host or 'the host'}: updates were last installed with success "
        f"{_spelled(one.get(_INSTALLED), order)}, last searched for with success "
        f"{_spelled(one.get(_SEARCHED), order)}; Get-WULastResults names no update",
        "records_lost": 0,
    }


def _spelled(stamp: object, order: dates.Order) -> str:
    when = com_history.printed(stamp, order) if stamp else None
    if when is None or when.low is None or when.high is None:
        return "at an unknown time, or never" if not stamp else f"at {str(stamp)[:40]!r}"
    if when.low == when.high:
        return f"at {_iso(when.low)}"
    return f"between {_iso(when.low)} and {_iso(when.high)}"


def _iso(moment: pd.Timestamp) -> str:
    return f"{moment.floor('s').tz_localize(None).isoformat()}Z"
