"""Exports of management tools, read by a column map: Windows Update for Business, ConfigMgr, Intune.

Delimited text with any separator, in any encoding, or JSON (an array, ``{"value": [...]}``, an
object a line). The first map whose required columns are all there reads the file; other columns
are ignored. Which column says what stands in ``columns.toml`` or in the analyst's own map, not
here; see `kitlib.readers.updates.column_maps`. What times are worth is in `kitlib.readers.updates.column_times`.

What a management service knows is late and of one state a row: a column of states is no history,
and an installation that was undone before the export leaves no trace in it.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import HEAD_BYTES, Parsed, Reader, parsed
from kitlib.readers.events import exports
from kitlib.readers.json_objects import into, objects, word
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import column_times, com_history
from kitlib.readers.updates.column_maps import NO_MAPS, ColumnMap, Maps, Meaning, built_in, column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kitlib.readers.sniffing import Head

KIND: Final = "column_map_csv"

_SEPARATORS: Final = (",", ";", "\t", "|")
_HEADER_WITHIN: Final = 20
_MOST_NAMES: Final = 500
_LONGEST_NAME: Final = 100
_NOTHING: Final = frozenset({"", "null", "n/a", "-"})
_KEY: Final = re.compile(r'"([^"\\]{1,100})"\s{0,20}:')
_ARTICLE: Final = re.compile(r"(\d{6,8})(\.0)?")
_BUILD: Final = re.compile(r"(?:\d{1,2}\.\d{1,2}\.)?(\d{4,5})\.(\d{1,6})")
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_export(head: Head) -> bool:
    """Tell an export by the columns that one of the kit's own maps requires."""
    return _layout(head.text, NO_MAPS) is not None


def read(data: bytes) -> Parsed:
    """Read an export by one of the kit's own maps; see `reader`."""
    return _read(data, own=NO_MAPS)


def reader(own: Maps) -> Reader:
    """Return the reader that tries the analyst's maps before the kit's own.

    Parameters
    ----------
    own
        From `kitlib.readers.updates.column_maps.own_maps`.

    Returns
    -------
    Reader
        It gives `updates` with one row a row of the export, the host as the row names it, and
        `problems`: what could not be read, states that the map does not know, and what the map
        says about the worth of its times.
    """
    return Reader(KIND, partial(_sniff, own=own), partial(_read, own=own))


def _sniff(head: bytes, *, own: Maps) -> bool:
    return _layout(text.decode(head, partial=True).text, own) is not None


# ---------------------------------------------------------------------------- which map


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file is to be read: its map, its columns with their suffixes, its header if any."""

    map: ColumnMap
    suffixes: dict[str, str]
    header: exports.Table | None

    def zone(self, name: str) -> str:
        """Return the zone of a column: the one behind its name counts more than the map's."""
        suffix = self.suffixes.get(name, "")
        if suffix:
            return "utc" if suffix == "utc" else "unknown"
        return self.map.zone


def _layout(whole: str, own: Maps) -> _Layout | None:
    maps = (*own.maps, *built_in().maps)
    if whole.lstrip()[:1] in ("[", "{"):
        suffixes = dict(map(column, _KEY.findall(whole[:HEAD_BYTES])))
        found = _first(maps, suffixes)
        return _Layout(found, suffixes, None) if found else None
    for number, line in enumerate(whole[:HEAD_BYTES].split("\n")[:_HEADER_WITHIN], 1):
        for mark in [mark for mark in _SEPARATORS if mark in line] or [","]:
            titles = _titles(line.rstrip("\r"), mark)
            found = _first(maps, dict(map(column, titles)))
            if found:
                names = [column(title)[0] for title in titles]
                table = exports.Table(number, mark, titles, names)
                return _Layout(found, dict(map(column, titles)), table)
    return None


