"""Claims about the simulated fleet: its files are real logs, its truth follows from its world."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from evtx import PyEvtxParser
from simulated import contents

from kitlib.errors import UsageError
from kitlib.schema import STATUSES
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.dice import Dice
from kitlib.simulate.fleet import list_scenarios, load_scenario, simulate
from kitlib.simulate.logs import write_logs
from kitlib.simulate.notes import shapes
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow

SEED = 20220111
FATES = {
    "PC-ANNA": ("recovered", "fix", False),
    "PC-BERND": ("recovered", "fix", False),
    "LT-PAUL": ("recovered", "fix", False),
    "LT-DAVID": ("recovered", "fix", False),
    "LT-EMMA": ("still_failing", None, True),
    "PC-FELIX": ("workaround_only", "uninstall", True),
    "LT-GRETA": ("pending_reboot", None, True),
    "PC-HUGO": ("still_failing", None, True),
    "LT-IDA": ("unconfirmed", None, False),
    "PC-JONAS": ("not_affected", None, True),
    "SRV-FILES": ("not_affected", None, False),
    "LT-KLARA": ("not_affected", None, False),
    "LT-LEON": ("not_affected", None, False),
    "PC-MARIA": ("not_affected", None, False),
    "LT-NILS": ("not_affected", None, False),
    "PC-OLGA": ("no_data", None, False),
}

SMALL = """
schema = "kitlib.scenario/1"
title = "three hosts, three weeks"
incident = "kb5009543"
use = ["january-2022"]
[window]
start = 2022-01-03T06:00:00
end = 2022-01-21T18:00:00
utc_offset_minutes = 60
zone = "W. Europe Standard Time"
[office]
domain = "kontor.example"
netbios = "KONTOR"
profile = "Kontor VPN"
server = "vpn.kontor.example"
[verdict]
status = "supported"
[habits]
use_probability = 1.0
sessions_per_day = 3.0
[[fault]]
name = "ipsec"
kind = "change"
codes = { 789 = 1.0 }
carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]
[[host]]
names = ["PC-A", "PC-B"]
branch = "win10-21h2"
revision = 1415
act = [
  { do = "install", revision = 1466, at = 2022-01-12T10:00:00 },
  { do = "install", revision = 1469, at = 2022-01-18T10:00:00 },
]
[[host]]
names = ["PC-C"]
branch = "win10-21h2"
revision = 1415
"""


AS_HANDED = re.compile(r"^(handed|exports|gateway_log) = .*\n", re.MULTILINE)


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    """The founding office as it is handed over: folders, archives, an export, a gateway's log."""
    return simulate("founding-office", seed=SEED, out=tmp_path_factory.mktemp("handed") / "out")


@pytest.fixture(scope="module")
def office(tmp_path_factory, root):
    """The same office, every host a folder of logs."""
    folder = tmp_path_factory.mktemp("office")
    text = (root / "kitlib/simulate/scenarios/founding-office.toml").read_text("utf-8")
    (folder / "founding-office.toml").write_text(AS_HANDED.sub("", text), encoding="utf-8")
    return simulate(folder / "founding-office.toml", seed=SEED, out=folder / "out")


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("founding-office"), seed=SEED)


@pytest.fixture(scope="module")
def told(office):
    return json.loads((office / "truth.json").read_text(encoding="utf-8"))


def scenario_file(folder, text):
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def small(folder, text=SMALL, *, seed=1):
    return simulate(scenario_file(folder, text), seed=seed, out=folder / "out")


def records(path):
    """Read a log with the Rust parser: (id, time, provider, event id, system, payload) each."""
    out = []
    for row in PyEvtxParser(str(path)).records_json():
        event = json.loads(row["data"])["Event"]
        system = event["System"]
        number = system["EventID"]
        number = number["#text"] if isinstance(number, dict) else number
        time = datetime.fromisoformat(system["TimeCreated"]["#attributes"]["SystemTime"])
        provider = system["Provider"]["#attributes"]["Name"]
        payload = event.get("EventData") or event.get("UserData") or {}
        out.append((system["EventRecordID"], time, provider, number, system, payload))
    return out


def strings(payload):
    text = payload["Data"]["#text"]
    return text if isinstance(text, list) else [text]


def host_of(world, name):
    return next(host for host in world.hosts if host.name == name)


def truth_of(told, name):
    return next(host for host in told["hosts"] if host["host"] == name)


