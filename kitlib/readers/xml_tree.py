"""XML text as the small trees of `kitlib.readers.payload`, one element at a time and unharmed.

Windows writes XML that strict parsers refuse: several roots in one file, control characters as
they are, a file cut in the middle. And evidence may hold what should not be parsed at all. So this
is no general parser: it has no document types, no entities but XML's own five and characters by
number, no external anything. A declared type is stepped over; a reference to an entity stays as
written and is remembered in `XmlText.foreign`. Depth is bounded.

An element that is not whole raises `Broken`; the caller goes on behind its beginning.
Namespaces are left out: names lose their prefix. Nothing here knows events.
"""

from __future__ import annotations

import re
from sys import intern
from typing import Final

from kitlib.readers.payload import Element

DEEPEST: Final = 60
"""Elements nested deeper than this are no export of Windows."""

_TAG: Final = re.compile(
    r"<(/?)([^\s<>/!?=\"'&]+)"
    r"((?:\s+[^\s<>/=\"']+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>"
)
_ATTRIBUTE: Final = re.compile(r"([^\s<>/=\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_REFERENCE: Final = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\w{1,40}));")
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_CDATA: Final = "<![CDATA["
_SKIPPED: Final = (("<!--", "-->"), ("<?", "?>"))


class Broken(ValueError):  # noqa: N818  # it names what the element is
    """An element that is not whole."""


class XmlText:
    """XML text to take elements out of.

    Parameters
    ----------
    text
        The whole file.

    Attributes
    ----------
    foreign
        Entities that were referred to and are not XML's own.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.foreign: set[str] = set()
        self._ends: dict[str, tuple[int, int]] = {}

    def find(self, begin: re.Pattern[str], at: int) -> re.Match[str] | None:
        """Return what `begin` finds from `at` on, outside of comments and document types."""
        while (found := begin.search(self.text, at)) is not None:
            hidden = self._hidden_until(at, found.start())
            if not hidden:
                break
            at = hidden
        return found

    def element(self, start: int, *, again: re.Pattern[str] | None = None) -> tuple[Element, int]:
        """Read the element that begins at `start`.

        Parameters
        ----------
        start
            Position of its ``<``.
        again
            Matches where another of these elements begins, which is never inside one.

        Returns
        -------
        Element, int
            The element and the position behind it.

        Raises
        ------
        Broken
            It is not whole.
        """
        text, at = self.text, start
        stack: list[Element] = []
        while True:
            found = _TAG.match(text, at)
            if found is None:
                at = self._special(stack, at)
                continue
            if found[1]:
                element = self._closed(stack, found[2])
                if not stack:
                    return element, found.end()
            else:
                element = self._opened(stack, found)
                if at > start and again and element.name == stack[0].name and again.match(text, at):
                    raise Broken("another begins before it ends")
                if found[4] and not stack:
                    return element, found.end()
            at = self._take_text(stack, found.end())

    def _opened(self, stack: list[Element], found: re.Match[str]) -> Element:
        if len(stack) >= DEEPEST:
            raise Broken(f"it is nested more than {DEEPEST} deep")
        attributes = {
            intern(name.rpartition(":")[2] if not name.startswith("xmlns") else "xmlns"): (
                self._plain(double or single)
            )
            for name, double, single in _ATTRIBUTE.findall(found[3])
        }
        element = Element(intern(found[2].rpartition(":")[2]), dict(attributes), None, [])
        if stack:
            stack[-1].children.append(element)
        if not found[4]:
            stack.append(element)
        return element

    def _closed(self, stack: list[Element], name: str) -> Element:
        if not stack or stack[-1].name != name.rpartition(":")[2]:
            raise Broken(f"its elements do not nest: </{name[:40]}>")
        element = stack.pop()
        if element.text and not element.text.strip() and _is_layout(element, stack):
            element.text = None
        return element

    def _take_text(self, stack: list[Element], at: int) -> int:
        end = self.text.find("<", at)
        if end < 0:
            raise Broken("the file ends inside it")
        if end > at:
            _add_text(stack[-1], self._plain(self.text[at:end]))
        return end

    def _special(self, stack: list[Element], at: int) -> int:
        """Step over a comment or instruction, take a CDATA section as text."""
        text = self.text
        if stack and text.startswith(_CDATA, at):
            end = self._find("]]>", at)
            _add_text(stack[-1], text[at + len(_CDATA) : end])
            return self._take_text(stack, end + 3)
        for mark, closing in _SKIPPED:
            if stack and text.startswith(mark, at):
                return self._take_text(stack, self._find(closing, at) + len(closing))
        raise Broken("it holds something that is no element")

    def _find(self, mark: str, at: int) -> int:
        """Find `mark` from `at` on; remembered, so that many asking for it do not search again."""
        begun, known = self._ends.get(mark, (len(self.text) + 1, -1))
        if not (begun <= at and (known < 0 or known >= at)):
            known = self.text.find(mark, at)
            self._ends[mark] = at, known
        if known < 0:
            raise Broken("the file ends inside it")
        return known

    def _hidden_until(self, at: int, end: int) -> int:
        """Return where a comment or document type ends that begins in [at, end); 0 if none does."""
        comment = self.text.find("<!", at, end)
        if comment < 0:
            return 0
        closing = "-->" if self.text.startswith("<!--", comment) else ">"
        inside = self.text.find("[", comment, end)
        if closing == ">" and inside >= 0 and ">" not in self.text[comment:inside]:
            closing = "]>"
        try:
            return self._find(closing, comment) + len(closing)
        except Broken:
            return len(self.text)

    def _plain(self, text: str) -> str:
        return _REFERENCE.sub(self._character, text) if "&" in text else text

    def _character(self, found: re.Match[str]) -> str:
        if found[3]:
            if found[3] not in _NAMED:
                self.foreign.add(found[3])
            return _NAMED.get(found[3], found[0])
        code = int(found[1]) if found[1] else int(found[2], 16)
        if code == 0 or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            return "\ufffd"
        return chr(code)


def _is_layout(element: Element, around: list[Element]) -> bool:
    """Tell whether an element's blank text is the printer's line break, not the event's value.

    Between elements it is. A program that breaks lines there, as is seen in front of the first
    one, breaks them inside an empty element as well.
    """
    if element.children or len(around) < 2:
        return True
    return "\n" in (element.text or "") and "\n" in (around[0].text or "")


def _add_text(element: Element, text: str) -> None:
    element.text = (element.text or "") + text
