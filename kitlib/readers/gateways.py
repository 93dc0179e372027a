"""What the gateway-side readers share: meanings from data, and times that claim no more than stated.

`gateways.toml` says which words of which product mean what; `row` turns the cut-up fields of one
line into a row of table `sessions` by it. `local` gives the UTC interval of a clock time whose
offset is known to lie in a range; an instant comes out only where day order, offset and seconds
leave one. `Notes` counts what goes wrong by reason, so that a file of a million bad lines makes
one row of `problems`.

Nothing here knows a file format.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib.readers.dates import UNKNOWN, Order, When, instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST: Final = 4000
"""Characters of a line that are looked at and kept: logs hold no longer ones, attacks do."""

ANYWHERE: Final = (-720, 840)
"""Minutes from UTC that local clocks have: from UTC-12 to UTC+14."""

Fields = dict[str, str]
Row = dict[str, object]


# ------------------------------------------------------------------ meanings


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``[[rule]]`` of ``gateways.toml``: which lines it is for and what they mean."""

    dialect: str
    when: tuple[tuple[str, re.Pattern[str]], ...]
    action: str
    outcome: str
    code: str
    """Field that holds the code."""


@cache
def knowledge() -> Mapping[str, Any]:
    """Return ``gateways.toml`` as it stands."""
    text = (files("kitlib.readers") / "gateways.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def rules(dialect: str) -> tuple[Rule, ...]:
    """Return the rules of a dialect, in the order in which they are tried."""
    return tuple(
        Rule(
            dialect=dialect,
            when=tuple((field, re.compile(regex)) for field, regex in raw["when"].items()),
            action=raw["action"],
            outcome=raw.get("outcome", "unknown"),
            code=raw.get("code", "code"),
        )
        for raw in knowledge()["rule"]
        if raw["dialect"] == dialect
    )


def row(dialect: str, fields: Fields, when: When, message: str, *, columns: str = "") -> Row:
    """Turn the fields of one line into a row of table `sessions`.

    Parameters
    ----------
    dialect
        Whose rules apply.
    fields
        The line, cut up; ``gateway`` names the gateway where the envelope states it.
    when
        Its time.
    message
        The line's own words.
    columns
        Which ``[columns]`` apply, if not those of the dialect.

    Returns
    -------
    dict
        ``action`` is 'other' where no rule fits.
    """
    rule, found = _matched(dialect, fields)
    known = {"gateway": ["gateway"], **knowledge()["columns"][columns or dialect]}
    cells: Row = {name: _first(found, sources) for name, sources in known.items()}
    return {
        **cells,
        **time_cells(when),
        "action": rule.action if rule else "other",
        "outcome": rule.outcome if rule else "unknown",
        "code": _first(found, [rule.code]) if rule else "",
        "message": clean(message),
    }


def means_something(dialect: str, fields: Fields) -> bool:
    """Tell whether a rule of the dialect is for a line with these fields."""
    return _matched(dialect, fields)[0] is not None


def _matched(dialect: str, fields: Fields) -> tuple[Rule | None, Fields]:
    """Return the first rule that fits, and the fields with what its groups caught."""
    for rule in rules(dialect):
        hits = [regex.search(fields.get(field, "")[:LONGEST]) for field, regex in rule.when]
        if all(hits):
            groups = [hit.groupdict("") for hit in hits if hit]
            return rule, fields | {name: value for part in groups for name, value in part.items()}
    return None, fields


def _first(fields: Fields, names: Iterable[str]) -> str:
    """Return the first of the named fields that states something."""
    values = (fields.get(name, "").strip()[:LONGEST] for name in names)
    return next((value for value in values if value not in knowledge()["nothing"]), "")


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def clean(words: str) -> str:
    """Return a line without control characters and of bounded length."""
    return _CONTROL.sub(" ", words[:LONGEST]).strip()


# ------------------------------------------------------------------ times


def time_cells(when: When) -> Row:
    """Return a time as cells of table `sessions`."""
    return {
        "time": when.date,
        "time_low": when.low,
        "time_high": when.high,
        "time_basis": when.basis,
    }


def local(
    readings: Iterable[datetime],
    *,
    offsets: tuple[int, int] = ANYWHERE,
    width: timedelta = timedelta(0),
) -> When:
    """Return the UTC interval of a local clock time.

    Parameters
    ----------
    readings
        The clock times (without zone) that the stamp can mean.
    offsets
        Lowest and highest offset the clock can have had, in minutes from UTC.
    width
        How much later than stated it can be: a minute where seconds are not printed.

    Returns
    -------
    When
        With a stated time only where one reading and one offset are left. `UNKNOWN` if there is
        no reading.

    Examples
    --------
    >>> local([datetime(2022, 1, 12, 9, 30)], offsets=(60, 60)).date
    Timestamp('2022-01-12 08:30:00+0000', tz='UTC')
    """
    every = sorted(set(readings))
    if not every:
        return UNKNOWN
    low, high = (timedelta(minutes=offset) for offset in offsets)
    basis = "offset" if low == high else "local"
    first = utc(every[0] - high)
    if len(every) == 1 and low == high:
        return When(first, first, first + width if width else first, basis)
    return When(None, first, utc(every[-1] - low + width), basis)


def utc(moment: datetime) -> pd.Timestamp:
    """Return a datetime without zone as the UTC time it is."""
    return pd.Timestamp(moment.replace(tzinfo=UTC)).as_unit("ns")


_PRINTED: Final = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4}),?[ T]+"
    r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:\s?([AP])M)?",
    re.IGNORECASE,
)


