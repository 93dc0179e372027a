"""Who had which change in effect: the build at the start of Windows decides, KB names are labels."""

from __future__ import annotations

import time

import pandas as pd
import pytest
import worlds
from worlds import BAD, DECEMBER, FIX, at, boot, listed, logged

from kitlib import readers, schema
from kitlib.exposure import find_exposure
from kitlib.timeline import build_timeline

FORMER = "KB5007186"
NET = "KB5008876"  # a .NET update: no build of its own
NEW = "KB5999999"  # published after the kit
STARTS, DONE, GONE = "update_install_started", "update_installed", "update_uninstalled"


def expose(*facts):
    return schema.check("exposure", find_exposure(worlds.timeline(*facts)))


def rows(df, *columns):
    return list(df[list(columns)].itertuples(index=False, name=None))


def spans(*facts):
    """Change, start and end as short texts; '' where missing."""
    df = expose(*facts)
    texts = df[["start", "end"]].apply(lambda c: c.dt.strftime("%m-%d %H:%M").fillna(""))
    return list(zip(df["change"], texts["start"], texts["end"], strict=True))


def test_find_exposure_of_nothing_is_an_empty_table():
    assert expose().empty


def test_find_exposure_joins_starts_with_one_revision():
    assert spans(
        boot("01-10 08:00"),
        boot("01-11 08:00"),
        boot("01-12 08:00", 1466),
        boot("01-13 08:00", 1466),
    ) == [(BAD, "01-12 08:00", ""), (DECEMBER, "", "01-12 08:00")]


def test_find_exposure_sees_an_uninstall_in_the_lower_revision():
    df = expose(boot("01-10 08:00"), boot("01-12 08:00", 1466), boot("01-14 08:00"))
    assert rows(df, "change", "end_known_by") == [
        (BAD, "boot"),
        (DECEMBER, "still in effect"),
        (DECEMBER, "boot"),
    ]
    assert df["end"][0] == df["start"][1] == at("01-14 08:00")


def test_find_exposure_sees_a_machine_installed_anew():
    df = expose(boot("01-12 08:00", 1466), boot("01-20 08:00", 438, build=22000))
    assert rows(df, "change", "build", "revision") == [
        ("KB5010795", 22000, 438),
        (BAD, 19044, 1466),
    ]


def test_find_exposure_knows_the_first_state_from_before_the_evidence():
    (row,) = expose(boot("01-12 08:00", 1466)).to_dict("records")
    assert pd.isna(row["start"])
    assert row["start_known_by"] == "before evidence"
    # It cannot have been in effect before it was published.
    assert (row["start_low"], row["start_high"]) == (at("01-11 00:00"), at("01-12 08:00"))


def test_find_exposure_dates_the_first_state_by_a_history():
    (row,) = expose(listed("2021-12-16 12:00", DECEMBER, width="12h"), boot("01-10 08:00")).to_dict(
        "records"
    )
    assert row["start"] == at("2021-12-16 12:00")
    assert (row["start_low"], row["start_high"]) == (at("2021-12-16 00:00"), at("2021-12-17 00:00"))
    assert row["start_known_by"] == "update history"
    assert len(row["records"]) == 2


def test_find_exposure_never_dates_the_first_state_after_its_first_start():
    (row,) = expose(boot("01-10 08:00"), listed("01-10 12:00", DECEMBER, width="12h")).to_dict(
        "records"
    )
    assert row["start"] == row["start_high"] == at("01-10 08:00")


def test_find_exposure_dates_the_first_state_by_the_first_listing():
    (row,) = expose(
        listed("2021-12-16 12:00", DECEMBER, width="12h"),
        listed("2021-12-28 12:00", DECEMBER),
        boot("01-10 08:00"),
    ).to_dict("records")
    assert row["start"] == at("2021-12-16 12:00")


def test_find_exposure_does_not_date_the_first_state_by_a_later_listing():
    (row,) = expose(boot("01-10 08:00"), listed("01-20 12:00", DECEMBER)).to_dict("records")
    assert row["start_known_by"] == "before evidence"


def test_find_exposure_keeps_the_boot_whatever_installed_events_say():
    facts = (
        boot("01-11 08:00"),
        logged("01-11 16:00", STARTS),
        boot("01-12 08:00", 1466),
        logged("01-12 08:19", DONE),
        logged("01-13 09:00", DONE),
    )
    assert spans(*facts) == [(BAD, "01-12 08:00", ""), (DECEMBER, "", "01-12 08:00")]