# Scenarios --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list_scenarios())
def test_every_scenario_file_is_valid(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.title


def test_list_scenarios_names_the_three_first():
    assert {"founding-office", "quiet-outage", "big-bang"} <= set(list_scenarios())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("zone = ", "zonne = ", r"window: unknown key 'zonne' \(did you mean 'zone'\?\)"),
        ("[habits]", "[habits]\nsessions = 2.0", "habits: unknown key 'sessions'"),
        ('status = "supported"', 'status = "guilty"', "verdict: status: 'guilty' is not one of"),
        ('netbios = "KONTOR"\n', "", "office: key 'netbios' is missing"),
        ("revision = 1415", "revision = 1416", "revision: '1416' is not one of 1348, 1415"),
        ('branch = "win10-21h2"\nrevision', 'branch = "xp"\nrevision', "'xp' is not one of"),
        ('do = "install"', 'do = "instal"', "do: 'instal' is not one of install"),
        ("use_probability = 1.0", 'use_probability = "often"', "wanted a number, found 'often'"),
        ('names = ["PC-C"]', 'names = ["PC-A"]', "host 'PC-A' appears twice"),
        ("codes = { 789 = 1.0 }", "codes = { ike = 1.0 }", "key 'ike' must be a number"),
        ('use = ["january-2022"]', 'use = ["may-2031"]', "use: there is no 'may-2031'"),
        ("[office]", "[office", "is not TOML"),
        ("carrier =", "carriers =", r"write \[\[carrier\]\], not 'carriers'"),
        ('[[host]]\nnames = ["PC-C"]', "[[host]]\nnames = []", "give 'names', or 'prefix'"),
    ],
)
def test_load_scenario_says_what_is_wrong(tmp_path, old, new, message):
    assert old in SMALL
    with pytest.raises(ScenarioError, match=message):
        load_scenario(scenario_file(tmp_path, SMALL.replace(old, new)))


def test_load_scenario_names_the_known_ones_for_an_unknown_name():
    with pytest.raises(UsageError, match="founding-office"):
        load_scenario("founding-ofice")


def test_simulate_refuses_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        simulate("big-bang", seed=1, out=tmp_path)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_window_turns_local_time_into_utc_and_back_across_a_change_of_offset(tmp_path):
    shift = "shifts = [{ at = 2022-01-10T02:00:00, utc_offset_minutes = 120 }]\n[office]"
    window = load_scenario(scenario_file(tmp_path, SMALL.replace("[office]", shift))).window
    for hours in range(0, 24 * 18, 7):
        local = window.start + timedelta(hours=hours)
        assert window.local(window.utc(local)) == local
    noon = window.start.replace(day=12, hour=12)
    assert window.utc(noon) == datetime(2022, 1, 12, 10, tzinfo=UTC)


# Chance -----------------------------------------------------------------------------------------


def test_simulate_gives_the_same_bytes_for_the_same_seed(tmp_path):
    here = contents(small(tmp_path))
    code = (
        "import sys; from pathlib import Path; from kitlib.simulate.fleet import simulate;"
        "simulate(sys.argv[1], seed=1, out=Path(sys.argv[2]))"
    )
    there = tmp_path / "other process"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "small.toml"), str(there)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert contents(there) == here


def test_simulate_gives_other_bytes_for_another_seed(tmp_path):
    one = contents(small(tmp_path))
    path = tmp_path / "small.toml"
    other = contents(simulate(path, seed=2, out=tmp_path / "two"))
    assert one.keys() == other.keys()
    assert all(
        one[name] != other[name]
        for name in one
        if name.endswith(("Application.evtx", "System.evtx"))
    )


def test_adding_a_host_changes_no_other(tmp_path):
    one = contents(small(tmp_path))
    text = SMALL.replace('names = ["PC-A", "PC-B"]', 'names = ["PC-Z", "PC-A", "PC-B"]')
    more = contents(simulate(scenario_file(tmp_path, text), seed=1, out=tmp_path / "more"))
    same = [name for name in one if name != "truth.json"]
    assert {name: more[name] for name in same} == {name: one[name] for name in same}


def test_dice_count_has_the_mean_it_is_asked_for():
    dice = Dice(3, "mean")
    numbers = [dice.count(2.5) for _ in range(4000)]
    assert 2.4 < sum(numbers) / 4000 < 2.6


def test_dice_weighted_follows_the_weights():
    dice = Dice(3, "weights")
    drawn = [dice.weighted({1: 3.0, 2: 1.0}) for _ in range(4000)]
    assert 0.72 < drawn.count(1) / 4000 < 0.78


# Files ------------------------------------------------------------------------------------------


def test_simulate_writes_a_folder_a_host_and_the_truth_and_nothing_else(office):
    assert {p.name for p in office.iterdir()} == set(FATES) | {"truth.json"}
    for name in FATES:
        files = {p.name for p in (office / name).iterdir()}
        assert {"Application.evtx", "System.evtx", "Setup.evtx"} < files


def zipped(handed, name):
    (archive,) = handed.glob(f"Collection-{name}.*.zip")
    with zipfile.ZipFile(archive) as opened:
        return {member: opened.read(member) for member in opened.namelist()}


