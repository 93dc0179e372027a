"""One update state per host and change; sources that disagree stand side by side."""

from __future__ import annotations

import pandas as pd
import pytest
import worlds
from worlds import BAD, DECEMBER, FIX, at, boot, listed, logged

from kitlib import schema
from kitlib.reconcile import contradictions, reconcile_updates

NET = "KB5008876"  # a .NET update: no build of its own
GONE, FAILED = "update_uninstalled", "update_install_failed"
BEGUN = "update_install_started"
HISTORY, LOG, QFE = "PC1/updates.json", "System", "PC1/qfe.csv"


def states(*facts):
    return schema.check("update_states", reconcile_updates(worlds.timeline(*facts)))


def one(*facts, change=BAD):
    df = states(*facts)
    return df[df["change"] == change].iloc[0]


def qfe(date, change=BAD):
    return {**listed(date, change, width="12h"), "path": QFE}


def reported(date, change=BAD):
    """What a management tool reports: installed at that time or at any before."""
    row = {**listed(date, change), "path": "fleet.csv", "time": pd.NaT}
    return row | {"time_low": at("1990-01-01 00:00"), "time_basis": "utc"}


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ((listed("01-12 12:00"), boot("01-12 14:00", 1466)), "in_effect"),
        ((listed("01-12 12:00"), boot("01-14 08:00", 1469)), "contained_in_later"),
        ((boot("01-11 08:00"), listed("01-12 12:00")), "pending_reboot"),
        ((boot("01-11 08:00"), qfe("01-11 12:00")), "pending_reboot"),
        (
            (listed("01-12 12:00"), boot("01-12 14:00", 1466), boot("01-14 08:00")),
            "removed",
        ),
        ((listed("01-12 12:00"), logged("01-12 13:00", GONE), boot("01-14 08:00")), "removed"),
        (
            (listed("01-12 12:00"), boot("01-12 14:00", 1466), logged("01-13 08:00", GONE)),
            "removed_pending_reboot",
        ),
        ((listed("01-12 12:00"), boot("01-14 08:00")), "not_in_effect"),
        ((boot("01-11 08:00"), listed("01-12 12:00"), boot("01-14 08:00")), "not_in_effect"),
        ((listed("01-12 12:00"),), "installed"),
        ((listed(None), boot("01-14 08:00")), "open"),
        ((reported("01-20 08:00"), boot("01-14 08:00")), "open"),
        ((reported("01-12 08:00"), boot("01-14 08:00")), "not_in_effect"),
        ((reported("01-12 08:00"), boot("01-14 08:00", 1466)), "in_effect"),
        ((reported("01-20 08:00"), logged("01-13 08:00", GONE)), "removed"),
        ((listed("01-12 12:00"), logged("01-13 12:00", GONE)), "removed"),
        ((logged("01-12 12:00", GONE), listed("01-13 12:00")), "installed"),
        ((logged("01-12 12:00", FAILED),), "failed"),
        ((logged("01-12 12:00", FAILED), boot("01-13 08:00")), "failed"),
        ((logged("01-12 12:00", FAILED), listed("01-12 14:00")), "installed"),
        ((listed(None), logged("01-13 12:00", GONE)), "open"),
        ((boot("01-11 08:00"), logged("01-12 12:00", BEGUN)), "pending_reboot"),
        ((logged("01-12 12:00", BEGUN), boot("01-13 08:00")), "open"),
        ((logged("01-12 12:00", BEGUN), listed("01-12 14:00")), "installed"),
    ],
)
def test_reconcile_gives_one_state(facts, state):
    row = one(*facts)
    assert row["state"] == state
    assert state in schema.UPDATE_STATES


def test_sources_that_agree_are_listed_together():
    row = one(listed("01-12 12:00"), qfe("01-12 12:00"), boot("01-12 14:00", 1466))
    assert row["agree"] == [HISTORY, QFE, LOG]
    assert row["contradict"] == []
    assert (row["build"], row["revision"]) == (19044, 1466)
    assert row["time"] == at("01-12 12:00")
    assert row["time_low"] == row["time_high"]  # the better dated of the two


def test_a_listing_no_later_start_shows_is_held_against_its_source():
    row = one(boot("01-11 08:00"), listed("01-12 12:00"), boot("01-14 08:00"), boot("01-15 08:00"))
    assert row["contradict"] == [HISTORY]
    assert row["agree"] == [LOG]
    assert "the later start of Windows at 2022-01-15 08:00 shows 19044.1415" in row["why"]
    assert len(row["records"]) == 2


def test_a_removal_no_later_start_shows_is_held_against_its_source():
    row = one(listed("01-12 12:00"), logged("01-13 08:00", GONE), boot("01-14 08:00", 1466))
    assert row["state"] == "in_effect"
    assert row["contradict"] == [LOG]
    assert row["why"] == "System says it was removed"


def test_a_removal_before_a_later_update_that_contains_the_change_is_no_contradiction():
    row = one(
        listed("01-12 12:00"),
        boot("01-12 14:00", 1466),
        logged("01-13 08:00", GONE),
        boot("01-13 09:00"),
        listed("01-18 12:00", FIX),
        boot("01-19 08:00", 1469),
    )
    assert (row["state"], row["contradict"]) == ("contained_in_later", [])


