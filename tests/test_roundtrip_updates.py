"""Every dialect of update history the kit writes is read back whole, and no time is guessed.

Histories are made up, written in a dialect, a culture and an encoding, and read by whichever reader
the registry chooses. What the format can keep must come back as it was; what it cannot keep must
be missing; the true instant must lie in the interval of its row, whatever the host's offset and
the order of day and month, which the file may leave open.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kitlib import readers, schema
from kitlib.readers import dates
from kitlib.readers.updates import cbs
from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.dumps import to_universal
from kitlib.simulate.update_dumps import CULTURES, Culture, Item, Machine, Session

if TYPE_CHECKING:
    from collections.abc import Callable

MODEST = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOST = "WS0001"
TIMES = {"date", "date_low", "date_high", "date_basis", "local", "tz_source", "path"}
KEPT = [name for name in schema.TABLES["updates"] if name not in TIMES]
RESULTS = {
    0: "not_started",
    1: "in_progress",
    2: "succeeded",
    3: "succeeded_with_errors",
    4: "failed",
    5: "aborted",
}
OPERATIONS = {1: "install", 2: "uninstall"}


# ------------------------------------------------------------------ what is made up


class Clock(NamedTuple):
    """A host's clock: minutes ahead of UTC, and some more between two months of each year."""

    base: int = 0
    more: int = 0
    first: int = 4
    last: int = 9

    def __call__(self, when: datetime) -> int:
        inside = self.first <= when.month <= self.last
        if self.first > self.last:  # summer in the south
            inside = when.month >= self.first or when.month <= self.last
        return self.base + (self.more if inside else 0)


CLOCKS = st.builds(
    Clock,
    base=st.integers(-48, 52).map(lambda quarters: 15 * quarters),
    more=st.sampled_from([0, 30, 60]),
    first=st.sampled_from([3, 4, 10]),
    last=st.sampled_from([3, 4, 9, 10]),
)
ANY_TIME = st.datetimes(datetime(1991, 1, 1), datetime(2099, 12, 29)).map(  # mapped
    lambda naive: naive.replace(tzinfo=UTC)
)
EARLY_DAYS = ANY_TIME.map(lambda when: when.replace(day=(when.day - 1) % 11 + 2, hour=12))
HOSTILE = (
    ', "quoted", ',
    "a;b\tc",
    "two\nlines",
    "two\r\nmore",
    "<b>&amp;</b>'",
    "=1+cmd|'/c calc'!A0",
    '{"hotfixid": 1, "Operation": 2}',
    "\\/Date(1)\\/ _x000A_ \\u0041",
    "\u202e\u05d0\u05d1 \u0627\u0644",
    "\U0001f4a5\U00020000",
    "x\u2028y\x85z\x0b\x1cw",
    "1/2/2022 3:04",
    "systèmes für 累積",
)
PLAIN = st.text(
    st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="\0"), max_size=12
)
HOSTILE_TEXT = st.one_of(st.sampled_from(HOSTILE), PLAIN).filter(
    lambda text: not re.search(r"KB ?\d", text, re.IGNORECASE)
)
# Without characters that end a line for Python only: see the end of this file.
QUOTED_TEXT = HOSTILE_TEXT.filter(
    lambda text: not re.search(r"[\v\f\x1c-\x1e\x85\u2028\u2029]", text)
)
TAME_TEXT = st.sampled_from(
    ["Update", "Security Update", "Hotfix", "Mise à jour", "تحديث \U0001f4a5"]
)
GUIDS = st.uuids().map(str)
EITHER = st.booleans()
NUMBERS = st.integers(1_000_000, 9_999_999)


@st.composite
def histories(
    draw,
    *,
    times=ANY_TIME,
    text=HOSTILE_TEXT,
    results=(0, 1, 2, 3, 4, 5),
    least: int = 0,
    dated=EITHER,
    package: str = "Package_for_KB{number}~31bf3856ad364e35~amd64~~19041.{n}.1.0",
):
    """A history, newest first as COM gives it."""
    close = draw(st.booleans())
    moments = draw(st.lists(times, min_size=least, max_size=5))
    if close and moments:  # days apart and not decades
        spread = draw(st.lists(st.integers(0, 60 * 24 * 60), max_size=4))
        moments = [moments[0], *(moments[0] + timedelta(minutes=one) for one in spread)]
        moments = [one for one in moments if one.year < 2100]
    items = []
    for n, when in enumerate(sorted(moments, reverse=True)):
        number, result = draw(NUMBERS), draw(st.sampled_from(results))
        codes = st.integers(-(2**31), -1) if result in {4, 5} else st.integers(0, 2**31 - 1)
        before, after = draw(text), draw(text)
        items.append(
            Item(
                time=when,
                kb=f"KB{number}",
                title=f"{before} (KB{number}) {after}",
                operation=draw(st.sampled_from([1, 2])),
                result=result,
                hresult=draw(st.one_of(st.just(-1 if result in {4, 5} else 0), codes)),
                update_id=draw(GUIDS),
                kind=draw(text),
                by=draw(st.sampled_from(["NT AUTHORITY\\SYSTEM", "WS\\Администратор", "O'Brien"])),
                dated=draw(dated),
                package=package.format(number=number, n=n),
            )
        )
    return items