def test_however_files_are_handed_over_they_are_the_same(office, handed):
    plain, packed = contents(office), contents(handed)
    other = {"PC-HUGO/System.xml", "gateway/event-log.csv"}
    collected = {name for name in packed if name.endswith(".zip")}
    for name in packed.keys() - other - collected:
        assert packed[name] == plain[name], name
    for host in ("LT-IDA", "LT-KLARA"):
        uploads = {
            member.rpartition("/")[2]: content
            for member, content in zipped(handed, host).items()
            if member.startswith("uploads/auto/C%3A/")
        }
        own = {n.partition("/")[2]: c for n, c in plain.items() if n.startswith(f"{host}/")}
        assert uploads == own


def test_a_collection_holds_the_collectors_own_files(handed):
    members = zipped(handed, "LT-IDA")
    listed = [json.loads(line) for line in members["uploads.json"].splitlines()]
    assert {row["vfs_path"] for row in listed} == {m for m in members if m.startswith("uploads/")}
    assert json.loads(members["client_info.json"])["Hostname"] == "LT-IDA"


def test_a_log_as_xml_has_the_records_of_the_log(office, handed):
    written = (handed / "PC-HUGO" / "System.xml").read_text("utf-8")
    told = [int(number) for number in re.findall(r"<EventRecordID>(\d+)</EventRecordID>", written)]
    assert told == [row[0] for row in records(office / "PC-HUGO" / "System.evtx")]


def test_the_gateway_names_every_user_who_got_in(handed, world):
    rows = list(csv.reader((handed / "gateway" / "event-log.csv").read_text("utf-8").splitlines()))
    assert rows[0] == ["Time(CET)", "Client", "Event type", "Details"]
    named = {found[1] for row in rows if (found := re.search(r"user_id: (\w+),", row[3]))}
    got_in = {
        host.user
        for host in world.hosts
        for attempt in host.attempts
        if attempt.outcome == "success"
    }
    assert named == got_in


def test_systeminfo_is_in_german_and_in_the_consoles_code_page(handed):
    text = (handed / "PC-BERND" / "systeminfo.txt").read_bytes().decode("cp850")
    assert "Verfügbarer physischer Speicher" in text
    assert "[01]: KB5010791" in text


def test_founding_office_stays_under_its_size(handed):
    sizes = [path.stat().st_size for path in handed.rglob("*") if path.is_file()]
    assert sum(sizes) < 15_000_000


def test_logs_have_ids_without_gaps_and_name_host_and_channel(office):
    for path in sorted(office.glob("*/*.evtx")):
        if path.parent.name == "LT-PAUL" and path.stem == "Application":
            continue
        rows = records(path)
        ids = [row[0] for row in rows]
        assert ids == list(range(ids[0], ids[0] + len(ids))), path
        assert {row[4]["Computer"] for row in rows} == {f"{path.parent.name}.kontor.example"}
        assert {row[4]["Channel"] for row in rows} == {path.stem}


def test_logs_begin_at_record_1_or_later_on_old_machines(office):
    first = {p.parent.name: records(p)[0][0] for p in office.glob("*/System.evtx")}
    assert min(first.values()) == 1
    assert max(first.values()) > 1000


def test_every_record_lies_in_the_window(office, world):
    for path in sorted(office.glob("PC-*/*.evtx")):
        times = [row[1] for row in records(path)]
        assert world.start - timedelta(minutes=2) <= min(times), path
        assert max(times) < world.end


def test_rasclient_records_have_the_classic_shape(office):
    rows = [r for r in records(office / "PC-ANNA" / "Application.evtx") if r[2] == "RasClient"]
    assert rows
    for _, _, _, number, system, payload in rows:
        assert system["EventID"]["#attributes"]["Qualifiers"] == 0
        assert system["Level"] == (2 if number == 20227 else 4)
        assert system["Keywords"] == "0x80000000000000"
        assert not {"Version", "Opcode", "Correlation", "Execution"} & set(system)
        assert re.fullmatch(r"\{[0-9A-F-]{36}\}", strings(payload)[0])
        assert strings(payload)[1] == r"KONTOR\anna"


def test_rasclient_chains_follow_the_order_of_stages(office):
    chains = {}
    for _, _, provider, number, _, payload in records(office / "PC-HUGO" / "Application.evtx"):
        if provider == "RasClient":
            chains.setdefault(strings(payload)[0], []).append(number)
    allowed = re.compile(r"1(2(3(4(5(6)?)?)?)?)?7?|12345")
    for chain in chains.values():
        assert chain == sorted(chain)
        assert allowed.fullmatch("".join(str(n)[-1] for n in chain)), chain
        assert {20225, 20227} & set(chain), chain


def test_failed_attempts_state_profile_and_code_in_decimal(office):
    rows = [r for r in records(office / "PC-HUGO" / "Application.evtx") if r[3] == 20227]
    codes = [strings(row[5])[3] for row in rows]
    assert {strings(row[5])[2] for row in rows} == {"Kontor VPN"}
    assert set(codes) <= {"789", "809", "691", "628", "631", "756"}
    assert codes.count("789") > 50