def _titles(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return []


def _first(maps: Iterable[ColumnMap], names: Mapping[str, str]) -> ColumnMap | None:
    return next((one for one in maps if one.required <= names.keys()), None)


# ---------------------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the export: its place, and its filled cells by column name."""

    place: str
    cells: dict[str, str]

    def first(self, columns: ColumnMap, key: str) -> tuple[str, str]:
        """Return the first of a field's columns that is filled, and its cell."""
        for name in columns.columns.get(key, ()):
            if name in self.cells:
                return name, self.cells[name]
        return "", ""


def _read(data: bytes, *, own: Maps) -> Parsed:
    decoded = text.decode(data)
    layout = _layout(decoded.text, own)
    if layout is None:
        return parsed(problems=[{"reason": "no column map fits its header"}])
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    rows = list(_rows(decoded.text, layout, problems))
    made = list(_updates(rows, layout, problems))
    problems.extend(_worth(layout, made))
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _rows(whole: str, layout: _Layout, problems: Remarks) -> Iterator[_Row]:
    if layout.header is None:
        for place, entry in objects(whole, into(problems)):
            named = ((column(name)[0], word(value)) for name, value in entry.items())
            yield _Row(place, _filled(named))
        return
    found = exports.Found()
    names = layout.header.names
    for line, row in exports.csv_rows(whole, layout.header, found):
        if len(row) > len(names) and any(map(str.strip, row[len(names) :])):
            # Which cell is one too many cannot be known, so no cell is sure to be what it seems.
            reason = f"{len(row)} cells where the header has {len(names)}: left out"
            problems.append({"place": f"line {line}", "reason": reason, "records_lost": 1})
            continue
        if len(row) < len(names):
            reason = f"{len(row)} cells where the header has {len(names)}"
            problems.append({"place": f"line {line}", "reason": reason, "records_lost": 0})
        yield _Row(f"line {line}", _filled(zip(names, row, strict=False)))
    problems.extend([*found.problems, *found.counted()])


def _filled(cells: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keep the cells that say something; of two columns with one name, the first that does."""
    filled: dict[str, str] = {}
    for name, cell in cells:
        value = cell.strip("\x00 \t\r\n\xa0")
        if value.casefold() not in _NOTHING:
            filled.setdefault(name, value)
    return filled


# ---------------------------------------------------------------------------- table `updates`


def _updates(rows: list[_Row], layout: _Layout, problems: Remarks) -> Iterator[dict[str, Any]]:
    columns = layout.map
    order = column_times.order_of(columns, [row.first(columns, "time")[1] for row in rows])
    left_out: Counter[str] = Counter()
    for row in rows:
        meaning, word = _state(row, columns, problems)
        if meaning.leave_out:
            left_out[word] += 1
            continue
        made = {
            **_when(row, layout, order, problems).cells(),
            "host": row.first(columns, "host")[1],
            "operation": meaning.operation or _operation(row, columns, problems),
            "result_code": meaning.result,
            **_update(row, columns),
            "hresult": _code(row.first(columns, "hresult")[1]),
            "client_application_id": row.first(columns, "client")[1],
            "source_kind": KIND,
        }
        problems.extend(_lacking(made, row.place))
        yield made
    for word, count in sorted(left_out.items()):
        reason = f"{count} rows with the state {word[:60]!r} are no entries of an update history"
        problems.append({"reason": f"{reason}: left out", "records_lost": 0})


def _state(row: _Row, columns: ColumnMap, problems: Remarks) -> tuple[Meaning, str]:
    """Say what the row's state means: the first of its columns with a word that the map knows."""
    if "state" not in columns.columns:
        return Meaning(columns.result), ""
    for name in columns.columns["state"]:
        word = row.cells.get(name, "")
        meaning = columns.states.get(word.casefold())
        if meaning is not None:
            return meaning, word
    problems.append(_unknown("state", row, columns))
    return Meaning(""), ""


def _operation(row: _Row, columns: ColumnMap, problems: Remarks) -> str:
    if "operation" not in columns.columns:
        return "install"
    known = columns.operations.get(row.first(columns, "operation")[1].casefold(), "")
    if not known:
        problems.append(_unknown("operation", row, columns))
    return known


def _unknown(key: str, row: _Row, columns: ColumnMap) -> dict[str, Any]:
    """Say that the map does not know a word, or that there is none."""
    name, word = row.first(columns, key)
    said = (
        f"{key} {word[:60]!r} (column {columns.titles[name]}) is not in the map {columns.name!r}"
        if word
        else f"a row without {key}"
    )
    return {"place": row.place, "reason": f"{said}: left open", "records_lost": 0}


def _update(row: _Row, columns: ColumnMap) -> dict[str, str]:
    """Name the update; a build that is to be reached stands in the title, for the kit to resolve."""
    title = row.first(columns, "title")[1]
    build = _build(row.first(columns, "build")[1], row.first(columns, "revision")[1])
    if title:
        title = f"{columns.title_prefix} {title}".strip() + (f" ({build})" if build else "")
    article = row.first(columns, "kb")[1]
    bare = _ARTICLE.fullmatch(article)
    update_id = row.first(columns, "update_id")[1].strip("{}").lower()
    return {
        "title": title or build,
        "kb": f"KB{bare[1]}" if bare else text.kb_of(article) or text.kb_of(title),
        "update_id": update_id if _GUID.fullmatch(update_id) else "",
    }


def _build(build: str, revision: str) -> str:
    """Write build and revision as ``build 19044.1466``; empty if either is not known."""
    whole = _BUILD.fullmatch(build) or _BUILD.fullmatch(f"{build}.{revision}")
    return f"build {whole[1]}.{whole[2]}" if whole else ""


def _code(value: str) -> str:
    """Read an error code of 32 bits; an extended one follows the code after an underscore."""
    code = value.partition("_")[0]
    try:
        fits = -(2**31) <= int(code, 0) < 2**32
    except ValueError:
        return ""
    return com_history.hresult_of(code) if fits else ""


def _lacking(made: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    if not made["host"]:
        yield {"place": place, "reason": "a row that names no host", "records_lost": 0}
    if not (made["kb"] or made["title"] or made["update_id"]):
        yield {"place": place, "reason": "a row that names no update", "records_lost": 0}


# ---------------------------------------------------------------------------- times


def _when(row: _Row, layout: _Layout, order: dates.Order, problems: Remarks) -> dates.When:
    columns = layout.map
    if "time" not in columns.columns:
        return dates.UNKNOWN
    name, cell = row.first(columns, "time")
    when = column_times.read(cell, columns, order, zone=layout.zone(name)) if cell else None
    if when is None:
        wrong = f"{cell[:40]!r} (column {columns.titles[name]}) is no time" if cell else ""
        reason = f"{wrong or 'a row without a time'}: taken as unknown"
        problems.append({"place": row.place, "reason": reason, "records_lost": 0})
        return dates.UNKNOWN
    bound = _bound(row, layout, order)
    return column_times.reported(when, bound) if columns.times == "reported" else when


def _bound(row: _Row, layout: _Layout, order: dates.Order) -> dates.When | None:
    """Return the time before which it cannot have happened, if the row has one."""
    name, cell = row.first(layout.map, "not_before")
    return column_times.read(cell, layout.map, order, zone=layout.zone(name)) if cell else None


# ---------------------------------------------------------------------------- what it is worth


def _worth(layout: _Layout, made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Say once for the file what its map says about it, and what the file lacks."""
    columns = layout.map
    said = [columns.note, _unverified(columns), _misspelt(layout)]
    if not made:
        said.append("holds no entry of an update history")
    elif "time" not in columns.columns:
        said.append("its rows have no time")
    elif columns.times == "reported":
        said.append(_reported(made))
    undecided = sum(row["date"] is None and row["date_low"] is not None for row in made)
    if undecided:
        said.append(f"whether the month or the day stands first is open in {undecided} rows")
    if any(row["date_basis"] == "local" for row in made):
        said.append("no zone is stated for its times: each covers all UTC offsets")
    for words in filter(None, said):
        reason = f"column map {columns.name!r}: {words}"
        yield {"place": "", "reason": reason, "records_lost": 0}


def _reported(made: list[dict[str, Any]]) -> str:
    open_ended = sum(row["date_low"] == column_times.EARLIEST for row in made)
    return (
        "its times are those of reports, hours to days late: what a row says happened then or "
        f"earlier, so each is the end of an interval; nothing bounds the beginning of {open_ended} "
        f"of {len(made)}"
    )


def _unverified(columns: ColumnMap) -> str:
    return f"not verified: {columns.unverified}" if columns.unverified else ""


def _misspelt(layout: _Layout) -> str:
    """Name columns of the map that the file lacks where it has one of nearly the same name."""
    used = {name for names in layout.map.columns.values() for name in names}
    free = [name for name in layout.suffixes if len(name) <= _LONGEST_NAME and name not in used]
    found = []
    for key, names in sorted(layout.map.columns.items()):
        if layout.suffixes.keys().isdisjoint(names):
            near = difflib.get_close_matches(names[0], free[:_MOST_NAMES], n=1, cutoff=0.8)
            found += [f"{key} = {layout.map.titles[names[0]]!r}, it has {one!r}" for one in near]
    return f"the file has no such column: {'; '.join(found)}" if found else ""
