r"""Update history of the COM interface (`IUpdateSearcher.QueryHistory`) as JSON; rows of all forms.

Two dialects reach us. PowerShell 5.1's own ``QueryHistory | ConvertTo-Json`` writes dates as
``/Date(ms)/``, wrong by the host's UTC offset: COM gives UTC without saying so, and the
serializer takes it for local time. Such a date is an interval, basis ``local``, unless the
``DateTime`` text that PowerShell may print beside it gives the offset away. Everything else
states UTC: our collector (`date_utc`, `update_id`, `hresult` in ISO and hex) and PowerShell 7,
whose bare ISO times are COM's UTC as it was, and the task of Puppet's module wsus_client
(``2022-01-12 03:15:41Z``, codes as words). Where COM's time is printed in the form of a culture,
as in CSV, `printed` reads it: UTC, but day and month in an order that the file has to tell.

`kitlib.readers.updates.com_history_text` and `.com_history_clixml` read the other forms and make their
rows here. Codes come as numbers or as words; `OPERATIONS` and `RESULTS` hold both (MS-UAMG 2.2). Titles are
localized, so only the KB number is taken from them. A cut-off file gives every entry that is
still whole.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.json_objects import into, objects, word
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates.hotfix import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KIND: Final = "com_history_json"

OPERATIONS: Final[Mapping[str, str]] = {
    "1": "install",
    "install": "install",
    "installation": "install",
    "uoinstallation": "install",
    "2": "uninstall",
    "uninstall": "uninstall",
    "uninstallation": "uninstall",
    "uouninstallation": "uninstall",
}
"""UpdateOperation as number, word or enum name, lower case."""

RESULTS: Final[Mapping[str, str]] = {
    "0": "not_started",
    "notstarted": "not_started",
    "1": "in_progress",
    "inprogress": "in_progress",
    "2": "succeeded",
    "succeeded": "succeeded",
    "3": "succeeded_with_errors",
    "succeededwitherrors": "succeeded_with_errors",
    "4": "failed",
    "failed": "failed",
    "5": "aborted",
    "aborted": "aborted",
}
"""OperationResultCode as number or word, lower case, without ``orc`` and blanks."""

_HOSTS: Final = ("host", "hostname", "computername", "pscomputername", "csname")

Entry = dict[str, Any]


def read(data: bytes) -> Parsed:
    """Read a JSON dump of the COM update history.

    Parameters
    ----------
    data
        The whole file: an array, one object, or one object a line, in any encoding.

    Returns
    -------
    Parsed
        `updates`, one row an entry, in the order of the file (newest first as COM gives them);
        `problems` with entries that could not be read and dates that are not sure.
    """
    decoded = text.decode(data)
    problems = noted(decoded)
    entries = list(_entries(decoded.text, problems))
    when = partial(stated, full_day=_counts_to_24(entry for _, entry in entries))
    rows = []
    for place, entry in entries:
        row = row_of(entry, kind=KIND, place=place, problems=problems, when=when)
        if row:
            rows.append(row)
    if not rows and not problems:
        problems.append({"reason": "holds no entry of an update history"})
    local = sum(row["date_basis"] == "local" for row in rows)
    if local:
        problems.append(
            {
                "reason": f"{local} dates were written by PowerShell 5.1, which takes the host's UTC "
                "offset, not stated here, from COM's UTC",
                "records_lost": 0,
            }
        )
    return parsed(updates=schema.frame("updates", rows), problems=problems)


def noted(decoded: text.Text) -> Remarks:
    """Begin the problems of a file with what its decoding says."""
    problems = Remarks()
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    return problems


def _entries(whole: str, problems: list[dict[str, Any]]) -> Iterator[tuple[str, Entry]]:
    for place, found in objects(whole, into(problems)):
        yield place, named(found)


def named(found: Mapping[str, Any]) -> Entry:
    """Return an entry with its keys in lower case and without underscores and blanks."""
    return {re.sub(r"[\s_]", "", str(key)).lower(): value for key, value in found.items()}


def row_of(
    entry: Entry,
    *,
    kind: str,
    place: str,
    problems: list[dict[str, Any]],
    when: Callable[[object], dates.When | None] | None = None,
) -> dict[str, Any] | None:
    """Make the row of table `updates` of an entry of the history.

    Parameters
    ----------
    entry
        Its properties, named as `named` does it.
    kind
        For `source_kind`.
    place
        Where it stands, for `problems`.
    problems
        Takes what is not known of it.
    when
        Reads its date; `stated` if not given.

    Returns
    -------
    dict or None
        None for an entry without title and date: COM has such empty ones, and they say nothing.
    """
    title = word(entry.get("title"))
    stamp = entry.get("dateutc") or entry.get("date")
    if not title and not stamp:
        problems.append({"place": place, "reason": "an empty entry", "records_lost": 0})
        return None
    moment = (when or stated)(stamp)
    operation = operation_of(entry.get("operation"))
    result = result_of(entry.get("resultcode"))
    for name, value, read_as in (
        ("date", stamp, moment),
        ("operation", entry.get("operation"), operation),
        ("result code", entry.get("resultcode"), result),
    ):
        if not read_as:
            reason = f"{name} {str(value)[:40]!r} is not known: left open"
            problems.append({"place": place, "reason": reason, "records_lost": 0})
    return {
        "host": host_of({name: word(entry.get(name)) for name in _HOSTS}, _HOSTS),
        **(moment or dates.UNKNOWN).cells(),
        "operation": operation,
        "result_code": result,
        "hresult": hresult_of(entry.get("hresult")),
        "title": title,
        "kb": text.kb_of(title),
        "update_id": _update_id(entry),
        "client_application_id": _client(entry),
        "source_kind": kind,
    }


def operation_of(value: object) -> str:
    """Return ``install`` or ``uninstall`` for an UpdateOperation in any form; empty if unknown."""
    return OPERATIONS.get(_key(value), "")


def result_of(value: object) -> str:
    """Return the `result_code` of table `updates` for an OperationResultCode in any form."""
    return RESULTS.get(_key(value).removeprefix("orc"), "")


def _key(value: object) -> str:
    return re.sub(r"[\s_]", "", str(value)).lower()


def _client(entry: Entry) -> str:
    names = ("clientapplicationid", "client", "clientappid")
    return next(filter(None, (word(entry.get(name)) for name in names)), "")


def _update_id(entry: Entry) -> str:
    return id_of(entry.get("updateid") or entry.get("updateidentity"))


def id_of(identity: object) -> str:
    """Return the GUID of an update, given as text or as its identity; empty if there is none."""
    nested = named(identity).get("updateid") if isinstance(identity, dict) else identity
    value = word(nested).strip("{}").lower()
    return value if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) else ""


def hresult_of(value: object) -> str:
    """Give a code as '0x' and 8 digits; COM's is a signed number, the collector's is hex."""
    try:
        number = int(str(value).strip(), 0)
    except ValueError:
        return ""
    return f"0x{number & 0xFFFFFFFF:08x}"


_DATE: Final = re.compile(r"/Date\((-?\d{1,15})\)/")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?")
_ZONE: Final = re.compile(r"\s?(Z|UTC|[+-]\d\d:?\d\d)$")


def stated(stamp: object, *, full_day: bool = False) -> dates.When | None:
    """Read a date that needs no order of day and month: ISO 8601, ``/Date(ms)/``, seconds.

    Parameters
    ----------
    stamp
        Text, or the object that PowerShell 5.1 makes of some dates.
    full_day
        Whether the hours of the file are known to count to 24.

    Returns
    -------
    When or None
        ISO 8601 without a zone is UTC, as COM's dates are. None if it is none of these.
    """
    if isinstance(stamp, dict):
        return _described(stamp, full_day=full_day)
    text_form = str(stamp).strip()
    written = _DATE.fullmatch(text_form)
    if written:
        moment = milliseconds(int(written[1]))
        return dates.shifted(moment) if moment is not None else None
    if re.fullmatch(r"\d{9,10}", text_form):  # seconds since 1970: osquery, which knows it is UTC
        moment = milliseconds(int(text_form) * 1000)
        return dates.instant(moment) if moment is not None else None
    return _iso(text_form)


def printed(stamp: object, order: dates.Order) -> dates.When | None:
    """Read COM's date in whatever form: as `stated`, or printed in the form of a culture.

    Parameters
    ----------
    stamp
        ``1/12/2022 3:15:41 AM`` or what `stated` reads.
    order
        What `kitlib.readers.dates.order_in_time` said about the file.

    Returns
    -------
    When or None
        Basis ``utc``, no offset involved; where the order is open, the span of both readings.
    """
    return stated(stamp) or in_utc(dates.read_local(str(stamp or ""), order))


def in_utc(when: dates.When | None) -> dates.When | None:
    """Return what `kitlib.readers.dates` read as local time of an unknown zone, as UTC.

    Where the order of day and month is open, the readings are kept for other files to decide.
    """
    if when is None or when.low is None or when.high is None:
        return None
    local = when.local if when.local and "month first" in when.local else None
    kept = {**local, "offsets": [0, 0]} if local else None
    return dates.When(when.date, when.low + dates.EAST, when.high - dates.WEST, "utc", kept)


def milliseconds(count: int) -> pd.Timestamp | None:
    """Return the UTC time so many milliseconds after 1970; None if Windows cannot have meant it."""
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=count)
    except OverflowError:
        return None
    return pd.Timestamp(moment).as_unit("ns") if 1990 <= moment.year <= 2100 else None


def _iso(stamp: str) -> dates.When | None:
    """Read ISO 8601; without a zone it is UTC, because COM's dates are."""
    zone = _ZONE.search(stamp)
    bare = stamp[: zone.start()] if zone else stamp
    if not _ISO.fullmatch(bare):
        return None
    stated = zone[1] if zone and zone[1] != "UTC" else "Z"
    try:
        moment = pd.Timestamp(f"{bare.replace(' ', 'T')}{stated}").tz_convert("UTC").as_unit("ns")
    except ValueError:
        return None
    return dates.instant(moment, basis="utc" if stated == "Z" else "offset")


