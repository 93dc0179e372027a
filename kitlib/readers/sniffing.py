"""Which format a file is of, by its beginning: the matcher of the table ``sniffing.toml``.

Names and extensions are never asked: collectors call every log ``Events.evtx``, people rename, and
a ``.txt`` may hold anything. `Head` is the beginning of a file, decoded once however many formats
are tried, with the views of it that signatures ask for, each made when first asked for. A row of
the table is a format: its signature is a list of conditions, all of which must hold, and the first
row that fits wins. A format that no such condition tells is known by its shape: the row names a
predicate that the format's own module has.

Work is bounded: a `Head` is at most `kitlib.readers.base.HEAD_BYTES` long, its lines are cut at
`LONGEST_LINE`, and the table's expressions go through it without turning back (a test times them on
hostile heads). Nothing here knows a format; what a signature rests on stands beside it in the table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib import import_module
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from kitlib.readers import lines as lines_of
from kitlib.readers import text
from kitlib.readers.base import Reader
from kitlib.readers.events import exports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitlib.readers.base import Parsed
    from kitlib.readers.events.exports import Table

LONGEST_LINE: Final = 8192
"""Lines are cut here; no header and no log line that tells a format is longer."""

CELL_LINES: Final = 20
"""Lines that are cut into cells, to find a header that does not stand on top."""

HOLDINGS: Final = ("event log", "event export", "update history", "gateway log")
"""What a file can hold, as `Format.holds` says it."""


_JSON: Final = re.compile(r"\[|\{\s*[\"}]")
"""A list, or an object with a key; a GUID in braces is none."""


@dataclass(frozen=True)
class Head:
    """The beginning of a file, and what can be seen in it.

    Attributes
    ----------
    data
        Its first bytes; may end in the middle of a character.
    """

    data: bytes

    @cached_property
    def text(self) -> str:
        """The bytes as text, in whatever encoding they are."""
        return text.decode(self.data, partial=True).text

    @cached_property
    def start(self) -> str:
        """The text without blanks before it."""
        return self.text.lstrip()

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines, without their ends and none longer than `LONGEST_LINE`; the last may be cut."""
        return tuple(line[:LONGEST_LINE] for line in lines_of.split(self.text))

    @cached_property
    def table(self) -> Table | None:
        """The header on top of a CSV: its first line that is neither blank nor about the file."""
        return exports.header(self.text)

    @cached_property
    def cells(self) -> tuple[frozenset[str], ...]:
        """The cells of each of the first `CELL_LINES` lines, lower case, in any separator."""
        return tuple(map(_cells, self.lines[:CELL_LINES]))

    @cached_property
    def is_json(self) -> bool:
        """Whether it begins as JSON does."""
        return _JSON.match(self.start) is not None

    @cached_property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def root(self) -> str:
        """Name of the first XML element, without prefix, even if other text stands before it."""
        return _root(self.text[:_ROOT_WITHIN])


def _cells(line: str) -> frozenset[str]:
    return frozenset(cell.strip(' "').lower() for cell in line.split(text.separator(line)))


# --- JSON and XML, as far as a signature needs them -----------------------------------------

_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"?(?:\s*(:))?|([{}\[\]])', re.DOTALL)
_TRIED: Final = 20
_TOKENS: Final = 2000
_ELEMENT: Final = re.compile(r"<(?:(!--)|(?:\w{1,20}:)?([A-Za-z_][\w.-]{0,80})(?=[\s/>]))")
_ROOT_WITHIN: Final = 4096


def _inside(whole: str, at: int, names: list[str]) -> bool:
    """Tell whether the object that is open at `at` has the first key, the object under it the next, ..."""
    depth = found = 0
    fits = False
    for token in islice(_TOKEN.finditer(whole, at), _TOKENS):
        name, colon, mark = token.groups()
        if mark in ("}", "]"):
            depth -= 1
            found = min(found, depth)
        elif mark:
            depth += 1
            found += int(fits and mark == "{")
        fits = bool(colon) and depth == found and name == names[found]
        if depth < 0 or (fits and found + 1 == len(names)):
            return fits
    return False


def _root(begin: str) -> str:
    after = 0
    for found in _ELEMENT.finditer(begin):
        if found.start() < after:
            continue
        if not found[1]:
            return found[2]
        after = begin.find("-->", found.end())
        if after < 0:
            return ""
    return ""


# --- conditions -----------------------------------------------------------------------------

Check = Callable[[Head], bool]
Names = list[str | list[str]]
"""Each of these must be there; of a list inside, one."""


def _bytes(marks: list[dict[str, Any]], _: int) -> Check:
    wanted = [(mark["at"], bytes.fromhex(mark["hex"])) for mark in marks]
    return lambda head: any(head.data.startswith(mark, at) for at, mark in wanted)


def _contains(words: Names, _: int) -> Check:
    wanted = _choices(words)
    return lambda head: all(any(word in head.lower for word in one_of) for one_of in wanted)


def _root_is(names: list[str], _: int) -> Check:
    return lambda head: head.root in names


def _keys(names: Names, _: int) -> Check:
    wanted = _key_forms(names)
    return lambda head: head.is_json and _all_keys(wanted, head.text)


def _keys_any_case(names: Names, _: int) -> Check:
    wanted = _key_forms(names)
    return lambda head: head.is_json and _all_keys(wanted, head.lower)


