"""The tables of the kit: each column's dtype, unit and meaning, in one place.

Everything that passes between modules is a DataFrame of one of these tables. This file
knows nothing of files, of Windows or of any incident.

Names follow the Windows event schema (events), MS-UAMG ``IUpdateHistoryEntry`` (updates),
ECS (``action``, ``outcome``) and epidemiology (``exposure``, ``onset``).
Times are ``datetime64[ns, UTC]``; a derived time has an interval ``*_low`` .. ``*_high`` and a
``*_basis`` that says how it is known (see `BASES`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

TIME: Final = "datetime64[ns, UTC]"
TEXT: Final = "str"
WHOLE: Final = "Int64"
REAL: Final = "float64"
FLAG: Final = "boolean"
ANY: Final = "object"

BASES: Final = ("utc", "offset", "local", "date")
"""How a time is known: stated in UTC, with an offset, in an unknown local zone, or as a day."""

OUTCOMES: Final = ("success", "failure", "cancelled", "unknown")
"""What an attempt or an action ended in; ``cancelled`` counts in no denominator."""

STATUSES: Final = (
    "recovered",
    "workaround_only",
    "pending_reboot",
    "still_failing",
    "unconfirmed",
    "not_affected",
    "no_data",
)
"""A host's state at its last evidence (contract: host status)."""

UPDATE_STATES: Final = (
    "in_effect",
    "contained_in_later",
    "installed",
    "pending_reboot",
    "removed",
    "removed_pending_reboot",
    "not_in_effect",
    "failed",
    "open",
)
"""An update on a host: the last start of Windows shows its revision, or a higher one; listed as
installed where no start can tell; waits for a start; gone; listed, but no start shows it; tried
only; sources that cannot be put in order."""

VERDICTS: Final = ("supported", "not_separable", "no_control", "not_supported", "insufficient")

Columns = Mapping[str, tuple[str, str]]

