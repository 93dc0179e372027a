"""No parser relies on guessing a day, a month, a year or a zone.

What is read is checked in `test_roundtrip_*.py`: the true instant is always inside of what a reader
states, in both orders of day and month, decided or not. Here the means to guess are looked for and
must not be found.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kitlib as kit
from kitlib.readers import dates

READERS = sorted((Path(kit.__file__).parent / "readers").rglob("*.py"))
FORBIDDEN_MODULES = {"dateutil", "dateparser", "locale", "calendar"}
FORBIDDEN_NAMES = {"dayfirst", "yearfirst", "infer_datetime_format", "getmtime", "st_mtime"}
OF_THIS_MACHINE = {"now", "today", "localtime", "mktime", "utcnow"}


def called(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def guesses(tree):
    """Every means to guess a time that a module uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            yield from (name for name in names if name.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.keyword | ast.Attribute | ast.Name):
            name = (
                getattr(node, "arg", None) or getattr(node, "attr", None) or getattr(node, "id", "")
            )
            if name in FORBIDDEN_NAMES:
                yield name
        if isinstance(node, ast.Call):
            given = {keyword.arg for keyword in node.keywords}
            name = called(node)
            if name in OF_THIS_MACHINE:
                yield f"{name}()"
            if name in {"to_datetime", "DatetimeIndex"} and "format" not in given:
                yield f"{name} without a format"
            if name == "fromtimestamp" and len(node.args) < 2 and "tz" not in given:
                yield "fromtimestamp in the zone of this machine"
            if name == "astimezone" and not node.args:
                yield "astimezone to the zone of this machine"


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_reader_has_no_means_to_guess_a_time(path):
    assert sorted(set(guesses(ast.parse(path.read_text("utf-8"))))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import dateutil.parser",
        "from dateutil import parser",
        "pd.to_datetime(x, dayfirst=True, format='mixed')",
        "pd.to_datetime(x)",
        "datetime.now()",
        "datetime.fromtimestamp(5)",
        "moment.astimezone()",
        "file.stat().st_mtime",
    ],
)
def test_a_means_to_guess_is_found_where_there_is_one(source):
    assert list(guesses(ast.parse(source)))


@pytest.mark.parametrize("printed", ["1/2/2022", "01/02/2022 03:04:05", "2/1/22 3:04 PM"])
def test_an_open_order_covers_both_readings(printed):
    when = dates.read_local(printed, dates.order_of([printed]))
    assert when.date is None
    for month, day in ((1, 2), (2, 1)):
        assert when.low < dates.pd.Timestamp(2022, month, day, 12, tz="UTC") < when.high