# Windows offers these to a user of its English; some countries have them by default.
SHORT_YEARS = [
    Culture(name=pattern, date=pattern)
    for pattern in ("M/d/yy", "dd/MM/yy", "yy/MM/dd", "dd-MM-yy", "yy.MM.dd", "dd.MM.yy")
]
SESSIONS = st.builds(
    Session,
    host=st.just(HOST),
    culture=st.sampled_from([*CULTURES.values(), *SHORT_YEARS]),
    offset=CLOCKS,
)
# What stands for AM and PM in these is not understood by the reader of 5.1's JSON: see below.
CLEAR = st.builds(
    Session,
    host=st.just(HOST),
    culture=st.sampled_from(
        [one for one in CULTURES.values() if one.name not in {"es-MX", "ko-KR", "ar-EG"}]
    ),
    offset=CLOCKS,
)


# ------------------------------------------------------------------ what must come back


def read(data: bytes, kind: str) -> readers.Parsed:
    """Read by whichever reader takes the file; one that none takes must hold nothing."""
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    if reader is None:
        return readers.parsed()
    assert reader.kind == kind
    got = reader.read(data)
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    return got


def lost(got: readers.Parsed) -> int:
    return int(got.problems["records_lost"].fillna(0).sum())


def through(text: str, encoding: str) -> str:
    """What is left of a text in a cell: what the encoding holds, without blanks around it."""
    held = text.encode("ascii", "replace").decode() if encoding == "ascii" else text
    return held.strip()


def expect(got: readers.Parsed, rows: list[dict[str, object]]) -> None:
    """Compare everything but times: no row more, none less, and none said to be lost."""
    want = schema.frame("updates", rows)
    pd.testing.assert_frame_equal(got.updates[KEPT], want[KEPT])
    assert lost(got) == 0


def contained(got: readers.Parsed, truths: list[datetime | None], unit: str) -> None:
    """Hold the truth (cut to what is printed) in every interval, and to it where it is exact."""
    reasons = " ".join(got.problems["reason"])
    for truth, (_, row) in zip(truths, got.updates.iterrows(), strict=True):
        if truth is None:
            assert pd.isna(row["date"])
            assert pd.isna(row["date_low"])
            continue
        moment = pd.Timestamp(truth).as_unit("ns").floor(unit)
        if pd.isna(row["date_low"]):
            assert "unknown" in reasons
            continue
        assert row["date_low"] <= moment <= row["date_high"]
        if row["date_low"] == row["date_high"] or row["date_basis"] == "offset":
            assert row["date"] == moment == row["date_low"] == row["date_high"]


def exact(got: readers.Parsed) -> bool:
    rows = got.updates
    return bool(
        (rows["date_basis"] == "utc").all() and (rows["date_low"] == rows["date_high"]).all()
    )


def qfe(item: Item, encoding: str = "utf-8", kind: str = "get_hotfix") -> dict[str, object]:
    return {
        "host": HOST,
        "operation": "install",
        "result_code": "succeeded",
        "title": through(item.kind, encoding),
        "kb": item.kb,
        "source_kind": kind,
    }


def entry(item: Item, kind: str, encoding: str = "utf-8", **kept: object) -> dict[str, object]:
    return {
        "operation": OPERATIONS[item.operation],
        "result_code": RESULTS[item.result],
        "title": through(item.title, encoding),
        "kb": item.kb,
        "source_kind": kind,
    } | kept


def flat(text: str) -> str:
    """What is left of a text where lines and tabs have a meaning."""
    return re.sub(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text).strip()


def code(item: Item) -> str:
    return f"0x{item.hresult & 0xFFFFFFFF:08x}"


def days(items: list[Item]) -> list[datetime | None]:
    return [item.time if item.dated else None for item in items]


def times(items: list[Item]) -> list[datetime]:
    return [item.time for item in items]


TEXTS = ("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le")


# ------------------------------------------------------------------ the hotfix inventory


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS),
    separator=st.sampled_from([",", ";", "\t"]),
    type_line=st.booleans(),
)
def test_get_hotfix_csv_comes_back_in_every_culture(items, session, encoding, separator, type_line):
    data = dumps.hotfix_csv(
        items, session, encoding=encoding, separator=separator, type_line=type_line
    )
    got = read(data, "get_hotfix")
    expect(got, [qfe(item, encoding) for item in items])
    contained(got, days(items), "us")


@MODEST
@given(items=histories(text=TAME_TEXT), session=SESSIONS, encoding=st.sampled_from(TEXTS[1:]))
def test_get_hotfix_table_comes_back_in_every_culture(items, session, encoding):
    got = read(dumps.hotfix_table(items, session, encoding=encoding), "get_hotfix")
    expect(got, [qfe(item) for item in items])
    contained(got, days(items), "us")


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    form=st.sampled_from(["5.1", "5.1 bare", "7", "clixml"]),
)
def test_get_hotfix_objects_come_back_from_json_and_clixml(items, session, encoding, form):
    if form == "7":
        data = dumps.hotfix_json_7(items, session, encoding=encoding)
    elif form == "clixml":
        data = dumps.hotfix_clixml(items, session, encoding=encoding)
    else:
        described = form == "5.1"
        data = dumps.hotfix_json_51(items, session, encoding=encoding, described=described)
    kind = "get_hotfix_clixml" if form == "clixml" else "get_hotfix_json"
    got = read(data, kind)
    expect(got, [qfe(item, kind=kind) for item in items])
    contained(got, days(items), "us")


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    form=st.sampled_from([dumps.wmic_csv, dumps.wmic_table, dumps.wmic_list]),
    old=st.booleans(),
    line_end=st.sampled_from(["\r\n", "\r\r\n"]),
)
def test_wmic_comes_back_in_every_form(items, session, encoding, form, old, line_end):
    data = form(items, session, encoding=encoding, old=old, line_end=line_end)
    got = read(data, "wmic_qfe")
    expect(got, [qfe(item, kind="wmic_qfe") for item in items])
    contained(got, days(items), "us")
    assert set(got.updates["date_basis"]) <= {"utc" if old else "date", ""}


