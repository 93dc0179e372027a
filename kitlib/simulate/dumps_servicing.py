r"""Write what Windows servicing and the update agent leave on a host, in its own dialects.

DISM's ``/get-packages`` as list and table and ``/get-packageinfo`` (English: local time to the
minute, in the user's culture); ``CBS.log`` (bare local time, with the UTC marks of CSI lines);
``ReportingEvents.log`` (local time with its offset on each line); the registry's CBS ``Packages``
key as ``.reg`` (FILETIME in UTC). The two logs stand in order of time, the others as given.

Wording and layout follow real files; the numbers of the agent's events for removals, and the
order of values in ``.reg``, are from memory, unverified.
"""

from __future__ import annotations

from datetime import UTC
from hashlib import md5
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kitlib.simulate.dumps import (
    Item,
    Offset,
    Session,
    encoded,
    filetime,
    one_line,
    wall_time,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

# --- DISM -----------------------------------------------------------------------------------

_DISM_HEAD: Final = (
    "",
    "Deployment Image Servicing and Management tool",
    "Version: 10.0.19041.844",
    "",
    "Image Version: 10.0.19044.1466",
    "",
)
_DONE: Final = ("", "The operation completed successfully.", "")


def dism_state(item: Item) -> str:
    """Return the package state that DISM prints after what `item` tells."""
    if item.operation == 2:
        return "Uninstall Pending" if item.result == 1 else "Not Present"
    return {1: "Install Pending", 2: "Installed", 3: "Installed"}.get(item.result, "Staged")


def _dism_time(item: Item, session: Session) -> str:
    """Print the time of installation; only what is, or was, installed has one."""
    had = dism_state(item) in ("Installed", "Uninstall Pending") and item.dated
    return session.culture.minutes(wall_time(item.time, session.offset)) if had else ""


def dism_list(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "cp437",
    line_end: str = "\r\n",
) -> bytes:
    r"""Write ``dism /online /english /get-packages``.

    Parameters
    ----------
    items
        Packages, by their identities.
    session
        How the console prints dates; the host's clock.
    encoding
        The console's code page in cmd, UTF-16 from PowerShell's ``>``.
    line_end
        ``"\r\r\n"`` when piped through another console.
    """
    lines = [*_DISM_HEAD, "Packages listing:", ""]
    for item in items:
        lines += [
            f"Package Identity : {item.package}",
            f"State : {dism_state(item)}",
            f"Release Type : {item.kind}",
            f"Install Time : {_dism_time(item, session)}",
            "",
        ]
    return encoded("".join(line + line_end for line in (*lines, *_DONE[1:])), encoding)


def dism_table(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "cp437",
    line_end: str = "\r\n",
) -> bytes:
    """Write ``dism /online /english /get-packages /format:table``; see `dism_list`."""
    rows = [("Package Identity", "State", "Release Type", "Install Time")]
    for item in items:
        when = _dism_time(item, session)
        rows.append((item.package, dism_state(item), item.kind, when))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]  # four of them
    padded = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines = [*_DISM_HEAD, "Packages listing:", "", "", *padded, *_DONE]
    return encoded("".join(line + line_end for line in lines), encoding)


def dism_info(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "cp437",
    line_end: str = "\r\n",
) -> bytes:
    """Write ``dism /online /english /get-packageinfo`` of each package, one after another.

    See `dism_list`; this form alone names the KB of a cumulative update.
    """
    lines: list[str] = []
    for item in items:
        lines += [*_DISM_HEAD, "Package information:", ""]
        lines += [f"{name} : {value}" for name, value in _info(item, session)]
        lines += ["", "Custom Properties:", "", "(No custom properties found)", *_DONE]
    return encoded("".join(line + line_end for line in lines), encoding)


def _info(item: Item, session: Session) -> Iterator[tuple[str, str]]:
    name = item.package.partition("~")[0]
    yield "Package Identity", item.package
    yield "Applicable", "Yes"
    yield "Copyright", "Microsoft Corporation"
    yield "Company", "Microsoft Corporation"
    yield "Creation Time", ""
    yield "Description", f"Fix for {item.kb}" if item.kb else ""
    yield "Install Client", item.client
    yield "Install Package Name", f"{item.package}.mum"
    yield "Install Time", _dism_time(item, session)
    yield "Last Update Time", ""
    yield "Name", "default"
    yield "Product Name", name
    yield "Product Version", ""
    yield "Release Type", item.kind
    yield "Restart Required", "Possible"
    url = f"http://support.microsoft.com/?kbid={item.kb[2:]}"
    yield "Support Information", url if item.kb else ""
    yield "State", dism_state(item)
    yield "Completely offline capable", "Undetermined"
    yield "Self servicing package", "No"


# --- CBS.log --------------------------------------------------------------------------------


