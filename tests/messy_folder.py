"""A simulated office's evidence as its people would hand it over: every host in another form.

Event Viewer's lists in local time, a mail's zip in a zip, a collector's tree, dumps without a log,
copies, damage, and bystanders.
"""

from __future__ import annotations

import struct
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from collection_samples import zipped

from kitlib.simulate import exports, logs, update_dumps, updates
from kitlib.simulate.events import kb_of, title_of
from kitlib.simulate.evtx import encode_log
from kitlib.simulate.gateway import _facts as gateway_facts
from kitlib.simulate.gateway import client_address
from kitlib.simulate.gateway_dumps import charon_syslog
from kitlib.simulate.notes import shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitlib.simulate.evtx import Event
    from kitlib.simulate.world import HostWorld, World

LOCAL = {"utc_offset": 60}
GERMAN = {"culture": exports.DE_DE, **LOCAL}
SERVICED_AS = {19044: 19041, 19042: 19041}
"""Builds whose servicing packages are called after another one."""

Files = dict[str, bytes]


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
