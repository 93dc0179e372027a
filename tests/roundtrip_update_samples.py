"""Histories of updates of any content, and what must come back when they are written and read.

What a dialect can keep must come back as it was; the true instant must lie in the interval of its
row, whatever the host's offset and the order of day and month, which the file may leave open.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from update_dialect_samples import lost

from kitlib import readers, schema
from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.update_dumps import CULTURES, Culture, Item, Session

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
    package: str = "Package_for_KB{number}~31bf3856ad364e35~amd64~~19041.{n}.1.0",
):
    """A history, newest first as COM gives it."""
    close = draw(st.booleans())
    moments = draw(st.lists(times, max_size=5))
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
                dated=draw(EITHER),
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


def true_clocks(got: readers.Parsed, clock: Callable[[datetime], int]) -> None:
    """What a file says about its host's offset must be so, from the first to the last instant."""
    for _, row in got.clocks.iterrows():
        for edge in (row["start"], row["end"]):
            if not pd.isna(edge):
                assert row["offset_low"] <= clock(edge.to_pydatetime()) <= row["offset_high"]


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


def com(item: Item, kind: str, *, nested: bool = True, encoding: str = "utf-8"):
    return entry(
        item,
        kind,
        encoding,
        hresult=code(item),
        update_id=item.update_id if nested else "",
        client_application_id=item.client,
    )


def days(items: list[Item]) -> list[datetime | None]:
    return [item.time if item.dated else None for item in items]


def times(items: list[Item]) -> list[datetime]:
    return [item.time for item in items]


TEXTS = ("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le")


# ------------------------------------------------------------------ dates in the user's culture


class Printed(NamedTuple):
    """A dialect that prints dates in the user's culture: how it is written, and how precisely."""

    write: Callable[[list[Item], Session], bytes]
    kind: str
    unit: str


PRINTED = {
    "Get-HotFix CSV": Printed(dumps.hotfix_csv, "get_hotfix", "D"),
    "Get-HotFix table": Printed(dumps.hotfix_table, "get_hotfix", "D"),
    "DISM list": Printed(partial(dumps.dism_list, encoding="utf-16"), "dism_packages", "min"),
    "DISM table": Printed(partial(dumps.dism_table, encoding="utf-16"), "dism_packages", "min"),
    "DISM info": Printed(partial(dumps.dism_info, encoding="utf-16"), "dism_packages", "min"),
    "COM CSV": Printed(dumps.com_csv, "com_history_csv", "s"),
    "PSWindowsUpdate": Printed(dumps.pswindowsupdate_csv, "pswindowsupdate", "s"),
    "PSWindowsUpdate list": Printed(dumps.pswindowsupdate_list, "pswindowsupdate_text", "s"),
    "WinUpdatesView": Printed(dumps.winupdatesview_csv, "winupdatesview", "s"),
}


def installed(when: datetime, n: int = 0) -> Item:
    return Item(
        time=when,
        kb=f"KB{5009543 + n}",
        title=f"Update (KB{5009543 + n})",
        update_id="3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        package=f"Package_for_KB{5009543 + n}~31bf3856ad364e35~amd64~~19041.{n}.1.0",
    )