TABLES: Final[Mapping[str, Columns]] = MappingProxyType(
    {
        "files": {
            "host": (
                TEXT,
                "host named by the records inside, else by the folder; empty if unknown",
            ),
            "path": (TEXT, "path inside the evidence, with '/'"),
            "kind": (TEXT, "format recognised by content, e.g. 'evtx', 'com_history_json'"),
            "sha256": (TEXT, "hash of the content, lower-case hex"),
            "size_bytes": (WHOLE, "size of the file"),
            "records": (WHOLE, "rows read from it"),
            "problems": (WHOLE, "rows in `problems` about it"),
            "first": (TIME, "earliest time inside"),
            "last": (TIME, "latest time inside"),
        },
        "problems": {
            "path": (TEXT, "file that could not be read whole"),
            "place": (
                TEXT,
                "where inside: 'chunk 3', 'record 812', 'line 4', or empty for the file",
            ),
            "reason": (TEXT, "a plain sentence"),
            "records_lost": (WHOLE, "how many records are lost; missing means unknown"),
        },
        "events": {
            "host": (TEXT, "`Computer` of the record, as written"),
            "time_created": (TIME, "`TimeCreated`, 100 ns"),
            "channel": (TEXT, ""),
            "provider": (TEXT, ""),
            "event_id": (WHOLE, ""),
            "version": (WHOLE, ""),
            "level": (WHOLE, "1 critical, 2 error, 3 warning, 4 information, 0 always"),
            "task": (WHOLE, ""),
            "opcode": (WHOLE, ""),
            "keywords": (TEXT, "'0x' and 16 lower-case hex digits"),
            "record_id": (WHOLE, "`EventRecordID`"),
            "process_id": (WHOLE, ""),
            "thread_id": (WHOLE, ""),
            "user_id": (TEXT, "SID of `Security UserID`"),
            "activity_id": (TEXT, "`Correlation ActivityID`, lower case, braces off"),
            "data": (ANY, "payload as dict: see `kitlib.readers.evtx`"),
            "path": (TEXT, "file inside the evidence"),
            "qualifiers": (WHOLE, "`EventID Qualifiers` of classic events"),
        },
        "updates": {
            "host": (TEXT, ""),
            "date": (TIME, "when, as exactly as the source says"),
            "date_low": (TIME, "earliest instant the source allows"),
            "date_high": (TIME, "latest instant the source allows"),
            "date_basis": (TEXT, "one of BASES"),
            "operation": (TEXT, "'install' or 'uninstall'"),
            "result_code": (
                TEXT,
                "'succeeded', 'succeeded_with_errors', 'failed', 'aborted', 'in_progress', 'not_started'",
            ),
            "hresult": (TEXT, "'0x' and 8 lower-case hex digits; empty if none"),
            "title": (TEXT, ""),
            "kb": (TEXT, "'KB' and digits; empty if the source names none"),
            "update_id": (TEXT, "lower-case GUID; empty if none"),
            "client_application_id": (TEXT, ""),
            "source_kind": (TEXT, "reader that made the row"),
            "path": (TEXT, ""),
            "local": (ANY, "what the source says in local time: see `kitlib.readers.dates.When`"),
            "tz_source": (
                TEXT,
                "what told the UTC offset: `clocks.source`; empty where the row does",
            ),
        },
        "sessions": {
            "gateway": (TEXT, "name or address of the gateway, as its log states it"),
            "time": (
                TIME,
                "in UTC, as exactly as the source says; missing where zone, year or day are open",
            ),
            "time_low": (TIME, "earliest instant the source allows"),
            "time_high": (TIME, "latest instant the source allows"),
            "time_basis": (TEXT, "one of BASES; empty if the source leaves the year open"),
            "user": (TEXT, "as the gateway knows the user"),
            "client_address": (TEXT, "address or station the client comes from"),
            "action": (
                TEXT,
                "neutral verb, e.g. 'session_started': `kitlib/readers/gateway/gateways.toml` lists them",
            ),
            "outcome": (TEXT, "one of OUTCOMES; 'unknown' where the row ends nothing"),
            "code": (TEXT, "failure as stated: NPS reason code, IKE notify name, reason in words"),
            "message": (TEXT, "the gateway's own words"),
            "path": (TEXT, ""),
            "logged_by": (TEXT, "machine whose clock it is, where that is not the gateway"),
            "local": (ANY, "what the source says in local time: see `kitlib.readers.dates.When`"),
            "tz_source": (
                TEXT,
                "what told the UTC offset: `clocks.source`; empty where the row does",
            ),
        },
        "clocks": {
            "host": (TEXT, "whose local time is meant"),
            "start": (TIME, "the statement holds from here; missing: at any time"),
            "end": (TIME, "to here, in UTC"),
            "offset_low": (WHOLE, "least offset in minutes east of UTC: local = UTC + offset"),
            "offset_high": (
                WHOLE,
                "greatest offset; equal to the least where it is stated exactly",
            ),
            "source": (TEXT, "what says so, e.g. 'reporting_events', 'cbs_log', 'systeminfo'"),
            "path": (TEXT, ""),
        },
        "timeline": {
            "host": (TEXT, "the machine's name: see `kitlib.hosts.name_hosts`"),
            "time": (TIME, "best estimate"),
            "time_low": (TIME, ""),
            "time_high": (TIME, ""),
            "time_basis": (TEXT, "one of BASES"),
            "action": (
                TEXT,
                "neutral verb of the rule, e.g. 'boot', 'attempt_failed', 'update_installed'",
            ),
            "outcome": (TEXT, "one of OUTCOMES or empty"),
            "code": (TEXT, "error code in its usual notation (decimal for RAS, 0x for HRESULT)"),
            "change": (TEXT, "KB or other change the fact speaks of"),
            "message": (TEXT, "one short sentence made by the kit"),
            "path": (TEXT, ""),
            "record_id": (WHOLE, ""),
            "channel": (TEXT, ""),
            "activity": (
                TEXT,
                "what is attempted, e.g. 'vpn'; empty for facts that are no attempt",
            ),
            "connection": (TEXT, "id that ties the facts of one attempt together"),
            "user": (TEXT, ""),
            "target": (TEXT, "profile, server or product the fact is about"),
            "stage": (TEXT, "how far an attempt has come"),
            "build": (WHOLE, "OS build, on facts that state it"),
            "revision": (WHOLE, "update build revision (UBR), on facts that state it"),
            "tz_source": (
                TEXT,
                "what told the UTC offset, where the record states local time only",
            ),
        },
        "coverage": {
            "host": (TEXT, ""),
            "channel": (TEXT, ""),
            "start": (TIME, "from here on an event would have been seen"),
            "end": (TIME, "up to here"),
            "why_start": (
                TEXT,
                "'log created', 'rolled over', 'cleared', 'gap', 'damaged', or how it was exported",
            ),
            "why_end": (TEXT, "'export', 'gap', 'damaged'"),
            "records": (WHOLE, "records of the channel in the span"),
        },
        "exposure": {
            "host": (TEXT, ""),
            "change": (
                TEXT,
                "KB label where the revision is known to the kit, else 'build.revision'",
            ),
            "start": (TIME, "in effect from; missing: since before the evidence begins"),
            "end": (TIME, "in effect until; missing: still in effect at the last evidence"),
            "start_known_by": (
                TEXT,
                "'boot', '(un)installed event', 'update history', 'before evidence'",
            ),
            "end_known_by": (
                TEXT,
                "'still in effect', 'another version', 'set up anew', else as in start_known_by",
            ),
            "kind": (TEXT, "'update', 'driver', 'application', 'policy', 'other'"),
            "build": (WHOLE, ""),
            "revision": (WHOLE, ""),
            "start_low": (TIME, ""),
            "start_high": (TIME, ""),
            "end_low": (TIME, ""),
            "end_high": (TIME, ""),
            "records": (ANY, "record ids that show it"),
        },
        "update_states": {
            "host": (TEXT, ""),
            "change": (TEXT, "KB label, or the update's own name"),
            "build": (WHOLE, "build of the host's branch in which the change has a revision"),
            "revision": (WHOLE, "that revision"),
            "state": (TEXT, "one of UPDATE_STATES"),
            "time": (TIME, "when it was installed, by the source that dates it best"),
            "time_low": (TIME, ""),
            "time_high": (TIME, ""),
            "agree": (ANY, "channels and dumps that fit the state"),
            "contradict": (ANY, "those that do not"),
            "why": (TEXT, "what each of these says"),
            "records": (ANY, "record ids of all of them"),
        },
        "attempts": {
            "host": (TEXT, ""),
            "user": (TEXT, ""),
            "connection": (TEXT, ""),
            "time": (TIME, "of the first fact of the chain"),
            "outcome": (TEXT, "one of OUTCOMES"),
            "code": (TEXT, "failure code; empty on success"),
            "stage": (TEXT, "last stage reached"),
            "duration": (REAL, "seconds from first to last fact of the attempt"),
            "records": (ANY, "record ids of the chain"),
            "target": (TEXT, "profile or server tried"),
            "episode": (WHOLE, "attempts of one burst share it; bursts count once as evidence"),
        },
        "gateway": {
            "host": (TEXT, ""),
            "user": (TEXT, "as the client knows the user"),
            "connection": (TEXT, "of the attempt"),
            "time": (TIME, "of the attempt, by the client's clock"),
            "outcome": (TEXT, "by the client"),
            "code": (TEXT, "by the client"),
            "seen": (
                TEXT,
                "how far it came there: silent, reached, broke off, negotiated, refused, connected",
            ),
            "by": (TEXT, "what ties the two: 'user' or 'address'; empty where silent"),
            "facts": (WHOLE, "gateway facts tied to the attempt"),
            "gateway_code": (TEXT, "failure as the gateway states it"),
            "client_address": (TEXT, "as the gateway saw it"),
            "gateway": (TEXT, ""),
            "known": (FLAG, "the gateway's log names this user at some time"),
        },
        "outages": {
            "gateway": (TEXT, ""),
            "start": (TIME, "stopped, or its last word before"),
            "end": (TIME, "started again, or its first word after"),
            "why": (TEXT, "'said' by the gateway, or 'silent' while everybody tried in vain"),
        },
        "suspects": {
            "change": (TEXT, "KB label, or product/driver name with version"),
            "kind": (TEXT, "'update', 'driver', 'application', 'policy', 'other'"),
            "rank": (WHOLE, "1 is the most probable"),
            "probability": (REAL, "posterior probability that this change did it, 0..1"),
            "hosts_exposed": (WHOLE, "hosts seen with it in effect"),
            "risk_difference": (REAL, "failure rate exposed minus not exposed, -1..1"),
            "risk_low": (REAL, "lower end of its 90 % interval"),
            "risk_high": (REAL, "upper end of its 90 % interval"),
            "group": (WHOLE, "changes of one group cannot be told apart by this evidence"),
            "first_start": (TIME, "earliest time it was in effect anywhere"),
        },
        "hosts": {
            "host": (TEXT, ""),
            "status": (TEXT, "one of STATUSES"),
            "at_risk": (FLAG, "can fail (again): exposed and not fixed, or only a workaround"),
            "exposed_from": (TIME, "the guilty change in effect from; missing: never seen"),
            "onset": (TIME, "first failure with the symptom under exposure"),
            "recovered_at": (TIME, "first success of the run that confirms recovery"),
            "recovered_by": (TEXT, "'fix', 'uninstall', 'other' or empty"),
            "confidence": (REAL, "probability that the status is right, 0..1"),
            "likelihood_ratio": (
                REAL,
                "of its attempts since: how many times likelier from a working host than a broken one",
            ),
            "residual_high": (REAL, "at most this share of its attempts still fails (95 %), 0..1"),
            "attempts": (WHOLE, "attempts seen, cancelled ones left out"),
            "failures": (WHOLE, "those that ended with one of the symptom's codes while exposed"),
            "hours_lost": (REAL, "user-hours without the service, estimate"),
            "hours_low": (REAL, "lower end of its 90 % interval"),
            "hours_high": (REAL, "upper end of its 90 % interval"),
            "attempts_lost": (
                REAL,
                "sessions the host would have had by its habit, less those had",
            ),
            "attempts_low": (REAL, "lower end of its 90 % interval"),
            "attempts_high": (REAL, "upper end of its 90 % interval"),
            "hours_share": (REAL, "its part in the half-width of the fleet's 90 % interval, hours"),
            "attempts_share": (REAL, "the same of the sessions; such parts add up"),
            "build": (WHOLE, "build at the last evidence"),
            "revision": (WHOLE, "revision at the last evidence"),
            "why": (TEXT, "one sentence: what the status rests on"),
            "records": (ANY, "record ids it rests on"),
        },
    }
)