def cbs_log(
    items: Sequence[Item],
    session: Session,
    *,
    marks: Sequence[datetime] = (),
    encoding: str = "utf-8",
) -> bytes:
    """Write a ``CBS.log``: local lines, and CSI lines that repeat their time in UTC.

    Parameters
    ----------
    items
        Changes of packages; each makes the lines of a session and of its completion.
    session
        The host's clock.
    marks
        UTC times at which a CSI line with its UTC mark is written.
    encoding
        The log is ASCII or UTF-8 without mark.
    """
    told = [(item.time, n, _session(item, session.offset)) for n, item in enumerate(items)]
    told += [(at, n, _csi(at, n, session.offset)) for n, at in enumerate(marks, -len(marks))]
    lines = [line for _, _, lines in sorted(told) for line in lines]
    return encoded("".join(f"{line}\r\n" for line in lines), encoding)


def _line(when: datetime, offset: Offset, source: str, text: str) -> str:
    return f"{wall_time(when, offset):%Y-%m-%d %H:%M:%S}, Info                  {source}    {text}"


def _csi(at: datetime, number: int, offset: Offset) -> list[str]:
    utc = at.astimezone(UTC)
    day = f"{utc.year}/{utc.month}/{utc.day}:{utc:%H:%M:%S}.{utc.microsecond // 1000:03}"
    text = f"{number & 0xFFFF:08x}@{day} CSI perf trace:"
    return [_line(at, offset, "CSI", text)]


def _session(item: Item, offset: Offset) -> list[str]:
    session = f"{30000000 + item.revision}_{filetime(item.time) % 2**32}"
    began = f"Session: {session} initialized by client {item.client}."
    named = f"Package: {item.package}, Identifier: {item.kb}, ReleaseType: Update"
    texts = [began, *([named] if item.kb else []), _completion(item)]
    return [_line(item.time, offset, "CBS", text) for text in texts]


def _completion(item: Item) -> str:
    """Return the line of a completed change: pending ones wait for a restart."""
    before, after = ("Staged", "Installed") if item.operation == 1 else ("Installed", "Absent")
    waiting = "Install Pending" if item.operation == 1 else "Uninstall Pending"
    current = {1: waiting, 2: after, 3: after}.get(item.result, before)
    failed = item.result in (4, 5)
    return (
        f"Reporting package change completion for package: {item.package}, current: {current}, "
        f"original: {before}, target: {after}, status: 0x{item.hresult & 0xFFFFFFFF:x}, "
        f"failure source: {'Execute' if failed else 'Not Failed'}, "
        f'failure details: "(null)", client id: {item.client}, '
        f"initiated offline: False, execution sequence: {item.revision}, "
        "first merged sequence: 0"
    )


# --- ReportingEvents.log --------------------------------------------------------------------

REBOOT_REQUIRED: Final = 0x00240005
"""WU_S_REBOOT_REQUIRED: what a pending installation states."""
_NO_STEP: Final = (147, "AGENT_DETECTION_FINISHED")


def reporting_events(
    items: Sequence[Item],
    session: Session,
    *,
    encoding: str = "utf-16",
    token: bool = True,
    split: bool = False,
) -> bytes:
    """Write a ``ReportingEvents.log``: a detection and a step for each item, in order of time.

    Parameters
    ----------
    items
        Steps by their results: 1 started (pending where `hresult` is `REBOOT_REQUIRED`), 2 and 3
        succeeded, 4 failed, 5 cancelled; 0 writes the detection only.
    session
        The host's clock; every line states it.
    encoding
        The log is UTF-16 with its mark.
    token
        Whether the 13th field is there.
    split
        Whether an event's number and name stand in two fields.
    """
    lines = []
    for item in sorted(items, key=lambda item: item.time):
        lines.append(_found(item, session.offset))
        if item.result:
            lines.append(agent_event(item, session.offset))
    text = "".join("\t".join(_fields(line, token=token, split=split)) + "\r\n" for line in lines)
    return encoded(text, encoding)


def _fields(line: list[str], *, token: bool, split: bool) -> list[str]:
    event = line[3].split(" ") if split else [line[3]]
    return [*line[:3], *event, *line[4:], *(["OAAA0000"] if token else [])]


def _stamp(when: datetime, offset: Offset) -> str:
    minutes = offset(when)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    wall = wall_time(when, offset)
    return f"{wall:%Y-%m-%d %H:%M:%S}:{wall.microsecond // 1000:03}{zone}"