@MODEST
@given(items=histories(), session=SESSIONS, old=st.booleans())
def test_osquery_patches_come_back(items, session, old):
    got = read(dumps.osquery_patches(items, session, old=old), "osquery_patches")
    expect(got, [qfe(item, kind="osquery_patches") for item in items])
    contained(got, days(items), "us")


# ------------------------------------------------------------------ the agent's history


@MODEST
@given(
    items=histories(),
    session=CLEAR,
    encoding=st.sampled_from(TEXTS[1:]),
    described=st.booleans(),
    nested=st.booleans(),
)
def test_com_json_of_powershell_5_holds_the_truth(items, session, encoding, described, nested):
    data = dumps.com_json_51(items, session, encoding=encoding, described=described, nested=nested)
    got = read(data, "com_history_json")
    expect(got, [com(item, "com_history_json", nested=nested) for item in items])
    contained(got, times(items), "ms")


def com(item: Item, kind: str, *, nested: bool = True, encoding: str = "utf-8"):
    return entry(
        item,
        kind,
        encoding,
        hresult=code(item),
        update_id=item.update_id if nested else "",
        client_application_id=item.client,
    )


@MODEST
@given(items=histories(), encoding=st.sampled_from(TEXTS[1:]), nested=st.booleans())
def test_com_json_of_powershell_7_is_exact(items, encoding, nested):
    got = read(dumps.com_json_7(items, encoding=encoding, nested=nested), "com_history_json")
    expect(got, [com(item, "com_history_json", nested=nested) for item in items])
    contained(got, times(items), "us")
    assert exact(got)


@MODEST
@given(items=histories(), encoding=st.sampled_from(TEXTS[1:]), named=st.booleans())
def test_the_collectors_json_is_exact(items, encoding, named):
    session = Session(host=HOST if named else "")
    got = read(dumps.collector_json(items, session, encoding=encoding), "com_history_json")
    kept = [
        entry(
            item,
            "com_history_json",
            host=session.host,
            hresult=code(item),
            update_id=item.update_id,
        )
        for item in items
    ]
    expect(got, kept)
    contained(got, times(items), "us")
    assert exact(got)


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS),
    separator=st.sampled_from([",", ";", "\t"]),
    type_line=st.booleans(),
)
def test_com_csv_comes_back_in_every_culture(items, session, encoding, separator, type_line):
    data = dumps.com_csv(
        items, session, encoding=encoding, separator=separator, type_line=type_line
    )
    got = read(data, "com_history_csv")
    expect(got, [com(item, "com_history_csv", nested=False, encoding=encoding) for item in items])
    contained(got, times(items), "s")


@MODEST
@given(items=histories(), encoding=st.sampled_from(TEXTS[1:]), nested=st.booleans())
def test_com_clixml_is_exact(items, encoding, nested):
    got = read(dumps.com_clixml(items, encoding=encoding, nested=nested), "com_history_clixml")
    expect(got, [com(item, "com_history_clixml", nested=nested) for item in items])
    contained(got, times(items), "us")


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS),
    separator=st.sampled_from([",", ";"]),
    type_line=st.booleans(),
)
def test_pswindowsupdate_comes_back_in_every_culture(
    items, session, encoding, separator, type_line
):
    data = dumps.pswindowsupdate_csv(
        items, session, encoding=encoding, separator=separator, type_line=type_line
    )
    got = read(data, "pswindowsupdate")
    expect(got, [entry(item, "pswindowsupdate", encoding, host=HOST) for item in items])
    contained(got, times(items), "s")