def test_an_install_is_confirmed_minutes_after_the_boot_that_brought_it_into_effect(office):
    rows = records(office / "PC-ANNA" / "System.evtx")
    start = datetime(2022, 1, 11, 18, tzinfo=UTC)
    rows = [r for r in rows if start < r[1] < start + timedelta(days=2)]
    about = [(r[1], r[3]) for r in rows if "KB5009543" in json.dumps(r[5])]
    boot = next(r for r in rows if r[3] == 12 and r[2].endswith("Kernel-General"))
    stop = next(r for r in rows if r[3] == 13 and r[2].endswith("Kernel-General"))
    asked = next(r for r in rows if r[3] == 1074)
    first = [number for _, number in about][:3]
    assert first == [44, 43, 19]
    assert about[1][0] < asked[1] < stop[1] < boot[1] < about[2][0]
    assert timedelta(minutes=2) < about[2][0] - boot[1] < timedelta(minutes=4)
    assert [number for _, number in about][3:] == [44, 44, 44, 43, 19]
    assert about[-1][0] - about[2][0] > timedelta(hours=20)
    assert asked[5]["param4"] == "0x80020010"
    assert (boot[5]["BuildVersion"], boot[5]["QfeVersion"]) == (19044, 1466)


def test_boot_records_are_written_after_the_log_service_started(office):
    rows = records(office / "PC-ANNA" / "System.evtx")
    numbers = [r[3] for r in rows]
    at = numbers.index(6009)
    assert numbers[at : at + 6] == [6009, 6005, 6013, 109, 13, 12]
    assert rows[at + 5][1] < rows[at][1]


@pytest.mark.parametrize("name", sorted(FATES))
def test_boots_in_the_log_are_those_of_the_world(office, world, name):
    host = host_of(world, name)
    rows = records(office / name / "System.evtx")
    logged = [
        (row[5]["QfeVersion"], row[1].replace(microsecond=0))
        for row in rows
        if row[3] == 12 and row[2].endswith("Kernel-General")
    ]
    lived = [(b.revision, b.start.replace(microsecond=0)) for b in host.deeds.boots]
    assert logged == lived


def test_two_branches_state_the_kernel_build_differently(office):
    def builds(name):
        rows = records(office / name / "System.evtx")
        return {row[5]["BuildVersion"] for row in rows if "BuildVersion" in row[5]}

    assert builds("LT-DAVID") == {19041}
    assert builds("LT-GRETA") == {19044}


def test_a_removal_leaves_servicing_wusa_restart_reason_and_a_lower_revision(office):
    setup = records(office / "PC-FELIX" / "Setup.evtx")
    removal = [r for r in setup if "Absent" in json.dumps(r[5]) and r[1].day == 17]
    assert [r[3] for r in removal] == [1, 4, 2]
    wusa = [r for r in setup if r[2] == "Microsoft-Windows-WUSA"]
    assert [r[3] for r in wusa] == [7]
    assert "/uninstall /kb:5009543" in wusa[0][5]["CommandLine"]
    system = records(office / "PC-FELIX" / "System.evtx")
    asked = [r[5]["param4"] for r in system if r[3] == 1074]
    assert "0x80020017" in asked
    revisions = [r[5]["QfeVersion"] for r in system if "QfeVersion" in r[5]]
    assert revisions[revisions.index(1466) + 1] == 1415


def test_servicing_records_come_in_both_shapes(office):
    old = records(office / "LT-DAVID" / "Setup.evtx")[0][5]["CbsPackageInitiateChanges"]
    new = records(office / "LT-GRETA" / "Setup.evtx")[0][5]["CbsPackageInitiateChanges"]
    assert old["IntendedPackageState"] == "Staged"
    assert new["IntendedPackageState"] == 5064
    assert new["IntendedPackageStateTextized"] == "Staged"
    assert old["PackageIdentifier"] == "KB5008212"


def test_daily_noise_holds_store_apps_without_kb_and_definitions_with_one(office):
    rows = [r for r in records(office / "LT-LEON" / "System.evtx") if r[3] == 19]
    store = [r for r in rows if r[5]["serviceGuid"].startswith("855E8A7C")]
    defender = [r for r in rows if "KB2267602" in r[5]["updateTitle"]]
    assert store
    assert not any("KB" in r[5]["updateTitle"] for r in store)
    assert len(defender) > 20


def test_a_host_that_sleeps_or_is_off_writes_nothing(office, world):
    for name in ("LT-LEON", "PC-JONAS"):
        host = host_of(world, name)
        spans = (*host.presence.sleeps, *host.presence.offs)
        slack = timedelta(seconds=46)
        for row in records(office / name / "System.evtx") + records(
            office / name / "Application.evtx"
        ):
            assert not any(a + slack < row[1] < b - slack for a, b in spans), row[:4]


