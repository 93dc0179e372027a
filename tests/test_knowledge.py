"""What the kit claims to know about Windows is well-formed, and right where it can be checked."""

from __future__ import annotations

import csv
import doctest
import json
import re
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest

from kitlib import knowledge

FOLDER = Path(knowledge.__file__).parent
# A revision that two updates made, if the source ever shows one; none is known.
SHARED_REVISIONS: frozenset[tuple[int, int]] = frozenset()
KINDS = {"security", "preview", "out_of_band", "other"}
CLASSES = {
    "security",
    "reachability",
    "authentication",
    "configuration",
    "local",
    "disconnect",
    "update",
    "servicing",
    "general",
}
# Branch: (before, bad, fix, next Patch Tuesday) of January 2022, from the release pages.
JANUARY_2022 = {
    19042: ((1415, "KB5008212"), (1466, "KB5009543"), (1469, "KB5010793"), (1526, "KB5010342")),
    22000: ((376, "KB5008215"), (434, "KB5009566"), (438, "KB5010795"), (493, "KB5010386")),
    18363: ((1977, "KB5008206"), (2037, "KB5009545"), (2039, "KB5010792"), (2094, "KB5010345")),
    17763: ((2366, "KB5008218"), (2452, "KB5009557"), (2458, "KB5010791"), (2565, "KB5010351")),
    20348: ((405, "KB5008223"), (469, "KB5009555"), (473, "KB5010796"), (524, "KB5010354")),
    14393: ((4825, "KB5008207"), (4886, "KB5009546"), (4889, "KB5010790"), (4946, "KB5010359")),
}


def rows(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_releases_rows_are_well_formed_and_sorted():
    table = rows("releases.csv")
    assert len(table) > 1000
    for row in table:
        assert re.fullmatch(r"\d{5}", row["build"]), row
        assert re.fullmatch(r"[1-9]\d{0,4}", row["revision"]), row
        assert re.fullmatch(r"KB\d{7}", row["kb"]), row
        assert row["kind"] in KINDS, row
        assert re.fullmatch(
            r"Windows (10|11|Server) \w+(; Windows (10|11|Server) \w+)*", row["product"]
        )
        pd.Timestamp(row["date"])
    keys = [(int(row["build"]), int(row["revision"])) for row in table]
    assert keys == sorted(set(keys))


def test_releases_give_a_revision_one_update_within_its_family():
    made_by = defaultdict(set)
    for row in rows("releases.csv"):
        branch = min(knowledge.family(int(row["build"])))
        made_by[branch, int(row["revision"])].add(row["kb"])
    twice = {key for key, kbs in made_by.items() if len(kbs) > 1}
    assert twice == SHARED_REVISIONS


def test_releases_revisions_grow_with_the_date_within_a_branch():
    table = knowledge.releases()
    for (build, _), line in table.groupby(["build", table["revision"] >= 30_000]):
        cumulative = line.loc[line["kind"] == "security"].sort_values("revision")
        assert cumulative["date"].is_monotonic_increasing, build


def test_releases_call_security_only_second_tuesdays():
    table = knowledge.releases()
    dates = table.loc[table["kind"] == "security", "date"]
    assert (dates.dt.day_name() == "Tuesday").all()
    assert dates.dt.day.between(8, 14).all()


def test_releases_returns_a_fresh_copy_with_a_row_for_each_build_of_a_family():
    table = knowledge.releases()
    assert not table.duplicated(["build", "revision"]).any()
    fixed = table.loc[table["kb"] == "KB5010793"]
    assert set(fixed["build"]) == {19041, 19042, 19043, 19044, 19045}
    assert set(fixed["revision"]) == {1469}
    assert set(fixed["kind"]) == {"out_of_band"}
    assert set(fixed["date"]) == {pd.Timestamp("2022-01-17", tz="UTC")}
    table["kb"] = ""
    assert knowledge.releases()["kb"].str.startswith("KB").all()


@pytest.mark.parametrize("build", sorted(JANUARY_2022))
def test_label_names_the_updates_of_january_2022(build):
    for revision, kb in JANUARY_2022[build]:
        assert knowledge.label(build, revision) == kb
        assert (build, revision) in knowledge.revisions(kb)


def test_label_agrees_with_the_real_boots_seen_in_logs():
    assert knowledge.label(17134, 165) == "KB4338819"
    assert knowledge.label(17134, 137) == "KB4284848"


def test_label_knows_every_build_of_the_family():
    assert {knowledge.label(build, 1469) for build in range(19041, 19046)} == {"KB5010793"}


def test_label_is_empty_for_a_revision_nobody_published():
    assert knowledge.label(19042, 1467) == ""
    assert knowledge.label(7601, 17727) == ""


def test_label_follows_microsoft_where_the_copied_list_differs():
    assert knowledge.revisions("KB5037423") == [(14393, 6800)]


def test_revisions_is_empty_for_an_unknown_update():
    assert knowledge.revisions("KB5008876") == []


def test_out_of_band_updates_of_2019_are_known_as_such():
    table = knowledge.releases()
    kinds = table.loc[table["kb"].isin(["KB4522016", "KB4524147"]), "kind"]
    assert set(kinds) == {"out_of_band"}


@pytest.mark.parametrize("build", sorted(JANUARY_2022))
def test_contains_finds_the_bad_update_in_every_later_level(build):
    before, bad, fix, later = JANUARY_2022[build]
    assert knowledge.contains(build, before[0], bad[1]) is False
    assert knowledge.contains(build, bad[0], fix[1]) is False
    for revision, _ in (bad, fix, later):
        assert knowledge.contains(build, revision, bad[1]) is True


def test_contains_does_not_compare_lines_that_parted():
    server, client, shared = "KB5073379", "KB5074109", "KB5066835"
    assert knowledge.contains(26100, 32230, client) is None
    assert knowledge.contains(26200, 9168, server) is None
    assert knowledge.contains(26100, 32230, shared) is True
    assert knowledge.contains(26200, 9168, shared) is True
    assert knowledge.contains(26200, 9168, client) is True
    assert knowledge.contains(26100, 2033, server) is False


def test_contains_does_not_answer_for_another_branch():
    assert knowledge.contains(22000, 9999, "KB5009543") is None
    assert knowledge.contains(19042, 9999, "KB5008876") is None


def test_family_is_symmetric():
    for row in rows("releases.csv"):
        build = int(row["build"])
        assert build in knowledge.family(build)
        assert {knowledge.family(other) for other in knowledge.family(build)} == {
            knowledge.family(build)
        }


def test_family_of_a_build_that_stands_alone_is_itself():
    assert knowledge.family(20348) == {20348}


def test_codes_rows_are_well_formed_and_unique():
    table = rows("codes.csv")
    codes = [row["code"] for row in table]
    assert len(codes) == len(set(codes))
    for row in table:
        assert re.fullmatch(r"\d{1,5}|0x[0-9a-f]{8}", row["code"]), row
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]*|", row["symbol"]), row
        assert row["class"] in CLASSES | {""}, row
        assert row["symbol"] or row["text"], row
        # An explanation is one whole sentence, and says where the fault lies.
        assert not row["text"] or (row["text"].endswith(".") and row["class"]), row