def test_find_exposure_gives_a_cumulative_update_that_never_started_no_row():
    assert spans(boot("01-11 08:00"), logged("01-12 16:00", DONE)) == [(DECEMBER, "", "")]


def test_find_exposure_finds_an_update_that_leaves_the_build_alone():
    facts = (
        boot("01-11 08:00"),
        logged("01-12 16:00", STARTS, NET),
        boot("01-12 16:10"),
        logged("01-12 16:12", DONE, NET),
    )
    df = expose(*facts)
    (row,) = df[df["change"] == NET].to_dict("records")
    # In effect since the restart; the event that says so comes minutes later.
    assert (row["start"], row["start_high"]) == (at("01-12 16:10"), at("01-12 16:12"))
    assert row["start_known_by"] == "installed event"
    assert pd.isna(row["build"])
    assert pd.isna(row["end"])


def test_find_exposure_needs_no_restart_for_an_update_installed_at_once():
    facts = (
        boot("01-12 08:00"),
        logged("01-12 16:00", STARTS, NET),
        logged("01-12 16:12", DONE, NET),
        boot("01-13 08:00"),
    )
    assert (NET, "01-12 16:12", "") in spans(*facts)


def test_find_exposure_ends_an_update_with_its_removal_and_begins_again():
    facts = (
        logged("01-12 10:00", DONE, NET),
        logged("01-14 10:00", GONE, NET),
        logged("01-14 10:01", GONE, NET),
        logged("01-19 10:00", DONE, NET),
    )
    assert spans(*facts) == [(NET, "01-12 10:00", "01-14 10:00"), (NET, "01-19 10:00", "")]


def test_find_exposure_takes_a_removal_for_a_proof_of_presence():
    (row,) = expose(logged("01-14 10:00", GONE, NET)).to_dict("records")
    assert (row["start_known_by"], row["end_known_by"]) == ("before evidence", "uninstalled event")
    assert (row["start_high"], row["end"]) == (at("01-14 10:00"), at("01-14 10:00"))


def test_find_exposure_does_not_let_a_day_decide_an_order_within_it():
    facts = (
        logged("01-12 08:00", DONE, NET),
        logged("01-12 10:00", GONE, NET),
        listed("01-12 12:00", NET, width="12h"),
    )
    assert spans(*facts) == [(NET, "01-12 08:00", "01-12 10:00")]


def test_find_exposure_makes_do_with_a_history():
    df = expose(
        listed("2021-12-16 12:00", DECEMBER, width="12h"),
        listed("01-12 12:00", width="12h"),
        listed("01-19 12:00", FIX, width="12h"),
    )
    assert rows(df, "change", "start_known_by", "end_known_by", "revision") == [
        (DECEMBER, "update history", "update history", 1415),
        (BAD, "update history", "update history", 1466),
        (FIX, "update history", "still in effect", 1469),
    ]
    assert df["end"].tolist()[:2] == df["start"].tolist()[1:]
    assert (df["start_high"] - df["start_low"] == pd.Timedelta("1D")).all()


def test_find_exposure_takes_the_exactest_of_the_earliest_statements():
    df = expose(
        listed("01-12 12:00", width="12h"), logged("01-12 16:00", DONE), logged("01-13 16:00", DONE)
    )
    assert rows(df, "start", "start_known_by") == [(at("01-12 16:00"), "installed event")]


def test_find_exposure_does_not_take_an_exact_repetition_for_the_beginning():
    df = expose(listed("01-12 12:00", width="12h"), logged("01-20 16:00", DONE))
    assert rows(df, "start", "start_known_by") == [(at("01-12 12:00"), "update history")]


def test_find_exposure_goes_back_to_the_state_before_a_removal():
    facts = (
        listed("2021-12-16 12:00", DECEMBER),
        listed("01-12 12:00"),
        logged("01-14 12:00", GONE),
        listed("01-19 12:00"),
        listed("01-25 12:00", FIX),
    )
    assert spans(*facts) == [
        (DECEMBER, "12-16 12:00", "01-12 12:00"),
        (BAD, "01-12 12:00", "01-14 12:00"),
        (DECEMBER, "01-14 12:00", "01-19 12:00"),
        (BAD, "01-19 12:00", "01-25 12:00"),
        (FIX, "01-25 12:00", ""),
    ]