KeyForms = list[list[tuple[str, re.Pattern[str]]]]


def _key_forms(names: Names) -> KeyForms:
    """Make of each name what can be looked for fast, and what is sure."""
    return [
        [(f'"{name}"', re.compile(rf'"{re.escape(name)}"\s*:')) for name in one_of]
        for one_of in _choices(names)
    ]


def _all_keys(wanted: KeyForms, whole: str) -> bool:
    return all(
        any(quoted in whole and form.search(whole) for quoted, form in one_of) for one_of in wanted
    )


def _columns(names: Names, within: int) -> Check:
    wanted = [frozenset(one_of) for one_of in _choices(names)]

    def fits(cells: frozenset[str]) -> bool:
        return not any(cells.isdisjoint(one_of) for one_of in wanted)

    if within:
        return lambda head: any(map(fits, head.cells[:within]))
    return lambda head: head.table is not None and fits(frozenset(head.table.names))


def _choices(names: Names) -> list[list[str]]:
    return [[name] if isinstance(name, str) else name for name in names]


def _begins(regexes: list[str], _: int) -> Check:
    forms = _compiled(regexes)
    return lambda head: any(form.match(head.start) for form in forms)


def _line(regexes: list[str], within: int) -> Check:
    forms = _compiled(regexes)
    return lambda head: any(form.search(line) for line in head.lines[:within] for form in forms)


def _nested(path: str, _: int) -> Check:
    outer, *inner = path.split(".")
    written = _key_forms([path])  # some programs write the whole path as one key
    opened = re.compile(rf'"{re.escape(outer)}"\s*:\s*\{{')

    def check(head: Head) -> bool:
        if not head.is_json:
            return False
        objects = islice(opened.finditer(head.text), _TRIED)
        return any(_inside(head.text, found.end(), inner) for found in objects) or _all_keys(
            written, head.text
        )

    return check


def _any_of(regexes: Names, _: int) -> Check:
    choices = list(map(_compiled, _choices(regexes)))
    return lambda head: any(all(form.search(head.text) for form in forms) for forms in choices)


def _all_of(regexes: list[str], _: int) -> Check:
    forms = _compiled(regexes)
    return lambda head: all(form.search(head.text) for form in forms)


def _none_of(regexes: list[str], _: int) -> Check:
    forms = _compiled(regexes)
    return lambda head: not any(form.search(head.text) for form in forms)


def _shape(name: str, _: int) -> Check:
    """Return the predicate ``MODULE.FUNCTION`` of a reader."""
    module, _dot, function = name.rpartition(".")
    shape: Check = getattr(import_module(f"kitlib.readers.{module}"), function)
    return shape


def _compiled(regexes: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, regexes))


CONDITIONS: Final[Mapping[str, Callable[[Any, int], Check]]] = {
    "bytes": _bytes,
    "contains": _contains,
    "root": _root_is,
    "keys": _keys,
    "keys_any_case": _keys_any_case,
    "columns": _columns,
    "begins": _begins,
    "line": _line,
    "nested": _nested,
    "any_of": _any_of,
    "all_of": _all_of,
    "none_of": _none_of,
    "shape": _shape,
}
"""What a row can ask for, the cheap ones first; ``sniffing.toml`` says what each means."""


# --- the table ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One row of the table.

    Attributes
    ----------
    kind
        Its name in `files.kind`; the registry has the reader of that name.
    label
        Its name for people.
    holds
        One of `HOLDINGS`.
    reference
        What the signature rests on.
    example
        The beginning of an invented file; a test holds that the row takes it.
    also
        Later rows that take such a file as well, with the reason.
    checks
        The conditions of the signature, all of which must hold.
    """

    kind: str
    label: str
    holds: str
    reference: str
    example: bytes
    also: Mapping[str, str]
    checks: tuple[Check, ...]

    def fits(self, head: Head) -> bool:
        """Tell whether a file that begins so has this row's signature."""
        return all(check(head) for check in self.checks)


@cache
def formats() -> tuple[Format, ...]:
    """Return the rows of ``sniffing.toml``, in the order in which they are tried."""
    whole = (files("kitlib.readers") / "sniffing.toml").read_text("utf-8")
    return tuple(_format(row) for row in tomllib.loads(whole)["format"])


def _format(row: Mapping[str, Any]) -> Format:
    within = row.get("within", 0)
    return Format(
        kind=row["kind"],
        label=row["label"],
        holds=row["holds"],
        reference=row["reference"],
        # What is told by bytes is not text: each character of its example is a byte.
        example=row["example"].encode("latin-1" if "bytes" in row else "utf-8"),
        also=row.get("also", {}),
        checks=tuple(make(row[name], within) for name, make in CONDITIONS.items() if name in row),
    )


def claims(head: Head) -> Iterator[Format]:
    """Give the rows whose signature a file's beginning has, in their order; the first one wins."""
    return (row for row in formats() if row.fits(head))


def tabled(kind: str, read: Callable[[bytes], Parsed]) -> Reader:
    """Return the reader of a format that the table tells.

    Parameters
    ----------
    kind
        As in the table.
    read
        Takes the whole file.
    """
    return Reader(kind, partial(_is_of, kind), read)


def _is_of(kind: str, head: bytes) -> bool:
    return any(row.kind == kind and row.fits(Head(head)) for row in formats())