def test_every_kind_of_record_is_written_by_some_note(root):
    used = set()
    for path in sorted((root / "kitlib" / "simulate").glob("*.py")):
        used |= set(re.findall(r'"([a-z_]+)"', path.read_text(encoding="utf-8")))
    assert set(shapes()) <= used


# Dumps ------------------------------------------------------------------------------------------


def test_com_history_of_powershell_51_is_early_by_the_offset(office, world):
    text = (office / "PC-ANNA" / "update_history.json").read_bytes()
    assert text[:2] == b"\xff\xfe"
    rows = json.loads(text.decode("utf-16"))
    row = next(r for r in rows if "KB5009543" in r["Title"])
    stated = int(re.fullmatch(r"/Date\((\d+)\)/", row["Date"])[1]) / 1000
    change = next(c for c in host_of(world, "PC-ANNA").deeds.changes if c.revision == 1466)
    assert stated == change.staged.replace(microsecond=0).timestamp() - 3600
    assert rb"\/Date(".decode() in text.decode("utf-16")


def test_com_history_is_newest_first_and_states_what_is_pending(office):
    rows = json.loads((office / "LT-GRETA" / "update_history.json").read_bytes().decode("utf-16"))
    stamps = [int(re.search(r"\d+", row["Date"])[0]) for row in rows]
    assert stamps == sorted(stamps, reverse=True)
    fix = next(row for row in rows if "KB5010793" in row["Title"])
    assert (fix["ResultCode"], fix["HResult"]) == (1, -2145116140)


def test_com_history_in_utc_text_is_utf8_with_bom(office, world):
    raw = (office / "LT-EMMA" / "wu.json").read_bytes()
    rows = json.loads(raw.decode("utf-8-sig"))
    assert raw[:3] == b"\xef\xbb\xbf"
    titles = [row["Title"] for row in rows if "KB5009566" in row["Title"]]
    assert len(titles) == 2
    change = next(c for c in host_of(world, "LT-EMMA").deeds.changes if c.revision == 434)
    stated = {row["date_utc"] for row in rows if "KB5009566" in row["Title"]}
    assert change.staged.strftime("%Y-%m-%dT%H:%M:%S.0000000Z") in stated


def test_hotfix_lists_name_only_what_is_installed_now(office):
    felix = (office / "PC-FELIX" / "hotfix.csv").read_text(encoding="ascii")
    assert "KB5008212" in felix
    assert "KB5009543" not in felix
    bernd = (office / "PC-BERND" / "hotfix.csv").read_text(encoding="ascii")
    assert '"19.01.2022 00:00:00"' in bernd
    assert "KB5009557" not in bernd


def test_wmic_lists_are_utf16_with_american_dates(office):
    csv = (office / "PC-HUGO" / "qfe.csv").read_bytes()
    lines = csv.decode("utf-16").split("\r\n")
    assert csv[:2] == b"\xff\xfe"
    assert lines[0] == ""
    assert lines[1].startswith("Node,Caption,CSName")
    assert any("KB5009543" in line and ",1/19/2022," in line for line in lines)
    table = (office / "SRV-FILES" / "qfe.txt").read_bytes().decode("utf-16").split("\r\n")
    at = table[0].index("InstalledOn")
    assert table[1][at:].startswith("12/19/2021")


# Truth ------------------------------------------------------------------------------------------


def test_every_fate_of_the_founding_office_is_there(told):
    found = {h["host"]: (h["status"], h["recovered_by"], h["at_risk"]) for h in told["hosts"]}
    assert found == FATES
    assert {status for status, _, _ in FATES.values()} == set(STATUSES)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_fates_do_not_depend_on_the_seed(seed):
    world = grow(load_scenario("founding-office"), seed=seed)
    logs = {host.name: list(write_logs(world, host)) for host in world.hosts}
    found = {
        h["host"]: (h["status"], h["recovered_by"], h["at_risk"])
        for h in truth(world, logs)["hosts"]
    }
    assert found == FATES


def test_truth_names_the_labels_of_the_one_guilty_change(told):
    assert told["verdict"] == {
        "status": "supported",
        "changes": ["KB5009543", "KB5009557", "KB5009566"],
        "competing": [],
    }


def test_truth_counts_what_a_plain_reading_of_the_logs_finds(office, told):
    damaged = {d["host"] for d in told["defects"] if d["kind"] == "damaged"}
    for host in told["hosts"]:
        if host["host"] in damaged:
            continue
        codes = [
            strings(payload)[3] if number == 20227 else "connected"
            for _, _, provider, number, _, payload in records(
                office / host["host"] / "Application.evtx"
            )
            if provider == "RasClient" and number in (20225, 20227)
        ]
        tries = [code for code in codes if code not in ("631", "756")]
        assert len(tries) == host["visible_attempts"], host["host"]
        assert tries.count("789") == host["visible_failures"], host["host"]


