"""What lies beside evidence and is none: notes, profiles, the kit's own files, a collector's logs.

Such a file is listed and hashed like any other, and no problem. Name and content must both say
what it is: a log called README stays a problem if it is binary, and whatever a reader of the kit
knows is read first. `COLLECTORS` lists what collectors write about their own work.

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
    whole = decode(head, partial=True).text
    if _BINARY.search(whole):
        return None
    stem, _, suffix = name.partition(".")
    if suffix == "toml":
        return "" if _is_toml(whole) else None
    if stem in _BESIDE or suffix in ("md", "markdown") or _OWN.search(whole):
        return ""
    return _of_collector(path.lower(), whole)


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