def test_find_exposure_names_an_unknown_revision_by_the_update_that_came_with_it():
    facts = (
        boot("01-12 08:00"),
        logged("01-12 15:00", STARTS, NEW),
        boot("01-12 16:00", 64999),
        logged("01-12 16:05", DONE, NEW),
    )
    assert spans(*facts) == [(NEW, "01-12 16:00", ""), (DECEMBER, "", "01-12 16:00")]


def test_find_exposure_names_an_unknown_revision_by_a_near_listing():
    facts = boot("01-12 08:00"), boot("01-13 16:00", 64999), listed("01-13 12:00", NEW, width="12h")
    assert (NEW, "01-13 16:00", "") in spans(*facts)


@pytest.mark.parametrize("action", [STARTS, DONE])
def test_find_exposure_does_not_name_a_revision_after_virus_definitions(action):
    daily = [
        logged(f"01-{day} 12:0{minute}", said, "KB2267602")
        for day in (11, 12, 13)
        for minute, said in enumerate([STARTS, DONE])
    ]
    df = expose(boot("01-12 08:00", 64998), boot("01-13 08:00", 64999), *daily)
    assert df.loc[df["revision"].notna(), "change"].tolist() == ["19044.64999", "19044.64998"]
    assert action in {fact["action"] for fact in daily}


def test_find_exposure_does_not_guess_between_two_names():
    both = [
        logged(f"01-12 {hour}:0{n}", said, kb)
        for n, kb in enumerate([NEW, NET])
        for hour, said in ((15, STARTS), (17, DONE))
    ]
    df = expose(boot("01-12 08:00"), boot("01-12 16:00", 64999), *both)
    assert "19044.64999" in df["change"].tolist()


def test_find_exposure_keeps_hosts_apart():
    df = expose(
        boot("01-12 08:00", 1466), boot("01-12 09:00", host="PC2"), logged("01-12 10:00", DONE, NET)
    )
    assert rows(df, "host", "change") == [("PC1", NET), ("PC1", BAD), ("PC2", DECEMBER)]


def test_find_exposure_knows_a_host_that_only_a_dump_names():
    df = expose(boot("01-12 08:00"), listed("01-13 12:00", host="PC9"))
    assert rows(df[df["host"] == "PC9"], "change", "revision") == [(BAD, 1466)]


def test_find_exposure_leaves_out_what_has_no_time_or_host():
    assert expose(boot(None, 1466), listed(None), logged("01-12 08:00", DONE, host="")).empty


def test_find_exposure_survives_starts_that_state_no_revision():
    df = expose(boot("01-11 08:00", None, build=None), listed("01-12 12:00"))
    assert rows(df, "change") == [(BAD,)]


def test_find_exposure_hands_on_the_doubt_of_a_set_clock():
    wide = boot("01-12 08:00", 1466) | {"time_high": at("01-12 11:00")}
    df = expose(boot("01-10 08:00"), wide)
    assert df["start_high"][0] == at("01-12 11:00")


def test_find_exposure_of_a_real_log_starts_with_the_boot(shared):
    name = "2-vss_7-System.evtx"
    events = readers.evtx.read_evtx(shared / "evtx" / "rust" / name).assign(path=name)
    found = worlds.evidence()
    facts = build_timeline(
        type(found)(**{n: getattr(found, n) for n in found.__slots__} | {"events": events})
    )
    df = find_exposure(facts)
    row = df[df["change"] == "KB4338819"].iloc[0]
    assert row["start"].floor("s") == pd.Timestamp("2018-07-12T00:41:50Z")
    assert (row["build"], row["revision"], row["start_known_by"]) == (17134, 165, "boot")
    assert (df["change"] == "KB4338819").sum() == 1


def test_find_exposure_of_a_fleet_takes_seconds():
    one = [boot(f"01-{day:02d} 08:00", 1415 if day < 12 else 1466) for day in range(1, 21)]
    one += [
        logged(f"01-{day:02d} 09:0{n}", said, "KB2267602")
        for day in range(1, 21)
        for n, said in enumerate([STARTS, DONE])
    ]
    facts = worlds.timeline(*one)
    fleet = pd.concat([facts.assign(host=f"PC{n}") for n in range(500)], ignore_index=True)
    began = time.process_time()
    assert len(find_exposure(fleet)) == 1500
    assert time.process_time() - began < 5


# ------------------------------------------------------------- both ends are intervals


