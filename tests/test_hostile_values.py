"""A time, number or cell beyond all bounds leaves its row, or costs it, and no other."""

from __future__ import annotations

import json

import pytest
from collection_samples import reasons
from hostile_samples import EVENT, com, read

from kitlib.simulate.evtx import Event, encode_log, ticks

BEYOND = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "30828-09-14T02:48:05Z", "-1", "x")


def ras_xml(*, time: str = "2022-01-12T10:00:05Z", record: str = "5", event_id: str = "1") -> str:
    made = EVENT.format(5, "a").replace("2022-01-12T10:00:05Z", time)
    made = made.replace("<EventRecordID>5<", f"<EventRecordID>{record}<")
    return made.replace("<EventID>1<", f"<EventID>{event_id}<")


@pytest.mark.parametrize("time", BEYOND)
def test_a_time_out_of_range_leaves_its_row_and_all_others(tmp_path, time):
    files = {
        "a.xml": (EVENT.format(1, "a") + ras_xml(time=time)).encode(),
        "b.json": json.dumps([com(), com(Title="Update (KB5010793)", date_utc=time)]).encode(),
        "c.csv": (
            '"PSComputerName","HotFixID","InstalledOn"\r\n"WS1","KB5009543","1/13/2022"\r\n'
            f'"WS1","KB5010793","{time}"\r\n'
        ).encode(),
        "d.log": "".join(
            f"{when} vpn charon: 01[IKE] IKE_SA c[1] established between "
            "192.0.2.1[gw]...198.51.100.1[user]\n"
            for when in ("2022-01-12T10:00:00Z", time)
        ).encode(),
    }
    evidence = read(tmp_path, files)
    events = evidence.events[evidence.events["path"] == "a.xml"]
    assert events["time_created"].isna().tolist() == [False, True]
    counts = evidence.updates["path"].value_counts().to_dict()
    assert counts == {"b.json": 2, "c.csv": 2}
    assert len(evidence.sessions) >= 1
    assert set(files) <= set(evidence.problems["path"])
    assert not evidence.problems["reason"].str.contains("the reader failed").any()


@pytest.mark.parametrize(
    "number",
    ["-1", str(2**63), str(2**64 - 1), "1" * 5000, "0x7fffffffffffffff", "1e400", "nan", ""],
)
def test_a_number_out_of_range_leaves_its_row_and_all_others(tmp_path, number):
    files = {
        "a.xml": (EVENT.format(1, "a") + ras_xml(record=number, event_id=number)).encode(),
        "b.json": json.dumps(
            [com(), com(Title="Update (KB5010793)", Operation=number, ResultCode=number)]
        ).encode(),
    }
    evidence = read(tmp_path, files)
    assert (evidence.events["path"] == "a.xml").sum() == 2
    assert (evidence.updates["path"] == "b.json").sum() == 2
    assert not evidence.problems["reason"].str.contains("the reader failed").any()


def test_an_event_log_with_times_and_numbers_out_of_range_is_read(tmp_path):
    times = (0, 1, 2**63 - 1, 2**64 - 1, ticks("2022-01-12T10:01:00Z"))
    events = [Event(provider="P", event_id=1, time=time, data=["x"]) for time in times]
    odd = encode_log(events, channel="Application", computer="WS1", first_record_id=2**63 - 3)
    evidence = read(tmp_path, {"odd.evtx": odd})
    rows = evidence.events[evidence.events["path"] == "odd.evtx"]
    lost = evidence.problems.loc[evidence.problems["path"] == "odd.evtx", "records_lost"]
    assert len(rows) + lost.sum() == len(times)
    assert rows["time_created"].notna().sum() >= 1


def test_a_cell_too_long_to_read_costs_its_row_only(tmp_path):
    head = '"PSComputerName","HotFixID","InstalledOn","Description"\r\n'
    row = '"WS1","KB{}","1/13/2022","{}"\r\n'
    text = head + row.format(5009543, "x") + row.format(5009566, "A" * 300_000)
    text += row.format(5010793, "x")
    evidence = read(tmp_path, {"h.csv": text.encode()})
    assert sorted(evidence.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert any("the row that begins in line 3" in reason for reason in reasons(evidence, "h.csv"))


@pytest.mark.parametrize("where", ["KB5009543\0", "\0", "x\0y"])
def test_nuls_in_a_csv_end_nothing(tmp_path, where):
    text = '"PSComputerName","HotFixID","InstalledOn"\r\n'
    text += f'"WS1","{where}","1/13/2022"\r\n"WS1","KB5010793","1/14/2022"\r\n'
    evidence = read(tmp_path, {"h.csv": text.encode()})
    assert "KB5010793" in set(evidence.updates["kb"])
