r"""What the writers of update-history dumps share: the entry, the culture, the host's clock.

An `Item` is one fact, with its true UTC instant; each writer puts it down as its dialect would,
with everything the dialect loses. A `Culture` prints dates the way .NET does (custom format
strings of ``DateTime.ToString``). An `Offset` tells how far the host's clock is ahead of UTC at a
UTC time, so clocks that go on and back can be written.

Sources: .NET's documentation of date format strings and of ``ToUniversalTime``; PowerShell's
published ``ConvertTo-Json``, ``Export-Csv`` and ``Export-Clixml``. The patterns of the cultures are
those Windows ships, which every user can change. Nothing here knows a scenario or a reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

UPDATE_SERVICE_ID: Final = "9482f4b4-e343-43b6-b170-9a65bc822c77"
ORCHESTRATOR: Final = "UpdateOrchestrator"
SYSTEM_ACCOUNT: Final = r"NT AUTHORITY\SYSTEM"


Date = date
"""The type, where a field is called `date` as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of a host's update history.

    Attributes
    ----------
    time
        When it happened, in UTC.
    operation, result, hresult
        Numbers of MS-UAMG: 1 install, 2 uninstall; 0 not started ... 5 aborted; the signed code.
    update_id, revision
        The update's identity: a GUID, and its revision number.
    client, service
        Who asked for it, and the service it came from.
    kind, by, comments
        ``Description``, ``InstalledBy`` and ``FixComments`` of the hotfix inventory.
    dated
        False: the hotfix inventory leaves the date blank.
    package
        The servicing package's identity, ``Package_for_...~31bf3856ad364e35~amd64~~...``.
    """

    time: datetime
    kb: str = ""
    title: str = ""
    operation: int = 1
    result: int = 2
    hresult: int = 0
    update_id: str = ""
    revision: int = 1
    client: str = ORCHESTRATOR
    service: str = UPDATE_SERVICE_ID
    kind: str = "Security Update"
    by: str = SYSTEM_ACCOUNT
    comments: str = ""
    dated: bool = True
    package: str = ""


# --- the host's clock -----------------------------------------------------------------------

Offset = Callable[[datetime], int]
"""Minutes that a host's clock is ahead of UTC, at a UTC time."""


def at_utc(_: datetime) -> int:
    """Return the offset of a host whose clock shows UTC."""
    return 0


def stepped(first: int, *changes: tuple[datetime, int]) -> Offset:
    """Return an offset that is `first`, and from each UTC time of `changes` on another one.

    Examples
    --------
    >>> winter_and_summer = stepped(60, (datetime(2022, 3, 27, 1, tzinfo=UTC), 120))
    >>> winter_and_summer(datetime(2022, 1, 12, tzinfo=UTC))
    60
    """
    return lambda when: next((to for at, to in reversed(changes) if when >= at), first)


def european(standard: int) -> Offset:
    """Return the offset of the European Union: an hour more from last March to last October Sunday.

    Parameters
    ----------
    standard
        Minutes ahead of UTC in winter, 60 for Berlin. Clocks change at 01:00 UTC.
    """

    def offset(when: datetime) -> int:
        summer = _last_sunday(when.year, 3) <= when < _last_sunday(when.year, 10)
        return standard + (60 if summer else 0)

    return offset


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)


def wall_time(when: datetime, offset: Offset) -> datetime:
    """Return what the host's clock shows at a UTC time, without zone."""
    return (when + timedelta(minutes=offset(when))).replace(tzinfo=None)


def to_universal(wall: datetime, offset: Offset) -> datetime:
    """Return the UTC time that .NET's ``ToUniversalTime`` makes of a local time.

    A local time that a clock shows twice, or skips, counts as standard time, as in .NET.
    """
    near = wall.replace(tzinfo=UTC)
    possible = {offset(near - timedelta(hours=14)), offset(near + timedelta(hours=12))}
    possible |= {offset(near - timedelta(minutes=minutes)) for minutes in possible}
    fitting = [m for m in possible if offset(near - timedelta(minutes=m)) == m]
    return near - timedelta(minutes=min(fitting or possible))