def squeezed(text: str) -> str:
    """What is left of a title in a column: no blanks around it."""
    return flat(text).strip()


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    layout=st.sampled_from(["results", "kbs", "auto", "list"]),
)
def test_pswindowsupdate_as_table_and_list_comes_back_in_every_culture(
    items, session, encoding, layout
):
    if layout == "list":
        data = dumps.pswindowsupdate_list(items, session, encoding=encoding)
    else:
        data = dumps.pswindowsupdate_table(items, session, encoding=encoding, layout=layout)
    got = read(data, "pswindowsupdate_text")
    kept = []
    for item in items:
        row = entry(item, "pswindowsupdate_text", host=HOST, title=squeezed(item.title))
        cut = layout == "results" and item.result == 3  # longer than its column
        kept.append(row | ({"result_code": ""} if layout == "kbs" or cut else {}))
    expect(got, kept)
    contained(got, times(items), "min")
    assert set(got.updates["date_basis"]) <= {"local", "date", ""}  # "" for years of two digits


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    form=st.sampled_from(["5.1", "5.1 described", "7", "clixml"]),
)
def test_pswindowsupdate_objects_are_exact(items, session, encoding, form):
    kind = "pswindowsupdate_json"
    if form == "7":
        data = dumps.pswindowsupdate_json_7(items, session, encoding=encoding)
    elif form == "clixml":
        kind = "pswindowsupdate_clixml"
        data = dumps.pswindowsupdate_clixml(items, session, encoding=encoding)
    else:
        described = form != "5.1"
        data = dumps.pswindowsupdate_json_51(items, session, encoding=encoding, described=described)
    got = read(data, kind)
    expect(got, [com(item, kind) | {"host": HOST} for item in items])
    contained(got, times(items), "us" if kind.endswith("xml") or form == "7" else "ms")
    assert (got.updates["date_low"] == got.updates["date_high"]).all()
    true_clocks(got, session.offset)
    assert len(got.clocks) > 0 or not items or form.startswith("5.1")


@MODEST
@given(
    items=histories(text=QUOTED_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    tabbed=st.booleans(),
)
def test_winupdatesview_comes_back_in_every_culture(items, session, encoding, tabbed):
    separator = "\t" if tabbed else ","
    data = dumps.winupdatesview_csv(items, session, encoding=encoding, separator=separator)
    got = read(data, "winupdatesview")
    kept = []
    for item in items:
        row = com(item, "winupdatesview")
        kept.append(row | ({"title": flat(item.title)} if tabbed else {}))
    expect(got, kept)
    contained(got, times(items), "s")


@MODEST
@given(items=histories())
def test_osquery_history_is_exact(items):
    got = read(dumps.osquery_history(items), "osquery_update_history")
    expect(got, [com(item, "osquery_update_history") for item in items])
    contained(got, times(items), "s")
    assert exact(got)


# ------------------------------------------------------------------ servicing


DISM_STATES = {
    "Installed": ("install", "succeeded"),
    "Install Pending": ("install", "in_progress"),
    "Staged": ("install", "not_started"),
    "Uninstall Pending": ("uninstall", "in_progress"),
    "Not Present": ("install", "not_started"),
}


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from([*TEXTS[1:], "cp437"]),
    form=st.sampled_from([dumps.dism_list, dumps.dism_table, dumps.dism_info]),
    line_end=st.sampled_from(["\r\n", "\r\r\n"]),
)
def test_dism_comes_back_in_every_form(items, session, encoding, form, line_end):
    got = read(form(items, session, encoding=encoding, line_end=line_end), "dism_packages")
    told = form is dumps.dism_info
    kept, truths = [], []
    for item in items:
        state = dumps_state(item)
        operation, result = DISM_STATES[state]
        kept.append(
            {
                "operation": operation,
                "result_code": result,
                "title": item.package,
                "kb": item.kb,
                "client_application_id": item.client if told else "",
                "source_kind": "dism_packages",
            }
        )
        truths.append(item.time if state == "Installed" and item.dated else None)
    expect(got, kept)
    contained(got, truths, "min")


def dumps_state(item: Item) -> str:
    if item.operation == 2:
        return "Uninstall Pending" if item.result == 1 else "Not Present"
    return {1: "Install Pending", 2: "Installed", 3: "Installed"}.get(item.result, "Staged")


ROLLUPS = "Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.{n}.1.7"


@MODEST
@given(
    items=histories(text=TAME_TEXT, results=(1, 2, 4), package=ROLLUPS),
    clock=CLOCKS,
    marks=st.lists(st.integers(-40 * 24, 40 * 24), max_size=4),
)
@example(  # the same offset before and after, and summer between
    items=[Item(time=datetime(2022, 7, 1, tzinfo=UTC), kb="KB5009543", package="P~1~~")],
    clock=Clock(60, 60),
    marks=[-170 * 24, 170 * 24],
)
def test_cbs_log_holds_the_truth_whatever_its_marks(items, clock, marks):
    start = items[0].time if items else datetime(2022, 1, 12, tzinfo=UTC)
    at = [start + timedelta(hours=hours) for hours in marks]
    session = Session(offset=clock)
    got = read(dumps.cbs_log(items, session, marks=at), cbs.KIND)
    told = sorted(items, key=lambda item: item.time)
    expect(
        got,
        [
            entry(
                item,
                "cbs_log",
                title=item.package,
                hresult=code(item),
                client_application_id=item.client,
            )
            for item in told
        ],
    )
    contained(got, times(told), "s")
    true_clocks(got, clock)


@MODEST
@given(
    items=histories(text=TAME_TEXT, results=(1, 2), package=ROLLUPS),
    encoding=st.sampled_from(["utf-16", "utf-8"]),
    old=st.booleans(),
)
def test_the_registrys_packages_are_exact(items, encoding, old):
    items = [replace(item, operation=1) for item in items]
    done = {item.package for item in items if item.result == 2} if old else set()
    data = dumps.reg_packages(items, encoding=encoding, superseded=frozenset(done))
    got = read(data, "registry_export")
    kept = [
        entry(
            item,
            "registry_export",
            title=item.package,
            client_application_id=item.client,
        )
        for item in items
    ]
    expect(got, kept)
    contained(got, days(items), "us")


