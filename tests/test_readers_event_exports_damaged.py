"""Event exports that are wrong, cut or hostile."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest
from event_export_samples import (
    CLIXML,
    EVENTLOG_LIST,
    EVENTLOG_TABLE,
    GUID,
    HAYABUSA,
    NS,
    WINLOG,
    XML_LAYOUTS,
    as_csv,
    as_dump,
    as_evtxecmd,
    as_powershell,
    dumps,
    log,
    lost,
    read,
    rows_of,
    said,
    xml_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib import readers, schema
from kitlib.errors import FormatError
from kitlib.readers import json_objects
from kitlib.readers.events import (
    event_exports,
    event_viewer,
    event_xml,
    exports,
)
from kitlib.simulate.evtx import Event

GOOD = xml_of(log())
BAD_XML = {
    "cut inside an element": GOOD[0][: len(GOOD[0]) // 2],
    "cut inside a tag": GOOD[0][:-5],
    "crossed elements": GOOD[0].replace("</System>", "</Sys>"),
    "no System": f"<Event xmlns='{NS}'><EventData/></Event>",
    "stray markup": GOOD[0].replace("</Channel>", "< /Channel>"),
    "too deep": GOOD[0].replace("<EventData>", "<EventData>" + "<a>" * 70),
}


@pytest.mark.parametrize("bad", BAD_XML)
def test_a_broken_event_costs_itself_only(bad):
    found = read(f"{GOOD[1]}\n{BAD_XML[bad]}\n{GOOD[2]}\n{GOOD[0]}", "event_xml")
    assert list(found.events["record_id"]) == [71, 72, 70]
    assert lost(found) == 1
    assert found.problems["place"].iloc[0] == "line 2"


@pytest.mark.parametrize("layout", ["wevtutil qe", "wevtutil qe /e:Events"])
def test_a_file_cut_at_any_place_gives_the_events_before_the_cut(layout):
    written = XML_LAYOUTS[layout](GOOD)
    ends = [written.index(event) + len(event) for event in GOOD]
    for cut in range(ends[0], len(written), 29):
        found = event_xml.read(written[:cut].encode())
        assert len(found.events) == sum(end <= cut for end in ends)
        assert lost(found) <= 1


def test_control_characters_as_they_are_stay_in_the_value():
    event = Event(provider="P", event_id=1, time=0x1D80000000000000, data={"a": "x\x01\x1fy"})
    found = read("".join(xml_of(log(event))))
    assert found.events["data"].iloc[0] == {"a": "x\x01\x1fy"}


def test_characters_that_no_table_takes_are_replaced():
    text = GOOD[0].replace("CORP", "").replace("(KB5009543)", "&#xD800;&#0;&#x110000;&#65;&#x42;")
    title = read(text).events["data"].iloc[0]["updateTitle"]
    assert title.endswith("\ufffd\ufffd\ufffdAB")


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
    + '<!ENTITY secret SYSTEM "file:///etc/hostname">'
    + f'<!ENTITY forged "{GOOD[1].replace(chr(34), chr(39))}">]>\n'
)


@pytest.mark.parametrize("name", ["lol9", "secret", "forged"])
def test_entities_are_never_used(name):
    written = BOMB + f"<Events>{GOOD[0].replace('(KB5009543)', f'&{name};')}</Events>"
    found = read(written, "event_xml")
    assert list(found.events["record_id"]) == [70]
    assert found.events["data"].iloc[0]["updateTitle"].endswith(f"&{name};")
    assert "document type" in said(found)
    assert name in said(found)


def test_cdata_and_comments_make_no_events():
    hidden = GOOD[0].replace("CORP", "")
    note = f"<Events><!-- {hidden} -->{GOOD[1]}"
    wrapped = GOOD[2].replace("KB5009543", f"<![CDATA[{hidden}]]>")
    found = read(f"{note}{wrapped}</Events>")
    assert list(found.events["record_id"]) == [71, 72]
    assert found.events["data"].iloc[1]["PackageIdentifier"] == hidden


@pytest.mark.parametrize(
    "hostile",
    [
        "<Event><System>" * 20_000,
        "<Event><!--" * 20_000,
        "<Event><![CDATA[" * 20_000,
        "<Event " + "a='b' " * 50_000,
        "<Event>" + "<a>" * 50_000,
        "<Event xmlns='x'>" + " " * 200_000,
    ],
    ids=["nested", "comments", "cdata", "attributes", "deep", "blank"],
)
def test_hostile_xml_is_refused_in_little_time(hostile):
    found = event_xml.read((GOOD[0] + hostile).encode())
    assert len(found.events) == 1
    assert lost(found) >= 1
    assert len(found.problems) < 50


def test_many_broken_events_are_counted_and_listed_in_part():
    found = event_xml.read(("<Event><System></Event>\n" * 1000 + GOOD[0]).encode())
    assert len(found.events) == 1
    assert lost(found) == 1000
    assert len(found.problems) < 50


def test_a_file_without_an_event_says_so():
    assert said(event_xml.read(b"<Events></Events>")) == "event XML: there is no event in it"


def dump_lines():
    return [dumps(as_dump(row)) for row in rows_of(log())]


@pytest.mark.parametrize(
    "bad",
    ['{"Event": {"System": {"Prov', '{"Event": {"System": ' + "[" * 5000, '{"Event": nonsense}'],
)
@pytest.mark.parametrize("join", ["\n".join, ",".join], ids=["lines", "one line"])
def test_a_broken_object_costs_itself_only(bad, join):
    first, *others = dump_lines()
    found = read(join([first, bad, *others]), "evtx_dump_json")
    assert list(found.events["record_id"]) == [70, 71, 72]
    assert lost(found) == 1


def test_objects_that_are_no_events_are_stated():
    found = read("\n".join([dump_lines()[0], '{"a": 1}', "7", '{"Event": {"System": 1}}']))
    assert len(found.events) == 1
    assert lost(found) == 3


def test_json_nested_too_deep_for_a_table_is_refused():
    entry = as_dump(log().iloc[0])
    deep = "x"
    for _ in range(200):
        deep = {"a": deep}
    entry["Event"]["EventData"] = {"a": deep}
    found = read(dumps(entry))
    assert found.events.empty
    assert lost(found) == 1


def test_json_text_that_is_no_unicode_is_made_some():
    found = read(dump_lines()[0].replace("x64", "\\ud800\\u0000"))
    found.events["data"].iloc[0]["updateTitle"].encode()


def test_json_numbers_stay_what_the_file_says():
    entry = as_dump(log().iloc[0])
    text = dumps(entry).replace('"501"', "123456789012345678901234567890.10")
    assert read(text).events["data"].iloc[0]["number"] == "123456789012345678901234567890.10"


def test_numbers_and_times_out_of_range_are_missing_not_wrong():
    text = (
        GOOD[0].replace(">70<", f">{2**70}<").replace("2022-01-12T12:00:00", "9999-01-12T12:00:00")
    )
    found = read(text)
    assert found.events["record_id"].isna().all()
    assert found.events["time_created"].isna().all()
    assert "the record number" in said(found)
    assert "a time that can be read" in said(found)


def test_csv_cell_without_end_costs_its_row_only():
    entries = [as_powershell(RecordId=n, TimeCreated="12.01.2022 13:00:01") for n in range(3000)]
    lines = as_csv(entries, quoting=csv.QUOTE_ALL).split("\r\n")
    lines[5] = '"' + "no end"
    found = read("\n".join(lines))
    assert len(found.events) > 2000
    assert not found.problems.empty


def test_csv_formulas_are_text():
    row = '"1/12/2022 1:00:01 PM","1","=cmd|\' /C calc\'!A0","=1+1"\n'
    found = read('"TimeCreated","Id","MachineName","Message"\n' + row)
    assert found.events["host"].iloc[0] == "=cmd|' /C calc'!A0"


def test_evtxecmd_payload_that_is_cut_is_kept_as_text():
    entry = as_evtxecmd(log().iloc[0])
    entry["Payload"] = entry["Payload"][:30]
    found = read(as_csv([entry]))
    assert found.events["data"].iloc[0]["@Payload"] == entry["Payload"]
    assert "not whole" in said(found)


def test_evtxecmd_time_in_another_form_is_kept_and_stated():
    found = read(as_csv([{**as_evtxecmd(log().iloc[0]), "TimeCreated": "12 Jan 2022"}]))
    assert found.events["time_created"].isna().all()
    assert found.events["data"].iloc[0]["@TimeCreated"] == "12 Jan 2022"


def test_read_updates_refuses_an_event_export(tmp_path):
    path = tmp_path / "history.xml"
    path.write_text(GOOD[0], encoding="utf-8")
    with pytest.raises(FormatError, match="event_xml"):
        readers.read_updates(path)


SEEDS = [
    "\n".join(GOOD),
    CLIXML,
    "\n".join(dump_lines()),
    json.dumps([WINLOG, WINLOG]),
    json.dumps(as_powershell()),
    as_csv([as_powershell(TimeCreated="12.01.2022 13:00:01")]),
    as_csv([as_evtxecmd(row) for row in rows_of(log())]),
    "\n".join(json.dumps(as_evtxecmd(row)) for row in rows_of(log())),
    HAYABUSA,
    EVENTLOG_TABLE,
    EVENTLOG_LIST,
    "Level,Date and Time,Source,Event ID,Task Category\nError,1/12/2022 1:00,P,1,None,x\n",
]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    cuts=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 40), st.text(max_size=6)), max_size=4
    ),
)
def test_damaged_exports_are_read_without_an_error(seed, cuts):
    for at, length, new in cuts:
        place = at % (len(seed) + 1)
        seed = seed[:place] + new + seed[place + length :]
    data = seed.encode("utf-8", "surrogatepass")
    reader = readers.reader_for(data[: readers.HEAD_BYTES])
    if reader is not None and reader in event_exports.READERS:
        found = reader.read(data)
        schema.check("events", found.events)
        assert found.records or len(found.problems)


@settings(max_examples=60, deadline=None)
@given(
    data=st.dictionaries(
        st.text("abcXYZ", min_size=1),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
        max_size=4,
    )
)
def test_any_named_text_comes_back_through_xml_and_json(data):
    want = log(Event(provider="P", provider_guid=GUID, event_id=1, time=1 << 57, data=data))
    pd.testing.assert_frame_equal(read("".join(xml_of(want))).events, want)
    pd.testing.assert_frame_equal(read(dumps(as_dump(want.iloc[0]))).events, want)


def test_depth_counts_dicts_and_lists():
    assert json_objects.depth({"a": [{"b": 1}], "c": 2}) == 3


def test_instant_reads_only_times_with_a_zone():
    assert exports.instant("2022-01-12 12:00:01.500 +00:00") == 1641988801500000000
    assert exports.instant("2022-01-12 12:00:01") is None


def test_a_list_whose_header_cannot_be_cut_holds_no_event():
    got = event_viewer.read(b"Level,Date and Time\rSource,Event ID,Task Category")  # by fuzzing
    assert got.events.empty
    assert "there is no event in it" in got.problems["reason"].iloc[-1]
