"""Bytes become text by the encoding they show, and what is a guess is said to be one."""

from __future__ import annotations

import pytest
from update_dialect_samples import TITLE

from kitlib.readers import text


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("é KB1".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "é KB1".encode(), "utf-8"),
        (b"\xff\xfe" + "é KB1".encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + "é KB1".encode("utf-16-be"), "utf-16-be"),
        ("é KB1 KB2".encode("utf-16-le"), "utf-16-le"),
        ("é KB1 KB2".encode("utf-16-be"), "utf-16-be"),
        ("é KB1".encode("cp1252"), "cp1252"),
    ],
)
def test_decode_finds_the_encoding_and_says_which(data, encoding):
    found = text.decode(data)
    assert found.encoding == encoding
    assert found.text.startswith("é KB1")


def test_decode_calls_a_code_page_a_guess():
    assert "letters beyond ASCII may be wrong" in text.decode("Größe".encode("cp850")).note
    assert text.decode(b"plain").note == ""


def test_decode_reads_ascii_followed_by_unmarked_utf16():
    notice = "Please wait while WMIC is being installed.\r\n"
    table = "Caption  HotFixID\r\nnone  KB893756\r\n"
    found = text.decode(notice.encode() + table.encode("utf-16-le"))
    assert found.text == notice + table


def test_decode_of_a_head_cut_inside_a_character_is_not_a_guess():
    found = text.decode("Aktualität".encode()[:9], partial=True)
    assert (found.text, found.encoding, found.note) == ("Aktualit", "utf-8", "")


def test_decode_replaces_what_is_broken_and_says_so():
    found = text.decode(b"\xff\xfe" + b"A\x00\x00\xd8")
    assert found.text.startswith("A")
    assert "replaced" in found.note


def test_kb_of_takes_six_to_eight_digits_only():
    assert text.kb_of(TITLE) == "KB5009543"
    assert text.kb_of("x64 ベース システム用 (KB4053579)") == "KB4053579"
    assert text.kb_of("Feature update to Windows 10, version 21H2") == ""
    assert text.kb_of("KB12345 KB123456789") == ""
