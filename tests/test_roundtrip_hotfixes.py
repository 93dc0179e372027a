"""Hotfix inventories (Get-HotFix, WMIC, osquery, systeminfo) are read back whole, and no day is guessed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roundtrip_update_samples import (
    CLOCKS,
    HOST,
    MODEST,
    SESSIONS,
    TAME_TEXT,
    TEXTS,
    contained,
    days,
    expect,
    histories,
    installed,
    read,
    through,
)
from update_dialect_samples import lost

from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.update_dumps import CULTURES, Item, Machine, Session


def qfe(item: Item, encoding: str = "utf-8", kind: str = "get_hotfix") -> dict[str, object]:
    return {
        "host": HOST,
        "operation": "install",
        "result_code": "succeeded",
        "title": through(item.kind, encoding),
        "kb": item.kb,
        "source_kind": kind,
    }


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS),
    separator=st.sampled_from([",", ";", "\t"]),
    type_line=st.booleans(),
)
def test_get_hotfix_csv_comes_back_in_every_culture(items, session, encoding, separator, type_line):
    data = dumps.hotfix_csv(
        items, session, encoding=encoding, separator=separator, type_line=type_line
    )
    got = read(data, "get_hotfix")
    expect(got, [qfe(item, encoding) for item in items])
    contained(got, days(items), "us")


@MODEST
@given(items=histories(text=TAME_TEXT), session=SESSIONS, encoding=st.sampled_from(TEXTS[1:]))
def test_get_hotfix_table_comes_back_in_every_culture(items, session, encoding):
    got = read(dumps.hotfix_table(items, session, encoding=encoding), "get_hotfix")
    expect(got, [qfe(item) for item in items])
    contained(got, days(items), "us")


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    form=st.sampled_from(["5.1", "5.1 bare", "7", "clixml"]),
)
def test_get_hotfix_objects_come_back_from_json_and_clixml(items, session, encoding, form):
    if form == "7":
        data = dumps.hotfix_json_7(items, session, encoding=encoding)
    elif form == "clixml":
        data = dumps.hotfix_clixml(items, session, encoding=encoding)
    else:
        described = form == "5.1"
        data = dumps.hotfix_json_51(items, session, encoding=encoding, described=described)
    kind = "get_hotfix_clixml" if form == "clixml" else "get_hotfix_json"
    got = read(data, kind)
    expect(got, [qfe(item, kind=kind) for item in items])
    contained(got, days(items), "us")


def test_clixml_spells_control_characters_and_pairs_that_are_read_back():
    item = replace(installed(datetime(2022, 1, 12, tzinfo=UTC)), kind="a\tb \U0001f4a5 _x0041_")
    data = dumps.hotfix_clixml([item], Session(host=HOST))
    assert "_x0009_" in data.decode("utf-16")
    assert read(data, "get_hotfix_clixml").updates["title"].tolist() == [item.kind]


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    form=st.sampled_from([dumps.wmic_csv, dumps.wmic_table, dumps.wmic_list]),
    old=st.booleans(),
    line_end=st.sampled_from(["\r\n", "\r\r\n"]),
)
def test_wmic_comes_back_in_every_form(items, session, encoding, form, old, line_end):
    data = form(items, session, encoding=encoding, old=old, line_end=line_end)
    got = read(data, "wmic_qfe")
    expect(got, [qfe(item, kind="wmic_qfe") for item in items])
    contained(got, days(items), "us")
    assert set(got.updates["date_basis"]) <= {"utc" if old else "date", ""}


@MODEST
@given(items=histories(), session=SESSIONS, old=st.booleans())
def test_osquery_patches_come_back(items, session, old):
    got = read(dumps.osquery_patches(items, session, old=old), "osquery_patches")
    expect(got, [qfe(item, kind="osquery_patches") for item in items])
    contained(got, days(items), "us")


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    language=st.sampled_from(dumps.LANGUAGES),
    encoding=st.sampled_from(["", "utf-16", "utf-8"]),
    clock=CLOCKS,
    packed=st.booleans(),
)
def test_systeminfo_comes_back_in_every_language(items, language, encoding, clock, packed):
    session = Session(host=HOST, culture=dumps.culture_of(language), offset=clock)
    write = dumps.systeminfo_csv if packed else dumps.systeminfo_list
    got = read(write(items, session, Machine(language=language), encoding=encoding), "systeminfo")
    kept = [qfe(item, kind="systeminfo") | {"title": ""} for item in items]
    expect(got, kept)
    contained(got, [None] * len(items), "s")
    assert not items or "no install dates" in " ".join(got.problems["reason"])


@pytest.mark.parametrize("language", dumps.LANGUAGES)
def test_systeminfo_of_windows_7_says_what_it_does_not_list(language):
    items = [Item(time=datetime(2019, 1, 1, tzinfo=UTC), kb=f"KB{3000000 + n}") for n in range(273)]
    machine = Machine(language=language, limit=dumps.OLD_LIMIT, version="6.1.7601")
    session = Session(host=HOST, culture=dumps.culture_of(language))
    got = read(dumps.systeminfo_list(items, session, machine), "systeminfo")
    assert got.updates["kb"].tolist() == [item.kb for item in items[: len(got.updates)]]
    assert 240 < len(got.updates) < 273
    assert len(got.updates) + lost(got) == 273


def test_systeminfo_in_german_reads_like_the_real_one():
    items = [Item(time=datetime(2022, 1, 12, tzinfo=UTC), kb="KB5009543")]
    session = Session(host="BÜRO-7", culture=CULTURES["de-DE"], offset=dumps.european(60))
    data = dumps.systeminfo_list(items, session, Machine(language="de", domain="kanzlei.example"))
    lines = data.decode("cp850").splitlines()
    labelled = dict(line.split(": ", 1) for line in lines if re.match(r"\S+: ", line))
    assert lines[0] == ""
    assert {name: value.strip() for name, value in labelled.items()}.items() >= {
        "Hostname": "BÜRO-7",
        "Betriebssystemname": "Microsoft Windows 10 Pro",
        "Betriebssystemversion": "10.0.19044 Nicht zutreffend Build 19044",
        "Systemstartzeit": "12.01.2022, 07:41:17",
        "Zeitzone": "(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien",
        "Domäne": "kanzlei.example",
        "Hotfix(es)": "1 Hotfix(e) installiert.",
    }.items()
    got = read(data, "systeminfo")
    assert got.updates["host"].tolist() == ["BÜRO-7"]


def test_systeminfo_csv_does_not_take_processors_for_hotfixes():
    item = installed(datetime(2022, 1, 12, tzinfo=UTC))
    data = dumps.systeminfo_csv([item], Session(host="BÜRO-7"), Machine(language="de"))
    got = read(data, "systeminfo")
    assert got.updates[["host", "kb"]].to_numpy().tolist() == [["BÜRO-7", item.kb]]
