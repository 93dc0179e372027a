"""The hosts to call come in order of urgency, each with the one thing to ask for there."""

from __future__ import annotations

import pandas as pd
import pytest
from restoration_samples import CURE, OPEN, PATCH, at, fleet, restore, seen, span, state

from kitlib import schema
from kitlib.restoration.calls import URGENCY, Needs, what_to_do


def test_hosts_to_call_are_those_at_risk_and_those_not_seen_to_work():
    found = fleet().to_call
    assert found["host"].tolist() == ["C", "B", "D"]
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["out_since"].tolist() == [at(2), pd.NaT, at(2)]
    assert found["last_seen"].tolist() == [at(10)] * 3
    assert found["what_to_do"].tolist() == [
        f"Install {CURE} and restart.",
        f"Remove the block on updates, if there is one, and install {CURE}.",
        f"Ask the user to try it: too few attempts since {CURE} took effect.",
    ]


def test_hosts_to_call_come_in_order_of_urgency_then_of_how_long_they_are_out():
    rows = [
        state(f"H{n}", status, n, at_risk=True) for n, status in enumerate(reversed(URGENCY))
    ] + [state("H9", "still_failing", 2)]
    found = restore(rows, logs=[seen(row["host"], 20) for row in rows]).to_call
    assert found["status"].tolist() == ["still_failing", *URGENCY]
    assert found["host"].tolist()[:2] == ["H9", "H6"]


def test_every_status_has_its_place_in_the_order():
    assert set(URGENCY) == set(schema.STATUSES)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Install KB5010793 and restart."),
        ({"put_back": True}, "Install KB5010793 and restart; then find out what put KB5009543 back."),
        ({"fix": ""}, "Remove KB5009543 and restart."),
        ({"cured": CURE}, "Collect its logs: it still fails although KB5010793 is in effect."),
        ({"bad": ""}, "Collect its logs: it still fails, and the change is not seen to be in effect."),
        ({"status": "pending_reboot"}, "Restart it: the fix is installed and not yet in effect."),
        ({"status": "workaround_only", "recovered_by": "other"},
         "Install KB5010793, then take the workaround back."),
        ({"status": "workaround_only", "recovered_by": "uninstall", "fix": ""},
         "Remove the block on updates, if there is one, and install the update that holds the fix."),
        ({"status": "no_data"},
         "Collect its logs: KB5009543 was in effect and nothing shows whether it works."),
        ({"status": "not_affected"}, "Install KB5010793 before it fails."),
        ({"status": "unconfirmed", "bad": ""},
         "Ask the user to try it: too few attempts since the change was removed; then install KB5010793."),
        ({"status": "unconfirmed"},
         f"Ask the user to try it: it may work although {PATCH} is in effect, but too few attempts show it; then install {CURE}."),
        ({"status": "no_data", "bad": ""},
         "Collect its logs and its list of updates: they do not tell its state."),
        ({"status": "recovered"}, "Install KB5010793: it can fail again."),
    ],
)  # fmt: skip
def test_each_host_is_asked_for_what_it_needs(changed, said):
    needs = Needs("still_failing", "", fix=CURE, bad=PATCH, cured="", put_back=False)
    assert what_to_do(needs._replace(**changed)) == said


def test_the_fix_is_named_for_the_hosts_own_build_and_inferred_where_no_profile_names_it():
    rows = [state("A", "still_failing", 0, build=22000), state("B", "still_failing", 0),
            state("C", "still_failing", 0, build=None)]  # fmt: skip
    bad = [span(host, PATCH, -1) for host in "ABC"]
    cured = [span("Z", CURE, 3)]
    asked = restore(rows, bad=bad, cured=cured).to_call["what_to_do"].tolist()
    assert asked[:2] == ["Install KB5010795 and restart.", f"Install {CURE} and restart."]
    asked = restore(rows, incident=OPEN, bad=bad, cured=cured).to_call["what_to_do"].tolist()
    assert asked == [f"Remove {PATCH} and restart.", f"Install {CURE} and restart.",
                     f"Remove {PATCH} and restart."]  # fmt: skip
