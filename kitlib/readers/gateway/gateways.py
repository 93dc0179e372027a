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
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib.readers import dates, iso
from kitlib.readers.dates import UNKNOWN, Order, When, open_wall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LONGEST: Final = 4000
"""Characters of a line that are looked at and kept: logs hold no longer ones, attacks do."""

ANYWHERE: Final = (iso.LEAST, iso.MOST)
"""Minutes from UTC that local clocks have."""

Fields = dict[str, str]
Row = dict[str, Any]


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
    text = (files("kitlib.readers.gateway") / "gateways.toml").read_text("utf-8")
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
    known = {"gateway": ["gateway"], **knowledge()["columns"][columns or dialect]}
    return row_by(rules(dialect), known, fields, when, message)


def row_by(
    tried: Sequence[Rule],
    columns: Mapping[str, Iterable[str]],
    fields: Fields,
    when: When,
    message: str,
) -> Row:
    """Turn the fields of one line into a row of table `sessions` by rules and columns; see `row`."""
    rule, found = matched(tried, fields)
    cells: Row = {name: _first(found, sources) for name, sources in columns.items()}
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
    return matched(rules(dialect), fields)[0] is not None


def matched(tried: Iterable[Rule], fields: Fields) -> tuple[Rule | None, Fields]:
    """Return the first rule that fits, and the fields with what its groups caught."""
    for rule in tried:
        hits = [regex.search(fields.get(field, "")[:LONGEST]) for field, regex in rule.when]
        if all(hits):
            groups = [hit.groupdict("") for hit in hits if hit]
            return rule, fields | {name: value for part in groups for name, value in part.items()}
    return None, fields


def _first(fields: Fields, names: Iterable[str]) -> str:
    """Return the first of the named fields that states something."""
    values = (clean(fields.get(name, "")) for name in names)
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
        "local": when.local,
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
    first = utc(every[0] - high)
    if len(every) == 1 and low == high:
        return When(first, first, first + width if width else first, "offset")
    open_time = open_wall({"readings": every}, width=width, offsets=(low, high))
    if low != high:
        return replace(open_time, date=None)
    # Two days at one known offset: nothing another file says about the zone would narrow it.
    return When(None, open_time.low, open_time.high, "offset")


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
    found = dates.wall((year, month, day, hour, minute, second))
    return found.replace(tzinfo=None, microsecond=micro) if found else None


_NUMERIC: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?")


def zone_offsets(name: str, month: int) -> tuple[int, int]:
    """Return the lowest and highest offset that a zone's abbreviation allows, in minutes.

    Parameters
    ----------
    name
        As printed: ``CDT``, ``+01``, ``GMT+5:30``.
    month
        Of the row: an export names the zone of one half of the year and may hold the other's rows.

    Returns
    -------
    tuple
        `ANYWHERE` for an abbreviation that the kit does not know.
    """
    numeric = _NUMERIC.fullmatch(name.strip())
    if numeric:
        minutes = int(numeric[2]) * 60 + int(numeric[3] or 0)
        offset = -minutes if numeric[1] == "-" else minutes
        return (offset, offset) if ANYWHERE[0] <= offset <= ANYWHERE[1] else ANYWHERE
    zone = knowledge()["zones"].get(name.strip())
    if zone is None:
        return ANYWHERE
    offsets = list(zone["offsets"])
    if month not in zone.get("sure", [month]):
        offsets += [offset + zone["other"] for offset in offsets]
    return min(offsets), max(offsets)


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


def order_in_time(stamps: Iterable[str]) -> Order:
    """Decide whether the day or the month stands first in a log, which runs in the order of time.

    Parameters
    ----------
    stamps
        Dates with times of day as printed, in the order of the file. One a day is looked at.
    """
    days = groupby(stamps, key=lambda stamp: stamp.split(" ", 1)[0])
    return dates.order_in_time(next(same) for _, same in days)


# ------------------------------------------------------------------ lines and problems


_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")


def lines(whole: str, notes: Notes | None = None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a log that hold anything, with their numbers from 1.

    Only line feeds and carriage returns end a line: ``str.splitlines`` would also break it at the
    separators that Unicode has, which stand in names. One longer than `LONGEST` is noted, because
    no more than that of it is kept.
    """
    for number, line in enumerate(_LINE_ENDS.split(whole), 1):
        if notes and len(line) > LONGEST:
            notes.add(TOO_LONG, line=number)
        if line.strip():
            yield number, line


TOO_LONG: Final = f"longer than {LONGEST:,} characters: what stands behind is not kept"


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
