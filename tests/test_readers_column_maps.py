"""A map of columns means what its keys say, and a wrong one is refused with the nearest right one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from column_map_samples import GOOD, read, reasons

from kitlib.errors import UsageError
from kitlib.readers.updates import column_maps

WRONG = [
    ("kb = ", "kbs = ", "line 7: map 'tool': unknown key 'kbs'; did you mean 'kb'?"),
    ("[[map]]", "[[mapp]]", "line 2: unknown key 'mapp'; did you mean 'map'?"),
    ("[[map]]", "[map]", "'map' is of the wrong type, write each map below [[map]]"),
    ("columns/1", "columns/9", "the key 'schema' is 'kitlib.columns/9'; write schema ="),
    ('schema = "kitlib.columns/1"', "", "the key 'schema' is missing"),
    ('name = "tool"', "name = 7", "line 3: name = 7 is of the wrong type, want text"),
    ('name = "tool"', "", "the key 'name' is missing"),
    ('reference = "Tool 1, CSV"', "", "map 'tool': the key 'reference' is missing"),
    ('host = "Machine"', "", "map 'tool': the key 'host' is missing"),
    ('["Machine", "Patch", "State", "When"]', "[]", "the key 'required' is missing"),
    ('["Machine", "Patch", "State", "When"]', '["Machine", 3]', "line 5: map 'tool': required = ['Machine', 3] is of the wrong type"),
    ('host = "Machine"', 'host = "Machin"', "line 6: map 'tool': host = 'Machin' names no column that is in 'required'; did you mean 'machine'?"),
    ('time = "When"', 'time = "Wen"', "line 9: map 'tool': time = 'Wen' names no column"),
    ('kb = "Patch"', "", "no column names the update: give one of 'kb', 'title'"),
    ('kb = "Patch"', "kb = 5", "line 7: map 'tool': kb = 5 is of the wrong type"),
    ('zone = "utc"', 'zone = "ucr"', "line 10: map 'tool': zone = 'ucr' is not known; did you mean 'utc'?"),
    ('zone = "utc"', 'zone = "+15:00"', "zone = '+15:00' is not known"),
    ('zone = "utc"', "", "'time' and 'zone' belong together"),
    ('time = "When"', "", "'time' and 'zone' belong together"),
    ('zone = "utc"', 'zone = "utc"\ndates = "month"', "line 11: map 'tool': dates = 'month' is not known; did you mean 'month first'?"),
    ('zone = "utc"', 'zone = "utc"\ntimes = "late"', "times = 'late' is not known"),
    ('zone = "utc"', 'zone = "utc"\nresult = "succeeded"', "give either 'state' (a column) or 'result'"),
    ('state = "State"\n', "", "give either 'state' (a column) or 'result'"),
    ('zone = "utc"', 'zone = "utc"\noperation = "Kind"', "'operation' and [map.operations] belong together"),
    ('[map.states]\ndone = "succeeded"', "", "'state' and [map.states] belong together"),
    ('done = "succeeded"', 'done = "suceeded"', "line 12: map 'tool': states: done = 'suceeded' is not known; did you mean 'succeeded'?"),
    ('done = "succeeded"', "done = 2", "states: done = 2 is not known"),
    ('[map.states]\ndone = "succeeded"', 'states = "done"', "states = 'done' is of the wrong type, want [map.states]"),
    ('done = "succeeded"', 'done = "succeeded', "is not valid TOML"),
]  # fmt: skip


def test_the_map_that_the_wrong_ones_are_made_of_is_good():
    assert [one.name for one in column_maps.parse(GOOD, source="t").maps] == ["tool"]


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[wrong[2][-40:] for wrong in WRONG])
def test_a_wrong_map_is_refused_with_file_key_and_the_nearest_right_one(tmp_path, old, new, said):
    file = tmp_path / "mine.toml"
    assert GOOD.count(old) == 1
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        column_maps.load(file)
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)


def test_two_maps_of_one_name_are_refused():
    with pytest.raises(UsageError, match="two maps have the name 'tool'"):
        column_maps.parse(GOOD + GOOD.partition("\n")[2], source="t")


def test_the_line_of_an_error_is_in_its_own_map():
    second = GOOD.partition("\n")[2].replace('"tool"', '"other"').replace("kb =", "kbs =")
    with pytest.raises(UsageError, match=r"t, line 18: map 'other': unknown key 'kbs'"):
        column_maps.parse(GOOD + second, source="t")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read the column maps"):
        column_maps.load(tmp_path / "nowhere.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(UsageError, match="too large"):
        column_maps.load(tmp_path / "large.toml")


def test_every_key_is_explained_where_the_built_in_maps_are():
    text = (Path(column_maps.__file__).parent / "columns.toml").read_text("utf-8")
    explained = set(re.findall(r"^#   (\w+) {2,}", text, re.MULTILINE))
    inline = {"title_prefix", "revision", "operations", "states"}
    assert explained | inline == column_maps._KEYS | {"schema"}
    assert all(name in text for name in inline)


def test_an_operation_is_read_by_its_own_words():
    own = column_maps.parse(
        GOOD.replace('kb = "Patch"', 'kb = "Patch"\noperation = "Kind"')
        + '[map.operations]\n"Install" = "install"\nREMOVE = "uninstall"\n',
        source="t",
    )
    got = read(
        "Machine,Patch,State,When,Kind\nA,5009543,done,2022-01-12Z,remove\nB,5009543,done,,?\n", own
    )
    assert got.updates["operation"].tolist() == ["uninstall", ""]
    assert "operation '?' (column Kind) is not in the map 'tool': left open" in reasons(got)


def test_a_column_that_is_nearly_there_is_pointed_out():
    own = column_maps.parse(
        GOOD.replace('kb = "Patch"', 'kb = "Patch"\nhresult = "Error code"'), source="t"
    )
    got = read("Machine,Patch,State,When,ErrorCode\nA,5009543,done,2022-01-12,5\n", own)
    said = (
        "column map 'tool': the file has no such column: hresult = 'Error code', it has 'errorcode'"
    )
    assert said in reasons(got)