def test_codes_explain_every_code_of_the_security_negotiation():
    for code in ["766", "781", *map(str, range(786, 794)), "810", "811", "835"]:
        found = knowledge.explain(code)
        assert found.kind == "security", code
        assert found.text, code


def test_explain_knows_the_founding_error():
    found = knowledge.explain("789")
    assert found.symbol == "ERROR_OAKLEY_GENERAL_PROCESSING"
    assert found.kind == "security"
    assert "processing error" in found.text


def test_explain_tells_a_normal_end_of_session_from_a_failure():
    kinds = {code: knowledge.explain(str(code)).kind for code in (631, *range(828, 835))}
    assert {code for code, kind in kinds.items() if kind != "disconnect"} == {829}


@pytest.mark.parametrize(
    "code", ["0x80070643", "0X80070643", "-2147023293", "2147944003", " 0x80070643 "]
)
def test_explain_reads_every_notation_of_one_number(code):
    assert knowledge.explain(code) == knowledge.explain("0x80070643")
    assert knowledge.explain(code).code == "0x80070643"


def test_explain_unwraps_a_windows_error_in_an_hresult():
    found = knowledge.explain("0x80070315")
    assert found.code == "0x80070315"
    assert found.symbol == "ERROR_OAKLEY_GENERAL_PROCESSING"


@pytest.mark.parametrize("code", ["", "999999", "0xdeadbeef", "no answer", "12.5"])
def test_explain_keeps_an_unknown_code_and_says_nothing(code):
    found = knowledge.explain(code)
    assert (found.symbol, found.kind, found.text) == ("", "", "")
    assert found.code == code.strip() or int(code) == int(found.code, 16)


def test_symbols_agree_with_the_reference(shared):
    reference = json.loads((shared / "reference" / "codes.json").read_text(encoding="utf-8"))
    for group in ("ras", "ipsec", "wu"):
        for code, symbol in reference[group].items():
            assert knowledge.explain(code).symbol == symbol, code


def test_docstring_examples_run():
    result = doctest.testmod(knowledge)
    assert result.attempted >= 6
    assert result.failed == 0
