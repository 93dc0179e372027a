"""The objects of a JSON text: array, one object, one a line, or wrapped, whole or broken.

PowerShell writes an array, or one object where there is one row, or wraps the array in
``{"value": [...], "Count": n}``; other tools write an object a line, or wrap the list their own
way. Numbers stay the text that they are in the file: a number that went through a float is another
one. A broken object costs itself: reading goes on at the next place that begins as the first
object did, or where a line begins with a brace.

To find that place without reading a file again for each broken object, the text is cut where
objects seem to begin, and a piece that ends too early is widened. All widening together is
bounded by the length of the text (`EFFORT`), and so is nesting.

Nothing here knows what the objects say.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

from kitlib.readers.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST: Final = 60
"""Objects nested deeper than this are no export of rows or events."""

EFFORT: Final = 16
"""How often a text is read, at most, all in all, to find where broken objects end."""

CUT: Final = "broken JSON: the file ends inside of it"
"""Reason given for an object that the file ends in: what stood behind it is not known."""

_BETWEEN: Final = re.compile(r"[\s,\[\]]*")
_SCALAR: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\s,\[\]{}"]++', re.DOTALL)
_FIRST_KEY: Final = re.compile(r'\{\s*"(?:[^"\\]|\\.){0,80}"')
_LIST: Final = re.compile(r'"(value|hits|events|records|Events|Records)"\s*:\s*\[\s*(?=\{)')
_WRAPPED_WITHIN: Final = 4096
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)


class Lose(Protocol):
    """Takes what could not be read; `kitlib.readers.events.exports.Found.lose` is one, see `into`."""

    def __call__(self, reason: str, /, *, place: str) -> object:
        """Note a lost object and where it stands."""


def into(problems: list[dict[str, Any]]) -> Lose:
    """Return a `Lose` that adds rows of table `problems`.

    An object that the file ends in costs an unknown number of records.
    """

    def lose(reason: str, /, *, place: str) -> None:
        lost = None if reason == CUT else 1
        problems.append({"place": place, "reason": reason, "records_lost": lost})

    return lose


def objects(whole: str, lose: Lose) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give place and content of each object of a JSON text, in order.

    Parameters
    ----------
    whole
        The text. A list under ``value`` (PowerShell 5.1), ``hits.hits`` (Elasticsearch) and the
        like is entered. ``null`` in place of an object says nothing and is left out.
    lose
        Takes what is broken, or is no object.

    Yields
    ------
    str, dict
        ``line N`` and the object; its values are text, bool, None, dict or list.

    Examples
    --------
    >>> [content for _, content in objects('[{"a": 1}, {"a": oops}, {"a": 3}]', into([]))]
    [{'a': '1'}, {'a': '3'}]
    """
    return JsonText(whole).objects(lose)


class _Broken(ValueError):  # noqa: N818  # it names what the object is
    """An object that is not whole."""


class JsonText:
    """JSON text to take objects out of; `objects` is the short way.

    Parameters
    ----------
    whole
        The text.

    Attributes
    ----------
    read
        Characters handed to the decoder so far, those read again counted again.
    """

    def __init__(self, whole: str) -> None:
        self.read = 0
        self._whole = whole
        self._most = EFFORT * len(whole)
        self._list = _list_in(whole)
        self._begins = array("q", _begins(whole, self._list))

    def objects(self, lose: Lose) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give place and content of each object; may be asked for once."""
        whole, at, lines = self._whole, self._list, Lines(self._whole)
        while (begun := _after(_BETWEEN, whole, at)) < len(whole):
            if self._list and whole[begun] in '}"':
                return  # the wrapping object goes on behind its list
            place = f"line {lines.at(begun)}"
            if scalar := _SCALAR.match(whole, begun):
                if scalar[0] != "null":
                    lose("an entry is no JSON object", place=place)
                at = scalar.end()
                continue
            try:
                content, at = self._decoded(begun)
            except _Broken as error:
                lose(str(error), place=place)
                at = self._following(begun + 1)
                continue
            if isinstance(content, dict) and depth(content) <= DEEPEST:
                yield place, content
            else:
                lose(f"nested more than {DEEPEST} deep", place=place)

    def _following(self, at: int) -> int:
        """Return where the next object seems to begin, from `at` on; else the end of the text."""
        number = bisect_left(self._begins, at)
        return self._begins[number] if number < len(self._begins) else len(self._whole)

    def _decoded(self, begun: int) -> tuple[Any, int]:
        """Return the value that begins at `begun` and the position behind it."""
        end = self._following(begun + 1)
        while True:
            piece = self._whole[begun:end]
            self.read += len(piece)
            try:
                content, length = _DECODER.raw_decode(piece)
            except RecursionError:
                raise _Broken("broken JSON: nested too deep") from None
            except json.JSONDecodeError as error:
                ends_early = _ends_early(piece, error)
                if ends_early and end == len(self._whole):
                    raise _Broken(CUT) from None
                if not ends_early or self.read > self._most:
                    raise _Broken(f"broken JSON: {error.msg}") from None
            else:
                return content, begun + length
            end = self._following(begun + 2 * len(piece))


def _ends_early(piece: str, error: json.JSONDecodeError) -> bool:
    """Tell whether more text might make a whole of a piece."""
    rest = piece[error.pos :].strip()
    if error.msg.startswith("Invalid \\u"):  # an escape, of two halves at most, without its end
        return len(rest) < len(r"\ud83d\ude00")
    return error.msg.startswith("Unterminated string") or any(
        word.startswith(rest) for word in ("true", "false", "null")
    )


def _after(pattern: re.Pattern[str], whole: str, at: int) -> int:
    found = pattern.match(whole, at)
    return found.end() if found else at


def _begins(whole: str, at: int) -> Iterator[int]:
    """Give the places, in order, where objects of the kind of the first one seem to begin."""
    first = _FIRST_KEY.search(whole, at)
    lines = (place + 1 for place in _places(whole, "\n{", at))
    keys = _places(whole, first[0], at) if first else iter(())
    return (place for place, _ in groupby(merge(keys, lines)))


def _places(whole: str, mark: str, at: int) -> Iterator[int]:
    while (at := whole.find(mark, at)) >= 0:
        yield at
        at += 1


def _list_in(whole: str) -> int:
    """Return where the list inside of one wrapping object begins; 0 if the file is not so."""
    begin = whole[:_WRAPPED_WITHIN]
    found = _LIST.search(begin)
    if found is None or not begin.lstrip().startswith("{"):
        return 0
    before = begin[: found.start()]
    inside = before.count("{") - before.count("}")
    deepest = 2 if found[1] == "hits" else 1
    return found.end() if inside <= deepest and "[" not in before else 0


def depth(value: object) -> int:
    """Return how deep dicts and lists are nested; no more than needed for `DEEPEST` is counted."""
    level, deep = [value], 0
    while level and deep <= DEEPEST:
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = [item for item in inner if isinstance(item, dict | list)]
        deep += 1
    return deep


def word(value: object) -> str:
    """Return a JSON value that is text or a number, without blanks around it; else nothing."""
    if not isinstance(value, str):
        return ""
    # JSON can spell half a surrogate pair, which is no text and which no table takes.
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").strip()
