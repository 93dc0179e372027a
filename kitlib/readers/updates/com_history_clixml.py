r"""The COM update history as Clixml: ``QueryHistory | Export-Clixml``.

The best of PowerShell's own exports: no culture, and the update ids are kept. ``<DT N="Date">``
has no zone, because COM gives UTC without saying so: it is UTC. Codes are numbers (``<I32>``) or,
as enumerations, objects with a word and a number; the number is taken. `UpdateIdentity` is an
object inside of the entry; so are the categories, in a list, where they have no name and look like
entries: only objects with a title or a result are entries. Read without document types and
entities (`kitlib.readers.xml_tree`). The layout is PowerShell's serializer as specified
(MS-PSRP 2.2.5), no real file of this history was seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib import schema
from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.lines import Lines
from kitlib.readers.updates import com_history
from kitlib.readers.updates.com_history_text import order_of, rows
from kitlib.readers.updates.hotfix import doubts
from kitlib.readers.xml_tree import Broken, XmlText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.readers.payload import Element

KIND: Final = "com_history_clixml"

_OBJECT: Final = re.compile(r"<Obj(?=[\s>])(?![^>]{0,200}\sN=)")
_RESULT: Final = re.compile(r"<\w{1,9} N=\"resultcode\"[ >/]", re.IGNORECASE)
_TYPED: Final = re.compile(r"<Obj[^>]{0,200}>\s{0,99}<TN(?:Ref)? RefId=\"(\d{1,9})\"")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read(data: bytes) -> Parsed:
    """Read ``QueryHistory | Export-Clixml``.

    Parameters
    ----------
    data
        The whole file, in any encoding Windows writes.

    Returns
    -------
    Parsed
        `updates` with one row an entry, basis ``utc`` (``offset`` where a script made local time
        of it); `problems` with what could not be read.
    """
    decoded = text.decode(data)
    problems = com_history.noted(decoded)
    placed = list(_entries(decoded.text, problems))
    order = order_of(entry for _, entry in placed)
    made = rows(placed, order, kind=KIND, problems=problems)
    problems.extend(doubts(made, order))
    if not made and not problems:
        problems.append({"reason": "holds no entry of an update history"})
    return parsed(updates=schema.frame("updates", made), problems=problems)


def _entries(whole: str, problems: list[dict[str, Any]]) -> Iterator[tuple[int, com_history.Entry]]:
    """Cut the text where entries begin and read each piece: a broken entry costs itself only."""
    xml, lines, mark = XmlText(whole), Lines(whole), _mark(whole)
    foreign: set[str] = set()
    begin = xml.find(mark, 0)
    while begin is not None:
        following = xml.find(mark, begin.end())
        piece = XmlText(whole[begin.start() : following.start() if following else len(whole)])
        line = lines.at(begin.start())
        try:
            entry = _properties(piece.element(0)[0])
        except Broken as error:
            if _RESULT.search(piece.text):
                reason = f"an entry that is not whole: {error}"
                problems.append({"place": f"line {line}", "reason": reason, "records_lost": 1})
        else:
            if "title" in entry or "resultcode" in entry:
                yield line, entry
        foreign |= piece.foreign
        begin = following
    if foreign:
        reason = f"refers to {len(foreign)} entities, which are left as they are written"
        problems.append({"reason": reason, "records_lost": 0})


def _mark(whole: str) -> re.Pattern[str]:
    """Return what finds the beginning of each entry, but of no object in a list inside of one.

    Entries are indented alike, deeper objects more. Where nothing is indented, entries have the
    type of the first one, and say so at once.
    """
    result = _RESULT.search(whole)
    first = None
    for first in _OBJECT.finditer(whole, 0, result.start() if result else 0):  # noqa: B007
        pass  # the last object before the first result is the first entry
    if first is None:
        return _OBJECT
    indent = whole[max(0, first.start() - 80) : first.start()]
    blanks = indent[len(indent.rstrip(" \t")) :]
    if indent[: len(indent) - len(blanks)].endswith("\n"):
        return re.compile(rf"(?<=\n{blanks}){_OBJECT.pattern}")
    typed = _TYPED.match(whole, first.start())
    if typed is None:
        return _OBJECT
    return re.compile(rf"{_OBJECT.pattern}[^>]{{0,200}}>\s{{0,99}}<TN(?:Ref)? RefId=\"{typed[1]}\"")


def _properties(element: Element) -> com_history.Entry:
    """Take the properties of one object; a note added to it is worth less than a property."""
    entry: com_history.Entry = {}
    for part in element.children:
        if part.name in ("Props", "MS"):
            for inner in part.children:
                name = (inner.attributes.get("N") or "").lower()
                if name and name not in entry:
                    entry[name] = _value(inner)
    return entry


def _value(element: Element) -> object:
    """Return a property as text; an enumeration as its number, an object as its properties."""
    if element.name != "Obj":
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), element.text or "").strip()
    number = next((inner.text for inner in element.children if inner.name == "I32"), None)
    return number.strip() if number else _properties(element)
