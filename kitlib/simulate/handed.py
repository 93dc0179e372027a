"""How a host's files are handed over: as a folder, or packed by a collector.

A Velociraptor offline collection is a zip with the files of the disk below ``uploads``, each part of
a path in URL encoding, the collector's own files beside, and what its artifacts returned below
``results``. Archives are stored, not deflated: their bytes are then the same on every machine.
Nothing here knows what the files hold.
"""

from __future__ import annotations

import json
import zipfile
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from kitlib.simulate.world import HostWorld, World

File = tuple[str, bytes]
LOG_FOLDER: Final = ("C:", "Windows", "System32", "winevt", "Logs")
DUMP_FOLDER: Final = ("C:", "Export")
EARLIEST: Final = (1980, 1, 1, 0, 0, 0)


def as_folder(
    _world: World, host: HostWorld, out: Path, logs: Sequence[File], dumps: Sequence[File]
) -> None:
    """Write a folder of the host's name."""
    folder = out / host.name
    folder.mkdir(parents=True)
    for name, content in (*logs, *dumps):
        (folder / name).write_bytes(content)


def as_velociraptor(
    world: World, host: HostWorld, out: Path, logs: Sequence[File], dumps: Sequence[File]
) -> None:
    """Write a collection of Velociraptor's offline collector."""
    taken = world.end
    members = [
        *((_uploaded(*LOG_FOLDER, name), content) for name, content in logs),
        *((_uploaded(*DUMP_FOLDER, name), content) for name, content in dumps),
    ]
    listed = "".join(f"{json.dumps(_upload(name, content))}\n" for name, content in members)
    client = {"Hostname": host.name, "Fqdn": world.fqdn(host), "OS": "windows"}
    context = {
        "session_id": f"F.{host.name}",
        "create_time": int(taken.timestamp()),
        "artifacts_with_results": ["Windows.KapeFiles.Targets/Uploads"],
    }
    own = (
        ("client_info.json", json.dumps(client, indent=1).encode()),
        ("collection_context.json", json.dumps(context, indent=1).encode()),
        ("uploads.json", listed.encode()),
    )
    name = f"Collection-{world.fqdn(host)}-{taken:%Y-%m-%dT%H_%M_%SZ}.zip"
    _pack(out / name, (*own, *members))


def _uploaded(*parts: str) -> str:
    return "/".join(("uploads", "auto", *(quote(part, safe="") for part in parts)))


def _upload(name: str, content: bytes) -> Mapping[str, object]:
    return {"vfs_path": name, "file_size": len(content), "uploaded_size": len(content)}


def _pack(path: Path, members: Iterable[File]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, EARLIEST)
            info.create_system = 0  # as on Windows, wherever this runs
            archive.writestr(info, content)


HANDED_OVER: Final[
    Mapping[str, Callable[[World, HostWorld, Path, Sequence[File], Sequence[File]], None]]
] = MappingProxyType({"folder": as_folder, "velociraptor": as_velociraptor})
"""Way of handing over → writer of a host's logs and dumps."""