def empty(table: str) -> pd.DataFrame:
    """Return `table` with its columns and dtypes and no rows."""
    return _empty(table).copy()


@cache
def _empty(table: str) -> pd.DataFrame:
    """Make it once: every file asks for a few of these."""
    return coerce(table, pd.DataFrame({name: pd.Series(dtype=ANY) for name in TABLES[table]}))


def frame(table: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Build a DataFrame of `table` from row mappings; missing keys become missing values.

    Parameters
    ----------
    table
        A key of `TABLES`.
    rows
        One mapping a row. An unknown key is a programming error and raises ``KeyError``.

    Returns
    -------
    pandas.DataFrame
        All columns of the table, in order, with their dtypes.

    Examples
    --------
    >>> frame("problems", [{"path": "a.evtx", "reason": "empty file"}]).shape
    (1, 4)
    """
    columns = TABLES[table]
    materialised = list(rows)
    unknown = {key for row in materialised for key in row} - set(columns)
    if unknown:
        raise KeyError(f"{table} has no column {sorted(unknown)}")
    if not materialised:
        return empty(table)
    return coerce(
        table,
        pd.DataFrame(
            {name: pd.Series([r.get(name) for r in materialised], dtype=ANY) for name in columns}
        ),
    )


def from_columns(table: str, columns: Mapping[str, Sequence[Any]], *, rows: int) -> pd.DataFrame:
    """Build a DataFrame of `table` from whole columns, each in its dtype at once, which is fast.

    Parameters
    ----------
    table
        A key of `TABLES`.
    columns
        Values by column; times as nanoseconds since 1970-01-01 UTC, None for what is missing.
        A column that is not given is missing throughout.
    rows
        How many rows there are.

    Examples
    --------
    >>> from_columns("problems", {"reason": ["cut"]}, rows=1)["reason"].tolist()
    ['cut']
    """
    blank = {TEXT: ("",) * rows}
    made = {
        name: _column(columns.get(name, blank.get(dtype, (None,) * rows)), dtype)
        for name, (dtype, _) in TABLES[table].items()
    }
    return check(table, pd.DataFrame(made))


def _column(values: Sequence[Any], dtype: str) -> pd.Series[Any]:
    if dtype == WHOLE:
        missing = np.fromiter((v is None for v in values), bool, len(values))
        numbers = np.fromiter((v or 0 for v in values), np.int64, len(values))
        return pd.Series(pd.arrays.IntegerArray(numbers, missing))
    if dtype == TIME:
        least = np.iinfo(np.int64).min  # what datetime64 means by "not a time"
        ticks = np.fromiter((least if v is None else v for v in values), np.int64, len(values))
        return pd.Series(ticks.view("datetime64[ns]")).dt.tz_localize("UTC")
    if dtype == ANY:
        column = np.empty(len(values), object)
        column[:] = values
        return pd.Series(column)
    return pd.Series(values, dtype=dtype)


def coerce(table: str, df: pd.DataFrame) -> pd.DataFrame:
    """Give `df` the columns, order and dtypes of `table`; missing text becomes empty."""
    out = {}
    for name, (dtype, _) in TABLES[table].items():
        column = df[name] if name in df else pd.Series([None] * len(df), index=df.index, dtype=ANY)
        out[name] = _cast(column, dtype)
    return pd.DataFrame(out, index=df.index).reset_index(drop=True)


def _cast(column: pd.Series[Any], dtype: str) -> pd.Series[Any]:
    if column.dtype == dtype and not (dtype == TEXT and column.hasnans):
        return column  # thousands of small tables come from the store as they are
    if dtype == TEXT:
        return column.astype(ANY).where(column.notna(), "").astype(TEXT)  # categories have no ""
    if dtype == TIME:
        return pd.to_datetime(column, utc=True, format="ISO8601").astype(TIME)
    if dtype == ANY:
        return column.astype(ANY)
    return column.astype(dtype)  # type: ignore[call-overload,no-any-return]  # dtype is a name


def check(table: str, df: pd.DataFrame) -> pd.DataFrame:
    """Return `df` if it has exactly the columns and dtypes of `table`, else raise ``TypeError``."""
    want = {name: dtype for name, (dtype, _) in TABLES[table].items()}
    got = {str(name): str(dtype) for name, dtype in df.dtypes.items()}
    if got != want:
        wrong = {
            k: (want.get(k), got.get(k))
            for k in want.keys() | got.keys()
            if want.get(k) != got.get(k)
        }
        raise TypeError(f"not a {table} table: column -> (wanted, found): {wrong}")
    return df


def concat(table: str, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Stack frames of one table; an empty list gives the empty table."""
    kept = [part for part in parts if len(part)]
    return coerce(table, pd.concat(kept, ignore_index=True)) if kept else empty(table)
