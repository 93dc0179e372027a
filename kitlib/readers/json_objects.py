"""The objects of a JSON file: array, one object, one a line, or wrapped, whole or broken.

Numbers stay the text that they are in the file: event data is text, and a number that went
through a float is another one. A broken object costs itself: reading goes on at the next place
that begins as the first object did. Depth is bounded by the interpreter's own limit.

Nothing here knows what the objects say.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.readers.exports import Found

DEEPEST: Final = 60
"""Objects nested deeper than this are no export of an event log."""

_BETWEEN: Final = re.compile(r"[\s,\[\]]*")
_FIRST_KEY: Final = re.compile(r'\{\s*"[^"\\]{1,80}"')
_LIST: Final = re.compile(r'"(value|hits|events|records|Events|Records)"\s*:\s*\[\s*(?=\{)')
_WRAPPED_WITHIN: Final = 4096
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)


def objects(whole: str, found: Found) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give place and content of each object; what is none, or is broken, goes into `found`.

    Parameters
    ----------
    whole
        The file. A list under ``value`` (PowerShell 5.1), ``hits.hits`` (Elasticsearch) and the
        like is entered.
    """
    lines = Lines(whole)
    wrapped = at = _list_in(whole)
    first = _FIRST_KEY.search(whole, at)
    mark = first[0] if first else "{"
    while True:
        begun = _BETWEEN.match(whole, at).end()  # type: ignore[union-attr]  # it matches always
        if begun >= len(whole) or (wrapped and whole[begun] in '}"'):
            return
        place = f"line {lines.at(begun)}"
        try:
            content, at = _DECODER.raw_decode(whole, begun)
        except (ValueError, RecursionError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            found.lose(f"broken JSON: {what}", place=place)
            at = whole.find(mark, begun + 1)
            if at < 0:
                return
            continue
        if isinstance(content, dict) and depth(content) <= DEEPEST:
            yield place, content
        else:
            found.lose("what stands here is no event", place=place)


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