def test_sessions_lost_are_about_a_days_habit_for_each_day_down(told, world):
    for name in ("PC-HUGO", "LT-GRETA", "LT-EMMA", "PC-ANNA"):
        host, habits = host_of(world, name), host_of(world, name).host.habits
        days = sum(
            any(low <= shift[0] < high for low, high, _ in host.broken)
            for shift in host.presence.shifts
        )
        lost = truth_of(told, name)["sessions_lost"]
        assert 0.6 * days < lost < habits.sessions_per_day * 1.1 * (days + 1), name
        assert truth_of(told, "LT-KLARA")["sessions_lost"] == 0.0


def test_a_verdict_that_blames_nothing_names_no_change(tmp_path):
    text = SMALL.replace('status = "supported"', 'status = "insufficient"')
    told = told_by(small(tmp_path, text))
    assert told["verdict"]["changes"] == []
    assert truth_of(told, "PC-A")["exposed_from"] is not None


def test_exposure_is_where_a_bad_revision_was_in_effect(world):
    bad = {"win10-21h2": 1466, "win10-20h2": 1466, "win11-21h2": 434, "win10-1809": 2452}
    for host in world.hosts:
        time = world.start
        while time < world.end:
            exposed = any(low <= time < high for low, high in host.exposures)
            wanted = host.deeds.revision(time) == bad.get(host.branch.name)
            assert exposed == wanted, (host.name, time)
            time += timedelta(minutes=17)


def test_guilty_failures_happen_only_under_exposure_and_always_there(world):
    for host in world.hosts:
        for attempt in host.attempts:
            exposed = any(low <= attempt.start < high for low, high in host.exposures)
            if attempt.outcome != "cancelled":
                assert (attempt.code == 789) == exposed, (host.name, attempt)


def test_attempts_are_made_at_work_on_a_running_host(world):
    for host in world.hosts:
        for attempt in host.attempts:
            assert host.presence.on(attempt.start), (host.name, attempt)
            assert any(low <= attempt.start for low, _ in host.presence.shifts)
            assert not any(low <= attempt.start < high for low, high in host.deeds.away)
            local = world.window.local(attempt.start)
            assert local.weekday() < 5
            assert local.date() not in world.window.holidays


def test_users_who_cannot_connect_go_on_trying(world):
    for name in ("PC-HUGO", "LT-GRETA", "LT-EMMA"):
        host = host_of(world, name)
        tried = {world.window.local(a.start).date() for a in host.attempts}
        shifts = [world.window.local(low).date() for low, _ in host.presence.shifts]
        low = world.window.local(host.exposures[-1][0]).date()
        days = [day in tried for day in shifts if day > low]
        assert not any(
            not a and not b and not c for a, b, c in zip(days, days[1:], days[2:], strict=False)
        )


def test_an_attempt_that_fails_is_repeated_two_to_five_times(world):
    host = host_of(world, "PC-HUGO")
    burst, sizes = [host.attempts[0]], []
    for before, attempt in pairwise(host.attempts):
        if attempt.start - before.closed > timedelta(minutes=2):
            sizes.append(len(burst))
            burst = []
        burst.append(attempt)
    failing = sizes[-20:]
    assert max(failing) <= 7
    assert sum(size >= 2 for size in failing) >= 15


def test_baseline_failures_are_rare_on_unpatched_hosts(world):
    tries = [
        a
        for name in ("LT-KLARA", "LT-LEON", "PC-MARIA")
        for a in host_of(world, name).attempts
        if a.outcome != "cancelled"
    ]
    assert 0.0 < sum(a.outcome == "failure" for a in tries) / len(tries) < 0.08


def test_user_hours_lost_are_working_hours_under_the_fault_counted_minute_by_minute(world, told):
    for host in world.hosts:
        stated = truth_of(told, host.name)
        broken = [a.start for a in host.attempts if a.fault]
        minutes = 0
        recovered = stated["recovered_at"]
        end = datetime.fromisoformat(recovered) if recovered else world.end
        time = broken[0] if broken else world.end
        while time < end:
            at_work = any(low <= time < high for low, high in host.presence.shifts)
            minutes += at_work and any(low <= time < high for low, high, _ in host.broken)
            time += timedelta(minutes=1)
        assert abs(minutes / 60 - stated["user_hours_lost"]) < 0.6, host.name


def test_times_of_a_recovered_host_are_in_order(told):
    for name in ("PC-ANNA", "PC-BERND", "LT-DAVID", "LT-PAUL"):
        host = truth_of(told, name)
        times = [host[key] for key in ("exposed_from", "onset", "cured_at", "recovered_at")]
        assert times == sorted(times)
    assert [to is None for _, to in truth_of(told, "LT-EMMA")["exposure"]] == [False, True]


