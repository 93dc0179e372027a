"""Walking evidence: every file once, hosts from folders, and archives that mean harm."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from collection_samples import put

from kitlib.collection import Limits, archive_kind, listing, walk
from kitlib.errors import UsageError
from kitlib.layouts import host_of_path

if TYPE_CHECKING:
    from pathlib import Path

    from kitlib.collection import Item

ZIP = zipfile.ZIP_DEFLATED


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", ZIP, **options) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, ZIP)
    return raw.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as made:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def walked(root: Path, tmp_path: Path, limits: Limits | None = None) -> dict[str, Item]:
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    return {item.path: item for item in walk(root, spool=spool, limits=limits)}


def contents(items: dict[str, Item]) -> dict[str, bytes]:
    return {
        path: item.file.read_bytes()
        for path, item in items.items()
        if not item.archive and not item.refused
    }


# ------------------------------------------------------------------ folders


def test_listing_gives_every_file_once_in_order(tmp_path):
    root = put(tmp_path / "e", {"b/2": b"22", "a/1": b"1", "a/z/3": b"", "c": b"ccc"})
    found = [(item.path, item.size) for item in listing(root)]
    assert found == [("a/1", 1), ("a/z/3", 0), ("b/2", 2), ("c", 3)]


def test_listing_survives_folders_deeper_than_the_stack(tmp_path):
    places = [tmp_path / "e"]
    try:
        for _ in range(1200):
            places[-1].mkdir()
            places.append(places[-1] / "d")
        places[-1].write_bytes(b"x")
        assert [item.size for item in listing(places[0])] == [1]
    except OSError:
        pytest.skip("this file system does not nest that deep")
    finally:  # Python's own way to remove a tree is recursive
        places[-1].unlink(missing_ok=True)
        for place in reversed(places[:-1]):
            place.rmdir()


def test_listing_follows_no_link_and_says_so(tmp_path):
    outside = put(tmp_path / "outside", {"secret": b"s"})
    root = put(tmp_path / "e", {"a": b"a"})
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    found = {item.path: item.refused for item in listing(root)}
    link = "a link: not followed"
    assert found == {"a": "", "file": link, "folder": link, "loop": link}


def test_listing_follows_a_link_that_the_user_named(tmp_path):
    put(tmp_path / "e", {"a": b"a"})
    (tmp_path / "link").symlink_to(tmp_path / "e")
    assert [item.path for item in listing(tmp_path / "link")] == ["a"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_listing_opens_no_pipe(tmp_path):
    root = put(tmp_path / "e", {"a": b"a"})
    os.mkfifo(root / "pipe")
    assert [item.refused for item in listing(root)] == [
        "",
        "neither a file nor a folder: not opened",
    ]


def test_listing_shows_names_that_are_no_utf8(tmp_path):
    root = put(tmp_path / "e", {"a": b"a"})
    try:
        (root / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert [item.path for item in listing(root)] == ["a", "caf\\xe9"]


def test_listing_of_nothing_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="there is no folder or file"):
        list(listing(tmp_path / "none"))


def test_walk_takes_a_single_file(tmp_path):
    put(tmp_path, {"System.evtx": b"x"})
    assert contents(walked(tmp_path / "System.evtx", tmp_path)) == {"System.evtx": b"x"}


# ------------------------------------------------------------------ archives

FILES = {"WS1/System.evtx": b"one", "WS2/wu.json": b"two" * 1000, "empty": b""}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.zip", zipped(FILES)),
        ("e.tar.gz", tarred(FILES)),
        ("e.tar", tarred(FILES, "w")),
        ("e.tar.gz", tarred(FILES, "w:gz")),
        ("named-wrongly.evtx", zipped(FILES)),
    ],
)
def test_walk_reads_an_archive_like_a_folder(tmp_path, name, content):
    put(tmp_path, {name: content})
    items = walked(tmp_path / name, tmp_path)
    assert contents(items) == FILES
    assert items[name].archive
    assert items["WS1/System.evtx"].host == "WS1"


def test_walk_reads_archives_in_folders_and_archives(tmp_path):
    inner = zipped({"C/Windows/System32/winevt/Logs/System.evtx": b"deep"})
    root = put(tmp_path / "e", {"hosts/WS7.zip": inner, "all.tar.gz": tarred({"WS8.zip": inner})})
    items = walked(root, tmp_path)
    inside = "C/Windows/System32/winevt/Logs/System.evtx"
    assert contents(items) == {
        f"hosts/WS7.zip/{inside}": b"deep",
        f"all.tar.gz/WS8.zip/{inside}": b"deep",
    }
    assert items[f"hosts/WS7.zip/{inside}"].host == "WS7"
    assert items[f"all.tar.gz/WS8.zip/{inside}"].host == "WS8"
    assert {path for path, item in items.items() if item.archive} == {
        "hosts/WS7.zip",
        "all.tar.gz",
        "all.tar.gz/WS8.zip",
    }


def test_walk_unzips_a_single_gz(tmp_path):
    root = put(tmp_path / "e", {"WS1/System.evtx.gz": gzip.compress(b"log")})
    assert contents(walked(root, tmp_path)) == {"WS1/System.evtx.gz/System.evtx": b"log"}


def test_walk_leaves_office_documents_alone(tmp_path):
    document = zipped({"[Content_Types].xml": b"x", "word/document.xml": b"y"})
    root = put(tmp_path / "e", {"notes.docx": document})
    assert contents(walked(root, tmp_path)) == {"notes.docx": document}


def test_walk_takes_windows_separators_in_names(tmp_path):
    root = put(tmp_path / "e", {"a.zip": zipped({"C\\Windows\\x.evtx": b"x"})})
    assert contents(walked(root, tmp_path)) == {"a.zip/C/Windows/x.evtx": b"x"}


def test_walk_tells_members_of_one_name_apart(tmp_path):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        made.writestr("x", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("x", b"2")
    root = put(tmp_path / "e", {"a.zip": raw.getvalue()})
    assert contents(walked(root, tmp_path)) == {"a.zip/x": b"1", "a.zip/x (2)": b"2"}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:/x", "..\\x", "\\\\server\\x"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_walk_refuses_names_that_point_outside(tmp_path, name, pack):
    root = put(tmp_path / "e", {"a.zip": pack({name: b"evil", "good": b"g"})})
    items = walked(root, tmp_path)
    assert contents(items) == {"a.zip/good": b"g"}
    refused = [item.refused for item in items.values() if item.refused]
    assert refused == ["its name points outside the archive: not read"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "spool"]


def test_walk_never_uses_a_members_own_name_on_disk(tmp_path):
    root = put(tmp_path / "e", {"a.zip": zipped({"CON": b"1", 'a<>:"|?*': b"2", "x" * 300: b"3"})})
    items = walked(root, tmp_path)
    assert len(contents(items)) == 3
    assert all(path.name.isdigit() for path in (tmp_path / "spool").iterdir())


def test_walk_follows_no_link_inside_an_archive(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        made.writestr(info, "/etc/hosts")
    linked = io.BytesIO()
    with tarfile.open(fileobj=linked, mode="w:gz") as made:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"t{kind.decode()}")
            entry.type, entry.linkname = kind, "../../etc/hosts"
            made.addfile(entry)
    root = put(tmp_path / "e", {"a.zip": raw.getvalue(), "b.tar.gz": linked.getvalue()})
    items = walked(root, tmp_path)
    assert contents(items) == {}
    assert sum("not followed" in item.refused for item in items.values()) == 5


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(total_bytes=1000), "unfold to more than 1000 bytes"),
        (Limits(ratio=10, ratio_from=1000), "unfolds to more than 10 times its packed size"),
    ],
)
def test_walk_stops_an_archive_that_swells(tmp_path, pack, limits, words):
    bomb = pack({"first": b"f", "zeros": bytes(4 << 20), "last": b"l"})
    items = walked(put(tmp_path / "e", {"bomb": bomb}), tmp_path, limits)
    assert contents(items) == {"bomb/first": b"f"}
    assert words in items["bomb"].remark
    assert "from bomb/zeros on" in items["bomb"].remark
    assert sum(file.stat().st_size for file in (tmp_path / "spool").iterdir()) == 1


def test_walk_stops_an_archive_that_swells_in_another(tmp_path):
    inner = zipped({"zeros": bytes(8 << 20)})
    outer = zipped({f"{n}.zip": inner for n in range(50)})  # each is small enough by itself
    items = walked(
        put(tmp_path / "e", {"b": outer}), tmp_path, Limits(ratio=200, ratio_from=9 << 20)
    )
    unfolded = sum(item.size for item in items.values() if not item.archive)
    assert unfolded <= 9 << 20
    assert "more than 200 times" in items["b"].remark


def test_walk_leaves_out_a_member_that_is_too_large(tmp_path):
    root = put(tmp_path / "e", {"a.zip": zipped({"zeros": bytes(4 << 20), "good": b"g"})})
    items = walked(root, tmp_path, Limits(member_bytes=1000))
    assert items["a.zip/zeros"].refused == "larger than 1000 bytes: not read"
    assert contents(items) == {"a.zip/good": b"g"}


def test_walk_stops_at_too_many_members(tmp_path):
    root = put(tmp_path / "e", {"many.zip": zipped({f"f{n}": b"" for n in range(20)})})
    items = walked(root, tmp_path, Limits(members=5))
    assert len(items) == 6
    assert items["many.zip"].remark == "more than 5 files: the rest was not read"


def test_walk_stops_at_archives_nested_too_deep(tmp_path):
    content = b"core"
    for _ in range(6):
        content = zipped({"in.zip": content})
    items = walked(put(tmp_path / "e", {"in.zip": content}), tmp_path)
    assert contents(items) == {}
    assert [item.refused for item in items.values() if item.refused] == [
        "archives nested too deep: not opened"
    ]


def test_walk_believes_no_header_that_lies_about_the_size(tmp_path):
    lying = bytearray(zipped({"zeros": bytes(3 << 20)}))
    true = (3 << 20).to_bytes(4, "little")
    lying = lying.replace(true, (10).to_bytes(4, "little"))
    items = walked(put(tmp_path / "e", {"a.zip": bytes(lying)}), tmp_path)
    item = items["a.zip/zeros"]
    assert item.remark or item.refused  # never read as a whole 10-byte file
    assert item.size <= 10


def test_walk_says_that_a_member_is_encrypted(tmp_path):
    content = bytearray(zipped({"secret": b"s" * 100}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    items = walked(put(tmp_path / "e", {"a.zip": bytes(content)}), tmp_path)
    assert items["a.zip/secret"].refused.startswith("encrypted: not read; unpack")


def test_walk_keeps_what_a_damaged_member_still_gives(tmp_path):
    noise = os.urandom(3 << 20)
    content = bytearray(zipped({"log": noise, "good": b"g"}))
    content[2 << 20] ^= 0xFF
    items = walked(put(tmp_path / "e", {"a.zip": bytes(content)}), tmp_path)
    assert "damaged in its archive" in items["a.zip/log"].remark
    assert items["a.zip/log"].size >= 1 << 20
    assert contents(items)["a.zip/good"] == b"g"


def test_walk_keeps_what_stands_before_the_cut_of_a_tar(tmp_path):
    whole = tarred({"first": os.urandom(1 << 20), "second": os.urandom(4 << 20)})
    items = walked(put(tmp_path / "e", {"a.tar.gz": whole[: 3 << 20]}), tmp_path)
    assert items["a.tar.gz/first"].size == 1 << 20
    assert items["a.tar.gz/second"].remark
    assert "damaged" in items["a.tar.gz"].remark


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\x1f\x8b\x08"])
def test_walk_survives_archives_that_are_none(tmp_path, head):
    items = walked(put(tmp_path / "e", {"x": head + b"\0" * 50}), tmp_path)
    assert any(item.remark or item.refused for item in items.values())


def test_archive_kind_reads_the_content_not_the_name(tmp_path):
    made = {"b.txt": zipped({}), "c": tarred({"x": b""}), "d": gzip.compress(b"")}
    put(tmp_path, {"a.zip": b"no zip", **made})
    kinds = {name: archive_kind(tmp_path / name) for name in ("a.zip", "b.txt", "c", "d")}
    assert kinds == {"a.zip": "", "b.txt": "zip", "c": "tar.gz", "d": "gz"}


# ------------------------------------------------------------------ hosts

LOGS = "Windows/System32/winevt/Logs/System.evtx"


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("WS0001/System.evtx", "WS0001"),
        ("WS0001/evtx/System.evtx", "WS0001"),
        ("WS0001/logs/old/System.evtx", "WS0001"),
        ("berlin/WS0001/System.evtx", "WS0001"),
        (f"WS0001/C/{LOGS}", "WS0001"),
        (f"kape/WS0001/C/{LOGS}", "WS0001"),
        (f"2022-01-20T101112_WS0001.zip/C/{LOGS}", "WS0001"),
        (f"WS0001.zip/C/{LOGS}", "WS0001"),
        (f"Collection-WS0001.corp.example-2022-01-20T10_11_12Z.zip/uploads/auto/C%3A/{LOGS}", "WS0001.corp.example"),
        (f"WS0001/uploads/ntfs/%5C%5C.%5CC%3A/{LOGS}", "WS0001"),
        (f"Collection-WS0001-2022-01-20T10_11_12Z/uploads/ntfs_vss/%5C%5C%3F%5CGLOBALROOT%5CDevice%5CHarddiskVolumeShadowCopy1/{LOGS}", "WS0001"),
        ("DiagLogs-WS0001-20220120T101112Z/(12) Command/Events.evtx", "WS0001"),
        ("WS0001_CollectedData.zip/Intune/Commands/EventLogs/System.evtx", "WS0001"),
        ("WS0001_System.evtx", "WS0001"),
        ("WS0001_Microsoft-Windows-WindowsUpdateClient%4Operational.evtx", "WS0001"),
        ("System.evtx", ""),
        ("evtx/System.evtx", ""),
        ("wmic_qfe.txt", ""),
        (f"C/{LOGS}", ""),
    ],
)  # fmt: skip
def test_host_of_path_knows_the_layouts(path, host):
    assert host_of_path(path) == host


@pytest.mark.parametrize(
    ("root", "path", "host"),
    [
        ("WS0001.zip", f"C/{LOGS}", "WS0001"),
        ("WS0001", f"C/{LOGS}", "WS0001"),
        ("Collection-WS0001-2022-01-20T10_11_12Z.zip", "results/x.json", "WS0001"),
        ("case-42.zip", "System.evtx", ""),
        ("case-42", "WS0002/System.evtx", "WS0002"),
    ],
)
def test_host_of_path_asks_the_evidences_own_name_only_for_one_hosts_collection(root, path, host):
    assert host_of_path(path, root) == host
