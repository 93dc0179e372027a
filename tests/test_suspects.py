"""Claims about suspects: masks as a loop would make them, one change for all its labels."""

from __future__ import annotations

from itertools import pairwise

import naive
import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from worlds_cause import BAD, DECEMBER, FIX, PATCHED, World, day

from kitlib import schema
from kitlib.attempts import make_episodes
from kitlib.incident import load_incident
from kitlib.suspects import (
    ambiguous,
    bad_spans,
    cured_spans,
    find_suspects,
    in_effect,
    rare_changes,
)

NAMED = load_incident("kb5009543")
OPEN = load_incident("vpn-outage")


def suspects_of(world, incident):
    tables = world.tables()
    episodes = make_episodes(tables.attempts, incident)
    found = find_suspects(tables.exposure, episodes, incident)
    return {suspect.change: suspect for suspect in found}, tables, episodes


@pytest.mark.parametrize("seed", range(6))
def test_in_effect_equals_a_loop(seed):
    rng = np.random.default_rng(seed)

    def times(n):
        hours = pd.to_timedelta(rng.integers(0, 40, n), unit="h")
        stamps = pd.Series(day(0) + hours).astype(schema.TIME)
        return stamps.mask(rng.random(n) < 0.15)

    episodes = pd.DataFrame({"host": rng.choice(list("ABC"), 60), "time": times(60)})
    episodes = episodes.dropna().sample(frac=1, random_state=seed)
    spans = pd.DataFrame(
        {"host": rng.choice(list("ABCD"), 15), "start": times(15), "end": times(15)}
    )
    assert in_effect(spans, episodes).tolist() == naive.in_effect(spans, episodes)


def test_in_effect_holds_the_start_and_not_the_end():
    spans = pd.DataFrame({"host": ["A"], "start": [day(1)], "end": [day(2)]})
    episodes = pd.DataFrame({"host": ["A"] * 3, "time": [day(1), day(1.5), day(2)]})
    assert in_effect(spans, episodes).tolist() == [True, True, False]


def test_in_effect_of_nothing_is_nothing():
    none = schema.empty("exposure")
    assert in_effect(none, pd.DataFrame({"host": ["A"], "time": [day(1)]})).tolist() == [False]
    assert in_effect(none, schema.empty("attempts")).tolist() == []


def test_find_suspects_names_every_label_of_the_profile_seen_in_the_evidence():
    found, _, _ = suspects_of(w.staggered(1), NAMED)
    assert found["KB5009543"].labels == ("KB5009543", "KB5009566")
    assert found["KB5009543"].named


def test_find_suspects_does_not_name_labels_of_branches_that_are_not_there():
    world = World(1, hosts=6).stagger(["WS0000", "WS0001"], 5, 9)
    found, _, _ = suspects_of(world, NAMED)
    assert found["KB5009543"].labels == ("KB5009543",)


def test_find_suspects_leaves_out_a_named_suspect_that_was_never_there():
    world = World(1, hosts=6)
    world.others.append(("WS0001", "Driver", day(10), None))
    found, _, _ = suspects_of(world, NAMED)
    assert set(found) == {"Driver"}


def test_find_suspects_keeps_a_named_suspect_that_was_always_there():
    world = World(1, hosts=6)
    for host in world.names:
        world.states[host] = [(None, BAD)]
    found, _, _ = suspects_of(world, NAMED)
    assert found["KB5009543"].masks.all()


def test_find_suspects_without_a_profile_groups_branches_by_release_day():
    found, _, _ = suspects_of(w.staggered(1), OPEN)
    assert found["KB5009543"].labels == ("KB5009543", "KB5009566")
    assert found["KB5010793"].labels == ("KB5010793", "KB5010795")


