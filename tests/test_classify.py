"""Rules turn event records into facts; every rule brings the example it is tested by."""

from __future__ import annotations

import pandas as pd
import pytest
import worlds

from kitlib import schema
from kitlib.classify import (
    activity_channels,
    change_label,
    classify,
    load_rules,
    lookup,
    normal_code,
    parse_rule,
    wanted,
)
from kitlib.errors import IncidentError

RULES = load_rules()
RAW = {
    "name": "r",
    "channel": "System",
    "provider": "P",
    "event_id": 7,
    "action": "did",
    "reference": "none",
    "example": {},
}
WRECKS = [
    None,
    {},
    {"Data": []},
    {"Data": None},
    {"Data": [None, None, None, None]},
    {"Data": {"Name": "x"}},
    {"Data": 5},
    {"Data": [["a"], ["b"], ["c"], ["d"]]},
    {"updateTitle": ["a", "b"], "BuildVersion": ["x"], "QfeVersion": {"y": "z"}},
    {"BuildVersion": "9" * 40, "QfeVersion": "-1", "errorCode": "9" * 40},
    {"BuildVersion": "١٩٠٤٤", "QfeVersion": "²"},
    {"param4": "{0}{user}", "updateTitle": "{change}", "Data": ["{x!r}"] * 9},
    {"LogFileCleared": "not a table", "OldTime": "never"},
]


def facts_of(rule, data, **columns):
    row = {
        "channel": rule.channel,
        "provider": rule.provider,
        "event_id": rule.event_id,
        "data": data,
        "record_id": 1,
        **columns,
    }
    events = schema.frame("events", [worlds.event("01-12 08:00", **row)])
    return classify(events, [rule])


def one(rules, **columns):
    facts = classify(schema.frame("events", [worlds.event("01-12 08:00", **columns)]), rules)
    return facts.to_dict("records")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_gives_what_its_example_says(rule):
    (fact,) = facts_of(rule, rule.example["data"]).to_dict("records")
    wanted_values = rule.example["gives"]
    assert {key: fact[key] for key in wanted_values} == wanted_values
    assert fact["message"]
    assert "None" not in fact["message"]


def test_an_export_without_channel_matches_by_provider_and_number():
    (rule,) = [rule for rule in RULES if rule.name == "vpn-failed"]
    assert len(facts_of(rule, {}, channel="")) == 1
    assert facts_of(rule, {}, channel="Security").empty


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("data", WRECKS, ids=range(len(WRECKS)))
def test_classify_survives_any_payload(rule, data):
    facts = facts_of(rule, data)
    assert len(facts) <= 1
    schema.check("timeline", facts)


def test_rules_have_unique_names():
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_classify_of_no_events_is_an_empty_timeline():
    assert schema.check("timeline", classify(schema.empty("events"))).empty


def test_classify_leaves_events_without_a_rule_out():
    assert one(None, event_id=4242) == []


def test_classify_ignores_case_of_provider_and_channel():
    data = {"Data": ["C:\\x.exe", "PC1", "text", "0x80020010", "restart", "", "SYSTEM"]}
    facts = one(None, provider="USER32", event_id=1074, channel="SYSTEM", data=data)
    assert [(f["action"], f["code"]) for f in facts] == [("restart_requested", "0x80020010")]


def test_classify_wants_the_channel_of_the_rule():
    assert one(None, channel="Application", data={"BuildVersion": "19044"}) == []


def test_classify_leaves_events_without_an_id_alone():
    assert one(None, event_id=None) == []


def test_classify_keeps_the_order_of_the_log_at_equal_times():
    rows = [
        worlds.event("01-12 08:00", event_id=number, record_id=place)
        for place, number in enumerate([13, 12, 13, 12])
    ]
    facts = classify(schema.frame("events", rows))
    assert facts["action"].tolist() == ["shutdown", "boot", "shutdown", "boot"]


def test_classify_does_not_need_a_plain_index():
    rows = [worlds.boot_event("01-12 08:00"), worlds.event("01-12 09:00", event_id=13)]
    events = schema.frame("events", rows)
    events.index = [5, 5]
    assert classify(events)["action"].tolist() == ["boot", "shutdown"]


def test_classify_gives_a_fact_for_each_rule_that_matches():
    rules = [parse_rule({**RAW, "action": a}, source="t") for a in ("one", "two")]
    assert [f["action"] for f in one(rules, provider="P", event_id=7)] == ["one", "two"]