def true_clocks(got: readers.Parsed, clock: Callable[[datetime], int]) -> None:
    """What a file says about its host's offset must be so, from the first to the last instant."""
    for _, row in got.clocks.iterrows():
        for edge in (row["start"], row["end"]):
            if not pd.isna(edge):
                assert row["offset_low"] <= clock(edge.to_pydatetime()) <= row["offset_high"]


@MODEST
@given(
    items=histories(text=HOSTILE_TEXT.filter(lambda text: '"' not in text), results=(1, 2, 4, 5)),
    clock=CLOCKS,
    token=st.booleans(),
    split=st.booleans(),
    encoding=st.sampled_from(["utf-16", "utf-8", "utf-16-le"]),
)
def test_reporting_events_is_exact_through_changes_of_the_clock(
    items, clock, token, split, encoding
):
    session = Session(offset=clock)
    data = dumps.reporting_events(items, session, encoding=encoding, token=token, split=split)
    got = read(data, "reporting_events")
    told = sorted(items, key=lambda item: item.time)
    kept = []
    for item in told:
        pending = item.result == 1 and item.hresult == dumps.REBOOT_REQUIRED
        title = "" if pending else flat(item.title)
        kept.append(
            com(item, "reporting_events") | {"title": title, "kb": "" if pending else item.kb}
        )
    expect(got, kept)
    contained(got, times(told), "ms")
    assert set(got.updates["date_basis"]) <= {"offset"}
    true_clocks(got, clock)


STEPS = histories(
    text=TAME_TEXT, results=(1, 2, 4), times=ANY_TIME.map(lambda when: when.replace(microsecond=0))
).map(lambda items: [replace(one, hresult=0) if one.result != 4 else one for one in items])
# Two items of one instant may stand in either order.
STATED = STEPS.filter(lambda items: len(set(times(items))) == len(items))


