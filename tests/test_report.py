"""The report: whole in one file, inert, in order, and every number with its record."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser

import chart_world as world
import pandas as pd
import pytest

from kitlib import schema
from kitlib.findings import findings_document
from kitlib.impact import Impact
from kitlib.report import (
    STATUSES,
    VERDICTS,
    draw_charts,
    render,
    timeline_rows,
    write_report,
)

WHEN = dt.datetime(2022, 2, 1, 9, 0, tzinfo=dt.UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'\u202e{{7*7}}"


class Page(HTMLParser):
    """Tags, attributes and text of a page, as a browser would take them apart."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words, self.ids = [], [], [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.words.append(data)


def page(case, drawn=None):
    return Page(render(case, findings_document(case, generated=WHEN), drawn=drawn, dpi=15))


@pytest.fixture(scope="module")
def case():
    return world.case()


@pytest.fixture(scope="module")
def drawn(case):
    return draw_charts(case)


@pytest.fixture(scope="module")
def html(case):
    return render(case, findings_document(case, generated=WHEN))


@pytest.fixture(scope="module")
def read(html):
    return Page(html)


# ---------------------------------------------------------------- self-contained and inert


def test_report_has_no_script_and_no_outside_address(read):
    assert "script" not in read.tags
    for tag, name, value in read.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href"):
            assert value.startswith(("data:image/png;base64,", "#")), (tag, value[:80])


def test_report_forbids_everything_from_outside(read):
    policy = next(v for t, n, v in read.attributes if t == "meta" and n == "content")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_report_is_small_enough_to_mail(html):
    assert len(html.encode()) < 3_000_000


def test_report_gives_every_picture_its_own_alternative(read):
    alts = [value for tag, name, value in read.attributes if tag == "img" and name == "alt"]
    assert len(alts) == read.tags.count("img") == 9
    assert len(set(alts)) == 9
    assert all(any(c.isdigit() for c in alt) for alt in alts)


def test_report_links_only_to_places_it_has(read):
    targets = {v[1:] for t, n, v in read.attributes if n == "href"}
    assert targets <= set(read.ids)


def test_report_is_the_same_twice(case):
    document = findings_document(case, generated=WHEN)
    assert render(case, document, dpi=20) == render(case, document, dpi=20)


def test_report_holds_hostile_names_inert(case):
    rename = {"host": {"WS0002": HOSTILE}}
    timeline = case.timeline.replace(rename)
    timeline.loc[0, ["message", "code"]] = HOSTILE
    files = case.evidence.files.assign(path=HOSTILE)
    evil = world.case(
        timeline=timeline,
        recovery=case.recovery.replace(rename).assign(why=HOSTILE),
        attempts=case.attempts.replace(rename),
        exposure=case.exposure.replace(rename),
        evidence=world.replace(case.evidence, files=files),
    )
    found = page(evil)
    assert "script" not in found.tags
    assert found.tags.count("img") == 9
    assert "<script>alert(1)</script>" in found.text
    assert "\u202e" not in found.text
    assert "\\u202e" in found.text
    assert "{{7*7}}" in found.text


# ---------------------------------------------------------------- what it says


def test_report_tells_in_the_promised_order(read):
    order = [
        "verdict", "happened", "cause", "timeline", "recovery", "hosts", "cost", "unknown", "risk",
        "actions", "evidence",
    ]  # fmt: skip
    assert [name for name in read.ids if name in order] == order


def test_report_begins_with_the_verdict_and_how_sure(case, read):
    assert case.cause.text in read.text
    assert "How sure: 97 %" in read.text
    assert read.text.index(case.cause.text) < read.text.index("of 12 hosts affected")


def test_report_prints_failed_and_untestable_checks_as_loudly_as_passed_ones(html):
    for words in ("passed", "failed", "not testable"):
        assert re.search(
            rf'<span class="mark \w+"><span aria-hidden="true">.</span> {words}</span>', html
        )


def test_report_shows_every_host_with_its_status_in_words(case, read):
    for row in case.recovery.to_dict("records"):
        assert row["host"] in read.text
        assert STATUSES[row["status"]][1] in read.text


def test_report_leads_each_host_to_record_ids(case, read):
    for refs in case.recovery["records"]:
        assert refs[0] in read.text