def test_find_exposure_hands_on_the_interval_of_the_next_start_as_the_end():
    wide = boot("01-12 08:00", 1466) | {"time_low": at("01-12 07:00")}
    df = expose(boot("01-10 08:00"), wide, boot("01-18 08:00", 1469))
    assert rows(df, "change", "end_low", "end_high") == [
        (BAD, at("01-18 08:00"), at("01-18 08:00")),
        (FIX, pd.NaT, pd.NaT),
        (DECEMBER, at("01-12 07:00"), at("01-12 08:00")),
    ]


def test_find_exposure_does_not_date_a_restart_that_nobody_logged():
    (row,) = expose(listed("01-12 12:00")).to_dict("records")
    assert (row["start_low"], row["start_high"]) == (at("01-12 12:00"), at("01-14 12:00"))


def test_find_exposure_dates_it_by_a_start_that_states_no_revision():
    (row,) = expose(listed("01-12 12:00"), boot("01-13 07:00", None, build=None)).to_dict("records")
    assert (row["start"], row["start_low"], row["start_high"]) == (
        at("01-13 07:00"),
        at("01-12 12:00"),
        at("01-13 07:00"),
    )


def test_find_exposure_begins_a_logged_installation_without_starts_where_it_was_begun():
    (row,) = expose(logged("01-12 16:00", STARTS), logged("01-13 08:00", DONE)).to_dict("records")
    assert (row["start_low"], row["start_high"]) == (at("01-12 16:00"), at("01-13 08:00"))


def test_find_exposure_bounds_a_late_report_by_the_publication():
    late = listed("01-20 12:00") | {"time_low": at("1990-01-01 00:00")}
    (row,) = expose(late).to_dict("records")
    assert (row["start_low"], row["start_high"]) == (at("01-11 00:00"), at("01-20 12:00"))


def test_find_exposure_does_not_date_the_first_state_by_a_late_report():
    late = listed("01-20 12:00") | {"time_low": at("1990-01-01 00:00")}
    (row,) = expose(boot("01-19 08:00", 1466), late).to_dict("records")
    assert row["start_known_by"] == "before evidence"
    assert (row["start_low"], row["start_high"]) == (at("01-11 00:00"), at("01-19 08:00"))


def test_find_exposure_knows_a_state_newer_than_the_kit_by_its_build():
    df = expose(
        listed("01-12 12:00", width="12h"), listed("01-19 12:00", "19044.64999", width="1h")
    )
    assert rows(df, "change", "revision", "end_known_by") == [
        (BAD, 1466, "update history"),
        ("19044.64999", 64999, "still in effect"),
    ]


def test_find_exposure_uses_what_is_known_only_to_lie_between_two_times():
    between = listed("01-12 12:00", width="30h") | {"time": pd.NaT}
    (row,) = expose(between).to_dict("records")
    assert (row["change"], row["start"]) == (BAD, at("01-13 18:00"))
    assert (row["start_low"], row["start_high"]) == (at("01-11 06:00"), at("01-13 18:00"))


def test_find_exposure_takes_the_state_back_to_the_first_record_of_the_system_log():
    seen = worlds.fact("01-11 06:00", "sleep", record_id=3)
    (row,) = expose(seen, boot("01-19 08:00", 1466)).to_dict("records")
    assert (row["start_low"], row["start_high"]) == (at("01-11 00:00"), at("01-11 06:00"))


def test_find_exposure_does_not_take_it_back_to_before_its_publication():
    seen = worlds.fact("01-04 06:00", "sleep", record_id=3)
    (row,) = expose(seen, boot("01-19 08:00", 1466)).to_dict("records")
    assert (row["start_low"], row["start_high"]) == (at("01-11 00:00"), at("01-19 08:00"))


def test_find_exposure_knows_when_the_very_first_start_brought_the_update():
    facts = (
        logged("01-18 16:00", STARTS),
        boot("01-19 08:00", 1466),
        logged("01-19 08:03", DONE),
    )
    (row,) = expose(*facts).to_dict("records")
    assert (row["start"], row["start_known_by"]) == (at("01-19 08:00"), "boot")


# ------------------------------------------------------------- drivers, products, settings


def driver(time, version, name="Fabrikam Ethernet Adapter", **columns):
    return worlds.fact(
        time, "driver_installed", change=f"{name} {version}", target=name, record_id=4, **columns
    )


def product(time, version, name="Kontor VPN", action="application_installed", **columns):
    label = f"{name} {version}".strip()
    return worlds.fact(
        time, action, change=label, target=name, record_id=5, channel="Application", **columns
    )


