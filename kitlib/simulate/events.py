"""What happened to a host → the records Windows writes about it, as notes.

The VPN client's chains (RasClient, Application log), the restart chain (User32, EventLog,
Kernel-General; System log) and installs and removals (WindowsUpdateClient, Servicing, WUSA; of
drivers UserPnp, of applications MsiInstaller and the services they bring).
Order and gaps follow real logs: an update's "installed" record comes minutes after the boot that
brought it into effect, sometimes a second time a day later. Nothing here is left to the analysis:
this file does not know which change is guilty.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dice import Dice
from kitlib.simulate.evtx import Typed, UserData, Value, ticks
from kitlib.simulate.notes import Note, Payload, u32
from kitlib.simulate.products import device_notes, product_notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitlib.simulate.deeds import Boot, Change
    from kitlib.simulate.usage import Attempt
    from kitlib.simulate.world import HostWorld, World

SETUP_NAMESPACE: Final = "http://manifests.microsoft.com/win/2004/08/windows/setup_provider"
STATES: Final[Mapping[str, int]] = MappingProxyType(
    {"Absent": 5000, "Staged": 5064, "Installed": 5112}
)
SERVICE_CUMULATIVE: Final = "8B24B027-1DEE-BABB-9A95-3517DFB9C552"
SERVICE_UPDATE: Final = "9482F4B4-E343-43B6-B170-9A65BC822C77"
SERVICE_STORE: Final = "855E8A7C-ECB4-4CA3-B045-1DFA50104289"
INSTALL_ERROR: Final = 0x80248007
"""No data in the data store: seen four times in nine days for one update on a real host."""
STAGES: Final = ("dial_started", "dial_trying", "dial_device", "dial_link", "dial_connected")
RESTARTS: Final[Mapping[str, tuple[str, str, str, str]]] = MappingProxyType(
    {  # why → program, reason, code, kind of shutdown
        "update": (
            r"C:\Windows\system32\svchost.exe",
            "Operating System: Service pack (Planned)",
            "0x80020010",
            "restart",
        ),
        "update_user": (
            r"C:\Windows\system32\wusa.exe",
            "Operating System: Hotfix (Planned)",
            "0x80020011",
            "restart",
        ),
        "uninstall": (
            r"C:\Windows\system32\wusa.exe",
            "Operating System: Hotfix uninstall (Planned)",
            "0x80020017",
            "restart",
        ),
        "uninstall_settings": (
            r"C:\Windows\Explorer.EXE",
            "Operating System: Security fix uninstall (Planned)",
            "0x80020018",
            "restart",
        ),
        "user": (
            r"C:\Windows\System32\RuntimeBroker.exe",
            "Other (Unplanned)",
            "0x0",
            "restart",
        ),
        "daily": (
            r"C:\Windows\System32\RuntimeBroker.exe",
            "Other (Unplanned)",
            "0x0",
            "power off",
        ),
    }
)


def dial_notes(world: World, host: HostWorld) -> Iterator[Note]:
    """Yield the RasClient records of every attempt of a host.

    Notes
    -----
    20221 start, 20222 trying, 20223 device connected, 20224 link up, then 20225 connected or
    20227 failed with the code as fourth string; 20226 ends a session.
    """
    dice = host.dice("dialling")
    port = dice.whole(1, 4)
    for index, attempt in enumerate(host.attempts):
        yield from _chain(world, host, attempt, index, port, dice)


def _chain(  # noqa: PLR0913, PLR0917  # everything a chain states
    world: World, host: HostWorld, attempt: Attempt, index: int, port: int, dice: Dice
) -> Iterator[Note]:
    connection, user = f"{{{attempt.connection}}}", world.account(host)
    profile = world.scenario.office.profile
    device = _line(world, host, port)
    payloads = {
        "dial_started": [connection, user, "VPN", "per-user", profile, _settings(host)],
        "dial_trying": [connection, user, profile, device],
        "dial_device": [connection, user, device],
        "dial_link": [connection, user],
        "dial_connected": [connection, user, profile, _settings(host)],
    }
    passed = [kind for number, kind in enumerate(STAGES, 20221) if number <= attempt.stage]
    share = sorted(dice.share() ** 2 for _ in passed)
    for kind, part in zip(passed, share, strict=True):
        time = attempt.start + (attempt.closed - attempt.start) * (part * 0.6)
        time = attempt.start if kind == "dial_started" else time
        time = attempt.closed if kind == "dial_connected" else time
        last = index if kind == "dial_connected" else -1
        yield Note(kind, time, payloads[kind], attempt=last)
    if attempt.outcome != "success":
        failed = [connection, user, profile, str(attempt.code)]
        yield Note("dial_failed", attempt.closed, failed, attempt=index)
    if attempt.end:
        yield Note("dial_ended", attempt.end, [connection, user, profile, str(attempt.end_code)])


def _settings(host: HostWorld) -> str:
    lines = [
        "AutoLogon = No",
        "UseRasCredentials = Yes",
        f"VpnStrategy = {host.host.habits.tunnel}",
        "DataEncryption = Require",
        "PrerequisiteEntry = ",
        "CustomAuthKey = ",
        "AuthRestrictions = MS-CHAPv2",
    ]
    return "\r\n".join(lines)


def _line(world: World, host: HostWorld, port: int) -> str:
    tunnel = host.host.habits.tunnel
    lines = [
        f"Server address/Phone Number = {world.scenario.office.server}",
        f"Device = WAN Miniport ({tunnel})",
        f"Port = VPN2-{port}",
        "MediaType = VPN",
    ]
    return "\r\n".join(lines)


def restart_notes(world: World, host: HostWorld) -> Iterator[Note]:
    """Yield the System records of every restart, in the order in which Windows writes them."""
    dice = host.dice("restarting")
    for boot in host.deeds.boots:
        yield from _shutdown(world, host, boot, dice)
        yield from _startup(world, host, boot, dice)


def _shutdown(world: World, host: HostWorld, boot: Boot, dice: Dice) -> Iterator[Note]:
    asked = boot.stop - dice.pause(2.2, 44)
    if boot.why != "reimage":
        yield Note("restart_asked", asked, _restart(world, host, boot))
        halt = boot.stop - dice.pause(1.2, 2.1)
        yield Note("log_stopped", halt, [""], binary=bytes.fromhex("0100000000000000"))


def _restart(world: World, host: HostWorld, boot: Boot) -> Payload:
    by_hand = any(c.effective == boot.start and c.by == "settings" for c in host.deeds.changes)
    why = "uninstall_settings" if boot.why == "uninstall" and by_hand else boot.why
    program, reason, code, kind = RESTARTS[why]
    who = r"NT AUTHORITY\SYSTEM" if why == "update" else world.account(host)
    values = (f"{program} ({host.name})", host.name, reason, code, kind, "", who)
    return {f"param{number}": value for number, value in enumerate(values, 1)}


def _startup(world: World, host: HostWorld, boot: Boot, dice: Dice) -> Iterator[Note]:
    ready = boot.start + dice.pause(8.5, 24)
    stop = boot.stop - dice.pause(0.1, 0.9)
    build = str(host.branch.build)
    yield Note("log_version", ready, ["10.00.", build, "", "Multiprocessor Free", "0"], binary=b"")
    yield Note("log_started", ready, [""], binary=systemtime(ready) + bytes(8))
    yield uptime_note(world, host, ready, int(dice.between(9, 24)))
    if boot.why != "reimage":
        action = {
            "ShutdownActionType": u32(5),
            "ShutdownEventCode": u32(0),
            "ShutdownReason": u32(5),
        }
        yield Note("shutting_down", stop - dice.pause(0.9, 1.4), action, place=ready)
        yield Note("stopped", stop, {"StopTime": filetime(stop)}, place=ready)
    yield Note("started", boot.start, _started(host, boot), place=ready)
    status: Mapping[str, Value] = {
        "LastShutdownGood": True,
        "LastBootGood": True,
        "LastBootId": u32(dice.whole(3, 90)),
        "BootStatusPolicy": u32(1),
    }
    later = boot.start + timedelta(microseconds=210)
    yield Note("boot_status", later, status, place=ready)
    kind: Mapping[str, Value] = {"BootType": u32(0), "LoadOptions": " NOEXECUTE=OPTIN"}
    yield Note("boot_type", later + timedelta(microseconds=130), kind, place=ready)
    menu: Mapping[str, Value] = {"BootMenuPolicy": u32(1)}
    yield Note("boot_menu", later + timedelta(microseconds=145), menu, place=ready)


def _started(host: HostWorld, boot: Boot) -> Mapping[str, Value]:
    """Kernel-General 12: the one record that states build and revision in effect."""
    return {
        "MajorVersion": u32(10),
        "MinorVersion": u32(0),
        "BuildVersion": u32(host.branch.kernel_build or host.branch.build),
        "QfeVersion": u32(boot.revision),
        "ServiceVersion": u32(0),
        "BootMode": u32(0),
        "StartTime": filetime(boot.start - timedelta(milliseconds=395)),
    }


def uptime_note(world: World, host: HostWorld, time: datetime, seconds: int) -> Note:
    """Return an EventLog 6013; its seventh string holds the bias and name of the time zone.

    Real records state the bias without summer time all year round.
    """
    window = world.window
    bias = -min([window.utc_offset_minutes, *(s.utc_offset_minutes for s in window.shifts)])
    strings = ["", "", "", "", str(seconds), "60", f"{bias} {window.zone}"]
    build = host.branch.build
    listed = [
        "1.1",
        "0",
        host.branch.product,
        f"10.0.{build} Build {build}  ",
        "Multiprocessor Free",
        host.branch.lab,
        "Not Available",
        "Not Available",
        "9",
        "4",
        "8192",
        "407",
        world.fqdn(host),
    ]
    return Note("uptime", time, strings, binary=_utf16z(listed) + bytes(2))


def systemtime(time: datetime) -> bytes:
    """Return a UTC time as a 16-byte SYSTEMTIME."""
    weekday = time.isoweekday() % 7
    parts = (time.year, time.month, weekday, time.day, time.hour, time.minute, time.second)
    return struct.pack("<8H", *parts, time.microsecond // 1000)


def filetime(time: datetime) -> Typed:
    """Return a UTC time as a FILETIME field."""
    return Typed(kind="filetime", value=ticks(time))


def _utf16z(texts: list[str]) -> bytes:
    return "".join(f"{text}\0" for text in texts).encode("utf-16-le")


def update_notes(host: HostWorld) -> Iterator[Note]:
    """Yield System, Setup and Application records of every install and removal."""
    for number, change in enumerate(host.deeds.changes):
        dice = host.dice(f"change {number}")
        if change.do == "reimage":
            continue
        if change.package and change.package.kind == "application":
            yield from product_notes(host, change, change.package, number, dice)
        elif change.package and change.package.kind == "driver":
            yield from device_notes(change, change.package, host.dice(f"device {number}"))
            yield from _install(host, change, dice) if change.do == "install" else ()
        elif change.do == "uninstall":
            yield from _removal(host, change, dice)
        else:
            yield from _install(host, change, dice)


def kb_of(host: HostWorld, change: Change) -> str:
    """Return the KB label of what a change installs or removes."""
    if change.package:
        return change.package.kb
    number = change.removes if change.do == "uninstall" else change.revision
    return host.branch.revision(number or 0).kb


def title_of(host: HostWorld, change: Change) -> str:
    """Return the title Windows Update shows for a change."""
    if change.package:
        return change.package.title
    number = change.removes if change.do == "uninstall" else change.revision
    return host.branch.revision(number or 0).title


def update_guid(title: str) -> str:
    """Return the update id of a title: the same on every host."""
    return Dice(0, "update", title).guid()


def _install(host: HostWorld, change: Change, dice: Dice) -> Iterator[Note]:
    title = title_of(host, change)
    by_wu = change.by == "windows_update"
    for failure in change.failures:
        yield from _failed(failure, title, dice)
    if by_wu:
        yield offered("update_download", change.begun, title, change.activity)
        yield offered("update_started", change.started, title, change.activity)
    if not change.package or change.package.kind == "update":
        yield from _staging(host, change, dice)
    if not change.effective:
        return
    service = SERVICE_UPDATE if change.package else SERVICE_CUMULATIVE
    confirmed = change.effective + dice.pause(125, 190)
    if by_wu:
        yield installed(confirmed, title, service, change.activity)
    again = confirmed + dice.pause(78000, 80500)
    if change.repeated and by_wu:
        yield from _reoffered(host, again, title, service, dice)


def _failed(time: datetime, title: str, dice: Dice) -> Iterator[Note]:
    """Yield an install that Windows Update gave up: it names the code, and no activity."""
    activity = dice.guid()
    yield offered("update_download", time - dice.pause(300, 900), title, activity)
    yield offered("update_started", time - dice.pause(60, 240), title, activity)
    data: dict[str, Value] = {"errorCode": Typed(kind="hex32", value=INSTALL_ERROR)}
    data |= {**_update(title), "serviceGuid": Typed(kind="guid", value=SERVICE_CUMULATIVE)}
    yield Note("update_failed", time, data)


def rollback_notes(host: HostWorld) -> Iterator[Note]:
    """Yield the service restarts of somebody who put an older IKE library back by hand."""
    time = host.deeds.workaround
    if time and host.deeds.workaround_leaves_trace:
        name = "IKE and AuthIP IPsec Keying Modules"
        yield service_note(time - timedelta(seconds=41), name, "IKEEXT", running=False)
        yield service_note(time, name, "IKEEXT", running=True)


def service_note(time: datetime, name: str, key: str, *, running: bool) -> Note:
    """Return an SCM 7036; its binary part names service and state in every language."""
    data: dict[str, Value] = {"param1": name, "param2": "running" if running else "stopped"}
    return Note(
        "service_state", time, data, binary=f"{key}/{4 if running else 1}\0".encode("utf-16-le")
    )


def _reoffered(
    host: HostWorld, time: datetime, title: str, service: str, dice: Dice
) -> Iterator[Note]:
    """Windows Update offers the same update again a day later and finds it installed."""
    while not host.presence.on(time):
        time += timedelta(minutes=30)
    activity = dice.guid()
    for _ in range(3):
        yield offered("update_download", time, title, activity)
        time += dice.pause(1, 40)
    yield offered("update_started", time, title, activity)
    yield installed(time + dice.pause(35, 60), title, service, activity)


def offered(kind: str, time: datetime, title: str, activity: str) -> Note:
    """Return a WindowsUpdateClient 44 or 43: the two name no service."""
    return Note(kind, time, _update(title), activity=activity)


def installed(time: datetime, title: str, service: str, activity: str) -> Note:
    """Return a WindowsUpdateClient 19."""
    data = {**_update(title), "serviceGuid": Typed(kind="guid", value=service)}
    return Note("update_installed", time, data, activity=activity)


def _update(title: str) -> dict[str, Value]:
    return {
        "updateTitle": title,
        "updateGuid": Typed(kind="guid", value=update_guid(title)),
        "updateRevisionNumber": u32(1 if title[:1] == "9" else 200),
    }


def _staging(host: HostWorld, change: Change, dice: Dice) -> Iterator[Note]:
    """Servicing records of an install: staged, to be installed, needs restart, installed."""
    kb = kb_of(host, change)
    span = change.staged - change.started
    first, second = change.started + span * 0.15, change.started + span * 0.7
    yield _initiated(host, first, kb, "Absent", "Staged")
    yield _changed(host, "package_changed", second, kb, "Staged")
    yield _initiated(host, second + dice.pause(0.2, 4), kb, "Staged", "Installed")
    yield _changed(host, "package_needs_restart", change.staged, kb, "Installed")
    if change.by == "wusa":
        later = change.staged + dice.pause(0.5, 3)
        yield Note("wusa_install_restart", later, _wusa(host, change))
    if change.effective:
        later = change.effective + dice.pause(45, 110)
        yield _changed(host, "package_changed", later, kb, "Installed")


def _removal(host: HostWorld, change: Change, dice: Dice) -> Iterator[Note]:
    """Servicing and WUSA records of a removal; it takes effect at the next boot."""
    kb = kb_of(host, change)
    yield _initiated(host, change.started, kb, "Installed", "Absent")
    yield _changed(host, "package_needs_restart", change.staged, kb, "Absent")
    if change.by in WUSA_REMOVALS:
        later = change.staged + dice.pause(0.5, 3)
        yield Note(WUSA_REMOVALS[change.by], later, _wusa(host, change))
    if change.effective:
        later = change.effective + dice.pause(45, 110)
        yield _changed(host, "package_changed", later, kb, "Absent")


WUSA_REMOVALS: Final[Mapping[str, str]] = MappingProxyType(
    {"wusa": "wusa_remove_restart", "wusa_quiet": "wusa_removed"}
)


def _wusa(host: HostWorld, change: Change) -> Payload:
    kb = kb_of(host, change)
    if change.do == "uninstall":
        quiet = " /quiet /norestart" if change.by == "wusa_quiet" else ""
        command = f'"C:\\Windows\\system32\\wusa.exe" /uninstall /kb:{kb[2:]}{quiet}'
    else:
        package = (
            f"windows10.0-{kb.lower()}-x64_{update_guid(title_of(host, change))[:8].lower()}.msu"
        )
        command = rf'"C:\Windows\System32\wusa.exe" "C:\Users\{host.user}\Downloads\{package}"'
    return {"UpdateTitle": title_of(host, change), "CommandLine": command}


def _initiated(host: HostWorld, time: datetime, kb: str, old: str, new: str) -> Note:
    fields = _state(host, "InitialPackageState", old) | _state(host, "IntendedPackageState", new)
    fields["Client"] = host.branch.servicing_client
    return Note("package_initiated", time, _cbs("CbsPackageInitiateChanges", kb, fields))


def _changed(host: HostWorld, kind: str, time: datetime, kb: str, state: str) -> Note:
    fields = _state(host, "IntendedPackageState", state)
    fields |= {"ErrorCode": "0x0", "Client": host.branch.servicing_client}
    return Note(kind, time, _cbs("CbsPackageChangeState", kb, fields))


def _state(host: HostWorld, name: str, state: str) -> dict[str, Value]:
    """Older Windows 10 writes the state as text, newer as number with the text beside it."""
    if host.branch.setup_shape == "A":
        return {name: state}
    return {name: u32(STATES[state]), f"{name}Textized": state}


def _cbs(root: str, kb: str, fields: Mapping[str, Value]) -> UserData:
    data: dict[str, Value] = {"PackageIdentifier": kb, **fields}
    return UserData(root=root, namespace=SETUP_NAMESPACE, fields=data)
