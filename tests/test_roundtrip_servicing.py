"""Packages that Windows serviced come back from DISM, the CBS log and the registry, and no time is guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st
from roundtrip_update_samples import (
    CLOCKS,
    MODEST,
    SESSIONS,
    TAME_TEXT,
    TEXTS,
    Clock,
    code,
    contained,
    days,
    entry,
    expect,
    histories,
    installed,
    read,
    times,
    true_clocks,
)

from kitlib.readers.updates import cbs
from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.update_dumps import Item, Session

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


def test_cbs_does_not_trust_marks_that_lie_a_summer_apart():
    berlin = dumps.european(60)
    summer = datetime(2022, 7, 1, 12, tzinfo=UTC)
    marks = [datetime(2022, month, 10, tzinfo=UTC) for month in (2, 12)]
    data = dumps.cbs_log([installed(summer)], Session(offset=berlin), marks=marks)
    (row,) = read(data, cbs.KIND).updates.to_dict("records")
    hour = pd.Timedelta(hours=1)
    assert (row["date_low"], row["date_high"]) == (summer, pd.Timestamp(summer) + 2 * hour)


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