@pytest.mark.parametrize(("text", "hits"), [("ab", 1), ("b", 0), ("abX", 0), ("", 0)])
def test_rule_applies_when_and_unless(text, hits):
    rule = parse_rule({**RAW, "when": {"F": "^a"}, "unless": {"F": "X$"}}, source="t")
    assert len(one([rule], provider="P", event_id=7, data={"F": text})) == hits


@pytest.mark.parametrize("code", ["631", "756", "1223"])
def test_giving_up_is_cancelled_not_failed(code):
    rule = next(rule for rule in RULES if rule.name == "vpn-failed")
    (fact,) = facts_of(rule, {"Data": ["{A}", "u", "Office", code]}).to_dict("records")
    assert (fact["outcome"], fact["code"]) == ("cancelled", code)


def test_store_apps_are_changes_named_by_their_title():
    """Whether a host learns of one from its log or its history must make no difference."""
    title = "9WZDNCRFJBH4-Microsoft.Windows.Photos"
    data = {"updateTitle": title, "serviceGuid": "855e8a7c-ecb4-4ca3-b045-1dfa50104289"}
    (fact,) = one(None, provider=worlds.UPDATES, event_id=19, data=data)
    assert (fact["action"], fact["change"]) == ("update_installed", title)


@pytest.mark.parametrize(
    ("number", "state", "action"),
    [
        (1, "Absent", "update_uninstall_started"),
        (1, "5112", "update_install_started"),
        (2, "Installed", "update_installed"),
        (2, "5000", "update_uninstalled"),
        (3, "Absent", "update_uninstall_failed"),
        (3, "Staged", "update_install_failed"),
        (4, "5112", "update_restart_needed"),
        (4, "Absent", "uninstall_restart_needed"),
    ],
)
def test_servicing_tells_installing_from_removing(number, state, action):
    data = {"PackageIdentifier": "KB5009543", "IntendedPackageState": state, "ErrorCode": "0x0"}
    facts = one(None, channel="Setup", provider=worlds.SERVICING, event_id=number, data=data)
    assert [(f["action"], f["change"]) for f in facts] == [(action, "KB5009543")]


@pytest.mark.parametrize("state", ["Staged", "5064", "Superseded"])
def test_servicing_states_on_the_way_are_no_installation(state):
    data = {"PackageIdentifier": "KB5009543", "IntendedPackageState": state, "ErrorCode": "0x0"}
    assert one(None, channel="Setup", provider=worlds.SERVICING, event_id=2, data=data) == []


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("2022-01 Cumulative Update (KB5009543)", "KB5009543"),
        ("Mise à jour cumulative (KB5009543)", "KB5009543"),
        ("wusa /uninstall /kb:5009543", "KB5009543"),
        ("Package_for_KB5009543~31bf3856ad364e35~amd64~~10.0.1.1", "KB5009543"),
        ("windows10.0-kb5010793-x64_4e1b.msu", "KB5010793"),
        ("Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.1466.1.7", "KB5009543"),
        ("Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.64999.1.7", "19041.64999"),
        ("Intel - Net - 12.18.9.23", "Intel - Net - 12.18.9.23"),
        ("SKB5009543", "SKB5009543"),
        ("KB12345678901", "KB12345678901"),
        ("  driver ", "driver"),
        ("", ""),
    ],
)
def test_change_label_finds_the_kb_wherever_it_stands(text, label):
    assert change_label(text) == label


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("789", "789"),
        (" 789 ", "789"),
        ("0789", "789"),
        ("2147944030", "0x8007065e"),
        ("-2145124316", "0x80240024"),
        ("0X80240024", "0x80240024"),
        ("0x0", "0x00000000"),
        ("9999999999", "9999999999"),
        ("-9999999999", "-9999999999"),
        ("%%1792", "%%1792"),
        ("", ""),
    ],
)
def test_normal_code_writes_one_notation(text, code):
    assert normal_code(text) == code


@pytest.mark.parametrize(
    ("data", "paths", "text"),
    [
        ({"Data": ["a", "b"]}, ["Data[1]"], "b"),
        ({"Data": "a"}, ["Data[0]"], "a"),
        ({"Data": ["a"]}, ["Data[1]", "Data[0]"], "a"),
        ({"A": {"B": {"C": "x"}}}, ["A.B.C"], "x"),
        ({"A": {"B": ["x", "y"]}}, ["A.B[1]"], "y"),
        ({"A": ""}, ["A"], ""),
        ({"A": {"B": "x"}}, ["A"], ""),
        ({"A": "x"}, ["A.B"], ""),
    ],
)
def test_lookup_goes_down_the_path(data, paths, text):
    assert lookup(data, paths) == text