def test_find_suspects_without_a_profile_tries_each_later_release_as_the_cure():
    found, tables, episodes = suspects_of(w.staggered(2), OPEN)
    suspect = found["KB5009543"]
    exposure = tables.exposure
    bad = exposure[exposure["change"].isin(["KB5009543", "KB5009566"])]
    later = exposure[exposure["change"].isin(["KB5010793", "KB5010795"])]
    assert len(suspect.masks) == 2  # cured by the release after it, or by none
    assert suspect.masks[0].tolist() == naive.in_effect(bad, episodes)
    both = pd.concat([bad, later])
    assert suspect.masks[1].tolist() == naive.in_effect(both, episodes)
    assert set(suspect.cured[0]["change"]) == {"KB5010793", "KB5010795"}
    assert suspect.cured[1].empty


def test_find_suspects_takes_a_lower_revision_for_an_uninstall_not_a_cure():
    world = World(3, hosts=6).patch("WS0000", day(20)).patch("WS0000", day(25), DECEMBER)
    found, _, _ = suspects_of(world, OPEN)
    assert "KB5008212" not in set(found["KB5009543"].cured[0]["change"])


def test_find_suspects_orders_a_revision_unknown_to_the_kit_after_all_known_ones():
    exposure = schema.frame(
        "exposure",
        [
            {"host": "A", "change": "KB5009543", "kind": "update", "build": 19044,
             "revision": 1466, "end": day(5)},
            {"host": "A", "change": "19044.99999", "kind": "update", "build": 19044,
             "revision": 99999, "start": day(5)},
        ],
    )  # fmt: skip
    times = [day(n, 9) for n in range(10)]
    episodes = pd.DataFrame({"host": "A", "time": times})
    found = {s.change: s for s in find_suspects(exposure, episodes, OPEN)}
    assert found["19044.99999"].masks[-1].tolist() == [False] * 5 + [True] * 5
    assert set(found["KB5009543"].cured[0]["change"]) == {"19044.99999"}


def test_find_suspects_lists_other_changes_by_their_own_rows():
    world = World(4, hosts=6)
    world.others += [("WS0001", "Fabrikam NIC", day(10), day(20)),
                     ("WS0002", "Fabrikam NIC", day(12), None)]  # fmt: skip
    found, _, episodes = suspects_of(world, OPEN)
    spans = pd.DataFrame(world.others, columns=["host", "change", "start", "end"])
    assert found["Fabrikam NIC"].masks[0].tolist() == naive.in_effect(spans, episodes)
    assert found["Fabrikam NIC"].kind == "driver"


def test_find_suspects_of_no_exposure_is_nobody():
    episodes = pd.DataFrame({"host": ["A"], "time": [day(1)]})
    assert find_suspects(schema.empty("exposure"), episodes, OPEN) == []


def test_bad_spans_holds_the_bad_revision_up_to_the_fix():
    world = World(5, hosts=2).patch("WS0000", day(PATCHED)).patch("WS0000", day(30), FIX)
    exposure = world.tables().exposure
    assert bad_spans(exposure, NAMED)["change"].tolist() == ["KB5009543"]
    assert cured_spans(exposure, NAMED)["change"].tolist() == ["KB5010793"]


def test_cured_spans_holds_a_later_cumulative_and_a_later_windows():
    rows = [
        {"host": "A", "build": 19044, "revision": w.FEBRUARY},
        {"host": "B", "build": 22621, "revision": 1},  # set up anew, not yet updated: unknown
        {"host": "C", "build": 22621, "revision": 963},  # set up anew with a later Windows
        {"host": "D", "build": 19044, "revision": 1466},
        {"host": "E"},
    ]
    assert cured_spans(schema.frame("exposure", rows), NAMED)["host"].tolist() == ["A", "C"]


def test_in_effect_begins_no_earlier_than_the_publication_of_an_update_already_there():
    episodes = pd.DataFrame({"host": "A", "time": [day(0), day(5)]})
    span = {"host": "A", "change": BAD, "start_low": day(3), "start_known_by": "before evidence"}
    assert in_effect(schema.frame("exposure", [span]), episodes).tolist() == [False, True]


def history(host, *states, kind="driver"):
    """Rows of versions that follow each other; states are (change, start)."""
    ends = [*(start for _, start in states[1:]), None]
    return [
        {"host": host, "change": change, "kind": kind, "start": start, "end": end,
         "end_known_by": "another version" if end is not None else "still in effect"}
        for (change, start), end in zip(states, ends, strict=True)
    ]  # fmt: skip


