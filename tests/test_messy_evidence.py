"""Evidence as people hand it over: every host in another form, copies, damage, and bystanders.

One simulated office is exported the way its people would: Event Viewer's lists in local time, a
mail's zip in a zip, a collector's tree, dumps without a log. What was planted is known, so each
claim of the analysis can be held against it. The smaller tests are of what went wrong on such a
folder before.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import worlds

import kitlib as kit
from kitlib.companions import advice, companion
from kitlib.coverage import measure_coverage
from kitlib.layouts import host_of_path
from kitlib.readers import reader_for
from kitlib.readers.events import told_clocks
from kitlib.readers.payload import Row
from kitlib.reconcile import reconcile_updates
from kitlib.simulate import exports, logs, update_dumps, updates
from kitlib.simulate.events import kb_of, title_of
from kitlib.simulate.evtx import Event, encode_log, ticks
from kitlib.simulate.gateway import _facts as gateway_facts
from kitlib.simulate.gateway import client_address
from kitlib.simulate.gateway_dumps import charon_syslog
from kitlib.simulate.notes import shapes
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow
from kitlib.timeline import build_timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitlib.simulate.world import HostWorld, World

LOCAL = {"utc_offset": 60}
GERMAN = {"culture": exports.DE_DE, **LOCAL}
SERVICED_AS = {19044: 19041, 19042: 19041}
"""Builds whose servicing packages are called after another one."""

Files = dict[str, bytes]


# ------------------------------------------------------------------ the folder


def log_of(world: World, host: HostWorld, name: str) -> tuple[list[Event], int]:
    """Return the records of a log and the number of the first one."""
    notes = [note for note in logs._notes(world, host) if shapes()[note.kind].log == name]
    first = logs._first_id(world, host, name)
    return [logs._event(host, note, n) for n, note in enumerate(notes, first)], first


HIVE = b"regf" + struct.pack("<5I", 1, 1, 0, 0, 1) + struct.pack("<I", 5) + bytes(4068)
"""A user's hive without a name."""