def printed(value: str, order: Order) -> tuple[list[datetime], timedelta]:
    """Read a printed date with a time of day.

    Parameters
    ----------
    value
        ``10/20/2022 11:27``, with or without seconds and AM or PM.
    order
        What `kitlib.readers.dates.order_of` said about the file.

    Returns
    -------
    tuple
        The clock times it can mean (none if it is no time, two if the order is open), and how
        much later than stated it can have been.
    """
    found = _PRINTED.fullmatch(value.strip())
    if not found:
        return [], timedelta(0)
    first, _, second, third = found.group(1, 2, 3, 4)
    clock = _clock(found)
    days = _days(int(first), int(second), int(third), order)
    width = timedelta(0) if found[7] else timedelta(minutes=1)
    return [made for day in days if (made := moment(*day, *clock))], width


def _clock(found: re.Match[str]) -> tuple[int, int, int, int]:
    hour = int(found[5])
    if found[9]:
        hour = hour % 12 + 12 * (found[9] in "Pp") if 1 <= hour <= 12 else 99
    micro = int((found[8] or "0").ljust(6, "0")[:6])
    return hour, int(found[6]), int(found[7] or 0), micro


def _days(first: int, second: int, third: int, order: Order) -> list[tuple[int, int, int]]:
    if first > 31:
        return [(first, second, third)]
    year = third + 2000 if third < 100 else third
    month_first, day_first = (year, first, second), (year, second, first)
    one = {"month first": [month_first], "day first": [day_first]}
    return one.get(order, [month_first, day_first])


def moment(  # noqa: PLR0913, PLR0917  # the parts of a time
    year: int, month: int, day: int, hour: int, minute: int, second: int, micro: int = 0
) -> datetime | None:
    """Return the clock time if there is such a one and a log could bear it."""
    if not 1990 <= year <= 2100:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001  # local
    except ValueError:
        return None


_NUMERIC: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?")


def zone_offsets(name: str, month: int, *, within: tuple[int, int] = ANYWHERE) -> tuple[int, int]:
    """Return the lowest and highest offset that a zone's abbreviation allows, in minutes.

    Parameters
    ----------
    name
        As printed: ``CDT``, ``+01``, ``GMT+5:30``.
    month
        Of the row: an export names the zone of one half of the year and may hold the other's rows.
    within
        Bounds known from elsewhere; of several offsets those outside are ruled out.

    Returns
    -------
    tuple
        `within` for an abbreviation that the kit does not know.
    """
    numeric = _NUMERIC.fullmatch(name.strip())
    if numeric:
        minutes = int(numeric[2]) * 60 + int(numeric[3] or 0)
        offset = -minutes if numeric[1] == "-" else minutes
        return (offset, offset) if ANYWHERE[0] <= offset <= ANYWHERE[1] else within
    zone = knowledge()["zones"].get(name.strip())
    if zone is None:
        return within
    offsets = list(zone["offsets"])
    if month not in zone.get("sure", [month]):
        offsets += [offset + zone["other"] for offset in offsets]
    left = [offset for offset in offsets if within[0] <= offset <= within[1]] or offsets
    return min(left), max(left)


def epoch(digits: str) -> pd.Timestamp | None:
    """Read a count of seconds, milli-, micro- or nanoseconds since 1970, told by its length."""
    whole, _, fraction = digits.partition(".")
    scale = {10: 9, 13: 6, 16: 3, 19: 0}.get(len(whole))
    if scale is None or not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        return None
    nanoseconds = int(whole) * 10**scale + int((fraction + "0" * scale)[:scale] or "0")
    if nanoseconds >= 2**63:
        return None
    stamp = pd.Timestamp(nanoseconds, unit="ns", tz="UTC")
    return stamp if stamp.year <= 2100 else None


_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?"
)


def iso(value: str) -> When | None:
    """Read ISO 8601; without an offset it is a local time of unknown zone. None if it is no time."""
    found = _ISO.fullmatch(value.strip())
    if not found:
        return None
    made = moment(*(int(found[part]) for part in range(1, 7)))
    if made is None:
        return None
    zone = found[8]
    offset = 0 if zone == "Z" else offset_of(zone or "")
    spent = pd.Timedelta(int((found[7] or "0").ljust(9, "0")), unit="ns")
    if zone and offset is None:
        return None
    when = local([made], offsets=ANYWHERE if offset is None else (offset, offset))
    if when.date is not None:
        return instant(when.date + spent, basis="utc" if zone == "Z" else when.basis)
    low, high = (None if part is None else part + spent for part in (when.low, when.high))
    return When(None, low, high, when.basis)


def offset_of(zone: str) -> int | None:
    """Return the minutes from UTC of ``+0100`` or ``-05:00``, or None."""
    found = re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone)
    if not found:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    offset = -minutes if found[1] == "-" else minutes
    return offset if ANYWHERE[0] <= offset <= ANYWHERE[1] else None


# ------------------------------------------------------------------ problems


class Notes:
    """Problems of one file, counted by reason."""

    def __init__(self, note: str = "") -> None:
        self._found: dict[tuple[str, bool], list[int]] = {}
        if note:
            self.add(note)

    def add(self, reason: str, *, line: int = 0, lost: bool = False) -> None:
        """Note a problem; `lost` says that the line gave no row, `line` 0 that it is the file's."""
        entry = self._found.setdefault((reason, lost), [line, 0])
        entry[1] += 1

    def rows(self) -> list[dict[str, Any]]:
        """Return them as rows of table `problems`, in the order of their first line."""
        return [
            {
                "place": _place(line, count),
                "reason": reason,
                "records_lost": count if lost else 0,
            }
            for (reason, lost), (line, count) in self._found.items()
        ]


def _place(line: int, count: int) -> str:
    if not line:
        return ""
    return f"line {line}" if count == 1 else f"line {line} and {count - 1:,} more"
