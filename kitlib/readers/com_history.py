r"""Update history of the COM interface (`IUpdateSearcher.QueryHistory`) as JSON.

Two dialects reach us. PowerShell 5.1's own ``QueryHistory | ConvertTo-Json`` writes dates as
``/Date(ms)/``, wrong by the host's UTC offset: COM gives UTC without saying so, and the
serializer takes it for local time. Such a date is an interval, basis ``local``, unless the
``DateTime`` text that PowerShell may print beside it gives the offset away. Everything else
states UTC: our collector (`date_utc`, `update_id`, `hresult` in ISO and hex) and PowerShell 7,
whose bare ISO times are COM's UTC as it was.

Codes come as numbers or as words; `OPERATIONS` and `RESULTS` hold both (MS-UAMG 2.2). Titles are
localized, so only the KB number is taken from them. A cut-off file gives every entry that is
still whole.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.readers import dates, text
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.hotfix import host_of
from kitlib.readers.json_rows import objects, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

_OPERATION: Final = re.compile(r'"operation"\s*:', re.IGNORECASE)
_RESULT: Final = re.compile(r'"result_?code"\s*:', re.IGNORECASE)
_HOSTS: Final = ("host", "hostname", "computername", "pscomputername", "csname")

Entry = dict[str, Any]


def sniff(head: bytes) -> bool:
    """Tell it by the two keys that only an update history has together."""
    start = text.decode(head, partial=True).text.lstrip()
    return (
        start[:1] in ("[", "{")
        and _OPERATION.search(start) is not None
        and _RESULT.search(start) is not None
    )


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
    problems: list[dict[str, Any]] = []
    if decoded.note:
        problems.append({"reason": decoded.note, "records_lost": 0})
    rows = []
    for number, entry in enumerate(_entries(decoded.text, problems), 1):
        row = _row(entry, f"entry {number}", problems)
        if row:
            rows.append(row)
    local = sum(row["date_basis"] == "local" for row in rows)
    if local:
        problems.append(
            {
                "reason": f"{local} dates were written by PowerShell 5.1, which shifts them by the "
                "host's UTC offset: each is given as the span of all offsets",
                "records_lost": 0,
            }
        )
    return parsed(updates=schema.frame("updates", rows), problems=problems)


def _entries(whole: str, problems: list[dict[str, Any]]) -> Iterator[Entry]:
    """Give every entry with its keys in lower case and without underscores."""
    for found in objects(whole, _RESULT, problems):
        if isinstance(found, dict):
            yield {str(key).lower().replace("_", ""): value for key, value in found.items()}
        elif found is not None:
            problems.append({"reason": "an entry is no JSON object", "records_lost": 1})


def _row(entry: Entry, place: str, problems: list[dict[str, Any]]) -> dict[str, Any] | None:
    title = word(entry.get("title"))
    stamp = entry.get("dateutc") or entry.get("date")
    if not title and not stamp:
        # COM has such empty entries of its own; they say nothing.
        problems.append({"place": place, "reason": "an empty entry", "records_lost": 0})
        return None
    when = _when(stamp)
    operation = operation_of(entry.get("operation"))
    result = result_of(entry.get("resultcode"))
    for name, value, read_as in (
        ("date", stamp, when),
        ("operation", entry.get("operation"), operation),
        ("result code", entry.get("resultcode"), result),
    ):
        if not read_as:
            reason = f"{name} {str(value)[:40]!r} is not known: left open"
            problems.append({"place": place, "reason": reason, "records_lost": 0})
    return {
        "host": host_of({name: word(entry.get(name)) for name in _HOSTS}, _HOSTS),
        **(when or dates.UNKNOWN).cells(),
        "operation": operation,
        "result_code": result,
        "hresult": hresult_of(entry.get("hresult")),
        "title": title,
        "kb": text.kb_of(title),
        "update_id": _update_id(entry),
        "client_application_id": _client(entry),
        "source_kind": KIND,
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
    identity = entry.get("updateidentity")
    nested = identity.get("UpdateID") if isinstance(identity, dict) else None
    value = word(entry.get("updateid") or nested).strip("{}").lower()
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


def _when(stamp: object) -> dates.When | None:
    if isinstance(stamp, dict):
        return _described(stamp)
    text_form = str(stamp).strip()
    written = _DATE.fullmatch(text_form)
    if written:
        moment = _milliseconds(int(written[1]))
        return dates.shifted(moment) if moment is not None else None
    if re.fullmatch(r"\d{9,10}", text_form):  # seconds since 1970: osquery, which knows it is UTC
        moment = _milliseconds(int(text_form) * 1000)
        return dates.instant(moment) if moment is not None else None
    return _iso(text_form)


def _milliseconds(count: int) -> pd.Timestamp | None:
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


def _described(stamp: Mapping[str, Any]) -> dates.When | None:
    """Read the object form ``{"value": "/Date(ms)/", "DateTime": "..."}``.

    The text is the COM time as it was, so text minus value is the host's offset. It is localized;
    the clock time and the day of the month in it are enough, where they leave one offset only.
    """
    shifted = _when(stamp.get("value"))
    if shifted is None or shifted.date is None or shifted.basis != "local":
        return shifted
    truths = _truths(shifted.date, str(stamp.get("DateTime", "")))
    return dates.instant(truths[0]) if len(truths) == 1 else shifted


_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:\s?([AP])\.?M\.?)?", re.IGNORECASE)


def _truths(written: pd.Timestamp, printed: str) -> list[pd.Timestamp]:
    """List the UTC times that the printed text allows, at offsets of whole quarter-hours."""
    clock = _CLOCK.search(printed)
    if not clock:
        return []
    numbers = {int(digits) for digits in re.findall(r"\d+", printed[: clock.start()])}
    hour = int(clock[1]) % 12 + 12 * (clock[4] in "Pp") if clock[4] else int(clock[1])
    quarters = range(-48, 57)
    candidates = (written + pd.Timedelta(minutes=15 * quarter) for quarter in quarters)
    return [
        moment
        for moment in candidates
        if (moment.hour, moment.minute, moment.second) == (hour, int(clock[2]), int(clock[3]))
        and {moment.day, moment.year} <= numbers
    ]
