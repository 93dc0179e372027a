"""Bytes to text to cells: what every text reader needs before it can look at its format.

Windows writes the same dump in UTF-16 with or without byte-order mark, UTF-8, or the code page
of the day, depending on the shell and the redirection used, and now and then two of them in one
file. `decode` tries these in the order that decoded all 69 real dumps it was measured on, and
says what it used. `cells` and `columns` cut delimited and fixed-width text into named fields.

Nothing here knows dates, hosts or updates.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kitlib.readers import lines as lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MANY_NULS: Final = 0.05
_SEPARATORS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Text:
    """Decoded text with the encoding that was used and, if it was a guess, what may be wrong."""

    text: str
    encoding: str
    note: str = ""


def decode(data: bytes, *, code_page: str = "cp1252", partial: bool = False) -> Text:
    """Decode the bytes of a Windows text file.

    The ladder: byte-order mark; many NULs (UTF-16 without mark, possibly after a stretch of
    ASCII); strict UTF-8; a code page.

    Parameters
    ----------
    data
        The file, or its beginning.
    code_page
        Used when nothing else fits. KB numbers, codes and dates are ASCII in every Windows code
        page, so a wrong guess spoils letters, not facts; `Text.note` says so.
    partial
        The data may end in the middle of a character.

    Returns
    -------
    Text
        Never fails; what cannot be decoded is replaced, and `Text.note` says so.

    Examples
    --------
    >>> decode("KB5009543".encode("utf-16")).encoding
    'utf-16-le'
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _tolerant(data[len(mark) :], encoding, partial=partial)
    if data.count(0) > len(data) * _MANY_NULS:
        return _unmarked_utf16(data, partial=partial)
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        if partial and error.start > len(data) - 4:
            return Text(data[: error.start].decode("utf-8"), "utf-8")
    return Text(
        data.decode(code_page, errors="replace"),
        code_page,
        f"neither UTF-8 nor UTF-16: read as code page {code_page}, "
        "so letters beyond ASCII may be wrong",
    )