def test_find_exposure_ends_a_version_with_the_next_one_and_begins_it_again():
    versions = [("05", "1.0"), ("12", "2.0"), ("14", "1.0")]
    df = expose(*(driver(f"01-{day} 10:00", version) for day, version in versions))
    name = "Fabrikam Ethernet Adapter"
    assert rows(df, "change", "kind", "start", "end", "end_known_by") == [
        (f"{name} 1.0", "driver", at("01-05 10:00"), at("01-12 10:00"), "another version"),
        (f"{name} 2.0", "driver", at("01-12 10:00"), at("01-14 10:00"), "another version"),
        (f"{name} 1.0", "driver", at("01-14 10:00"), pd.NaT, "still in effect"),
    ]


def test_find_exposure_does_not_end_a_new_version_by_the_removal_of_the_old_one():
    df = expose(
        product("01-05 10:00", "5.0"),
        product("01-12 10:00", "5.1"),
        product("01-12 10:01", "5.0", action="application_removed"),
    )
    assert rows(df, "change", "end") == [
        ("Kontor VPN 5.0", at("01-12 10:00")),
        ("Kontor VPN 5.1", pd.NaT),
    ]


@pytest.mark.parametrize("version", ["5.1", ""])
def test_find_exposure_ends_a_product_with_its_removal(version):
    gone = product("01-14 10:00", version, action="application_removed")
    df = expose(product("01-12 10:00", "5.1"), gone)
    assert rows(df, "change", "kind", "end") == [
        ("Kontor VPN 5.1", "application", at("01-14 10:00"))
    ]


def test_find_exposure_takes_the_record_without_a_version_for_the_one_with_it():
    df = expose(product("01-12 10:00", "5.1"), product("01-12 10:01", ""))
    assert rows(df, "change") == [("Kontor VPN 5.1",)]


def test_find_exposure_counts_a_service_to_the_product_that_brings_it():
    service = worlds.fact("01-12 10:02", "service_installed", change="Kontor Tunnel", record_id=6)
    alone = worlds.fact("01-15 10:02", "service_installed", change="Lone Service", record_id=7)
    df = expose(product("01-12 10:00", "5.1"), service, alone)
    assert rows(df, "change", "kind") == [
        ("Kontor VPN 5.1", "application"),
        ("Lone Service", "other"),
    ]


def test_find_exposure_names_a_driver_of_windows_update_once_and_on_all_hosts():
    title = "Fabrikam - Net - 2.0.1.7"
    df = expose(
        logged("01-12 10:00", STARTS, title),
        driver("01-12 10:01", "2.0.1.7"),
        logged("01-12 10:03", DONE, title),
        driver("01-15 10:00", "2.0.1.7", host="PC2"),  # by hand: no title
        driver("01-20 10:00", "1.9.0.0"),  # put back: no title either
    )
    assert rows(df, "host", "change", "kind", "start", "end") == [
        ("PC1", title, "driver", at("01-12 10:01"), at("01-20 10:00")),
        ("PC1", "Fabrikam Ethernet Adapter 1.9.0.0", "driver", at("01-20 10:00"), pd.NaT),
        ("PC2", title, "driver", at("01-15 10:00"), pd.NaT),
    ]


def test_find_exposure_tells_a_setting_of_group_policy_by_its_day():
    changed = [
        worlds.fact(f"01-{day} 09:00", "policy_changed", change="Group Policy (computer)",
                    record_id=8)
        for day in ("05", "12")
    ]  # fmt: skip
    df = expose(worlds.fact("01-01 08:00", "sleep", record_id=1), *changed)
    assert rows(df, "change", "kind", "end") == [
        ("Group Policy (computer) 2022-01-05", "policy", at("01-12 09:00")),
        ("Group Policy (computer) 2022-01-12", "policy", pd.NaT),
    ]


def test_find_exposure_makes_no_change_of_what_goes_to_and_fro():
    flips = [
        worlds.fact(f"01-{day:02d} 09:00", "service_start_type", change=f"DoSvc {kind}",
                    target="DoSvc", record_id=9)
        for day, kind in enumerate(["auto", "manual"] * 4, 2)
    ]  # fmt: skip
    off = worlds.fact("01-12 09:00", "service_start_type", change="IKEEXT disabled",
                      target="IKEEXT", record_id=10)  # fmt: skip
    df = expose(worlds.fact("01-01 08:00", "sleep", record_id=1), *flips, off)
    assert rows(df, "change") == [("IKEEXT disabled",)]