@MODEST
@given(items=STATED, clock=CLOCKS, encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_windowsupdate_log_of_old_gives_its_reports_exactly(items, clock, encoding):
    data = dumps.agent_log_old(items, Session(offset=clock), encoding=encoding)
    got = read(data, "windowsupdate_log_old")
    told = sorted(items, key=lambda item: item.time)
    expect(got, [com(item, "windowsupdate_log_old") for item in told])
    contained(got, times(told), "ms")
    assert set(got.updates["date_basis"]) <= {"offset"}
    true_clocks(got, clock)


@MODEST
@given(items=STATED, clock=CLOCKS, marks=st.lists(st.integers(-40 * 24, 40 * 24), max_size=4))
def test_windowsupdate_log_of_old_holds_the_truth_whatever_its_marks(items, clock, marks):
    start = items[0].time if items else datetime(2022, 1, 12, tzinfo=UTC)
    at = [start + timedelta(hours=hours, seconds=1) for hours in marks]
    session = Session(offset=clock)
    got = read(
        dumps.agent_log_old(items, session, marks=at, reports=False), "windowsupdate_log_old"
    )
    told = sorted(items, key=lambda item: item.time)
    expect(got, [handled(item, "windowsupdate_log_old") for item in told])
    contained(got, times(told), "s")
    true_clocks(got, clock)


def handled(item: Item, kind: str) -> dict[str, object]:
    return com(item, kind) | {"title": item.package, "client_application_id": ""}


@MODEST
@given(items=STATED, clock=CLOCKS, handler=st.booleans(), unknown=st.integers(0, 2))
def test_decoded_windowsupdate_log_is_local_to_nobody_known(items, clock, handler, unknown):
    session = Session(offset=clock)
    got = read(
        dumps.agent_log_decoded(items, session, handled=handler, unknown=unknown),
        "windowsupdate_log",
    )
    told = sorted(items, key=lambda item: item.time)
    kept = []
    for item in told:
        restart = {"hresult": "0x00240005"} if item.result == 1 else {}
        row = com(item, "windowsupdate_log") | restart | {"title": flat(item.title)}
        kept.append(handled(item, "windowsupdate_log") if handler else row)
    want = schema.frame("updates", kept)
    pd.testing.assert_frame_equal(got.updates[KEPT], want[KEPT])
    contained(got, times(told), "s")
    assert set(got.updates["date_basis"]) <= {"local"}
    assert got.updates["local"].isna().all()
    assert got.clocks.empty
    assert ("No Format Information" in " ".join(got.problems["reason"])) == (unknown > 0)


def test_reporting_events_tells_the_hour_that_a_clock_shows_twice():
    berlin = dumps.european(60)
    twice = [datetime(2022, 10, 30, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    assert len({dumps.wall_time(when, berlin) for when in twice}) == 1
    items = [Item(time=when, title=f"(KB500954{n})") for n, when in enumerate(twice)]
    got = read(dumps.reporting_events(items, Session(offset=berlin)), "reporting_events")
    assert got.updates["date"].tolist() == [pd.Timestamp(when) for when in twice]


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    language=st.sampled_from(dumps.LANGUAGES),
    encoding=st.sampled_from(["", "utf-16", "utf-8"]),
    clock=CLOCKS,
    packed=st.booleans(),
)
def test_systeminfo_comes_back_in_every_language(items, language, encoding, clock, packed):
    session = Session(host=HOST, culture=dumps.culture_of(language), offset=clock)
    write = dumps.systeminfo_csv if packed else dumps.systeminfo_list
    got = read(write(items, session, Machine(language=language), encoding=encoding), "systeminfo")
    kept = [qfe(item, kind="systeminfo") | {"title": ""} for item in items]
    expect(got, kept)
    contained(got, [None] * len(items), "s")
    assert not items or "no install dates" in " ".join(got.problems["reason"])


@pytest.mark.parametrize("language", dumps.LANGUAGES)
def test_systeminfo_of_windows_7_says_what_it_does_not_list(language):
    items = [Item(time=datetime(2019, 1, 1, tzinfo=UTC), kb=f"KB{3000000 + n}") for n in range(273)]
    machine = Machine(language=language, limit=dumps.OLD_LIMIT, version="6.1.7601")
    session = Session(host=HOST, culture=dumps.culture_of(language))
    got = read(dumps.systeminfo_list(items, session, machine), "systeminfo")
    assert got.updates["kb"].tolist() == [item.kb for item in items[: len(got.updates)]]
    assert 240 < len(got.updates) < 273
    assert len(got.updates) + lost(got) == 273


def test_systeminfo_in_german_reads_like_the_real_one():
    items = [Item(time=datetime(2022, 1, 12, tzinfo=UTC), kb="KB5009543")]
    session = Session(host="BÜRO-7", culture=CULTURES["de-DE"], offset=dumps.european(60))
    data = dumps.systeminfo_list(items, session, Machine(language="de", domain="kanzlei.example"))
    lines = data.decode("cp850").splitlines()
    labelled = dict(line.split(": ", 1) for line in lines if re.match(r"\S+: ", line))
    assert lines[0] == ""
    assert {name: value.strip() for name, value in labelled.items()}.items() >= {
        "Hostname": "BÜRO-7",
        "Betriebssystemname": "Microsoft Windows 10 Pro",
        "Betriebssystemversion": "10.0.19044 Nicht zutreffend Build 19044",
        "Systemstartzeit": "12.01.2022, 07:41:17",
        "Zeitzone": "(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien",
        "Domäne": "kanzlei.example",
        "Hotfix(es)": "1 Hotfix(e) installiert.",
    }.items()
    got = read(data, "systeminfo")
    assert got.updates["host"].tolist() == ["BÜRO-7"]


# ------------------------------------------------------------------ the order of day and month


class Printed(NamedTuple):
    """A dialect that prints dates in the user's culture: how it is written, and how precisely."""

    write: Callable[[list[Item], Session], bytes]
    kind: str
    unit: str
    local: bool = True


PRINTED = {
    "Get-HotFix CSV": Printed(dumps.hotfix_csv, "get_hotfix", "D"),
    "Get-HotFix table": Printed(dumps.hotfix_table, "get_hotfix", "D"),
    "DISM list": Printed(partial(dumps.dism_list, encoding="utf-16"), "dism_packages", "min"),
    "DISM table": Printed(partial(dumps.dism_table, encoding="utf-16"), "dism_packages", "min"),
    "DISM info": Printed(partial(dumps.dism_info, encoding="utf-16"), "dism_packages", "min"),
    "COM CSV": Printed(dumps.com_csv, "com_history_csv", "s", local=False),
    "PSWindowsUpdate": Printed(dumps.pswindowsupdate_csv, "pswindowsupdate", "s"),
    "PSWindowsUpdate list": Printed(dumps.pswindowsupdate_list, "pswindowsupdate_text", "s"),
    "WinUpdatesView": Printed(dumps.winupdatesview_csv, "winupdatesview", "s"),
}
SLASHED = [one for one in CULTURES.values() if "/" in one.date and "\u200f" not in one.date]
UNDECIDED = [one for one in SLASHED if not one.date.startswith("y")]
INSTALLED = histories(
    times=EARLY_DAYS, text=st.just("Update"), results=(2,), least=1, dated=st.just(True)
)


def swapped(when: datetime) -> datetime:
    return when.replace(month=when.day, day=when.month)


def installed(when: datetime, n: int = 0) -> Item:
    return Item(
        time=when,
        kb=f"KB{5009543 + n}",
        title=f"Update (KB{5009543 + n})",
        update_id="3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        package=f"Package_for_KB{5009543 + n}~31bf3856ad364e35~amd64~~19041.{n}.1.0",
    )


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.parametrize("culture", UNDECIDED, ids=lambda one: one.name)
def test_one_date_that_can_be_read_two_ways_is_given_as_both(dialect, culture):
    when = datetime(2022, 3, 9, 15, 15, 41, tzinfo=UTC)
    printed = PRINTED[dialect]
    got = read(printed.write([installed(when)], Session(host=HOST, culture=culture)), printed.kind)
    (row,) = got.updates.to_dict("records")
    assert row["date_low"] <= pd.Timestamp(when).floor(printed.unit) <= row["date_high"]
    assert row["date_low"] <= pd.Timestamp(swapped(when)).floor(printed.unit) <= row["date_high"]
    assert pd.isna(row["date"])
    assert "no value decides" in " ".join(got.problems["reason"])


@pytest.mark.parametrize("dialect", PRINTED)
@MODEST
@given(moments=st.lists(EARLY_DAYS, min_size=1, max_size=4), session=SESSIONS)
def test_no_dialect_guesses_the_order_of_day_and_month(dialect, moments, session):
    printed = PRINTED[dialect]
    items = [installed(when, n) for n, when in enumerate(sorted(moments, reverse=True))]
    got = read(printed.write(items, session), printed.kind)
    assert len(got.updates) == len(items)
    contained(got, times(items), "min" if printed.unit == "min" else "s")


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.parametrize("culture", UNDECIDED, ids=lambda one: one.name)
def test_one_day_above_the_twelfth_decides_for_the_whole_file(dialect, culture):
    printed = PRINTED[dialect]
    moments = [
        datetime(2022, month, day, 15, 15, 41, tzinfo=UTC) for month, day in ((9, 25), (3, 9))
    ]
    items = [installed(when, n) for n, when in enumerate(moments)]
    got = read(printed.write(items, Session(host=HOST, culture=culture)), printed.kind)
    walls = [pd.Timestamp(when).floor(printed.unit) for when in moments]
    assert got.updates["date"].tolist() == walls
    width = (got.updates["date_high"] - got.updates["date_low"]).max()
    assert width <= pd.Timedelta(hours=50 if printed.unit == "D" else 26, minutes=1)


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.parametrize(
    "culture", [one for one in CULTURES.values() if one not in UNDECIDED], ids=lambda one: one.name
)
def test_dates_that_can_be_read_one_way_only_need_no_other_row(dialect, culture):
    printed = PRINTED[dialect]
    when = datetime(2022, 3, 9, 15, 15, 41, tzinfo=UTC)
    got = read(printed.write([installed(when)], Session(host=HOST, culture=culture)), printed.kind)
    contained(got, [when], "min" if printed.unit == "min" else "s")
    if "tt" in culture.clock and printed.unit != "D":
        return  # words for the halves of the day may not be understood
    if "\u200f" not in culture.date:
        assert got.updates["date"].tolist() == [pd.Timestamp(when).floor(printed.unit)]


# ------------------------------------------------------------------ nothing to tell


EMPTY = [
    dumps.hotfix_csv([], Session()),
    dumps.hotfix_table([], Session()),
    dumps.hotfix_json_51([], Session()),
    dumps.hotfix_json_7([], Session()),
    dumps.hotfix_clixml([], Session()),
    dumps.wmic_csv([], Session()),
    dumps.wmic_table([], Session()),
    dumps.wmic_list([], Session()),
    dumps.osquery_patches([], Session()),
    dumps.com_json_51([], Session()),
    dumps.com_json_7([]),
    dumps.collector_json([], Session()),
    dumps.com_csv([], Session()),
    dumps.com_clixml([]),
    dumps.pswindowsupdate_csv([], Session()),
    dumps.pswindowsupdate_table([], Session()),
    dumps.pswindowsupdate_list([], Session()),
    dumps.pswindowsupdate_json_51([], Session()),
    dumps.pswindowsupdate_json_7([], Session()),
    dumps.pswindowsupdate_clixml([], Session()),
    dumps.agent_log_old([], Session(), marks=[datetime(2022, 1, 12, tzinfo=UTC)]),
    dumps.agent_log_decoded([], Session()),
    dumps.winupdatesview_csv([], Session()),
    dumps.osquery_history([]),
    dumps.dism_list([], Session()),
    dumps.dism_table([], Session()),
    dumps.dism_info([], Session()),
    dumps.cbs_log([], Session()),
    dumps.reporting_events([], Session()),
    dumps.systeminfo_list([], Session(host=HOST), Machine()),
    dumps.reg_packages([]),
]


@pytest.mark.parametrize("data", EMPTY, ids=range(len(EMPTY)))
def test_an_empty_history_gives_no_rows_and_loses_none(data):
    reader = readers.reader_for(data)
    got = reader.read(data) if reader else readers.parsed()
    assert (len(got.updates), lost(got)) == (0, 0)


# ------------------------------------------------------------------ what the round trips found


@pytest.mark.parametrize(
    ("printed", "order", "first", "last"),
    [
        ("2022/1/5 3:15", "undecided", "2022-01-05T03:15", "2022-01-05T03:15"),
        ("25/09/2022 03:15 p.\u00a0m.", "day first", "2022-09-25T15:15", "2022-09-25T15:15"),
        ("25/09/2022 3:15\u202fPM", "day first", "2022-09-25T15:15", "2022-09-25T15:15"),
        # what ASCII leaves of a word for the half of the day
        ("2022-01-12 ?? 3:15", "undecided", "2022-01-12T03:15", "2022-01-12T15:15"),
        # a year of two digits may stand first
        ("22/01/12 03:15", "undecided", "2012-01-22T03:15", "2022-01-12T03:15"),
        ("22/01/12 03:15", "day first", "2012-01-22T03:15", "2012-01-22T03:15"),
        # and be of either century
        ("31/12/95 03:15", "day first", "1995-12-31T03:15", "2095-12-31T03:15"),
    ],
)
def test_a_printed_time_covers_every_reading(printed, order, first, last):
    got = dates.read_local(printed, order)
    low, high = (pd.Timestamp(one, tz="UTC").as_unit("ns") for one in (first, last))
    assert (got.low, got.high) == (
        low - dates.EAST,
        high + dates.WEST + pd.Timedelta("1min"),
    )
    assert got.date == (low if first == last else None)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["22/01/12"], "undecided"),
        (["22/01/12", "22/01/31"], "undecided"),
        (["22/01/12", "31/01/45"], "day first"),
        (["1/25/22"], "month first"),
        (["12.01.22"], "undecided"),
        (["2022/1/5", "2022/1/25"], "undecided"),
    ],
)
def test_years_of_two_digits_decide_nothing_while_they_may_stand_first(values, order):
    assert dates.order_of(values) == order