def test_find_suspects_tries_the_next_version_as_the_cure_and_as_one_that_carries_it_on():
    exposure = schema.frame(
        "exposure",
        [*history("A", ("NIC 1", day(0)), ("NIC 2", day(3)), ("NIC 3", day(6))),
         *history("B", ("NIC 1", day(0)))],
    )  # fmt: skip
    episodes = pd.DataFrame({"host": ["A"] * 9 + ["B"], "time": [day(n, 9) for n in range(10)]})
    found = {s.change: s for s in find_suspects(exposure, episodes, OPEN)}
    masks = [["+" if on else "-" for on in mask] for mask in found["NIC 2"].masks]
    assert ["".join(mask) for mask in masks] == ["---+++----", "---++++++-"]
    assert found["NIC 2"].cured[0]["change"].tolist() == ["NIC 3"]
    assert found["NIC 2"].cured[1].empty
    assert len(found["NIC 3"].masks) == 1


def test_find_suspects_leaves_what_is_on_too_few_hosts_to_a_list():
    world = World(4, hosts=8)
    world.others += [(f"WS000{n}", "Fabrikam NIC", day(10), None) for n in range(3)]
    world.others += [(f"WS000{n}", "Contoso App", day(10), None) for n in range(2)]
    tables = world.tables()
    episodes = make_episodes(tables.attempts, OPEN)
    few = {s.change for s in find_suspects(tables.exposure, episodes, OPEN, fewest=3)}
    every = {s.change for s in find_suspects(tables.exposure, episodes, OPEN)}
    assert (few, every) == ({"Fabrikam NIC"}, {"Fabrikam NIC", "Contoso App"})
    rare = rare_changes(tables.exposure, fewest=3)
    assert rare.to_dict("records") == [{"change": "Contoso App", "kind": "driver", "hosts": 2}]


def test_find_suspects_counts_only_hosts_that_tried_while_it_was_in_effect():
    rows = [{"host": host, "change": "App", "start": day(5)} for host in "ABC"]
    episodes = pd.DataFrame({"host": list("ABCA"), "time": [day(1), day(1), day(1), day(6)]})
    assert find_suspects(schema.frame("exposure", rows), episodes, OPEN, fewest=2) == []


def test_find_suspects_shares_the_bits_of_equal_masks():
    rows = [{"host": "A", "change": change, "start": day(5)} for change in ("App", "Filter")]
    episodes = pd.DataFrame({"host": "A", "time": [day(1), day(6)]})
    one, other = find_suspects(schema.frame("exposure", rows), episodes, OPEN)
    assert one.bits is other.bits
    assert one.masks.tolist() == [[False, True]]


def test_find_suspects_takes_the_unseen_past_for_the_oldest_release():
    rows = [
        {"host": "A", "change": "KB5007186", "build": 19044, "revision": 1348, "end": day(5)},
        {"host": "A", "change": "KB5008212", "build": 19044, "revision": 1415, "start": day(5)},
        {"host": "B", "change": "KB5008212", "build": 19044, "revision": 1415, "start": day(7)},
        {"host": "C", "change": "KB5007186", "build": 19044, "revision": 1348},
    ]
    times = [day(n, 9) for n in (1, 6, 8)]
    episodes = pd.DataFrame({"host": list("AAABBBCCC"), "time": times * 3})
    found = {s.change: s for s in find_suspects(schema.frame("exposure", rows), episodes, OPEN)}
    until_december = found["KB5007186"].masks[0]
    assert until_december.tolist() == [True, False, False, True, True, False, True, True, True]


def states(*rows):
    columns = ("host", "revision", "start", "start_low", "start_high", "end_low", "end_high")
    told = [dict(zip(columns, row, strict=True)) for row in rows]
    named = [{**row, "build": 19044, "end": row["end_high"]} for row in told]
    return schema.frame("exposure", named)