def _described(stamp: Mapping[str, Any], *, full_day: bool) -> dates.When | None:
    """Read the object form ``{"value": "/Date(ms)/", "DateTime": "..."}``.

    The text is the COM time as it was, so text minus value is the host's offset. It is localized;
    the clock time and the day of the month in it are enough, where they leave one offset only.
    An hour up to 12 without AM or PM may have another word for them, unless `full_day`.
    """
    shifted = stated(stamp.get("value"))
    if shifted is None or shifted.date is None or shifted.basis != "local":
        return shifted
    truths = _truths(shifted.date, str(stamp.get("DateTime", "")), full_day=full_day)
    return dates.instant(truths[0]) if len(truths) == 1 else shifted


_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:\s?([AP])\.?M\.?)?", re.IGNORECASE)


def _counts_to_24(entries: Iterable[Entry]) -> bool:
    """Tell whether an hour of a file, printed without AM and PM, is none of a half day."""
    texts = (entry.get("date") for entry in entries)
    clocks = (
        _CLOCK.search(str(text.get("DateTime", ""))) for text in texts if isinstance(text, dict)
    )
    return any(clock and not clock[4] and not 1 <= int(clock[1]) <= 12 for clock in clocks)


def _truths(written: pd.Timestamp, printed: str, *, full_day: bool) -> list[pd.Timestamp]:
    """List the UTC times that the printed text allows, at offsets of whole quarter-hours."""
    clock = _CLOCK.search(printed)
    if not clock:
        return []
    numbers = {int(digits) for digits in re.findall(r"\d+", printed[: clock.start()])}
    shown = [(hour, int(clock[2]), int(clock[3])) for hour in _hours(clock, full_day=full_day)]
    quarters = range(-48, 57)
    candidates = (written + pd.Timedelta(minutes=15 * quarter) for quarter in quarters)
    return [
        moment
        for moment in candidates
        if (moment.hour, moment.minute, moment.second) in shown
        and {moment.day, moment.year} <= numbers
    ]


def _hours(clock: re.Match[str], *, full_day: bool) -> list[int]:
    hour = int(clock[1])
    if clock[4]:
        return [hour % 12 + 12 * (clock[4] in "Pp")]
    return [hour] if full_day or not 1 <= hour <= 12 else [hour % 12, hour % 12 + 12]