def test_the_order_of_rows_decides_nothing_while_years_may_stand_first():
    assert dates.order_in_time(["02/01/01 00:00", "01/02/01 00:00", "01/01/01 00:00"]) == (
        "undecided"
    )


def test_cbs_does_not_trust_marks_that_lie_a_summer_apart():
    berlin = dumps.european(60)
    summer = datetime(2022, 7, 1, 12, tzinfo=UTC)
    marks = [datetime(2022, month, 10, tzinfo=UTC) for month in (2, 12)]
    data = dumps.cbs_log([installed(summer)], Session(offset=berlin), marks=marks)
    (row,) = read(data, cbs.KIND).updates.to_dict("records")
    hour = pd.Timedelta(hours=1)
    assert (row["date_low"], row["date_high"]) == (summer, pd.Timestamp(summer) + 2 * hour)


def test_clixml_spells_control_characters_and_pairs_that_are_read_back():
    item = replace(installed(datetime(2022, 1, 12, tzinfo=UTC)), kind="a\tb \U0001f4a5 _x0041_")
    data = dumps.hotfix_clixml([item], Session(host=HOST))
    assert "_x0009_" in data.decode("utf-16")
    assert read(data, "get_hotfix_clixml").updates["title"].tolist() == [item.kind]


def test_systeminfo_csv_does_not_take_processors_for_hotfixes():
    item = installed(datetime(2022, 1, 12, tzinfo=UTC))
    data = dumps.systeminfo_csv([item], Session(host="BÜRO-7"), Machine(language="de"))
    got = read(data, "systeminfo")
    assert got.updates[["host", "kb"]].to_numpy().tolist() == [["BÜRO-7", item.kb]]


