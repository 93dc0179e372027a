"""The update agent's history comes back whole from every program that lists it, and no time is guessed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from roundtrip_update_samples import (
    CLOCKS,
    HOST,
    HOSTILE_TEXT,
    MODEST,
    SESSIONS,
    TAME_TEXT,
    TEXTS,
    code,
    com,
    contained,
    entry,
    expect,
    flat,
    histories,
    installed,
    read,
    times,
    true_clocks,
)

from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.update_dumps import CULTURES, Session

if TYPE_CHECKING:
    from kitlib import readers

# Without characters that end a line for Python only: see below, where rows end.
QUOTED_TEXT = HOSTILE_TEXT.filter(
    lambda text: not re.search(r"[\v\f\x1c-\x1e\x85\u2028\u2029]", text)
)
# What stands for AM and PM in these is not understood by the reader of 5.1's JSON: see below.
CLEAR = st.builds(
    Session,
    host=st.just(HOST),
    culture=st.sampled_from(
        [one for one in CULTURES.values() if one.name not in {"es-MX", "ko-KR", "ar-EG"}]
    ),
    offset=CLOCKS,
)


def exact(got: readers.Parsed) -> bool:
    rows = got.updates
    return bool(
        (rows["date_basis"] == "utc").all() and (rows["date_low"] == rows["date_high"]).all()
    )


@MODEST
@given(
    items=histories(),
    session=CLEAR,
    encoding=st.sampled_from(TEXTS[1:]),
    described=st.booleans(),
    nested=st.booleans(),
)
def test_com_json_of_powershell_5_holds_the_truth(items, session, encoding, described, nested):
    data = dumps.com_json_51(items, session, encoding=encoding, described=described, nested=nested)
    got = read(data, "com_history_json")
    expect(got, [com(item, "com_history_json", nested=nested) for item in items])
    contained(got, times(items), "ms")


def test_com_json_of_powershell_5_does_not_guess_the_half_of_the_day():
    item = installed(datetime(2022, 1, 12, 13, 15, tzinfo=UTC))
    session = Session(culture=CULTURES["ko-KR"], offset=lambda _: 600)
    got = read(dumps.com_json_51([item], session, described=True), "com_history_json")
    contained(got, [item.time], "ms")


@MODEST
@given(items=histories(), encoding=st.sampled_from(TEXTS[1:]), nested=st.booleans())
def test_com_json_of_powershell_7_is_exact(items, encoding, nested):
    got = read(dumps.com_json_7(items, encoding=encoding, nested=nested), "com_history_json")
    expect(got, [com(item, "com_history_json", nested=nested) for item in items])
    contained(got, times(items), "us")
    assert exact(got)


@MODEST
@given(items=histories(), encoding=st.sampled_from(TEXTS[1:]), named=st.booleans())
def test_the_collectors_json_is_exact(items, encoding, named):
    session = Session(host=HOST if named else "")
    got = read(dumps.collector_json(items, session, encoding=encoding), "com_history_json")
    kept = [
        entry(
            item,
            "com_history_json",
            host=session.host,
            hresult=code(item),
            update_id=item.update_id,
        )
        for item in items
    ]
    expect(got, kept)
    contained(got, times(items), "us")
    assert exact(got)


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS),
    separator=st.sampled_from([",", ";", "\t"]),
    type_line=st.booleans(),
)
def test_com_csv_comes_back_in_every_culture(items, session, encoding, separator, type_line):
    data = dumps.com_csv(
        items, session, encoding=encoding, separator=separator, type_line=type_line
    )
    got = read(data, "com_history_csv")
    expect(got, [com(item, "com_history_csv", nested=False, encoding=encoding) for item in items])
    contained(got, times(items), "s")


@MODEST
@given(items=histories(), encoding=st.sampled_from(TEXTS[1:]), nested=st.booleans())
def test_com_clixml_is_exact(items, encoding, nested):
    got = read(dumps.com_clixml(items, encoding=encoding, nested=nested), "com_history_clixml")
    expect(got, [com(item, "com_history_clixml", nested=nested) for item in items])
    contained(got, times(items), "us")


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS),
    separator=st.sampled_from([",", ";"]),
    type_line=st.booleans(),
)
def test_pswindowsupdate_comes_back_in_every_culture(
    items, session, encoding, separator, type_line
):
    data = dumps.pswindowsupdate_csv(
        items, session, encoding=encoding, separator=separator, type_line=type_line
    )
    got = read(data, "pswindowsupdate")
    expect(got, [entry(item, "pswindowsupdate", encoding, host=HOST) for item in items])
    contained(got, times(items), "s")


def squeezed(text: str) -> str:
    """What is left of a title in a column: no blanks around it."""
    return flat(text).strip()


@MODEST
@given(
    items=histories(text=TAME_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    layout=st.sampled_from(["results", "kbs", "auto", "list"]),
)
def test_pswindowsupdate_as_table_and_list_comes_back_in_every_culture(
    items, session, encoding, layout
):
    if layout == "list":
        data = dumps.pswindowsupdate_list(items, session, encoding=encoding)
    else:
        data = dumps.pswindowsupdate_table(items, session, encoding=encoding, layout=layout)
    got = read(data, "pswindowsupdate_text")
    kept = []
    for item in items:
        row = entry(item, "pswindowsupdate_text", host=HOST, title=squeezed(item.title))
        cut = layout == "results" and item.result == 3  # longer than its column
        kept.append(row | ({"result_code": ""} if layout == "kbs" or cut else {}))
    expect(got, kept)
    contained(got, times(items), "min")
    assert set(got.updates["date_basis"]) <= {"local", "date", ""}  # "" for years of two digits


@MODEST
@given(
    items=histories(),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    form=st.sampled_from(["5.1", "5.1 described", "7", "clixml"]),
)
def test_pswindowsupdate_objects_are_exact(items, session, encoding, form):
    kind = "pswindowsupdate_json"
    if form == "7":
        data = dumps.pswindowsupdate_json_7(items, session, encoding=encoding)
    elif form == "clixml":
        kind = "pswindowsupdate_clixml"
        data = dumps.pswindowsupdate_clixml(items, session, encoding=encoding)
    else:
        described = form != "5.1"
        data = dumps.pswindowsupdate_json_51(items, session, encoding=encoding, described=described)
    got = read(data, kind)
    expect(got, [com(item, kind) | {"host": HOST} for item in items])
    contained(got, times(items), "us" if kind.endswith("xml") or form == "7" else "ms")
    assert (got.updates["date_low"] == got.updates["date_high"]).all()
    true_clocks(got, session.offset)
    assert len(got.clocks) > 0 or not items or form.startswith("5.1")


@MODEST
@given(
    items=histories(text=QUOTED_TEXT),
    session=SESSIONS,
    encoding=st.sampled_from(TEXTS[1:]),
    tabbed=st.booleans(),
)
def test_winupdatesview_comes_back_in_every_culture(items, session, encoding, tabbed):
    separator = "\t" if tabbed else ","
    data = dumps.winupdatesview_csv(items, session, encoding=encoding, separator=separator)
    got = read(data, "winupdatesview")
    kept = []
    for item in items:
        row = com(item, "winupdatesview")
        kept.append(row | ({"title": flat(item.title)} if tabbed else {}))
    expect(got, kept)
    contained(got, times(items), "s")


def test_winupdatesview_keeps_quotation_marks_of_its_tab_form():
    items = [
        replace(installed(datetime(2022, 1, 12, tzinfo=UTC), n), title='"Update" (KB5009543), "')
        for n in range(2)
    ]
    got = read(dumps.winupdatesview_csv(items, Session(), separator="\t"), "winupdatesview")
    assert got.updates["title"].tolist() == [items[0].title] * 2


def test_winupdatesview_rows_end_where_lines_end():
    item = replace(installed(datetime(2022, 1, 12, tzinfo=UTC)), title="a\u2028b (KB5009543)")
    got = read(dumps.winupdatesview_csv([item], Session()), "winupdatesview")
    assert got.updates["title"].tolist() == [item.title]


@MODEST
@given(items=histories())
def test_osquery_history_is_exact(items):
    got = read(dumps.osquery_history(items), "osquery_update_history")
    expect(got, [com(item, "osquery_update_history") for item in items])
    contained(got, times(items), "s")
    assert exact(got)