def test_a_removal_followed_by_a_start_without_it_holds_whatever_comes_later():
    """It came back with an image that no history tells of."""
    row = one(
        listed("01-12 12:00"),
        logged("01-13 08:00", GONE),
        boot("01-13 09:00"),
        boot("01-20 08:00", 1466),
    )
    assert (row["state"], row["contradict"]) == ("in_effect", [])


def test_a_removal_of_unknown_date_contradicts_nothing():
    gone = listed(None, action=GONE)
    row = one(listed("01-12 12:00"), gone, boot("01-20 08:00", 1466))
    assert (row["state"], row["contradict"]) == ("in_effect", [])


@pytest.mark.parametrize(
    "facts",
    [
        (listed("01-12 12:00"), boot("01-14 08:00")),
        (qfe("01-12 12:00"), boot("01-25 08:00", 1288)),
        (listed("01-12 12:00"), boot("01-12 14:00", 1466), boot("01-14 08:00"), qfe("01-12 12:00")),
        (
            listed("01-12 12:00"),
            logged("01-13 08:00", GONE),
            boot("01-14 08:00"),
            qfe("01-12 12:00"),
        ),
    ],
    ids=["log begins later", "imaged again", "seen to go", "removed by the log"],
)
def test_a_dump_from_before_a_removal_contradicts_nothing(facts):
    row = one(*facts)
    assert row["contradict"] == []
    assert row["state"] in ("removed", "not_in_effect")


def dump(date, path, kind="get_hotfix"):
    message = f"update history ({kind}) lists {BAD}"
    return {**listed(date, width="12h"), "path": path, "message": message}


def test_an_older_dump_of_the_same_tool_contradicts_nothing():
    old, new = dump("01-12 12:00", "old/qfe.csv"), dump("01-18 12:00", "new/qfe.csv")
    assert one(old, new)["contradict"] == []
    history = dump("01-12 12:00", "PC1/updates.json", "com_history")
    assert one(old, new, history)["contradict"] == []
    history = dump("01-15 12:00", "PC1/updates.json", "com_history")
    assert len(one(old, new, history)["contradict"]) == 3


def test_two_installations_that_starts_of_windows_show_have_two_dates():
    row = one(
        listed("01-12 12:00"),
        boot("01-12 14:00", 1466),
        boot("01-14 08:00"),
        qfe("01-18 12:00"),
        boot("01-18 14:00", 1466),
    )
    assert (row["state"], row["contradict"]) == ("in_effect", [])


def test_starts_are_taken_in_order_of_time_whatever_they_are_called():
    first = boot("01-12 14:00", 1466, change="later by name")
    row = one(listed("01-12 12:00"), first, boot("01-14 08:00", change="earlier by name"))
    assert row["state"] == "removed"


def test_a_change_put_back_after_a_removal_contradicts_nothing():
    row = one(
        listed("01-12 12:00"),
        logged("01-13 08:00", GONE),
        listed("01-14 06:00"),
        boot("01-14 08:00", 1466),
    )
    assert (row["state"], row["contradict"]) == ("in_effect", [])


def test_dates_that_cannot_mean_one_installation_stand_side_by_side():
    row = one(listed("01-12 12:00"), qfe("01-18 12:00"), boot("01-20 08:00", 1466))
    assert row["contradict"] == [HISTORY, QFE]
    assert "updates.json dates it 2022-01-12 12:00 to 2022-01-12 12:00 UTC" in row["why"]
    assert "qfe.csv dates it 2022-01-18 00:00 to 2022-01-19 00:00 UTC" in row["why"]


def test_dates_a_day_apart_are_one_installation():
    row = one(listed("01-12 12:00"), qfe("01-13 12:00"), boot("01-20 08:00", 1466))
    assert row["contradict"] == []


def test_a_package_named_by_its_revision_is_the_update_of_that_revision():
    from kitlib.classify import change_label  # noqa: PLC0415  # beside its use

    named = change_label("Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7")
    assert named == BAD
    row = one(listed("01-12 12:00", named), boot("01-12 14:00", 1466))
    assert (row["change"], row["build"], row["revision"]) == (BAD, 19044, 1466)


def test_each_branch_has_its_own_revision_of_a_change():
    row = one(listed("01-12 12:00", "KB5009566"), boot("01-13 08:00"), change="KB5009566")
    assert row["state"] == "installed"  # of another branch: this host's starts say nothing of it
    assert pd.isna(row["revision"])


def test_an_update_without_a_revision_is_judged_by_words():
    assert one(listed("01-12 12:00", NET), boot("01-14 08:00"), change=NET)["state"] == "installed"


def test_hosts_and_changes_have_one_row_each():
    facts = [
        listed("01-12 12:00"),
        listed("01-12 12:30", DECEMBER),
        {**listed("01-12 12:00"), "host": "PC2"},
        {**listed("01-12 12:00"), "host": ""},
        listed("01-18 12:00", FIX),
    ]
    df = states(*facts)
    assert list(zip(df["host"], df["change"], strict=True)) == [
        ("PC1", BAD),
        ("PC1", DECEMBER),
        ("PC1", FIX),
        ("PC2", BAD),
    ]
    assert contradictions(df).empty


def test_nothing_said_is_an_empty_table():
    assert states().empty
    assert states(boot("01-12 08:00")).empty


def test_contradictions_are_rows_with_a_source_that_does_not_fit():
    df = states(
        boot("01-11 08:00"), listed("01-12 12:00"), boot("01-14 08:00"), listed("01-12 12:00", NET)
    )
    assert list(contradictions(df)["change"]) == [BAD]