def test_com_json_of_powershell_5_does_not_guess_the_half_of_the_day():
    item = installed(datetime(2022, 1, 12, 13, 15, tzinfo=UTC))
    session = Session(culture=CULTURES["ko-KR"], offset=lambda _: 600)
    got = read(dumps.com_json_51([item], session, described=True), "com_history_json")
    contained(got, [item.time], "ms")


def test_winupdatesview_keeps_quotation_marks_of_its_tab_form():
    items = [
        replace(installed(datetime(2022, 1, 12, tzinfo=UTC), n), title='"Update" (KB5009543), "')
        for n in range(2)
    ]
    got = read(dumps.winupdatesview_csv(items, Session(), separator="\t"), "winupdatesview")
    assert got.updates["title"].tolist() == [items[0].title] * 2


def test_winupdatesview_rows_end_where_lines_end():
    item = replace(installed(datetime(2022, 1, 12, tzinfo=UTC)), title="a\u2028b (KB5009543)")
    got = read(dumps.winupdatesview_csv([item], Session()), "winupdatesview")
    assert got.updates["title"].tolist() == [item.title]


def test_reporting_events_are_known_whatever_a_title_says():
    item = replace(installed(datetime(2022, 1, 12, tzinfo=UTC)), title='{"hotfixid": 1}')
    assert readers.sniff(dumps.reporting_events([item], Session())) == "reporting_events"


# ------------------------------------------------------------------ the writers themselves


def test_every_writer_is_deterministic():
    items = [installed(datetime(2022, 3, 9, 15, 15, tzinfo=UTC))]
    for printed in PRINTED.values():
        assert printed.write(items, Session()) == printed.write(items, Session())


@pytest.mark.parametrize(
    ("culture", "printed"),
    [
        ("en-US", "1/12/2022 3:04:05 PM"),
        ("en-GB", "12/01/2022 15:04:05"),
        ("de-DE", "12.01.2022 15:04:05"),
        ("es-CO", "12/01/2022 3:04:05 p.m."),
        ("zh-CN", "2022/1/12 15:04:05"),
        ("ko-KR", "2022-01-12 오후 3:04:05"),
        ("cs-CZ", "12. 01. 2022 15:04:05"),
    ],
)
def test_cultures_print_as_windows_does(culture, printed):
    assert CULTURES[culture].general(datetime(2022, 1, 12, 15, 4, 5)) == printed  # a wall's time


def test_to_universal_counts_a_time_shown_twice_or_never_as_standard_time():
    berlin = dumps.european(60)
    for wall in (datetime(2022, 10, 30, 2, 30), datetime(2022, 3, 27, 2, 30)):  # a wall's time
        assert to_universal(wall, berlin) == wall.replace(tzinfo=UTC) - timedelta(minutes=60)
    assert to_universal(datetime(2022, 7, 1, 2), berlin) == datetime(
        2022, 7, 1, tzinfo=UTC
    )  # a wall's time