def _guid(*parts: object) -> str:
    digits = md5("|".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest().upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _found(item: Item, offset: Offset) -> list[str]:
    number, name = _NO_STEP
    return [
        f"{{{_guid('detection', item.time, item.title)}}}",
        _stamp(item.time, offset),
        "1",
        f"{number} [{name}]",
        "101",
        "{00000000-0000-0000-0000-000000000000}",
        "0",
        "0",
        item.client,
        "Success",
        "Software Synchronization",
        "Windows Update Client successfully detected 1 updates.",
    ]


def agent_event(item: Item, offset: Offset) -> list[str]:
    """Return the 12 fields of an agent's event; the fourth holds number and name."""
    number, name, words = _EVENTS[item.operation, _word(item)]
    code = item.hresult & 0xFFFFFFFF
    said = words.format(title=one_line(item.title), code=f"0x{code:08x}")
    return [
        f"{{{_guid(name, item.time, item.title)}}}",
        _stamp(item.time, offset),
        "1",
        f"{number} [{name}]",
        "101",
        f"{{{item.update_id.upper()}}}",
        str(item.revision),
        f"{code:x}",
        item.client,
        "Failure" if item.result in (4, 5) else "Success",
        "Content Install",
        said,
    ]


def _word(item: Item) -> str:
    if item.result == 1 and item.hresult == REBOOT_REQUIRED:
        return "pending"
    return {1: "started", 4: "failed", 5: "cancelled"}.get(item.result, "succeeded")


_EVENTS: Final[Mapping[tuple[int, str], tuple[int, str, str]]] = MappingProxyType(
    {
        (1, "started"): (
            181,
            "AGENT_INSTALLING_STARTED",
            "Installation Started: Windows has started installing the following update: {title}",
        ),
        (1, "pending"): (201, "AGENT_INSTALLING_PENDING", "Installation pending."),
        (1, "succeeded"): (
            183,
            "AGENT_INSTALLING_SUCCEEDED",
            "Installation Successful: Windows successfully installed the following update: {title}",
        ),
        (1, "failed"): (
            182,
            "AGENT_INSTALLING_FAILED",
            (
                "Installation Failure: Windows failed to install the following update "
                "with error {code}: {title}"
            ),
        ),
        (1, "cancelled"): (
            186,
            "AGENT_INSTALL_CANCEL",
            "Installation cancelled: the following update: {title}",
        ),
        (2, "started"): (
            187,
            "AGENT_UNINSTALLING_STARTED",
            (
                "Uninstallation Started: Windows has started uninstalling the following update: "
                "{title}"
            ),
        ),
        (2, "pending"): (190, "AGENT_UNINSTALLING_PENDING", "Uninstallation pending."),
        (2, "succeeded"): (
            188,
            "AGENT_UNINSTALLING_SUCCEEDED",
            (
                "Uninstallation Successful: Windows successfully uninstalled the following update: "
                "{title}"
            ),
        ),
        (2, "failed"): (
            189,
            "AGENT_UNINSTALLING_FAILED",
            (
                "Uninstallation Failure: Windows failed to uninstall the following update "
                "with error {code}: {title}"
            ),
        ),
        (2, "cancelled"): (
            191,
            "AGENT_UNINSTALL_CANCEL",
            "Uninstallation cancelled: the following update: {title}",
        ),
    }
)
"""Operation and step → number and name of the agent's event, its words."""


# --- the registry ---------------------------------------------------------------------------

PACKAGES_KEY: Final = (
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion"
    r"\Component Based Servicing\Packages"
)
_STATES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "Installed": 0x70,
        "Install Pending": 0x60,
        "Staged": 0x40,
        "Uninstall Pending": 0x05,
        "Not Present": 0x00,
    }
)


def reg_packages(
    items: Sequence[Item], *, encoding: str = "utf-16", superseded: frozenset[str] = frozenset()
) -> bytes:
    r"""Write ``reg export ...\Component Based Servicing\\Packages``.

    Parameters
    ----------
    items
        Packages; the KB stands in the name of the file they came from, as with cumulative ones.
    encoding
        Version 5.00 is UTF-16 with its mark.
    superseded
        Identities of packages that a later one has replaced; they keep their install time.
    """
    lines = ["Windows Registry Editor Version 5.00", "", f"[{PACKAGES_KEY}]", ""]
    for item in items:
        lines += [f"[{PACKAGES_KEY}\\{item.package}]", *_values(item, superseded), ""]
    return encoded("".join(f"{line}\r\n" for line in lines), encoding)


def _values(item: Item, superseded: frozenset[str]) -> Iterator[str]:
    state = _STATES[dism_state(item)]
    ticks = filetime(item.time) if item.dated else 0
    folder = md5(item.package.encode(), usedforsecurity=False).hexdigest()
    file = f"Windows10.0-{item.kb or 'package'}-x64.cab"
    place = rf"\\?\C:\Windows\SoftwareDistribution\Download\{folder}\{file}"
    yield f'"InstallClient"="{_escaped(item.client)}"'
    yield f'"InstallName"="{item.package}.mum"'
    yield f'"InstallLocation"="{_escaped(place)}"'
    yield f'"CurrentState"=dword:{0x50 if item.package in superseded else state:08x}'
    yield '"SelfUpdate"=dword:00000000'
    yield '"Visibility"=dword:00000001'
    yield f'"InstallTimeHigh"=dword:{ticks >> 32:08x}'
    yield f'"InstallTimeLow"=dword:{ticks & 0xFFFFFFFF:08x}'
    yield '"InstallUser"="S-1-5-18"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
