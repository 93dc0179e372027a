"""Event Viewer's "Save All Events As" CSV or text: the list as shown on the screen.

Five headers in the language of Windows, six cells: the message has no header. What the columns
are is told by what is in them, not by their names: date and time, source, event id and category
follow each other behind a first column, which is the level, or in the Security log the keywords.

Times are local, in the user's format, to whole seconds. Host, channel, record number and event
data are lost; the message, in the user's language, is all that is left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.exports import (
    LEVELS,
    LOCAL_TIME,
    Found,
    Table,
    csv_rows,
    finish,
    header,
    make_row,
    read_fields,
    rendered_keywords,
    rendering,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Row
    from kitlib.readers.sniffing import Head

KIND: Final = "event_viewer_text"

_WHEN: Final = re.compile(
    r"\W*\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}\W.*?\d{1,2}[:.]\d\d([:.]\d\d)?\D*"
)
_LEVEL_TITLES: Final = frozenset({"level", "ebene", "niveau", "nivel"})
_KEYWORD_TITLES: Final = frozenset({"keywords", "schlüsselwörter", "mots clés", "palabras clave"})


def is_list(head: Head) -> bool:
    """Tell it by a first row that has one cell more than the header, and the right ones."""
    table = head.table
    if table is None or len(table.titles) not in (5, 6) or '"' in _line(head, table):
        return False
    first = next((row for _, row in csv_rows(head.text, table, Found())), [])
    return len(first) == len(table.titles) + 1 and _time_place(first) > 0


def _line(head: Head, table: Table) -> str:
    return head.text.split("\n")[table.line - 1]


def _time_place(row: list[str]) -> int:
    """Return which cell is the time: the one with an event id two cells on; 0 if none is."""
    for place in (1, 2):
        if (
            len(row) > place + 2
            and _WHEN.fullmatch(row[place])
            and row[place + 1].strip()
            and row[place + 2].strip().isdecimal()
        ):
            return place
    return 0


def read(data: bytes) -> Parsed:
    """Read Event Viewer's CSV or tab-separated text, in any language."""
    whole, found = start(data)
    table = header(whole)
    loose = 0
    for line, row in csv_rows(whole, table, found) if table else ():
        place = _time_place(row)
        if table and place:
            found.rows.append(_row(row, place, table))
        elif found.rows:
            loose += 1
            _append(found.rows[-1].data, (table.separator if table else ",").join(row))
        else:
            found.lose("no event: its cells are not those of the list", place=f"line {line}")
    if loose:
        found.note(f"{loose} lines begin no event: taken as part of the message before them")
    remarks = [
        "event data, but for what the message says",
        "fractions of seconds",
        "whether a level is 0 or 4 (both are shown as information)",
        *(_unknown_words(found.rows, table.titles[0]) if table else ()),
    ]
    return finish(found, label="an Event Viewer list", remarks=remarks)


def _unknown_words(rows: list[Row], title: str) -> Iterator[str]:
    """Say that the first column is in words that the kit has no meaning for."""
    if title.lower() in _KEYWORD_TITLES:
        return
    spoken = (row.data["RenderingInfo"] for row in rows if row.level is None)
    unknown = sorted({word for said in spoken if (word := said.get("Level") or said.get(title))})
    if unknown:
        yield f"the number of the level where its word is not known ({', '.join(unknown[:3])})"


def _row(row: list[str], place: int, table: Table) -> Row:
    level, words = _first(row[0].strip(), table)
    fields = read_fields(
        {"provider": row[place + 1].strip(), "event_id": row[place + 2].strip(), "level": level}
    )
    data: dict[str, Any] = {LOCAL_TIME: row[place].strip()}
    category = row[place + 3].strip() if len(row) > place + 3 else None
    message = table.separator.join(row[place + 4 :])
    data |= {"RenderingInfo": {**words, **_spoken(category, message)}}
    return make_row(fields, data)


def _first(word: str, table: Table) -> tuple[str | None, dict[str, Any]]:
    """Read the first column: the level's number if its word is known, and the words for people."""
    level, title = LEVELS.get(word.lower()), table.names[0]
    if title in _KEYWORD_TITLES:
        return None, {"Keywords": rendered_keywords([word])} if word else {}
    if level or title in _LEVEL_TITLES:
        return level, {"Level": word} if word else {}
    return None, {table.titles[0]: word}  # a language the kit has no words of


def _spoken(category: str | None, message: str) -> dict[str, Any]:
    said: dict[str, Any] = rendering(Task=category, Message=message).get("RenderingInfo", {})
    return said


def _append(data: dict[str, Any], line: str) -> None:
    words = data["RenderingInfo"]
    words["Message"] = f"{words.get('Message', '')}\n{line}".strip()