def local_midnight(when: datetime, offset: Offset) -> datetime:
    """Return the local midnight, without zone, that begins the host's day of a UTC time."""
    return datetime.combine(wall_time(when, offset).date(), time())


# --- how dates are printed ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Culture:
    """How .NET prints dates and numbers for a user.

    Attributes
    ----------
    date, clock
        Short date and long time pattern; the short time is `clock` without seconds.
    am, pm
        What ``tt`` prints.
    spelled, months, days
        Long date pattern, names of months (from January) and of days (from Monday).
    separator
        Between list items, and so in ``Export-Csv -UseCulture``.
    thousands
        Between groups of digits.
    """

    name: str
    date: str
    clock: str = "HH:mm:ss"
    am: str = ""
    pm: str = ""
    spelled: str = "dddd, d MMMM yyyy"
    months: str = (
        "January February March April May June July August September October November December"
    )
    days: str = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
    separator: str = ";"
    thousands: str = "."

    def day(self, when: Date) -> str:
        """Print a date, ``ToString("d")``."""
        return self.print(self.date, datetime.combine(when, time()))

    def general(self, when: datetime) -> str:
        """Print date and time to the second, ``ToString()``."""
        return self.print(f"{self.date} {self.clock}", when)

    def minutes(self, when: datetime) -> str:
        """Print date and time to the minute, ``ToString("g")``."""
        return self.print(f"{self.date} {_SECONDS.sub('', self.clock)}", when)

    def full(self, when: datetime) -> str:
        """Print the long date and time of PowerShell's property ``DateTime``."""
        return self.print(f"{self.spelled} {self.clock}", when)

    def print(self, pattern: str, when: datetime) -> str:
        """Print a time by a .NET pattern; letters in single quotes stay as they are."""
        return _SPECIFIER.sub(lambda found: self._part(found[0], when), pattern)

    def _part(self, specifier: str, when: datetime) -> str:
        half = self.am if when.hour < 12 else self.pm
        names = {
            "dddd": self.days.split()[when.weekday()],
            "MMMM": self.months.split()[when.month - 1],
            "tt": half,
        }
        if specifier in names:
            return names[specifier]
        if specifier.startswith("'"):
            return specifier[1:-1]
        number = {
            "y": when.year if len(specifier) > 2 else when.year % 100,
            "M": when.month,
            "d": when.day,
            "h": when.hour % 12 or 12,
            "H": when.hour,
            "m": when.minute,
            "s": when.second,
        }[specifier[0]]
        return f"{number:0{len(specifier)}}"

    def number(self, value: int) -> str:
        """Print a whole number in groups of three digits."""
        return f"{value:,}".replace(",", self.thousands)


_SECONDS: Final = re.compile("[:.]ss")
_SPECIFIER: Final = re.compile(r"yyyy|yy|MMMM|MM|M|dddd|dd|d|HH|H|hh|h|mm|ss|tt|'[^']*'")
_GERMAN_MONTHS: Final = (
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
)
_GERMAN_DAYS: Final = "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"
_SPANISH_MONTHS: Final = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
_SPANISH_DAYS: Final = "lunes martes miércoles jueves viernes sábado domingo"
_RLM: Final = "\u200f"
_NBSP: Final = "\u00a0"
_NARROW: Final = "\u202f"