def daily(first, last, change="KB2267602"):
    return [logged(f"01-{day:02d} 12:00", DONE, change) for day in range(first, last)]


def test_find_exposure_does_not_date_what_was_installed_daily_since_the_log_began():
    (row,) = expose(worlds.fact("01-02 08:00", "sleep", record_id=1), *daily(3, 12)).to_dict(
        "records"
    )
    assert pd.isna(row["start"])
    assert (row["start_high"], row["start_known_by"]) == (at("01-03 12:00"), "before evidence")


def test_find_exposure_dates_what_began_to_be_installed_daily_within_the_log():
    seen = worlds.fact("2021-12-01 08:00", "sleep", record_id=1)
    (row,) = expose(seen, *daily(3, 12)).to_dict("records")
    assert row["start"] == at("01-03 12:00")


def test_find_exposure_ends_everything_with_a_machine_set_up_anew():
    first, again = boot("01-05 08:00"), boot("01-20 08:00")
    df = expose(
        first | {"record_id": 4000}, logged("01-06 10:00", DONE, NET), again | {"record_id": 12}
    )
    (row,) = df[df["change"] == NET].to_dict("records")
    assert (row["end"], row["end_known_by"]) == (at("01-20 08:00"), "set up anew")


def test_find_exposure_ends_nothing_with_a_start_that_is_numbered_on():
    first, again = boot("01-05 08:00"), boot("01-20 08:00")
    df = expose(
        first | {"record_id": 4000}, logged("01-06 10:00", DONE, NET), again | {"record_id": 4100}
    )
    assert df.loc[df["change"] == NET, "end"].isna().all()


def test_find_exposure_puts_nothing_into_effect_at_a_start_from_fast_startup():
    facts = (
        boot("01-11 08:00"),
        logged("01-12 16:00", STARTS, NET),
        boot("01-12 17:00"),
        worlds.fact("01-12 17:00", "hybrid_start", record_id=3),
        logged("01-13 09:00", DONE, NET),
    )
    df = expose(*facts)
    assert df.loc[df["change"] == NET, "start"].tolist() == [at("01-13 09:00")]
    real = expose(*(fact for fact in facts if fact["action"] != "hybrid_start"))
    assert real.loc[real["change"] == NET, "start"].tolist() == [at("01-12 17:00")]


def test_find_exposure_waits_for_the_restart_of_what_a_history_lists_before_it():
    facts = (
        boot("01-11 08:00"),
        listed("01-12 16:00", NET),
        boot("01-13 07:00"),
        logged("01-13 07:03", DONE, NET),
    )
    df = expose(*facts)
    assert df.loc[df["change"] == NET, "start"].tolist() == [at("01-13 07:00")]


def test_find_exposure_of_real_logs_finds_drivers_and_services(shared):
    name = "2-vss_7-System.evtx"
    events = readers.evtx.read_evtx(shared / "evtx" / "rust" / name).assign(path=name)
    found = worlds.evidence()
    facts = build_timeline(
        type(found)(**{n: getattr(found, n) for n in found.__slots__} | {"events": events})
    )
    df = find_exposure(facts)
    kinds = dict(zip(df["change"], df["kind"], strict=True))
    assert kinds["Red Hat VirtIO Ethernet Adapter 100.76.104.14900"] == "driver"
    assert kinds["TeamViewer 13"] == "other"
    assert "TeamViewer VPN Adapter" not in kinds  # the service of a driver that has its version
    assert not any(change.startswith(("MpKsl", "BITS", "TrustedInstaller")) for change in kinds)


def test_find_exposure_of_many_changes_takes_seconds():
    one = [boot(f"01-{day:02d} 08:00", 1415 if day < 12 else 1466) for day in range(1, 21)]
    one += [driver(f"01-{1 + n % 20:02d} 10:{n:02d}", "1.0", f"Device {n}") for n in range(30)]
    one += [product(f"01-{1 + n % 20:02d} 11:{n:02d}", "1.0", f"Product {n}") for n in range(30)]
    facts = worlds.timeline(*one)
    fleet = pd.concat([facts.assign(host=f"PC{n}") for n in range(1000)], ignore_index=True)
    began = time.process_time()
    assert len(find_exposure(fleet)) == 62_000
    assert time.process_time() - began < 5