OLD, NEWER, LATER = w.DECEMBER, w.BAD, w.FIX
SURE = states(
    ("A", OLD, None, None, None, day(5), day(5)),
    ("A", NEWER, day(5), day(5), day(5), None, None),
)
BY_DATE = states(
    ("A", OLD, None, None, None, day(5), day(6)),
    ("A", NEWER, day(5, 12), day(5), day(6), None, None),
)
REPORTED = states(("A", NEWER, day(9), day(3), day(9), None, None))
ROLLED = states(("A", NEWER, None, day(3), day(8), None, None))
FIXED = states(
    ("A", NEWER, None, None, None, day(4), day(7)),
    ("A", LATER, day(7), day(4), day(7), None, None),
)
BASE = states(("A", OLD, None, day(3), day(8), None, None))
PER_DAY = pd.DataFrame({"host": "A", "time": [day(n, 6) for n in range(12)]})


@pytest.mark.parametrize(
    ("exposure", "named", "unnamed"),
    [
        (SURE, [], []),
        (BY_DATE, [5], [5]),
        (REPORTED, [3, 4, 5, 6, 7, 8], [3, 4, 5, 6, 7, 8]),
        (ROLLED, [3, 4, 5, 6, 7], [3, 4, 5, 6, 7]),
        (FIXED, [4, 5, 6], [4, 5, 6]),
        (BASE, [], [3, 4, 5, 6, 7]),  # what was before it is older still: no suspect of the profile
        (schema.empty("exposure"), [], []),
    ],
)
def test_ambiguous_marks_the_days_on_which_the_state_is_one_or_the_other(exposure, named, unnamed):
    assert np.flatnonzero(ambiguous(exposure, PER_DAY, NAMED)).tolist() == named
    assert np.flatnonzero(ambiguous(exposure, PER_DAY, OPEN)).tolist() == unnamed
    assert np.flatnonzero(ambiguous(exposure, PER_DAY)).tolist() == unnamed


def test_ambiguous_does_not_look_back_where_nothing_is_older():
    late = PER_DAY[PER_DAY["time"] > day(3)].reset_index(drop=True)
    assert not ambiguous(BASE, late, OPEN).any()


def test_ambiguous_leaves_other_changes_and_other_hosts_alone():
    other = BY_DATE.assign(host="B")
    app = BY_DATE.assign(build=None, revision=None)
    both = schema.coerce("exposure", pd.concat([other, app], ignore_index=True))
    assert not ambiguous(both, PER_DAY, OPEN).any()


@pytest.mark.parametrize("seed", range(6))
def test_ambiguous_equals_a_loop(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for host in "ABC":
        edges = [day(float(x)) for x in np.sort(rng.uniform(1, 30, 3))]
        low = [edge - pd.Timedelta(hours=float(rng.choice([0, 0.1, 30]))) for edge in edges]
        revisions = [int(r) for r in rng.choice([OLD, NEWER, LATER], 4)]
        for place, revision in enumerate(revisions):
            begins = (edges[place - 1], low[place - 1], edges[place - 1]) if place else (None,) * 3
            ends = (low[place], edges[place]) if place < 3 else (None, None)
            rows.append((host, revision, *begins, *ends))
    exposure = states(*rows)
    hours = pd.to_timedelta(rng.integers(0, 24 * 32, 300), unit="h")
    episodes = pd.DataFrame({"host": rng.choice(list("ABC"), 300), "time": day(0) + hours})
    assert ambiguous(exposure, episodes, OPEN).tolist() == _slowly(exposure, episodes)


def _slowly(exposure, episodes):
    """One episode at a time: is it inside a wide passage between two different revisions?"""
    out = []
    for host, time in zip(episodes["host"], episodes["time"], strict=True):
        own = exposure[exposure["host"] == host].to_dict("records")
        unsure = False
        for before, after in pairwise(own):
            wide = after["start_high"] - after["start_low"] > pd.Timedelta(minutes=15)
            inside = after["start_low"] <= time < after["start_high"]
            unsure |= bool(wide and inside and before["revision"] != after["revision"])
        out.append(unsure)
    return out
