"""Values that an export has lost as such, and where they are found again."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from time import process_time

import pytest
from event_export_samples import WINLOG, as_csv, as_evtxecmd, as_powershell, log, read, said

from kitlib.readers.events import (
    get_winevent,
    messages,
)
from kitlib.readers.payload import Row

COID = "{B4000371-A67F-452F-AA4C-3125AA9CFC78}"
GERMAN = f"CoId={COID}: Verbindung 2 kam nicht zustande. Der Fehlercode ist 789."


@pytest.mark.parametrize("key", messages.layouts())
def test_every_sentence_gives_the_values_of_its_example(key):
    source = (files("kitlib.readers.events") / "messages.toml").read_text("utf-8")
    (raw,) = [
        one
        for one in tomllib.loads(source)["event"]
        if (one["provider"].casefold(), one["event_id"]) == key
    ]
    data = {"RenderingInfo": {"Message": raw["example"]["message"]}}
    told = messages.restore([Row(1, data, provider=raw["provider"], event_id=raw["event_id"])])
    values = [data[name] for name in raw["names"]] if "names" in raw else data["Data"]
    assert values == raw["example"]["gives"]
    assert len(values) == raw.get("values", len(values))
    assert ["what their messages say" in one for one in told] == [True]


def test_a_message_in_another_language_gives_id_and_code_only_and_that_is_said():
    found = read(json.dumps(as_powershell(Message=GERMAN)))
    data = found.events["data"].iloc[0]
    assert data["Data"] == [COID.strip("{}").lower(), "", "", "789"]
    assert data["@Data"] == "message"
    assert "in a language the kit does not know" in said(found)


@pytest.mark.parametrize(
    "message", ["gone", "CoId={short}: 789", f"{COID} 789", "", f"CoId={COID[:-1]}: 789."]
)
def test_a_message_without_a_connection_id_gives_nothing(message):
    found = read(json.dumps(as_powershell(Message=message)))
    assert "Data" not in found.events["data"].iloc[0]
    assert "language" not in said(found)


@pytest.mark.parametrize("code", ["789 seconds ago", "v1.789.", "12345678901.", "x789"])
def test_a_code_is_taken_only_from_the_end_of_a_message(code):
    found = read(json.dumps(as_powershell(Message=f"CoId={COID}: Fehler {code}")))
    assert found.events["data"].iloc[0]["Data"][3] == ""


@pytest.mark.parametrize(
    ("joined", "values"),
    [
        (
            f"{COID}, CORP\\alice, Office, 789",
            [COID.strip("{}").lower(), "CORP\\alice", "Office", "789"],
        ),
        (f"{COID}, CORP\\alice, Office, west, 789", None),
        (f"{COID}, Office, 789", None),
    ],
)
def test_joined_values_are_taken_apart_only_if_their_number_is_right(joined, values):
    entry = as_evtxecmd(log().iloc[1])
    entry["Payload"] = json.dumps({"EventData": {"Data": joined, "Binary": ""}})
    found = read(as_csv([entry]), "evtxecmd_csv")
    assert found.events["data"].iloc[0]["Data"] == (values or [joined])
    assert ("taken apart by their known number" in said(found)) == (values is not None)
    assert ("where one unnamed value ends" in said(found)) == (values is None)


@pytest.mark.parametrize("first", [0, 1])
def test_winlogbeat_names_for_unnamed_values_are_undone_where_they_are_known(first):
    given_names = {f"param{first}": COID, f"param{first + 1}": "SYSTEM", f"param{first + 3}": "789"}
    inner = {**WINLOG["winlog"], "provider_name": "RasClient", "event_data": given_names}
    entry = {**WINLOG, "winlog": inner}
    found = read(json.dumps(entry), "winlogbeat_json")
    assert found.events["data"].iloc[0]["Data"] == [COID.strip("{}").lower(), "SYSTEM", "", "789"]
    assert "had been given names" in said(found)


def test_names_of_values_that_an_event_really_has_stay():
    assert "param1" in read(json.dumps(WINLOG)).events["data"].iloc[0]


@pytest.mark.parametrize(
    "hostile",
    [
        f"CoId={COID}: The user " + "a dialed a connection named b which has failed. " * 4000,
        f"CoId={COID}: The user " + " " * 100_000,
        "CoId={" * 30_000,
        f"CoId={COID}" + " 7" * 60_000 + "x",
    ],
    ids=["sentences", "blanks", "ids", "numbers"],
)
def test_hostile_messages_cost_little_time(hostile):
    begun = process_time()
    get_winevent.read_json(json.dumps(as_powershell(Message=hostile)).encode())
    assert process_time() - begun < 2