def test_a_damaged_log_has_lost_exactly_what_the_truth_says(office, told):
    defect = next(d for d in told["defects"] if d["kind"] == "damaged")
    path = office / defect["host"] / defect["file"]
    whole = path.read_bytes()
    first, last = defect["record_ids"]
    assert defect["records_lost"] == last - first + 1
    at = 4096
    assert whole[at : at + 8] != b"ElfChnk\0"
    kept = office.parent / "rest.evtx"
    kept.write_bytes(whole[:at] + whole[at + 65536 :])
    assert records(kept)[0][0] == last + 1


def test_a_rolled_log_begins_late_with_a_high_id(office, told):
    defect = next(d for d in told["defects"] if d["kind"] == "rolled")
    rows = records(office / defect["host"] / defect["file"])
    assert rows[0][1] >= datetime.fromisoformat(defect["nothing_before"])
    assert rows[0][0] > defect["records_lost"]
    assert not any(row[2] == "RasClient" for row in rows)


def test_quiet_outage_hits_patched_and_unpatched_alike_and_blames_nothing():
    world = grow(load_scenario("quiet-outage"), seed=5)
    logs = {host.name: list(write_logs(world, host)) for host in world.hosts}
    told = truth(world, logs)
    assert told["verdict"] == {
        "status": "not_supported",
        "changes": [],
        "competing": ["shared_outage"],
    }
    hit = [h for h in told["hosts"] if h["onset"]]
    assert {h["branch"] for h in hit} >= {"win10-21h2", "win10-1809"}
    assert {(h["status"], h["recovered_by"], h["at_risk"]) for h in hit} == {
        ("recovered", "other", False)
    }
    outage = (datetime(2022, 1, 13, 5, 30, tzinfo=UTC), datetime(2022, 1, 14, 18, tzinfo=UTC))
    for host in world.hosts:
        for attempt in host.attempts:
            if attempt.fault:
                assert attempt.code == 809
                assert outage[0] <= attempt.start < outage[1]


def test_big_bang_leaves_no_host_unpatched_and_no_reversal():
    world = grow(load_scenario("big-bang"), seed=5)
    starts = [host.exposures[0][0] for host in world.hosts]
    assert len(starts) == 16
    assert max(starts) - min(starts) < timedelta(hours=3)
    assert all(host.exposures == ((host.exposures[0][0], world.end),) for host in world.hosts)


# What else a world can do -----------------------------------------------------------------------


def with_defect(text):
    return f'{SMALL}\n[[defect]]\nhost = "PC-A"\n{text}\n'


def told_by(folder):
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def test_a_cleared_log_is_recorded_in_system_and_costs_the_host_its_status(tmp_path):
    out = small(tmp_path, with_defect('kind = "cleared"\nat = 2022-01-21T17:00:00'))
    cleared = [r for r in records(out / "PC-A" / "System.evtx") if r[3] == 104]
    assert cleared[0][5]["LogFileCleared"]["Channel"] == "Application"
    assert truth_of(told_by(out), "PC-A")["status"] == "no_data"
    assert truth_of(told_by(out), "PC-B")["status"] == "recovered"


def test_a_missing_log_is_not_written(tmp_path):
    out = small(tmp_path, with_defect('kind = "missing"'))
    assert not (out / "PC-A" / "Application.evtx").exists()
    assert truth_of(told_by(out), "PC-A")["status"] == "no_data"


def test_a_cut_log_ends_where_the_truth_says(tmp_path):
    out = small(tmp_path, with_defect('kind = "cut"\nlog = "System"\nchunk = 1'))
    raw = (out / "PC-A" / "System.evtx").read_bytes()
    first = told_by(out)["defects"][0]["record_ids"][0]
    whole = small_ids(tmp_path)
    assert len(raw) == 4096 + 65536 + 32768
    assert first in whole


def small_ids(folder):
    simulate(scenario_file(folder, SMALL), seed=1, out=folder / "whole")
    return [row[0] for row in records(folder / "whole" / "PC-A" / "System.evtx")]


def test_a_duplicated_export_repeats_the_records_up_to_its_moment(tmp_path):
    out = small(tmp_path, with_defect('kind = "duplicated"\nat = 2022-01-14T12:00:00'))
    early = records(out / "PC-A" / "Application (1).evtx")
    late = records(out / "PC-A" / "Application.evtx")
    assert 0 < len(early) < len(late)
    assert [r[:4] for r in early] == [r[:4] for r in late[: len(early)]]