def test_report_lists_hosts_at_risk(case, read):
    part = read.text[read.text.index("Hosts still at risk") : read.text.index("To be filled in")]
    at_risk = set(case.recovery.loc[case.recovery["at_risk"], "host"])
    assert {host for host in world.hosts() if host in part} == at_risk


def test_report_names_every_file_with_its_hash_and_every_problem(case, read):
    for row in case.evidence.files.to_dict("records"):
        assert row["path"] in read.text
        assert row["sha256"] in read.text
    assert "the checksum of the chunk is wrong" in read.text


def test_report_says_what_is_not_known(case, read):
    for limit in findings_document(case, generated=WHEN)["limits"]:
        assert limit in read.text


def test_report_says_so_when_a_cost_is_unknown(drawn):
    impact = Impact(3, 5, (10.0, 8.0, 12.0), None, None, 3)
    assert "unknown to detect" in page(world.case(impact=impact), drawn).text


@pytest.mark.parametrize("status", schema.VERDICTS)
def test_report_explains_every_verdict(case, drawn, status):
    cause = world.replace(case.cause, status=status, changes=(), competing=("shared_outage",))
    text = page(world.case(cause=cause), drawn).text
    assert VERDICTS[status][1] in text
    assert "Competing explanation: shared outage" in text


def test_report_does_not_call_changes_that_cannot_be_told_apart_names_of_one(case, drawn):
    cause = world.replace(case.cause, status="not_separable", changes=("KB5009543", "KB5008876"))
    text = page(world.case(cause=cause), drawn).text
    assert "Cannot be told apart: KB5009543, KB5008876" in text
    assert "goes by" not in text
    assert "The change goes by: KB" in page(case, drawn).text


def test_report_does_not_hide_failing_hosts_where_no_change_is_blamed(case, drawn):
    hosts = case.recovery.assign(at_risk=False)
    assert (hosts["status"] == "still_failing").sum() == 1
    text = page(world.case(recovery=hosts), drawn).text
    assert "1 host still fails all the same" in text
    assert "None, as far as" not in text


def test_report_knows_every_host_status():
    assert set(STATUSES) == set(schema.STATUSES)


def nothing():
    names = ("timeline", "coverage", "exposure", "attempts")
    tables = {name: schema.empty(name) for name in names} | {"recovery": schema.empty("hosts")}
    cause = world.replace(
        world.case().cause,
        status="insufficient",
        changes=(),
        probability=float("nan"),
        onset=(pd.NaT, pd.NaT, pd.NaT),
        suspects=schema.empty("suspects"),
        bad=tables["exposure"],
        cured=tables["exposure"],
    )
    return world.case(**tables, cause=cause, impact=Impact(0, 0, (0, 0, 0), None, None, 0))


def test_report_of_nothing_says_so():
    text = page(nothing()).text
    assert "No fact about this incident was found." in text
    assert "How sure: no answer is given" in text
    assert "No attempt was seen to succeed or fail." in text
    assert "None, as far as the evidence reaches." in text


# ---------------------------------------------------------------- timeline


def test_timeline_tells_first_and_last_failure_of_each_host(case):
    rows = timeline_rows(case).rows
    failed = case.timeline[case.timeline["code"] == "789"].sort_values("time")
    for host, facts in failed.groupby("host"):
        for record in (facts["record_id"].iloc[0], facts["record_id"].iloc[-1]):
            assert f"{host}/Application#{record}" in {row["record"] for row in rows}


def test_timeline_is_in_order_and_says_how_many_it_leaves_out(case):
    cut = timeline_rows(case, limit=20)
    times = [row["time"] for row in cut.rows]
    assert times == sorted(times)
    assert len(times) == 20
    assert cut.left_out == len(case.timeline) - 20


def test_timeline_writes_a_date_where_only_the_date_is_known(case):
    dated = case.timeline.assign(time_basis="date")
    assert {len(row["time"]) for row in timeline_rows(world.case(timeline=dated)).rows} == {10}


# ---------------------------------------------------------------- files


def test_write_report_takes_a_folder_or_a_file_name(case, html, tmp_path):
    document = findings_document(case, generated=WHEN)
    assert write_report(case, document, tmp_path / "a") == tmp_path / "a" / "report.html"
    assert (tmp_path / "a" / "report.html").read_text("utf-8") == html
    empty = nothing()
    path = tmp_path / "b" / "mine.html"
    assert write_report(empty, findings_document(empty, generated=WHEN), path) == path
    assert path.is_file()
