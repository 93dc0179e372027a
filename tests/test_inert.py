"""What reaches people is text: no name out of a log steers a terminal, a page or a spreadsheet."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from collection_samples import put
from hostile_samples import EVIL, com, log

import kitlib as kit
from kitlib import cli
from kitlib.claims import Check, Finding, table_html
from kitlib.findings import findings_document
from kitlib.inert import inert, inert_columns
from kitlib.report import render

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1")


def hostile(tmp_path: Path) -> Path:
    """Evidence in which every name that can be chosen by an attacker is a bad one."""
    rows = [com(Title=f"{text} {EVIL} (KB5009543)", host=EVIL) for text in FORMULAS]
    files = {
        "a.evtx": log(EVIL, user=EVIL),
        "b.evtx": log("WS1", user="=cmd|' /C calc'!A0"),
        "c.json": json.dumps(rows).encode(),
        f"d/{inert(EVIL).replace('/', '')}.bin": b"?",
    }
    return put(tmp_path / "e", files)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002  # the parser hands it over
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def page(html: str) -> Page:
    read = Page()
    read.feed(html)
    return read


def unsafe(text: str) -> set[str]:
    """Characters that steer a terminal or turn the direction of reading."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t\r"}


def test_names_out_of_logs_steer_no_terminal(tmp_path, capfd):
    evidence, case = hostile(tmp_path), tmp_path / "case"
    for command in (
        ["analyze", str(evidence), "--out", str(case)],
        ["analyze", str(case), "--json", "--quiet"],
        ["ingest", str(evidence), "--out", str(case)],
        ["verify", str(case)],
    ):
        assert cli.main(command) in (0, 4)
    put(evidence, {"nothing\x1b[2J.evtx": b"?"})
    cli.main(["verify", str(case)])
    (tmp_path / "none").mkdir()
    put(tmp_path / "none", {f"x\x1b[2J{chr(0x202E)}": b"?"})
    assert cli.main(["analyze", str(tmp_path / "none"), "--out", str(tmp_path / "c2")]) == 3
    out, err = capfd.readouterr()
    assert unsafe(out) == set()
    assert unsafe(err) == set()
    assert "\\u001b[2J" in out


def test_names_out_of_logs_are_inert_in_tables_documents_and_the_report(tmp_path):
    case = kit.analyze(hostile(tmp_path), "kb5009543")
    document = findings_document(case)
    assert unsafe(json.dumps(document, ensure_ascii=False)) == set()
    shown = {name: table for name, table in case.tables.items() if name != "updates"}
    for name, table in shown.items():
        for column in table.columns[table.dtypes == "str"]:
            assert set().union(*map(unsafe, table[column])) == set(), (name, column)
        assert "script" not in page(table_html(table)).tags
        assert "script" not in page(table._repr_html_()).tags
    found = page(render(case, document, dpi=20))
    assert "script" not in found.tags
    assert unsafe("".join(found.words)) == set()


def test_tables_and_findings_show_text_and_nothing_else():
    table = pd.DataFrame({"user": [EVIL, *FORMULAS]}, dtype="str")
    made = Finding(EVIL, table, (EVIL,), (EVIL,), (Check(EVIL, None, EVIL, (EVIL,)),))
    for html in (made._repr_html_(), table_html(table), made.checks[0]._repr_html_()):
        found = page(html)
        assert "script" not in found.tags
        assert unsafe(html) == set()
    assert "=cmd|' /C calc'!A0" in "".join(page(table_html(table)).words)


PACKAGE = Path(kit.__file__).parent


def test_the_kit_writes_no_table_that_a_spreadsheet_would_run():
    """What is not written as CSV or a workbook needs no guard; whoever writes one must add it."""
    writers = {"to_csv", "to_excel", "to_clipboard", "DictWriter", "writer"}
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "simulate" not in path.parts  # writes evidence, as Windows does
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in writers
    ]
    notebooks = PACKAGE.parent / "notebooks"
    found += [
        str(path.name)
        for path in sorted(notebooks.glob("*.ipynb"))
        if re.search(r"\bto_(csv|excel|clipboard)\b", path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("WS0001", "WS0001"),
        ("Prüfung\u00a0東京", "Prüfung\u00a0東京"),
        ("\x1b[31m", "\\u001b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("\u009b2J", "\\u009b2J"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("a\nb\tc", "a\nb\tc"),
    ],
)
def test_inert_shows_what_is_unseen_and_leaves_the_rest(text, shown):
    assert inert(text) == shown
    assert json.loads(f'"{inert(text, keep="")}"') == text


def test_inert_columns_keeps_what_is_missing():
    table = pd.DataFrame({"a": pd.Series(["x\n", None], dtype="str"), "b": [1, 2]})
    assert inert_columns(table, ["a"])["a"].fillna("-").tolist() == ["x\\u000a", "-"]
    assert inert_columns(table.iloc[:0], ["a"]).empty
