"""What the update agent logs (ReportingEvents.log, WindowsUpdate.log) comes back whole, and no time is guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_update_samples import (
    ANY_TIME,
    CLOCKS,
    HOSTILE_TEXT,
    KEPT,
    MODEST,
    TAME_TEXT,
    com,
    contained,
    expect,
    flat,
    histories,
    installed,
    read,
    times,
    true_clocks,
)

from kitlib import readers, schema
from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.update_dumps import Item, Session


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


def test_reporting_events_tells_the_hour_that_a_clock_shows_twice():
    berlin = dumps.european(60)
    twice = [datetime(2022, 10, 30, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    assert len({dumps.wall_time(when, berlin) for when in twice}) == 1
    items = [Item(time=when, title=f"(KB500954{n})") for n, when in enumerate(twice)]
    got = read(dumps.reporting_events(items, Session(offset=berlin)), "reporting_events")
    assert got.updates["date"].tolist() == [pd.Timestamp(when) for when in twice]


def test_reporting_events_are_known_whatever_a_title_says():
    item = replace(installed(datetime(2022, 1, 12, tzinfo=UTC)), title='{"hotfixid": 1}')
    assert readers.sniff(dumps.reporting_events([item], Session())) == "reporting_events"


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
