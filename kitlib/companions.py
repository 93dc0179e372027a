"""What lies beside evidence and is none: notes, profiles, the kit's own files, a collector's logs.

Such a file is listed and hashed like any other, and no problem. Name and content must both say
what it is: a log called README stays a problem if it is binary, and whatever a reader of the kit
knows is read first. `COLLECTORS` lists what collectors write about their own work, `BYSTANDERS` the
pictures, papers and programs that people send along: they hold no record, and each is said to be
one. A short text is a note if it has no date, no time and no KB number. What may hold records in a
form that is not read (a workbook, a mail) stays a problem, and `advice` says what to do.

Tables of a Velociraptor collection (``results/*.json``) that no reader knows may hold facts; they
are said to be left out, unless they only list the files that were collected.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from kitlib.readers.text import decode

_BESIDE: Final = frozenset({"readme", "license", "licence", "manifest", "sha256sums", "truth"})
_DESKTOP: Final = frozenset({".ds_store", "desktop.ini", "thumbs.db"})
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_OWN: Final = re.compile(r'\A\s*\{[^{}]*"schema"\s*:\s*"kitlib\.')


@dataclass(frozen=True, slots=True)
class Collector:
    """A file that a collector writes about its own work.

    Attributes
    ----------
    path
        Matches the end of its path, lower case.
    content
        Is found in its beginning.
    remark
        What to say of it, or empty.
    """

    path: re.Pattern[str]
    content: re.Pattern[str]
    remark: str = ""


def _collector(path: str, content: str, remark: str = "") -> Collector:
    return Collector(re.compile(rf"(?:.*/)?{path}"), re.compile(content), remark)


COLLECTORS: Final = (
    # Velociraptor
    _collector(r"uploads\.json(\.index)?", r'"(vfs_path|_Components|file_size|uploaded_size)"'),
    _collector(r"client_info\.json", r'"(client_id|Hostname|hostname|os_info|Fqdn)"'),
    _collector(r"collection_context\.json", r'"(session_id|client_id|artifacts_with_results)"'),
    _collector(r"(requests|logs?)\.json(\.index)?", r'"(session_id|client_time|_ts|message)"'),
    _collector(r"metadata\.json", r'"(EncryptedPass|Scheme|PublicKey)"'),
    _collector(
        r"results/(.*/)?[^/]*(file metadata|uploads|basicinformation)[^/]*\.(json|csv)",
        r'"?(SourceFile|Hostname|Upload|_Source|Created)"?',
    ),
    _collector(
        r"results/([^/]*/)?[^/]+\.json",
        r"\A\s*[\[{]",
        "a table of a Velociraptor collection that the kit does not read: left out",
    ),
    # KAPE
    _collector(r"[^/]*_(copy|skip)log\.csv(\.csv)?", r"SourceFile"),
    _collector(r"[^/]*_?consolelog\.txt", r"(?i)kape"),
    # CyLR
    _collector(r"cylr_collection_log[^/]*\.log", r"\S"),
    # Intune, Collect diagnostics
    _collector(r"results\.xml", r"<Collection[\s>]"),
)
"""First match counts."""


BYSTANDERS: Final = (
    (b"\xff\xd8\xff", r".*", "a picture"),
    (b"\x89PNG", r".*", "a picture"),
    (b"GIF8", r".*", "a picture"),
    (b"%PDF", r".*", "a PDF"),
    (b"PK\x03\x04", r".*\.do[ct][xm]", "a Word document"),
    (b"PK\x03\x04", r".*\.pp[ts][xm]", "a presentation"),
    (b"\xd0\xcf\x11\xe0", r".*\.(doc|ppt)", "an Office document"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", r".*\.lnk", "a shortcut"),
    (b"MZ", r".*\.(exe|dll|sys|scr)", "a program"),
)
"""Beginning of the content, pattern of the path (lower case), what it is. Nothing is read of it."""
_SCRIPT: Final = re.compile(r".*\.(ps1|psm1|psd1|bat|cmd|vbs|py|sh)")
_NOTE: Final = re.compile(r"(?:.*\.(?:txt|md|log|csv|ini|inf|cfg|url)|[^.]*)")
"""Paths that a note of some lines may have."""
_FACT: Final = re.compile(
    r"KB ?\d{5}|\d[-./]\d{1,2}[-./]\d|\d:\d\d|\d{6}|\A\s*[<\[{]", re.IGNORECASE
)
"""A KB number, a date, a time, a long number; or markup. What a record cannot be without."""
_NOTE_BYTES: Final = 16384

_ADVICE: Final = (
    (b"PK\x03\x04", r".*\.xls[xmb]", "an Excel workbook: save its sheets as CSV to have them read"),
    (
        b"\xd0\xcf\x11\xe0",
        r".*\.xls",
        "an Excel workbook: save its sheets as CSV to have them read",
    ),
    (b"\xd0\xcf\x11\xe0", r".*\.msg", "an Outlook message: save what is attached to it as files"),
    (b"", r".*\.eml", "a mail: save what is attached to it as files"),
    (b"", r".*\.etl", "a trace: it is not read; the update history says what was installed"),
)
"""As in `BYSTANDERS`, with what to do."""


def advice(path: str, head: bytes) -> str:
    r"""Say what an unknown file seems to be, and what its sender or reader could do; may be empty.

    Parameters
    ----------
    path, head
        As for `companion`, which knows no better.

    Examples
    --------
    >>> advice("patches.csv", b"\x0a".join([b"Machine;Patch", b"WS0001;5009543"]))
    'a table with the columns Machine, Patch: a map of its columns would name them (README)'
    """
    for mark, name, words in _ADVICE:
        if head.startswith(mark) and re.fullmatch(name, path.lower()):
            return words
    whole = decode(head, partial=True).text
    lines = [line.strip() for line in whole.splitlines() if line.strip()]
    if not lines or _BINARY.search(whole):
        return ""
    return _table(lines) or f"a text that begins with '{lines[0][:60]}'"


def _table(lines: list[str]) -> str:
    for separator in (";", ",", "\t") if len(lines) > 1 else ():
        names = [name.strip().strip('"') for name in lines[0].split(separator)]
        if len(names) > 1 and len(names) == len(lines[1].split(separator)) and all(names):
            listed = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
            return (
                f"a table with the columns {listed}: a map of its columns would name them (README)"
            )
    return ""


def companion(path: str, head: bytes) -> str | None:
    """Tell a file that lies beside evidence and is none.

    Parameters
    ----------
    path
        Inside the evidence.
    head
        The beginning of the file, which no reader knows.

    Returns
    -------
    str or None
        None if it is no such file; else what is to be said of it, mostly nothing.

    Examples
    --------
    >>> companion("README.md", b"# What this is"), companion("notes.bin", b"?")
    ('', None)
    """
    name = PurePosixPath(path).name.lower()
    if name in _DESKTOP or name.startswith("._"):
        return ""
    bystander = _bystander(path.lower(), head)
    if bystander:
        return f"{bystander}: nothing is read of it"
    whole = decode(head, partial=True).text
    if _BINARY.search(whole):
        return None
    return _of_text(path.lower(), whole, short=len(head) < _NOTE_BYTES)


def _of_text(path: str, whole: str, *, short: bool) -> str | None:
    stem, _, suffix = PurePosixPath(path).name.partition(".")
    if suffix == "toml":
        return "" if _is_toml(whole) else None
    if stem in _BESIDE or suffix in ("md", "markdown") or _OWN.search(whole):
        return ""
    if _SCRIPT.fullmatch(path):
        return "a script: nothing is read of it"
    found = _of_collector(path, whole)
    if found is None and short and _is_note(path, whole):
        return "a note: there is no date, time or KB number in it"
    return found


def _bystander(path: str, head: bytes) -> str:
    said = (
        words
        for mark, name, words in BYSTANDERS
        if head.startswith(mark) and re.fullmatch(name, path)
    )
    return next(said, "")


def _is_note(path: str, whole: str) -> bool:
    return bool(_NOTE.fullmatch(PurePosixPath(path).name)) and not _FACT.search(whole)


def _of_collector(path: str, whole: str) -> str | None:
    for known in COLLECTORS:
        if known.path.fullmatch(path) and known.content.search(whole):
            return known.remark
    return None


def _is_toml(whole: str) -> bool:
    try:
        return bool(tomllib.loads(whole))
    except tomllib.TOMLDecodeError:
        return False