class Desk:
    """One host's files, as its user would make them."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.host = next(host for host in world.hosts if host.name == name)

    def log(self, name: str, write: Callable[..., bytes], **options: object) -> bytes:
        """Export a log with all that a log names: host, channel, numbers."""
        events, first = log_of(self.world, self.host, name)
        fqdn = self.world.fqdn(self.host)
        return write(events, channel=name, computer=fqdn, first_record_id=first, **options)

    def list(self, name: str, write: Callable[..., bytes], **options: object) -> bytes:
        """Save a log from Event Viewer: neither host nor numbers."""
        return write(log_of(self.world, self.host, name)[0], channel=name, **options)

    def evtx(self, name: str) -> bytes:
        return self.log(name, encode_log)

    def session(self, culture: str = "en-US") -> update_dumps.Session:
        return update_dumps.Session(
            host=self.host.name, culture=update_dumps.CULTURES[culture], offset=self._offset
        )

    def _offset(self, when: object) -> int:
        wall = self.world.window.local(when)
        return (wall.replace(tzinfo=UTC) - when) // timedelta(minutes=1)

    def installed(self, write: Callable[..., bytes], culture: str = "en-US") -> bytes:
        return write(updates._installed(self.world, self.host), self.session(culture))

    def history(self, write: Callable[..., bytes], culture: str = "en-US") -> bytes:
        return write(updates._entries(self.world, self.host), self.session(culture))

    def packages(self, write: Callable[..., bytes], **options: object) -> bytes:
        return write(list(self._packages()), self.session(), **options)

    def _packages(self) -> Iterator[update_dumps.Item]:
        build = SERVICED_AS.get(self.host.branch.build, self.host.branch.build)
        for change in self.host.deeds.changes:
            revision = change.removes or change.revision
            if revision is not None:
                yield update_dumps.Item(
                    time=(change.effective or change.staged).replace(microsecond=0),
                    kb=kb_of(self.host, change),
                    title=title_of(self.host, change),
                    operation=2 if change.removes else 1,
                    result=2 if change.effective else 1,
                    package=f"Package_for_RollupFix~31bf3856ad364e35~amd64~~{build}.{revision}.1.6",
                )

    def systeminfo(self) -> bytes:
        return updates.systeminfo(self.world, self.host)


def zipped(members: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def hosts(world: World) -> Files:
    anna, bernd, paul, david, emma, felix, greta, hugo, ida, jonas, klara, leon = (
        Desk(world, name) for name in NAMES
    )
    system = anna.evtx("System")
    klara_log = klara.list("Application", exports.event_viewer_txt, encoding="utf-16-le", **GERMAN)
    leon_culture = {"culture": exports.DE_DE, "use_culture": True, "encoding": "utf-8-sig"}
    kape = "2022-02-04T170000_LT-EMMA/C/Windows/System32/winevt/Logs"
    damaged = {log.name: log.content for log in logs.write_logs(world, paul.host)}
    return {
        # Event Viewer in German, in a folder of the user's own; the System log three times
        "PC-ANNA/Ereignisanzeige/Anwendung.csv": anna.list(
            "Application", exports.event_viewer_csv, **GERMAN
        ),
        "PC-ANNA/System.evtx": system,
        "PC-ANNA/System - Kopie.evtx": system,
        "PC-ANNA/alt/System (1).evtx": system,
        "PC-ANNA/hotfix.csv": anna.installed(update_dumps.hotfix_csv, "de-DE"),
        # nothing but lists in local time: what tells the zone are the kernel's own messages
        "PC-BERND/Event Logs/Anwendung.csv": bernd.list(
            "Application", exports.event_viewer_csv, **GERMAN
        ),
        "PC-BERND/Event Logs/System.csv": bernd.list("System", exports.event_viewer_csv, **GERMAN),
        "PC-BERND/systeminfo.txt": bernd.systeminfo(),
        "PC-BERND/CBS.log": bernd.packages(update_dumps.cbs_log),
        # damaged, and cut off
        "LT-PAUL/Application.evtx": damaged["Application"],
        "LT-PAUL/System.evtx": damaged["System"],
        "LT-PAUL/wu.json": paul.history(update_dumps.com_json_51),
        "LT-DAVID/app.csv": david.log("Application", exports.get_winevent_csv, **LOCAL),
        "LT-DAVID/System.evtx": david.evtx("System"),
        "LT-DAVID/NTUSER.DAT": HIVE,
        # a collector's tree
        f"{kape}/Application.evtx": emma.evtx("Application"),
        f"{kape}/System.evtx": emma.evtx("System"),
        "2022-02-04T170000_LT-EMMA/2022-02-04T17_00_00_LT-EMMA_CopyLog.csv": (
            b"CopiedTimestamp,SourceFile\r\n2022-02-04 17:00:00,C:\\Windows\\System.evtx\r\n"
        ),
        # tools' exports in one heap
        "exports/felix_application.jsonl": felix.log("Application", exports.evtx_dump_jsonl),
        "exports/20220204_System_EvtxECmd_Output.csv": felix.log("System", exports.evtxecmd_csv),
        "beats/app.ndjson": greta.log("Application", exports.winlogbeat_ndjson),
        "beats/system.ndjson": greta.log("System", exports.winlogbeat_ndjson),
        "LT-GRETA/DISM.txt": greta.packages(update_dumps.dism_table),
        # a zip in the zip of a mail
        "Ticket 4711/Anhang (2).zip": zipped(
            {
                "Mail.txt": "Hallo, anbei die Logs. Gruß".encode("cp1252"),
                "logs.zip": zipped(
                    {
                        "eventlog/Application.evtx": hugo.evtx("Application"),
                        "eventlog/System.evtx": hugo.evtx("System"),
                        "qfe.txt": hugo.installed(update_dumps.wmic_table),
                    }
                ),
            }
        ),
        # one list in local time, and nothing that tells the zone
        "LT-IDA/Anwendung.csv": ida.list("Application", exports.event_viewer_csv, **GERMAN),
        # dumps alone
        "PC-JONAS/systeminfo.txt": jonas.systeminfo(),
        "PC-JONAS/packages.reg": update_dumps.reg_packages(list(jonas._packages())),
        "LT-KLARA/Anwendung.txt": klara_log,
        "LT-KLARA/System.xml": klara.log("System", exports.event_viewer_xml),
        "LT-LEON/Application.csv": leon.log(
            "Application", exports.get_winevent_csv, **LOCAL, **leon_culture
        ),
        "LT-LEON/System.csv": leon.log("System", exports.get_winevent_csv, **LOCAL, **leon_culture),
        "LT-LEON/ReportingEvents.log": leon.history(update_dumps.reporting_events),
    }


BYSTANDERS: Files = {
    "desktop.ini": b"[.ShellClassInfo]\r\n",
    "PC-ANNA/Foto.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)),
    "Notizen.docx": zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"}),
    "collect.ps1": b"Get-HotFix | Export-Csv hotfix.csv # 2022-02-04\r\n",
    "Mail.txt": b"Hallo, hier die Logs.\r\n",
    "report.pdf": b"%PDF-1.4\n" + bytes(range(256)),
    "leer.txt": b"",
}
MAY_HOLD_MORE: Files = {
    "Liste.xlsx": zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<w/>"}),
    "Anfrage.msg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "Inventar.csv": b"Rechner;Patch;Stand\r\nPC-ANNA;5009543;2022-01-12\r\n",
}
COLUMNS = b"""schema = "kitlib.columns/1"