def _tolerant(data: bytes, encoding: str, *, partial: bool) -> Text:
    try:
        return Text(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        note = "" if partial else f"holds bytes that are not {encoding}; they were replaced"
        return Text(data.decode(encoding, errors="replace"), encoding, note)


def _unmarked_utf16(data: bytes, *, partial: bool) -> Text:
    """Read UTF-16 without mark, and the ASCII that `wmic` of XP prints before it on its first run."""
    first = data.index(0)
    plain = data[: first - 1]
    if len(plain) > 16 and all(9 <= byte < 127 for byte in plain):
        rest = _tolerant(data[first - 1 :], "utf-16-le", partial=partial)
        return Text(plain.decode("ascii") + rest.text, "ascii, then utf-16-le", rest.note)
    little = data[1::2].count(0) >= data[0::2].count(0)
    return _tolerant(data, "utf-16-le" if little else "utf-16-be", partial=partial)


_OEM: Final = {
    "cp437": "en",
    "cp720": "ar fa ur",
    "cp737": "el",
    "cp775": "et lt lv",
    "cp850": "af ca da de es eu fi fr ga gl id is it ms nb nl nn no pt sv",
    "cp852": "bs cs hr hu pl ro sk sl sq",
    "cp857": "az tr",
    "cp862": "he",
    "cp866": "be bg ky mk ru tt uk",
    "cp874": "th",
    "cp932": "ja",
    "cp949": "ko",
    "cp950": "zh-hk zh-mo zh-tw",
    "gbk": "zh",
    "cp1258": "vi",
}
_OEM_OF: Final = {locale: page for page, locales in _OEM.items() for locale in locales.split()}


def oem_code_page(locale: str) -> str:
    """Return the code page that the console of a system locale writes; cp1252 if not known.

    Source: Microsoft's table of National Language Support (OEM code page by system locale).

    Examples
    --------
    >>> oem_code_page("it-it")
    'cp850'
    """
    name = locale.lower()
    return _OEM_OF.get(name) or _OEM_OF.get(name.partition("-")[0], "cp1252")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its number in the file (from 1) and its cells by lower-case name."""

    line: int
    cells: dict[str, str]
    surplus: int = 0  # cells beyond the header (> 0) or short of it (< 0)


def separator(header: str) -> str:
    """Return the separator of a CSV header line: comma, semicolon or tab."""
    outside = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=outside.count)


def header_line(text: str, names: AbstractSet[str]) -> int:
    """Find the header of a CSV file by the columns it must have.

    Parameters
    ----------
    text
        The file or its beginning.
    names
        Column names in lower case.

    Returns
    -------
    int
        The line, counted from 1; 0 if none of the first 20 lines has all of them.
    """
    for number, line in enumerate(lines_of.split(text)[:20], 1):
        if names <= {name.strip(' "').lower() for name in line.split(separator(line))}:
            return number
    return 0


def cells(text: str, *, header_line: int) -> Iterator[Row]:
    """Read quoted CSV below its header by column name.

    Parameters
    ----------
    text
        The whole file.
    header_line
        Where the header stands, counted from 1.

    Yields
    ------
    Row
        Cells by lower-case column name; empty lines are left out.

    Raises
    ------
    csv.Error
        After the last row, if rows were left out that have a cell longer than the csv module
        allows; it says which.
    """
    lines = lines_of.split_keeping_ends(text)
    mark = separator(lines[header_line - 1])
    names: list[str] = []
    broken: list[int] = []
    for line, row in _rows(lines, header_line - 1, mark, broken):
        if not names:
            names = [name.strip().lower() for name in row]
        elif row:
            named: dict[str, str] = {}
            for name, cell in zip(names, row, strict=False):
                named[name] = named.get(name) or cell.strip()  # a column may stand there twice
            yield Row(line, named, len(row) - len(names))
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise csv.Error(
            f"the row that begins in line {broken[0]}{more} has a cell too long to read"
        )


def _rows(
    lines: list[str], at: int, mark: str, broken: list[int]
) -> Iterator[tuple[int, list[str]]]:
    """Give the line of its end and the cells of each row; go on in the line below a broken one."""
    while at < len(lines):
        done, reader = 0, csv.reader((lines[n] for n in range(at, len(lines))), delimiter=mark)
        try:
            for row in reader:
                done = reader.line_num
                yield at + done, row
        except csv.Error:
            broken.append(at + done + 1)
            at += done + 1
            continue
        return


def columns(lines: list[str], *, header_line: int) -> Iterator[Row]:
    """Read a fixed-width table whose columns begin where the header's words begin.

    Parameters
    ----------
    lines
        The whole file.
    header_line
        Where the header stands, counted from 1.

    Yields
    ------
    Row
        Cells by lower-case column name; blank lines and lines of dashes are left out.
    """
    header = lines[header_line - 1]
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    names = [word.lower() for word in header.split()]
    ends = [*starts[1:], None]
    for number, line in enumerate(lines[header_line:], header_line + 1):
        if line.strip(" -"):
            cut = (line[start:end].strip() for start, end in zip(starts, ends, strict=True))
            yield Row(number, dict(zip(names, cut, strict=True)))


_KB: Final = re.compile(r"KB ?(\d{6,8})(?!\d)", re.IGNORECASE)


def kb_of(text: str) -> str:
    """Return the first KB number named in `text` as ``KB`` and digits, or an empty string.

    Examples
    --------
    >>> kb_of("2022-01 Cumulative Update for Windows 10 (KB5009543)")
    'KB5009543'
    """
    found = _KB.search(text)
    return f"KB{found[1]}" if found else ""


def kb_counts(text: str) -> Counter[str]:
    """Count every KB number named in `text`; a cross-check on what a reader took from it."""
    return Counter(f"KB{digits}" for digits in _KB.findall(text))