def test_a_wrong_clock_shifts_times_not_order_and_is_set_right_by_a_record(tmp_path):
    out = small(
        tmp_path,
        with_defect(
            'kind = "clock"\nlog = "System"\nat = 2022-01-10T00:00:00\n'
            "until = 2022-01-14T12:00:00\nminutes = 90.0"
        ),
    )
    simulate(scenario_file(tmp_path, SMALL), seed=1, out=tmp_path / "right")
    skewed = {r[0]: r[1] for r in records(out / "PC-A" / "Application.evtx")}
    right = {r[0]: r[1] for r in records(tmp_path / "right" / "PC-A" / "Application.evtx")}
    moved = {skewed[i] - right[i] for i in right}
    assert moved == {timedelta(0), timedelta(minutes=90)}
    jumps = [
        r[5]
        for r in records(out / "PC-A" / "System.evtx")
        if r[3] == 1 and r[2].endswith("Kernel-General")
    ]
    steps = [
        datetime.fromisoformat(j["NewTime"]) - datetime.fromisoformat(j["OldTime"]) for j in jumps
    ]
    assert min(steps) == timedelta(minutes=-90)


def test_reimaging_begins_the_logs_anew_at_record_1(tmp_path):
    act = '{ do = "reimage", revision = 1469, at = 2022-01-17T10:00:00, reboot = "at once" },\n]'
    text = SMALL.replace(']\n[[host]]\nnames = ["PC-C"]', act + '\n[[host]]\nnames = ["PC-C"]')
    assert text != SMALL
    rows = records(small(tmp_path, text) / "PC-A" / "System.evtx")
    assert rows[0][0] == 1
    assert rows[0][1] > datetime(2022, 1, 17, tzinfo=UTC)


def test_a_workaround_ends_the_failures_without_a_change_of_build(tmp_path):
    text = SMALL.replace(
        '{ do = "install", revision = 1469, at = 2022-01-18T10:00:00 }',
        '{ do = "workaround", by = "library", at = 2022-01-17T12:00:00 }',
    )
    out = small(tmp_path, text)
    host = truth_of(told_by(out), "PC-A")
    assert (host["status"], host["recovered_by"]) == ("workaround_only", "other")
    assert host["revision"] == 1466
    services = [r[5]["param1"] for r in records(out / "PC-A" / "System.evtx") if r[3] == 7036]
    assert "IKE and AuthIP IPsec Keying Modules" in services


def test_an_install_that_fails_first_is_logged_as_failed_and_dumped_as_failed(tmp_path):
    text = SMALL.replace(
        "at = 2022-01-12T10:00:00 }", "at = 2022-01-13T10:00:00, fails_first = 2 }"
    )
    out = small(tmp_path, text)
    rows = records(out / "PC-A" / "System.evtx")
    failed = [r for r in rows if r[3] == 20 and r[2].endswith("WindowsUpdateClient")]
    assert [r[5]["errorCode"] for r in failed] == ["0x80248007", "0x80248007"]
    rows = json.loads((out / "PC-A" / "wu.json").read_bytes().decode("utf-8-sig"))
    assert [row["hresult"] for row in rows if row["ResultCode"] == 4] == ["0x80248007"] * 2


def test_a_package_can_be_the_guilty_change(tmp_path):
    text = SMALL.replace(
        'carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]',
        'package = "netdriver"',
    ).replace(
        '{ do = "install", revision = 1466, at = 2022-01-12T10:00:00 }',
        '{ do = "install", package = "netdriver", at = 2022-01-12T10:00:00 }',
    )
    driver = (
        '[[package]]\nname = "netdriver"\nkind = "driver"\ntitle = "Kontor - Net - 12.19.1.37"\n'
    )
    told = told_by(small(tmp_path, text + driver))
    assert told["verdict"]["changes"] == ["Kontor - Net - 12.19.1.37"]
    assert truth_of(told, "PC-A")["status"] == "still_failing"
    assert truth_of(told, "PC-C")["status"] == "not_affected"


def test_a_gateway_failure_drops_the_sessions_that_are_up(tmp_path):
    text = SMALL.replace(
        'kind = "change"\ncodes = { 789 = 1.0 }\n'
        'carrier = [{ branch = "win10-21h2", first = 1466, fixed = 1469 }]',
        'kind = "world"\ncodes = { 809 = 1.0 }\nstart = 2022-01-12T11:00:00\n'
        "end = 2022-01-13T12:00:00",
    )
    world = grow(load_scenario(scenario_file(tmp_path, text)), seed=4)
    drop = datetime(2022, 1, 12, 10, tzinfo=UTC)
    for host in world.hosts:
        for attempt in host.attempts:
            if attempt.end and attempt.start < drop < attempt.end + timedelta(seconds=5):
                assert attempt.end <= drop


def test_simulate_imports_nothing_of_the_analysis():
    code = (
        "import sys, kitlib.simulate.fleet; print(*[m for m in sys.modules if m[:6] == 'kitlib'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    above = {m for m in done.stdout.split() if not m.startswith("kitlib.simulate")}
    assert above <= {"kitlib", "kitlib.errors", "kitlib.schema"}
