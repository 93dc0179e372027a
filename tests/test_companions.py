"""What lies beside evidence is told from it by name and content, and said with what to do."""

from __future__ import annotations

import pytest

from kitlib.companions import advice, companion


@pytest.mark.parametrize(
    ("path", "head", "said"),
    [
        ("uploads.json", b'{"vfs_path":"x"}', ""),
        ("WS1/client_info.json", b'{"client_id":"C.1"}', ""),
        ("client_info.json", b'{"other":1}', None),
        ("results/A.B.json", b'{"x":1}', "a table of a Velociraptor collection"),
        ("2022-01-20T101500_ConsoleLog.txt", b"KAPE version 1.2", ""),
        ("results.xml", b"<Collection>", ""),
        ("results.xml", b"<Results>", None),
        ("results.xml", b"<Collection>\0\x01", None),
        ("README.md", bytes(range(256)), None),
    ],
)
def test_companion_asks_name_and_content(path, head, said):
    found = companion(path, head)
    assert found == said if not said else found.startswith(said)


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
