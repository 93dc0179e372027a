"""What tests of `simulate` share: the head of a scenario, worlds grown of one, what was written."""

from __future__ import annotations

import json
from datetime import datetime

from evtx import PyEvtxParser

from kitlib.simulate.logs import write_logs
from kitlib.simulate.scenario import load_scenario
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow


def scenario_head(title, *, incident="kb5009543", verdict="supported", fleet=None):
    """A scenario up to its faults and hosts: three weeks of January 2022 in one office.

    With a number of hosts it is a family of three sites, with little noise in the logs.
    """
    family = f"fleet = {fleet}\nfamily = true\n" if fleet else ""
    sites = 'sites = ["BER", "HAM", "MUC"]\n' if fleet else ""
    noise = "noise = 0.1\n" if fleet else ""
    return f"""
schema = "kitlib.scenario/1"
title = "{title}"
incident = "{incident}"
use = ["january-2022"]
{family}[window]
start = 2022-01-03T06:00:00
end = 2022-01-21T18:00:00
utc_offset_minutes = 60
zone = "W. Europe Standard Time"
[office]
domain = "kontor.example"
netbios = "KONTOR"
profile = "Kontor VPN"
server = "vpn.kontor.example"
{sites}[verdict]
status = "{verdict}"
[habits]
use_probability = 1.0
sessions_per_day = 3.0
{noise}"""


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


def file_of(folder, text, name="fleet.toml"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def scenario_of(folder, text, hosts=None):
    return load_scenario(file_of(folder, text), hosts)


def world_of(folder, text, *, seed=1, hosts=None):
    return grow(scenario_of(folder, text, hosts), seed=seed)


def written(world):
    return {host.name: list(write_logs(world, host)) for host in world.hosts}


def told(world):
    """The truth of a world, without a file."""
    return truth(world, written(world))


def told_by(folder):
    """The truth that was written."""
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def truth_of(told, name):
    return next(host for host in told["hosts"] if host["host"] == name)


def contents(folder):
    """Bytes of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def records(path):
    """Read a log with the Rust parser: (id, time, provider, event id, system, payload) each."""
    out = []
    for row in PyEvtxParser(str(path)).records_json():
        event = json.loads(row["data"])["Event"]
        system = event["System"]
        number = system["EventID"]
        number = number["#text"] if isinstance(number, dict) else number
        time = datetime.fromisoformat(system["TimeCreated"]["#attributes"]["SystemTime"])
        provider = system["Provider"]["#attributes"]["Name"]
        payload = event.get("EventData") or event.get("UserData") or {}
        out.append((system["EventRecordID"], time, provider, number, system, payload))
    return out


def strings(payload):
    text = payload["Data"]["#text"]
    return text if isinstance(text, list) else [text]
