"""Events as XML: ``wevtutil qe``, with ``/e:`` root or without, RenderedXml, Event Viewer's XML.

All of these hold Windows' own rendering of an event, so nothing is lost: times are UTC to 100 ns,
host, record number and event data are there. Rendered files also carry message and words under
``RenderingInfo``. The rows equal those of the ``.evtx`` file, but for what that file's engines
cut: 100 ns in times inside the event data.

Events are found one by one, whatever root stands around them or does not; a broken one costs
itself only. `kitlib.readers.xml_tree` says what is not done with hostile files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.events.exports import Found, finish, instant, make_row, start
from kitlib.readers.lines import Lines
from kitlib.readers.payload import columns, payload
from kitlib.readers.xml_tree import Broken, XmlText

if TYPE_CHECKING:
    from kitlib.readers.base import Parsed
    from kitlib.readers.payload import Element, Row

KIND: Final = "event_xml"

_EVENT: Final = re.compile(r"<(?:\w{1,20}:)?Event(?=[\s>])")
_AGAIN: Final = re.compile(r"<(?:\w{1,20}:)?Event(?:\s[^<>]*)?>\s*<(?:\w{1,20}:)?System[\s>]")
"""NPS accounting: its records are called Event as well."""


def read(data: bytes) -> Parsed:
    """Read events as XML.

    Parameters
    ----------
    data
        The whole file, in any encoding.

    Returns
    -------
    Parsed
        `events` in the order of the file; `problems` with the events that are broken.
    """
    whole, found = start(data)
    xml = XmlText(whole)
    if "<!DOCTYPE" in whole[:65536] or "<!ENTITY" in whole[:65536]:
        found.note("it declares a document type, as Windows never does: nothing of that is used")
    _take(xml, found)
    if xml.foreign:
        names = ", ".join(sorted(xml.foreign)[:5])
        found.note(f"it refers to entities that are not XML's own ({names}): left as written")
    return finish(found, label="event XML")


def _take(xml: XmlText, found: Found) -> None:
    lines = Lines(xml.text)
    after = 0
    while (begin := xml.find(_EVENT, after)) is not None:
        after = begin.end()
        try:
            event, after = xml.element(begin.start(), again=_AGAIN)
            found.rows.append(_row(event))
        except Broken as error:
            found.lose(f"an event is broken: {error}", place=f"line {lines.at(begin.start())}")


def _row(event: Element) -> Row:
    system = next((child for child in event.children if child.name == "System"), None)
    if system is None or not system.children:
        raise Broken("it has no System part")
    fields = columns(system.children)
    if "time_created" not in fields:
        fields |= _offset_time(system)
    return make_row(fields, payload(event.children))


def _offset_time(system: Element) -> dict[str, Any]:
    """Read a time with an offset, which Windows does not write and other programs do."""
    for child in system.children:
        time = instant(child.attributes.get("SystemTime") or "")
        if child.name == "TimeCreated" and time is not None:
            return {"time_created": time}
    return {}