@pytest.mark.parametrize(
    "change", [{"evnt_id": 7}, {"action": None}, {"message": "{host} and {usr}"}]
)
def test_parse_rule_refuses_what_it_does_not_know(change):
    raw = {key: value for key, value in {**RAW, **change}.items() if value is not None}
    with pytest.raises(IncidentError, match=r"t\.toml, rule 'r'"):
        parse_rule(raw, source="t.toml")


def test_wanted_names_each_triple_once():
    triples = wanted()
    assert len(set(triples)) == len(triples)
    assert ("Application", "RasClient", 20227) in triples
    assert (None, "Microsoft-Windows-Eventlog", 104) in triples


def test_activity_channels_of_vpn_is_the_application_log():
    assert activity_channels("vpn") == {"Application"}


def test_classify_calls_no_local_time_utc():
    row = worlds.boot_event("01-11 08:00", record_id=1)
    facts = classify(schema.frame("events", [row, {**row, "time_created": pd.NaT}]))
    assert facts["time_basis"].tolist() == ["utc", "local"]


@pytest.mark.parametrize(
    ("number", "text", "change"),
    [
        (11707, "Product: Kontor VPN -- Installation completed successfully.", "Kontor VPN"),
        (11707, "Produit : Kontor VPN -- Installation terminée.", "Kontor VPN"),
        (11724, "Product: A -- B: C -- Removal completed successfully.", "A"),
        (11707, "no product at all", ""),
        (11707, "", ""),
    ],
)
def test_windows_installer_names_the_product_in_any_language(number, text, change):
    data = {"Data": [text, "(NULL)"]}
    facts = one(None, channel="Application", provider="MsiInstaller", event_id=number, data=data)
    assert [(f["change"], f["target"]) for f in facts] == [(change, change)]


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("0", "application_installed"),
        ("3010", "application_installed"),
        ("1603", "application_install_failed"),
    ],
)
def test_windows_installer_tells_success_from_failure(status, action):
    data = {"Data": ["Kontor VPN", "5.1", "1033", status]}
    facts = one(None, channel="Application", provider="MsiInstaller", event_id=1033, data=data)
    assert [(f["action"], f["change"]) for f in facts] == [(action, "Kontor VPN 5.1")]


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("Kontor Dienst", "C:\\k.exe", [("service_installed", "Kontor Dienst")]),
        ("CDPUserSvc_2f1a3c", "C:\\svchost.exe -k U", [("service_installed", "CDPUserSvc")]),
        ("Filter", "\\SystemRoot\\f.SYS", [("driver_service_installed", "Filter")]),
        ("MpKsla846182a", "\\SystemRoot\\MpKsl.sys", []),
    ],
)
def test_new_services_are_told_from_drivers_and_from_a_scanner(name, path, expected):
    data = {"ServiceName": name, "ImagePath": path, "ServiceType": "Dienst"}
    facts = one(None, provider="Service Control Manager", event_id=7045, data=data)
    assert [(f["action"], f["change"]) for f in facts] == expected


@pytest.mark.parametrize(("kind", "actions"), [("0", []), ("1", ["hybrid_start"]), ("2", [])])
def test_only_a_hybrid_boot_is_no_restart(kind, actions):
    data = {"BootType": kind}
    facts = one(None, provider="Microsoft-Windows-Kernel-Boot", event_id=27, data=data)
    assert [f["action"] for f in facts] == actions


@pytest.mark.parametrize(
    ("paths", "data", "text"),
    [
        ("{A} {B}", {"A": "x", "B": "y"}, "x y"),
        ("{A} {B}", {"A": "x"}, "x"),
        ("{A} {B}", {"A": "(NULL)", "B": "y"}, "y"),
        ("profile {A}", {}, ""),
        (["{A} {B}", "C"], {"C": "z"}, "z"),
        ("{Data[0]}/{Data[1]}", {"Data": ["a", "{0}"]}, "a/{0}"),
    ],
)
def test_rule_joins_fields(paths, data, text):
    rule = parse_rule({**RAW, "change": paths}, source="t")
    assert [f["change"] for f in one([rule], provider="P", event_id=7, data=data)] == [text]


def test_rule_takes_a_part_of_a_field():
    rule = parse_rule({**RAW, "target": "A", "take": {"target": "^v(.+)$"}}, source="t")
    found = [one([rule], provider="P", event_id=7, data={"A": a})[0]["target"] for a in ("v1", "w")]
    assert found == ["1", ""]


def test_parse_rule_refuses_to_take_from_what_it_does_not_read():
    with pytest.raises(IncidentError, match="'take' names no columns"):
        parse_rule({**RAW, "take": {"change": "(.)"}}, source="t")
