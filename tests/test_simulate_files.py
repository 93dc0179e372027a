"""The founding office's files are real logs and dumps, and tell what its world lived through."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from simulated import contents, records, strings
from simulated_office import FATES, SEED, host_of, written_office

from kitlib.simulate.fleet import load_scenario, simulate
from kitlib.simulate.notes import shapes
from kitlib.simulate.world import grow


@pytest.fixture(scope="module")
def office(tmp_path_factory, root):
    return written_office(tmp_path_factory.mktemp("office"), root)


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    """The founding office as it is handed over: folders, archives, an export, a gateway's log."""
    return simulate("founding-office", seed=SEED, out=tmp_path_factory.mktemp("handed") / "out")


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("founding-office"), seed=SEED)


# As they are handed over ------------------------------------------------------------------------


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


# Logs -------------------------------------------------------------------------------------------


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