_CULTURES: Final = (
    Culture(
        name="en-US",
        date="M/d/yyyy",
        clock="h:mm:ss tt",
        am="AM",
        pm="PM",
        spelled="dddd, MMMM d, yyyy",
        separator=",",
        thousands=",",
    ),
    Culture(name="en-GB", date="dd/MM/yyyy", spelled="d MMMM yyyy", separator=",", thousands=","),
    Culture(
        name="de-DE",
        date="dd.MM.yyyy",
        spelled="dddd, d. MMMM yyyy",
        months=_GERMAN_MONTHS,
        days=_GERMAN_DAYS,
    ),
    Culture(
        name="es-CO",
        date="d/MM/yyyy",
        clock="h:mm:ss tt",
        am="a.m.",
        pm="p.m.",
        spelled="dddd, d 'de' MMMM 'de' yyyy",
        months=_SPANISH_MONTHS,
        days=_SPANISH_DAYS,
    ),
    Culture(  # as PowerShell 7 prints it, which takes its patterns from ICU
        name="es-MX",
        date="dd/MM/yyyy",
        clock="hh:mm:ss tt",
        am=f"a.{_NBSP}m.",
        pm=f"p.{_NBSP}m.",
        spelled="dddd, d 'de' MMMM 'de' yyyy",
        months=_SPANISH_MONTHS,
        days=_SPANISH_DAYS,
        separator=",",
        thousands=",",
    ),
    Culture(  # likewise
        name="en-AU",
        date="d/M/yyyy",
        clock=f"h:mm:ss{_NARROW}tt",
        am="AM",
        pm="PM",
        separator=",",
        thousands=",",
    ),
    Culture(name="es-ES", date="dd/MM/yyyy", clock="H:mm:ss"),
    Culture(name="fr-FR", date="dd/MM/yyyy", thousands=_NBSP),
    Culture(name="it-IT", date="dd/MM/yyyy"),
    Culture(name="nl-NL", date="d-M-yyyy"),
    Culture(name="da-DK", date="dd-MM-yyyy"),
    Culture(name="fi-FI", date="d.M.yyyy", clock="H.mm.ss", thousands=_NBSP),
    Culture(name="cs-CZ", date="dd. MM. yyyy", clock="H:mm:ss", thousands=_NBSP),
    Culture(name="ru-RU", date="dd.MM.yyyy", clock="H:mm:ss", thousands=_NBSP),
    Culture(name="sv-SE", date="yyyy-MM-dd", thousands=_NBSP),
    Culture(name="hu-HU", date="yyyy. MM. dd.", clock="H:mm:ss", thousands=_NBSP),
    Culture(
        name="zh-CN",
        date="yyyy/M/d",
        clock="H:mm:ss",
        spelled="yyyy'年'M'月'd'日'",
        separator=",",
        thousands=",",
    ),
    Culture(
        name="ja-JP",
        date="yyyy/MM/dd",
        clock="H:mm:ss",
        spelled="yyyy'年'M'月'd'日'",
        separator=",",
        thousands=",",
    ),
    Culture(
        name="ko-KR",
        date="yyyy-MM-dd",
        clock="tt h:mm:ss",
        am="오전",
        pm="오후",
        spelled="yyyy'년' M'월' d'일'",
        separator=",",
        thousands=",",
    ),
    Culture(
        name="ar-EG",
        date=f"d{_RLM}/M{_RLM}/yyyy",
        clock="h:mm:ss tt",
        am="ص",
        pm="م",
        thousands=",",
    ),
)
CULTURES: Final[Mapping[str, Culture]] = MappingProxyType({one.name: one for one in _CULTURES})
"""Cultures by name: every order of day and month, separator and clock that Windows ships."""
EN_US: Final = CULTURES["en-US"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who ran the command: on which host, with which culture, by which clock."""

    host: str = ""
    culture: Culture = EN_US
    offset: Offset = at_utc


# --- text and bytes -------------------------------------------------------------------------

BOM8: Final = b"\xef\xbb\xbf"
BOM16: Final = b"\xff\xfe"


def encoded(text: str, encoding: str) -> bytes:
    """Encode a text as Windows programs do; what does not fit becomes ``?``.

    Parameters
    ----------
    text
        The whole file.
    encoding
        A Python name. ``"utf-16"`` is little-endian with its mark and ``"utf-8-sig"`` UTF-8 with
        its mark; ``"ascii"`` is what ``Export-Csv`` of PowerShell 5.1 writes by itself.
    """
    if encoding == "utf-16":
        return BOM16 + text.encode("utf-16-le", "replace")
    return text.encode(encoding, "replace")


def one_line(text: str) -> str:
    """Put blanks in place of what a format of lines and tabs cannot hold."""
    return re.sub(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text)


def csv_text(rows: Sequence[Sequence[str]], *, separator: str = ",", type_line: str = "") -> str:
    """Write rows as ``Export-Csv`` does: every cell quoted; the first row is the header.

    Parameters
    ----------
    rows
        Header and rows. PowerShell writes nothing where there is no object, not even a header.
    separator
        Between cells.
    type_line
        The type behind ``#TYPE`` that PowerShell 5.1 writes first; empty for
        ``-NoTypeInformation``.
    """
    if len(rows) < 2:
        return ""
    quoted = (separator.join(f'"{_doubled(cell)}"' for cell in row) + "\r\n" for row in rows)
    return (f"#TYPE {type_line}\r\n" if type_line else "") + "".join(quoted)


def _doubled(cell: str) -> str:
    return cell.replace('"', '""')


def json_51(rows: Sequence[Mapping[str, object]]) -> str:
    r"""Lay out objects as ``ConvertTo-Json`` of Windows PowerShell 5.1 does.

    Two spaces after the colon, deep indents, ``/`` of dates with a backslash before it, markup
    as ``\u003c``. No object gives nothing; one object is no array.
    """
    if not rows:
        return ""
    blocks = [_object_51(row, 4 if len(rows) > 1 else 0) for row in rows]
    if len(blocks) == 1:
        return f"{blocks[0]}\r\n"
    return "[\r\n" + ",\r\n".join(blocks) + "\r\n]\r\n"


def _object_51(row: Mapping[str, object], depth: int) -> str:
    pad = " " * depth
    lines = []
    for name, value in row.items():
        key = f"{pad}    {_string_51(name)}:  "
        inner = isinstance(value, Mapping)
        lines.append(
            key + (_object_51(value, len(key)).lstrip() if inner else _value_51(value))  # type: ignore[arg-type]  # inner says so
        )
    return f"{pad}{{\r\n" + ",\r\n".join(lines) + f"\r\n{pad}}}"


class Verbatim(str):
    """Text that stands in JSON as it is, escaped already."""

    __slots__ = ()


def _value_51(value: object) -> str:
    if isinstance(value, Verbatim):
        return f'"{value}"'
    return _string_51(value) if isinstance(value, str) else json.dumps(value)


_MARKUP: Final = MappingProxyType({mark: f"\\u{mark:04x}" for mark in map(ord, "<>&'")})


def _string_51(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_MARKUP)


def slash_date(when: datetime) -> Verbatim:
    """Return ``/Date(ms)/`` of a UTC time, as the 5.1 serializer escapes it."""
    return Verbatim(rf"\/Date({milliseconds(when)})\/")


def milliseconds(when: datetime) -> int:
    """Return a UTC time as whole milliseconds since 1970."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def json_7(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay out objects as ``ConvertTo-Json`` of PowerShell 7: nothing for none, no array for one."""
    if not rows:
        return ""
    top = rows[0] if len(rows) == 1 else list(rows)
    return json.dumps(top, ensure_ascii=False, indent=2).replace("\n", "\r\n") + "\r\n"


def iso_7(when: datetime) -> str:
    """Print a time as .NET's round-trip form does: fractions only where there are any."""
    fraction = f".{when.microsecond:06}".rstrip("0") if when.microsecond else ""
    return f"{when:%Y-%m-%dT%H:%M:%S}{fraction}"


_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\U00010000-\U0010ffff]|_(?=[xX])")


def xml_string(text: str) -> str:
    """Write a text as Clixml does: control characters and halves of pairs as ``_xHHHH_``."""
    escaped = _CONTROL.sub(_halves, text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _halves(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"_x{units[n]:02X}{units[n + 1]:02X}_" for n in range(0, len(units), 2))


def clixml(objects: Sequence[str]) -> str:
    """Wrap objects of Clixml in its root, which is there even where there is no object."""
    head = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    return f"{head}\r\n" + "".join(f"{one}\r\n" for one in objects) + "</Objs>"


def fixed_width(rows: Sequence[Sequence[str]], *, gap: int) -> list[str]:
    """Pad cells to the width of the widest of their column and `gap` blanks."""
    widths = [max(map(len, column)) + gap for column in zip(*rows, strict=True)]
    return ["".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]


def filetime(when: datetime) -> int:
    """Return a UTC time as 100 ns since 1601."""
    return (when - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
