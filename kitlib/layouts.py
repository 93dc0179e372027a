"""Whose files these are, by where they lie: folders, names of archives, names of files.

Collections name their host in different places: a folder or archive per host, the archive's own
name in the form of its tool (KAPE, Velociraptor, Intune), or the beginning of a file's name (all
in one heap, Microsoft's TSS). Below a drive (``C``, ``C:``, a shadow copy) lies a host's own disk,
whose folders name nobody.

All of it is a guess: what the records say comes first, and `kitlib.evidence` weighs the two.
Channels are never read from file names, which write their slash as ``%4``, ``%254``, ``-`` or
``_``. Nothing here opens a file.

Source of the forms: the collectors' own code and documentation; the timestamps' forms are as wide
as was seen.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

_DRIVE: Final = re.compile(
    r"(?:\\\\[.?]\\)?[a-z]:?|(?:[a-z]_)?windows(?:\.old)?|.*volumeshadowcopy\d+"
)
_LAYOUT: Final = frozenset(
    re.split(
        r"\s+",
        "uploads results auto ntfs mft lazyntfs ntfsvss vss logs log evtx eventlogs eventlog winevt "
        "system32 intune files commands general data evidence kape cylr collection collections "
        "triage hosts output out exports export exporte dumps dump updates updatehistory "
        "windowsupdate ? globalroot device eventviewer events winlogs windowslogs savedlogs cbs dism "
        "softwaredistribution registry reg hives old new copy backup temp tmp desktop downloads "
        # what German, French and Spanish Windows and their users call them
        "ereignisanzeige ereignisprotokoll ereignisprotokolle protokolle ereignisse alt neu kopie "
        "sicherung dateien observateur journal journaux evenements événements historique copie "
        "visor visordeeventos registros eventos historial copia",
    )
)
"""Folder names, lower case and without spaces and joints, that name no host."""
_JOINTS: Final = re.compile(r"[\s_.-]+")
_WRAPPED: Final = (
    re.compile(r"Collection-(?P<host>.+?)-\d{4}-\d\d-\d\dT.*"),  # Velociraptor
    re.compile(r"Collection-(?P<host>.+?)-\d{4}-\d\d-\d\d_.*"),  # Velociraptor, older
    re.compile(r"DiagLogs-(?P<host>.+?)-\d{8}.*"),  # Intune, Collect diagnostics
    re.compile(r"(?P<host>.+?)_CollectedData"),  # Intune, One Data Collector
    re.compile(r"\d{4}-\d\d-\d\dT\d+_(?P<host>.+)"),  # KAPE containers
)
_ARCHIVE_END: Final = re.compile(r"(\.(zip|tar|tgz|gz))+$", re.IGNORECASE)
_FILE_PREFIX: Final = re.compile(
    r"(?!microsoft-)(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,62})_(system|application|setup|security|"
    r"hotfix|qfe|wu|update|windows|microsoft-windows|reportingevents|cbs|dism|forwardedevents)",
    re.IGNORECASE,
)
_TOOLS: Final = frozenset({"wmic", "get-hotfix", "windows", "win", "com", "powershell", "dism"})
"""What file names begin with instead of a host."""
_NUMBERED: Final = re.compile(r"\(?\d+\)?( .*)?")
_COMMAND: Final = re.compile(r"\(\d+\)( .*)?")
"""A folder of Intune's, one for each thing collected."""


def host_of_path(path: str, root: str = "") -> str:
    """Guess a file's host from the folders and archives it lies in, then from its file name.

    Parameters
    ----------
    path
        Path inside the evidence.
    root
        Name of the evidence itself, which is asked only where its form is that of one host's
        collection: a tool's archive name, or a drive right below it.

    Returns
    -------
    str
        The innermost folder above the first one that belongs to a known layout; empty if there
        is none. A guess: what the records say comes first.

    Examples
    --------
    >>> host_of_path("WS0001/C/Windows/System32/winevt/Logs/System.evtx")
    'WS0001'
    >>> host_of_path("WS0001_System.evtx")
    'WS0001'
    """
    *folders, name = unquote(path).replace("\\\\.\\", "").replace("\\", "/").split("/")
    host = _host_of_folders(folders)
    if host:
        return host
    stem = _ARCHIVE_END.sub("", root)
    if _unwrapped(stem) != stem or (folders and _DRIVE.fullmatch(folders[0].lower())):
        return _unwrapped(stem)
    return host_of_name(name)


def host_of_name(name: str) -> str:
    """Return the host that a file name begins with, where a known word follows; else empty.

    Examples
    --------
    >>> host_of_name("WS0001_Hotfixes.CSV")
    'WS0001'
    """
    prefix = _FILE_PREFIX.match(name)
    return prefix["host"] if prefix and prefix["host"].lower() not in _TOOLS else ""


def _host_of_folders(folders: list[str]) -> str:
    host = ""
    for folder in folders:
        if folder.lower().endswith(".cab"):  # Windows' own packing of a few logs, not of a host
            continue
        plain = _ARCHIVE_END.sub("", folder)
        if _DRIVE.fullmatch(plain.lower()) or (host and _is_layout(plain)):
            return host
        if _unwrapped(plain) != plain:
            return _unwrapped(plain)
        if plain and not _is_layout(plain) and not _is_number(plain, host):
            host = plain
    return host


def _is_layout(folder: str) -> bool:
    plain = _JOINTS.sub("", folder.lower())
    return not plain or plain in _LAYOUT


def _is_number(folder: str, host: str) -> bool:
    return (_NUMBERED if host else _COMMAND).fullmatch(folder) is not None


def _unwrapped(folder: str) -> str:
    found = (pattern.fullmatch(folder) for pattern in _WRAPPED)
    return next((match["host"] for match in found if match), folder)