[[map]]
name = "patchpilot"
reference = "PatchPilot 4, saved as CSV"
required = ["Machine", "Patch", "Outcome", "When"]
host = "Machine"
kb = "Patch"
state = "Outcome"
time = "When"
zone = "+01:00"

[map.states]
done = "succeeded"
restart = "in_progress"
"""
NAMES = (
    *("PC-ANNA", "PC-BERND", "LT-PAUL", "LT-DAVID", "LT-EMMA", "PC-FELIX"),
    *("LT-GRETA", "PC-HUGO", "LT-IDA", "PC-JONAS", "LT-KLARA", "LT-LEON"),
)


def gateway(world: World) -> bytes:
    """A syslog of before RFC 5424: local time, no year."""
    facts = [
        fact
        for host in world.hosts
        for number, attempt in enumerate(host.attempts, 1)
        for fact in gateway_facts(
            attempt, user=host.user, address=client_address(world, host), number=number
        )
    ]
    facts.sort(key=lambda fact: fact.time)
    return charon_syslog(facts, clock=world.window.offset)


def patches(world: World) -> bytes:
    lines = ["Machine;Patch;Outcome;When"]
    for host in world.hosts:
        for item in Desk(world, host.name)._packages():
            if item.operation == 1 and host.name != "LT-IDA":  # not managed
                when = world.window.local(item.time)
                state = "done" if item.result == 2 else "restart"
                lines.append(f"{host.name};{item.kb[2:]};{state};{when:%d.%m.%Y %H:%M}")
    return "\r\n".join(lines).encode()


def messy(world: World) -> Files:
    return {
        **hosts(world),
        "vpn/charon.log": gateway(world),
        "PatchPilot Export.csv": patches(world),
        "columns.toml": COLUMNS,
        **BYSTANDERS,
        **MAY_HOLD_MORE,
    }


@pytest.fixture(scope="module")
def world():
    whole = load_scenario("founding-office")
    kept = tuple(host for host in whole.hosts if host.names[0] in NAMES)
    return grow(replace(whole, hosts=kept), seed=7)


@pytest.fixture(scope="module")
def case(world, tmp_path_factory):
    root = tmp_path_factory.mktemp("messy")
    put(root, messy(world))
    return kit.analyze(root, "kb5009543")


def put(root: Path, files: Files) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


# ------------------------------------------------------------------ what the analysis makes of it

CANNOT_BE_KNOWN = {
    "PC-JONAS": "no log of the channel that would show it",
    "LT-IDA": "in local time of an unknown UTC offset",
}
"""Hosts whose evidence cannot tell what is true of them, and what the kit says of it."""
HANDED = {"PC-JONAS": (), "LT-IDA": ("Application",)}
"""Logs of hosts of which not all were handed over."""


def test_every_host_of_a_messy_folder_has_its_name_and_its_status(world, case):
    written = {host.name: tuple(logs.write_logs(world, host)) for host in world.hosts}
    true = {host["host"]: host["status"] for host in truth(world, written)["hosts"]}
    told = case.recovery.set_index("host")
    expected = true | dict.fromkeys(CANNOT_BE_KNOWN, "no_data")
    assert told["status"].to_dict() == expected
    for host, words in CANNOT_BE_KNOWN.items():
        assert words in told.loc[host, "why"]
        assert told.loc[host, "at_risk"]
    assert case.cause.status == "supported"
    assert set(case.cause.changes) == {"KB5009543", "KB5009566", "KB5009557"}


def test_every_attempt_that_a_messy_folder_holds_is_found(world, case):
    found = case.attempts.groupby("host").size().to_dict()
    planted = {
        host.name: len({n for log in logs.write_logs(world, host) for n in log.visible})
        for host in world.hosts
        if HANDED.get(host.name) != ()
    }
    assert found == planted


def test_every_record_of_a_messy_folder_is_used_or_its_loss_is_stated(world, case):
    evidence = case.evidence
    lost = evidence.problems.groupby("path")["records_lost"].sum()
    for host in world.hosts:
        for name in HANDED.get(host.name, ("Application", "System")):
            number = len(log_of(world, host, name)[0])
            own = evidence.events[evidence.events["host"].str.split(".").str[0] == host.name]
            own = own[own["path"].isin(PATHS_OF[name](evidence))]
            paths = own["path"].unique()
            assert len(own) + sum(int(lost.get(path, 0)) for path in paths) == number, host.name


def _paths_like(*words: str) -> Callable[[kit.Evidence], list[str]]:
    return lambda evidence: [
        path
        for path in evidence.files["path"]
        if any(word in path.rpartition("/")[2].lower() for word in words)
    ]


PATHS_OF = {
    "Application": _paths_like("application", "anwendung", "app."),
    "System": _paths_like("system"),
}


def test_every_update_of_a_messy_folder_is_used(world, case):
    listed = case.evidence.updates.groupby("path").size()
    for path in case.evidence.files.query("kind in @DUMPS")["path"]:
        assert listed.get(path, 0) > 0, path
    bernd = Desk(world, "PC-BERND")
    known = case.evidence.updates[case.evidence.updates["path"] == "PC-BERND/CBS.log"]
    assert sorted(known["date"]) == sorted(pd.Timestamp(i.time) for i in bernd._packages())


DUMPS = (
    *("com_history_json", "get_hotfix", "systeminfo", "cbs_log", "registry_export", "wmic_qfe"),
    *("dism_packages", "reporting_events", "column_map_csv"),
)


def test_only_what_may_hold_more_counts_as_lost(case):
    problems = case.evidence.problems
    lost = problems[problems["records_lost"].fillna(1) > 0]
    assert set(lost["path"]) == {*MAY_HOLD_MORE, "LT-PAUL/Application.evtx"}
    kinds = case.evidence.files.set_index("path")["kind"]
    assert {kinds[path] for path in BYSTANDERS} == {"ignored", "empty"}
    assert set(kinds[list(MAY_HOLD_MORE)]) == {"unknown"}


def test_the_copies_of_a_log_count_once_and_are_named(case):
    problems = case.evidence.problems
    said = problems[problems["reason"].str.contains("the same content as")]
    assert sorted(said["path"]) == ["PC-ANNA/System.evtx", "PC-ANNA/alt/System (1).evtx"]


def test_a_gateway_log_without_year_and_zone_is_read(case):
    sessions = case.evidence.sessions
    assert set(sessions["path"]) == {"vpn/charon.log"}
    assert sessions["time_low"].notna().all()


# ------------------------------------------------------------------ whose a file is


@pytest.mark.parametrize(
    "folder",
    [
        *("Ereignisanzeige", "Event Logs", "event-logs", "eventlog", "Windows Logs", "Exporte"),
        *("CBS", "SoftwareDistribution", "alt", "Kopie", "winlogs/eventlog", "Protokolle"),
    ],
)
def test_a_folder_that_people_make_for_logs_is_no_host(folder):
    assert host_of_path(f"PC-ANNA/{folder}/System.csv") == "PC-ANNA"
    assert host_of_path(f"{folder}/System.csv") == ""


# ------------------------------------------------------------------ what lies beside evidence


@pytest.mark.parametrize(
    ("path", "head", "said"),
    [
        ("Foto.jpg", b"\xff\xd8\xff\xe0", "a picture: nothing is read of it"),
        ("a/b.docx", b"PK\x03\x04....", "a Word document: nothing is read of it"),
        ("collect.PS1", b"Get-HotFix # 2022-01-01", "a script: nothing is read of it"),
        ("Mail.txt", b"Hallo", "a note: there is no date, time or KB number in it"),
        (
            "hosts.csv",
            b"Name;User\nPC1;anna\n",
            "a note: there is no date, time or KB number in it",
        ),
        # what may hold a record stays a problem
        ("Foto.jpg", b"ElfFile\0", None),
        ("Mail.txt", b"KB5009543 is in", None),
        ("Mail.txt", b"on 12.01.2022", None),
        ("Mail.txt", b"at 9:05", None),
        ("a.xlsx", b"PK\x03\x04", None),
        ("note.json", b'{"a": 1}', None),
        ("note.txt", b"<a/>", None),
        ("note.evtx", b"nothing", None),
        ("note.txt", b"a" * 20000, None),
    ],
)
def test_bystander_is_told_by_name_and_content(path, head, said):
    assert companion(path, head) == said


@pytest.mark.parametrize(
    ("path", "head", "said"),
    [
        ("a.xlsx", b"PK\x03\x04", "an Excel workbook: save its sheets as CSV to have them read"),
        ("a.msg", b"\xd0\xcf\x11\xe0", "an Outlook message: save what is attached to it as files"),
        (
            "a.csv",
            b'"A";B\r\n1;2\r\n',
            "a table with the columns A, B: a map of its columns would name them (README)",
        ),
        (
            "a.txt",
            b"\r\n  On 2022-01-12 it broke\r\n",
            "a text that begins with 'On 2022-01-12 it broke'",
        ),
        ("a.bin", bytes(range(32)), ""),
        ("a.txt", b"", ""),
    ],
)
def test_an_unknown_file_is_described_so_that_somebody_can_act(path, head, said):
    assert advice(path, head) == said


# ------------------------------------------------------------------ the zone in the messages

LOCAL_TIME = "@local_time"


def kernel(message: str, local: str, *, event_id: int = 12, provider: str = "") -> Row:
    data = {LOCAL_TIME: local, "RenderingInfo": {"Message": message}}
    name = provider or "Microsoft-Windows-Kernel-General"
    return Row(None, data, provider=name, event_id=event_id)


@pytest.mark.parametrize(
    ("message", "local", "minutes"),
    [
        ("started at system time 2022-01-12T06:41:17.500000000Z.", "1/12/2022 7:41:18 AM", 60),
        # as it is printed in fact: with marks of the direction of reading, or blanks in their place
        (
            "zur Zeit \u200e2022\u200e-\u200e07\u200e-\u200e12T06:41:17.5Z",
            "12.07.2022 08:41:17",
            120,
        ),
        ("at system time  2022 - 01 - 12T06:41:17.500000000Z.", "12/1/2022 12:11:17", 330),
        # day and month may be either; the time in UTC knows
        ("x 2022-02-01T20:00:00.000000000Z", "01/02/2022 15:00:00", -300),
        ("x 2022-01-02T20:00:00.000000000Z", "01/02/2022 15:00:00", -300),
        ("x 2022-01-12T06:41:17.5Z", "12.01.2022 07:49:00", None),
        ("x 2022-01-12T06:41:17.5Z", "14.01.2022 07:41:17", None),
        ("x 2022-01-12T06:41:17.5Z y 2022-01-12T03:41:17.5Z", "12.01.2022 07:41:17", None),
        ("x 2022-13-12T06:41:17.5Z", "12.01.2022 07:41:17", None),
        ("x", "12.01.2022 07:41:17", None),
    ],
)
def test_a_message_with_its_time_in_utc_states_the_offset(message, local, minutes):
    rows = told_clocks.clocks([kernel(message, local)], LOCAL_TIME)
    assert [row["offset_low"] for row in rows] == ([] if minutes is None else [minutes])
    assert all(row["offset_high"] == row["offset_low"] for row in rows)


def test_only_the_kernels_records_state_an_offset():
    row = kernel("2022-01-12T06:41:17.5Z", "12.01.2022 07:41:17")
    others = [row._replace(event_id=7036), row._replace(provider="Somebody"), Row(1, {})]
    assert told_clocks.clocks(others, LOCAL_TIME) == []
    assert len(told_clocks.clocks([row], LOCAL_TIME)) == 1


# ------------------------------------------------------------------ facts that were lost on the way


UPDATED = {
    "Installation erfolgreich: Das folgende Update wurde installiert. 2022-01 (KB5009543)": "KB5009543",
    "Installation Successful: Windows successfully installed the following update: 9N-App.": "9N-App",
    "Installation erfolgreich: Das folgende Update wurde installiert. 9N-App": "",
}


@pytest.mark.parametrize("message", UPDATED)
def test_an_update_is_named_by_its_message_a_kb_number_in_any_language(message, tmp_path):
    event = Event(
        provider=worlds.UPDATES,
        event_id=19,
        time=ticks("2022-01-12T06:41:17.0000000Z"),
        data={"updateTitle": ""},
    )
    content = exports.get_winevent_json_51(
        [event], channel="System", computer="PC1", message=lambda _: message
    )
    facts = build_timeline(kit.read_evidence(put(tmp_path, {"a.json": content})))
    (fact,) = facts[["action", "change"]].to_dict("records")
    assert fact == {"action": "update_installed", "change": UPDATED[message]}


def test_servicing_is_read_from_english_messages(tmp_path):
    states = {"PackageIdentifier": "KB5009543", "IntendedPackageState": "Absent"}
    time = ticks("2022-01-14T09:00:00.0000000Z")
    events = [
        Event(provider=worlds.SERVICING, event_id=number, time=time, data=states | more)
        for number, more in ((4, {}), (2, {}), (3, {"ErrorCode": "0x800f0825"}))
    ]
    content = exports.event_viewer_csv(events, channel="Setup", utc_offset=60)
    facts = build_timeline(kit.read_evidence(put(tmp_path, {"PC1/Setup.csv": content})))
    assert set(zip(facts["action"], facts["change"], facts["code"], strict=True)) == {
        ("uninstall_restart_needed", "KB5009543", ""),
        ("update_uninstalled", "KB5009543", ""),
        ("update_uninstall_failed", "KB5009543", "0x800f0825"),
    }


@pytest.mark.parametrize(
    ("columns", "action"),
    [
        ({"hresult": "0x80242014"}, "update_restart_needed"),
        ({"hresult": "0x00240005"}, "update_restart_needed"),
        ({"source_kind": "dism_packages"}, "update_restart_needed"),
        ({"operation": "uninstall", "hresult": "0x80242014"}, "uninstall_restart_needed"),
        ({"operation": "uninstall"}, "update_uninstall_started"),
        ({}, "update_install_started"),
        ({"hresult": "0x80242014", "result_code": "failed"}, "update_install_failed"),
    ],
)
def test_an_entry_that_waits_for_a_restart_says_so(columns, action):
    row = worlds.update("01-12 08:00", **{"result_code": "in_progress", **columns})
    assert build_timeline(worlds.evidence(updates=[row]))["action"].tolist() == [action]


def test_the_zone_that_evtxecmd_prints_among_empty_values_is_known():
    event = Event(
        provider="EventLog",
        event_id=6013,
        time=ticks("2022-01-12T11:00:00.0000000Z"),
        data=["", "", "", "", "480843", "60", "-60 W. Europe Standard Time"],
    )
    content = exports.evtxecmd_csv([event], channel="System", computer="PC1")
    (data,) = reader_for(content).read(content).events["data"]
    assert data["Data"] == event.data


# ------------------------------------------------------------------ lists without a channel

RAS = {"channel": "", "provider": "RasClient", "path": "PC1/list.csv"}


def covered(*events):
    found = worlds.evidence(events=events)
    spans = measure_coverage(found, build_timeline(found))
    return spans.set_index("channel")["records"].to_dict()


def test_a_list_covers_the_channel_that_its_records_tell():
    dial = worlds.event("01-12 08:00", event_id=20221, **RAS)
    other = worlds.event("01-13 08:00", event_id=4242, **RAS | {"provider": "Somebody"})
    assert covered(dial, other) == {"Application": 2}
    # a list of several logs: only what is known of each record
    boot = worlds.boot_event("01-12 07:00", channel="", path="PC1/list.csv")
    assert covered(dial, other, boot) == {"": 1, "Application": 1, "System": 1}


def test_a_list_covers_the_channel_that_the_same_records_have_elsewhere():
    mine = worlds.event("01-12 08:00", event_id=4242, **RAS | {"provider": "Somebody"})
    theirs = worlds.event(
        "01-12 08:00", event_id=4242, channel="Application", provider="SOMEBODY", host="PC2"
    )
    assert covered(mine) == {"": 1}
    assert measure_coverage(found := worlds.evidence(events=[mine, theirs]), build_timeline(found))[
        "channel"
    ].tolist() == ["Application", "Application"]


def test_a_local_time_known_to_an_hour_counts_as_covered():
    span = {"@time_low": "2022-01-12T07:00:00Z", "@time_high": "2022-01-12T08:00:00Z"}
    dial = worlds.event("01-12 08:00", event_id=20221, **RAS | {"data": span})
    dial["time_created"] = pd.NaT
    wide = dial | {"data": span | {"@time_low": "2022-01-11T07:00:00Z"}}
    assert covered(dial) == {"Application": 1}
    assert covered(wide) == {}


def test_an_update_that_only_a_history_calls_waiting_is_pending():
    row = worlds.update("01-27 11:00", worlds.FIX, result_code="in_progress", hresult="0x80242014")
    found = worlds.evidence(events=[worlds.boot_event("01-26 08:00", revision=1466)], updates=[row])
    (state,) = reconcile_updates(build_timeline(found)).to_dict("records")
    assert (state["change"], state["state"]) == (worlds.FIX, "pending_reboot")
