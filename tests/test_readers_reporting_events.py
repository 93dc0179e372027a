"""ReportingEvents.log of the Windows Update agent."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import GUID, TITLE, event, installed, lost, reasons, utc

from kitlib.readers.updates import (
    reporting_events,
)


def test_reporting_events_reads_an_install_to_the_millisecond_in_utc():
    for line in (event(), event(more=()), event("183\t[AGENT_INSTALLING_SUCCEEDED]")):
        got = reporting_events.read(line.encode("utf-16"))
        want = installed(
            utc("2022-01-12T03:15:41.123"),
            "offset",
            title=TITLE,
            kb="KB5009543",
            update_id=GUID,
            client_application_id="UpdateOrchestrator",
            source_kind="reporting_events",
        )
        pd.testing.assert_frame_equal(got.updates, want)
        assert got.problems.empty


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("181 [AGENT_INSTALLING_STARTED]", ("install", "in_progress")),
        ("201 [AGENT_INSTALLING_PENDING]", ("install", "in_progress")),
        ("182 [AGENT_INSTALLING_FAILED]", ("install", "failed")),
        ("195 [AGENT_INSTALLING_FAILED_POST_REBOOT]", ("install", "failed")),
        ("0 [AGENT_UNINSTALLING_SUCCEEDED]", ("uninstall", "succeeded")),
        ("0 [AGENT_UNINSTALL_STARTED]", ("uninstall", "in_progress")),
    ],
)
def test_reporting_events_tells_steps_by_their_names(name, want):
    row = reporting_events.read(event(name, code="80242015").encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"], row["hresult"]) == (*want, "0x80242015")


def test_reporting_events_gives_a_pending_step_the_title_of_its_update():
    pending = event(
        "201 [AGENT_INSTALLING_PENDING]", code="240005", message="Installation pending."
    )
    got = reporting_events.read((pending + event()).encode()).updates
    assert list(got["kb"]) == ["KB5009543", "KB5009543"]
    assert list(got["title"]) == [TITLE, TITLE]


def test_reporting_events_leaves_out_detections_and_states_broken_lines():
    detected = event("147 [AGENT_DETECTION_FINISHED]", message="detected 3 updates")
    got = reporting_events.read((detected + event()[:90] + "\r\n" + event()).encode())
    assert (len(got.updates), lost(got)) == (1, 1)


@pytest.mark.parametrize("at", ["2022-13-45 04:15:41:123+0100", "0001-01-01 00:00:00:000+0000"])
def test_reporting_events_takes_an_absurd_time_as_unknown(at):
    got = reporting_events.read(event(at=at).encode())
    assert pd.isna(got.updates["date_low"].item())
    assert "is no time" in reasons(got)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(
        st.tuples(
            st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)),  # UTC below
            st.integers(-48, 56),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_reporting_events_gives_back_every_instant_written(moments):
    lines, want = [], []
    for moment, quarters in moments:
        offset = timedelta(minutes=15 * quarters)
        local = moment + offset
        sign, minutes = "-" if quarters < 0 else "+", abs(15 * quarters)
        stamp = f"{local:%Y-%m-%d %H:%M:%S}:{local.microsecond // 1000:03}"
        lines.append(event(at=f"{stamp}{sign}{minutes // 60:02}{minutes % 60:02}"))
        want.append(pd.Timestamp(moment, tz="UTC").floor("ms").as_unit("ns"))
    assert list(reporting_events.read("".join(lines).encode()).updates["date"]) == want
