"""`Get-WULastResults` names no update, and what it says of times is kept as a remark."""

from __future__ import annotations

import json

import pytest
from com_history_samples import LAST, LAST_FORMS, US, read
from update_dialect_samples import lost, reasons

from kitlib import readers

SAID = (
    "WS0001: updates were last installed with success at 2022-01-13T20:00:00Z, last searched for "
    "with success at 2022-01-12T03:15:41Z; Get-WULastResults names no update"
)


@pytest.mark.parametrize("form", LAST_FORMS)
def test_last_results_name_no_update_and_say_when_in_utc(form):
    got = read(LAST_FORMS[form], "pswindowsupdate_last_results")
    assert [r.kind for r in readers.READERS if r.sniff(LAST_FORMS[form].encode())] == [
        "pswindowsupdate_last_results"
    ]
    assert got.updates.empty
    assert reasons(got) == SAID
    assert got.problems["place"].tolist() == ["WS0001"]
    assert lost(got) == 0


def test_last_results_are_spans_where_they_are_not_sure():
    got = read(LAST + '"WS0001","12/01/2022 03:15:41",""\r\n', "pswindowsupdate_last_results")
    assert "for with success between 2022-01-12T03:15:41Z and 2022-12-01T03:15:41Z" in reasons(got)
    assert "installed with success at an unknown time, or never" in reasons(got)
    shifted = json.dumps(
        {"ComputerName": "WS0001", "LastInstallationSuccessDate": "/Date(1641957341000)/"}
    )
    got = read(shifted, "pswindowsupdate_last_results")
    assert "between 2022-01-11T15:15:41Z and 2022-01-12T17:15:41Z" in reasons(got)


def test_last_results_of_a_fleet_have_a_row_a_host():
    rows = "".join(f'"WS{n}","{US}","1/13/2022 8:00:00 PM"\r\n' for n in range(50))
    assert len(read(LAST + rows, "pswindowsupdate_last_results").problems) == 50
