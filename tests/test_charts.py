"""Charts: the words state what the numbers are, and nothing a log can hold breaks a picture."""

from __future__ import annotations

import chart_world as world
import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats as scipy_stats

from kitlib import charts, schema
from kitlib.charts import _numbers as n
from kitlib.charts import _words as w
from kitlib.charts.fleet import removals
from kitlib.restoration import measure_restoration

GUILTY = [world.BAD]
FIXED = [world.CURE]
CODES = ["789"]


def restoration(attempts, exposure, coverage, hosts):
    """How the world of these tables came back."""
    cause = world.cause(exposure)
    return measure_restoration(hosts, attempts, coverage, world.case().incident, cause)


def restored():
    """The world's own restoration."""
    return restoration(world.attempts(), world.exposure(), world.coverage(), world.recovery())


def draw_all(attempts, exposure, coverage, hosts, suspects):
    """Every public chart of these tables, by name."""
    impact = world.case().impact
    restored = restoration(attempts, exposure, coverage, hosts)
    return {
        "success_rate": charts.success_rate(attempts, exposure, guilty=GUILTY, fixed=FIXED),
        "fleet_swimlane": charts.fleet_swimlane(
            attempts, exposure, coverage, guilty=GUILTY, fixed=FIXED, codes=CODES
        ),
        "adoption": charts.adoption(exposure, attempts, guilty=GUILTY, fixed=FIXED, codes=CODES),
        "aligned_on_exposure": charts.aligned_on_exposure(attempts, exposure, guilty=GUILTY),
        "error_codes": charts.error_codes(attempts, exposure, guilty=GUILTY),
        "time_to_recovery": charts.time_to_recovery(restored),
        "hosts_out": charts.hosts_out(restored, marks={"fix released": world.at(14)}),
        "coverage_chart": charts.coverage_chart(coverage),
        "suspects_chart": charts.suspects_chart(suspects),
        "cost": charts.cost(impact, hosts),
    }


@pytest.fixture(scope="module")
def drawn():
    return draw_all(
        world.attempts(), world.exposure(), world.coverage(), world.recovery(), world.suspects()
    )


def empties():
    return (schema.empty(t) for t in ("attempts", "exposure", "coverage", "hosts", "suspects"))


# ---------------------------------------------------------------- what every chart keeps


def test_every_public_chart_is_drawn_here(drawn):
    kinds = {name for name in charts.__all__ if name in drawn}
    others = {
        "LOOKS", "Cost", "Look", "Picture", "alt_text", "caption", "is_empty", "name_changes", "png", "show",
        "title",
    }  # fmt: skip
    assert kinds == set(charts.__all__) - others
    assert kinds == set(drawn)


def test_every_chart_states_a_finding_a_denominator_and_an_alternative(drawn):
    for name, ax in drawn.items():
        assert any(c.isdigit() for c in charts.title(ax)), name
        assert any(c.isdigit() for c in charts.caption(ax)), name
        assert charts.alt_text(ax).startswith(charts.title(ax)), name
        assert len(charts.alt_text(ax)) < 420, name


def test_every_time_axis_says_utc(drawn):
    for name in ("success_rate", "fleet_swimlane", "adoption", "hosts_out", "coverage_chart"):
        labels = [ax.get_xlabel() for ax in drawn[name].figure.axes]
        assert any(label.startswith("time (UTC), January 2022") for label in labels), name


def test_every_chart_fills_a_slide_with_readable_letters(drawn):
    for name, ax in drawn.items():
        assert tuple(ax.figure.get_size_inches()) == (12.8, 7.2), name
        texts = [t for t in ax.figure.findobj(mpl.text.Text) if t.get_text().strip()]
        assert min(t.get_fontsize() for t in texts) >= 10.5, name


def test_no_text_leaves_the_picture(drawn):
    for name, ax in drawn.items():
        charts.png(ax, dpi=72)
        frame = ax.figure.bbox
        for text in ax.figure.findobj(mpl.text.Text):
            if text.get_text().strip() and text.get_visible():
                box = text.get_window_extent()
                assert box.x0 >= frame.x0 - 1, (name, text)
                assert box.x1 <= frame.x1 + 1, (name, text)
                assert box.y1 <= frame.y1 + 1, (name, text)


def test_title_and_caption_do_not_meet_the_axes(drawn):
    for name, ax in drawn.items():
        charts.png(ax, dpi=72)
        title = ax._left_title.get_window_extent()
        caption = next(t for t in ax.figure.texts if t.get_gid() == "caption").get_window_extent()
        assert title.y0 > ax.get_window_extent().y1, name
        assert caption.y1 < min(a.xaxis.label.get_window_extent().y0 for a in ax.figure.axes), name


def test_png_gives_the_same_bytes_for_the_same_tables(drawn):
    again = draw_all(
        world.attempts(), world.exposure(), world.coverage(), world.recovery(), world.suspects()
    )
    for name, ax in drawn.items():
        assert charts.png(ax, dpi=50) == charts.png(again[name], dpi=50), name


def test_png_does_not_depend_on_the_readers_settings(drawn):
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "timezone": "Asia/Tokyo"}):
        ax = charts.success_rate(world.attempts(), world.exposure(), guilty=GUILTY, fixed=FIXED)
        picture = charts.png(ax, dpi=50)
    assert picture == charts.png(drawn["success_rate"], dpi=50)


def test_charts_leave_no_pyplot_figure_behind(drawn):
    assert drawn
    assert (
        "matplotlib.pyplot" not in __import__("sys").modules
        or not __import__("matplotlib.pyplot").pyplot.get_fignums()
    )


def test_charts_draw_on_given_axes():
    figure = Figure()
    ax = figure.add_subplot()
    drawn = charts.success_rate(world.attempts(), world.exposure(), guilty=GUILTY, ax=ax)
    assert drawn is ax
    assert charts.caption(ax).startswith("418 attempts")


def test_empty_tables_give_words_not_crashes():
    for name, ax in draw_all(*empties()).items():
        assert charts.title(ax).endswith("."), name
        assert charts.is_empty(ax), name
        assert charts.png(ax, dpi=30)


@pytest.mark.parametrize("missing", range(5))
def test_one_empty_table_breaks_no_chart(missing):
    full = [
        world.attempts(), world.exposure(), world.coverage(), world.recovery(), world.suspects()
    ]  # fmt: skip
    full[missing] = full[missing].iloc[:0]
    for name, ax in draw_all(*full).items():
        assert charts.png(ax, dpi=30), name


def test_each_meaning_has_its_own_colour_and_mark():
    looks = list(charts.LOOKS.values())
    marks = [look.marker for look in looks if look.marker]
    assert len({look.colour for look in looks}) == len(looks)
    assert len(set(marks)) == len(marks)


def test_show_gives_png_and_alternative_text_to_jupyter(drawn):
    data, metadata = charts.show(drawn["cost"])._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == metadata["image/png"]["alt"] == charts.alt_text(drawn["cost"])


# ---------------------------------------------------------------- hostile and odd input


def test_charts_draw_any_host_name_harmlessly():
    names = ["SRV$x$", "a\u202eb\nc", "\u4f01\u696d01", "x" * 300, "<script>"]
    odd = dict(zip(world.hosts(), names, strict=False))
    tables = [t.replace({"host": odd}) for t in (
        world.attempts(), world.exposure(), world.coverage(), world.recovery())]  # fmt: skip
    for ax in draw_all(*tables, world.suspects()).values():
        assert charts.png(ax, dpi=40)


def test_plain_escapes_what_cannot_be_seen_and_cuts_what_is_long():
    assert w.plain("a\u202eb\u4f01") == "a\\u202eb\\u4f01"
    assert w.plain("no\u00a0break") == "no break"
    assert w.plain("x" * 40) == "x" * 27 + "…"


def test_percent_never_rounds_a_rest_away():
    assert [w.percent(x) for x in (0, 0.001, 0.5, 0.999, 1)] == [
        "0 %",
        "<1 %",
        "50 %",
        ">99 %",
        "100 %",
    ]


def test_a_fleet_of_thousands_is_drawn_in_one_piece():
    ax = charts.fleet_swimlane(
        world.attempts(600), world.exposure(600), world.coverage(600), guilty=GUILTY, codes=CODES
    )
    assert ax.get_ylabel() == "600 hosts, one row each"
    assert len(ax.collections) < 15


# ---------------------------------------------------------------- the numbers in the words


def by_hand(host_phase):
    """Success share of the world's attempts in a phase, the slow and obvious way."""
    spans = {h: (b, r if r is not None else f) for h, (b, r, f) in world.plan().items()}
    good = total = 0
    for row in world.attempts().to_dict("records"):
        start, end = spans[row["host"]]
        day = (row["time"] - world.DAY0).total_seconds() / 86_400
        phase = (
            "never" if start is None
            else "before" if day < start
            else "during" if end is None or day < end
            else "after"
        )  # fmt: skip
        if phase == host_phase:
            total += 1
            good += row["outcome"] == "success"
    return good, total


def test_phases_agree_with_a_loop_over_the_plan():
    rows = n.counted(world.attempts())
    phase = n.phases(rows, n.spans(world.exposure(), GUILTY))
    for name in ("never", "before", "during", "after"):
        good, total = by_hand(name)
        hit = (phase == name).to_numpy()
        assert hit.sum() == total
        assert (~rows["failed"])[hit].sum() == good


def test_success_rate_titles_the_three_shares(drawn):
    shares = [
        w.percent(good / total) for good, total in map(by_hand, ("before", "during", "after"))
    ]
    assert charts.title(drawn["success_rate"]).startswith(
        f"{shares[0]} before KB5009543, {shares[1]} while it was in effect, {shares[2]} after"
    )


def test_cancelled_and_unknown_attempts_stand_in_no_denominator():
    attempts = world.attempts()
    attempts.loc[attempts.index[:7], "outcome"] = "cancelled"
    attempts.loc[attempts.index[7:9], "outcome"] = "unknown"
    ax = charts.success_rate(attempts, world.exposure(), guilty=GUILTY)
    assert charts.caption(ax).startswith(f"{len(attempts) - 9} attempts")


def test_bursts_count_once_in_the_interval_but_all_in_the_rate():
    one = schema.frame(
        "attempts",
        [
            {"host": "A", "time": world.at(1), "outcome": "failure", "code": "789", "episode": e}
            for e in (1, 1, 1, 1)
        ],
    )
    rows = n.counted(one)
    table = n.shares(rows, rows["time"].dt.floor("D"), "failed")
    assert table["total"].tolist() == [4]
    assert table["episodes"].tolist() == [1]
    low, high = scipy_stats.binomtest(1, 1).proportion_ci(0.90, method="wilson")
    assert table[["low", "high"]].to_numpy()[0] == pytest.approx([low, high])


def test_swimlane_counts_failing_hosts_of_exposed_and_never_exposed(drawn):
    assert charts.title(drawn["fleet_swimlane"]) == (
        "7 of 8 hosts that tried with KB5009543 in effect failed; 0 of 3 hosts that never had it"
    )


def test_swimlane_counts_attempts_where_no_code_marks_the_symptom():
    ax = charts.fleet_swimlane(
        world.attempts(), world.exposure(), world.coverage(), guilty=GUILTY, fixed=FIXED
    )
    good, total = by_hand("during")
    fine, others = by_hand("never")
    assert charts.title(ax) == (
        f"{total - good} of {total} attempts on 8 hosts with KB5009543 in effect failed; "
        f"{others - fine} of {others} attempts on 3 hosts that never had it"
    )


def test_swimlane_hatches_the_host_without_a_log(drawn):
    assert "1 host without data" in charts.alt_text(drawn["fleet_swimlane"])
    hatched = [c for c in drawn["fleet_swimlane"].collections if c.get_hatch()]
    rows = {round(path.vertices[:, 1].mean()) for c in hatched for path in c.get_paths()}
    assert 11 in rows  # WS0012, the last row, has no log of attempts


def test_adoption_states_peak_failed_and_fixed(drawn):
    assert charts.title(drawn["adoption"]) == (
        "KB5009543 was in effect on 8 of 12 hosts at its peak (13 Jan); 7 failed at least once; the fix reached 6"
    )


def test_removals_are_ends_without_a_cure():
    gone = removals(world.exposure(), guilty=GUILTY, fixed=FIXED)
    assert gone["host"].tolist() == ["WS0001"]


def test_aligned_chart_never_uses_a_host_as_its_own_control():
    """Two hosts that fail all along, exposed in turn: controls are the other host's failures."""
    rows = [
        {
            "host": host,
            "time": world.at(day + 0.5),
            "outcome": "failure" if host == "A" else "success",
        }
        for host in "AB"
        for day in range(20)
    ]
    spans = [{"host": "A", "change": world.BAD, "start": world.at(10)}]
    ax = charts.aligned_on_exposure(
        schema.frame("attempts", rows), schema.frame("exposure", spans), guilty=GUILTY
    )
    assert charts.title(ax) == (
        "100 % of attempts failed in the days before and 100 % after KB5009543 took effect; "
        "0 % on hosts without it on the same days"
    )


def test_aligned_chart_says_when_there_is_no_control():
    rows = [{"host": "A", "time": world.at(d), "outcome": "failure"} for d in range(20)]
    spans = [{"host": "A", "change": world.BAD, "start": world.at(10)}]
    ax = charts.aligned_on_exposure(
        schema.frame("attempts", rows), schema.frame("exposure", spans), guilty=GUILTY
    )
    assert charts.title(ax).endswith("no host without it was in use on the same days")


def test_aligned_chart_leaves_out_hosts_exposed_since_before_the_evidence():
    exposure = world.exposure()
    exposure.loc[exposure["change"] == world.BAD, "start"] = pd.NaT
    ax = charts.aligned_on_exposure(world.attempts(), exposure, guilty=GUILTY)
    assert charts.title(ax).startswith("No host was seen before and after")


def test_error_codes_counts_the_leading_code_by_phase(drawn):
    _, before = by_hand("before")
    good, during = by_hand("during")
    _, after = by_hand("after")
    assert charts.title(drawn["error_codes"]) == (
        f"Code 789 ended 0 of {before} attempts before, {during - good} of {during} while "
        f"KB5009543 was in effect, 0 of {after} after"
    )


def test_time_to_recovery_tells_those_still_out(drawn):
    assert charts.title(drawn["time_to_recovery"]).endswith(
        "1 of 7 was not back at their last evidence"
    )


def below(ax):
    """The rows of numbers under the axis, by name."""
    texts = [t for t in ax.texts if t.get_gid() != "caption"]
    names = [t for t in texts if t.xycoords == "axes fraction"]
    at = lambda t: t.xyann[1]  # noqa: E731  # how far below the axis
    return {
        name.get_text(): [int(t.get_text()) for t in texts if t not in names and at(t) == at(name)]
        for name in names
    }


def test_time_to_recovery_draws_the_curves_of_the_restoration(drawn):
    ax, found = drawn["time_to_recovery"], restored()
    lines = {line.get_label(): line for line in ax.lines}
    for way, label in (("any", "works again, in any way"), ("fix", "works with the fix in")):
        curve = found.curve[found.curve["way"] == way]
        assert lines[label].get_xdata()[:-1].tolist() == curve["day"].tolist()
        assert lines[label].get_ydata()[:-1].tolist() == curve["share"].tolist()


def test_time_to_recovery_counts_below_its_axis_who_is_still_out_and_seen(drawn):
    ax, found = drawn["time_to_recovery"], restored()
    low, high = ax.get_xlim()
    ticks = [t for t in ax.get_xticks() if low <= t <= high]
    times = found.times.to_dict("records")
    assert below(ax) == {
        "still out, seen": [sum(row["days"] >= t for row in times) for t in ticks],
        "unfixed, seen": [sum(row["fixed_days"] >= t for row in times) for t in ticks],
    }
    assert below(ax)["still out, seen"][0] == 7


def test_time_to_recovery_marks_and_counts_relapses():
    """WS0002 is made to work from day 14 to 18; then it fails again, to the end."""
    attempts = world.attempts()
    between = attempts["time"].between(world.at(14), world.at(19))
    attempts.loc[between & (attempts["host"] == "WS0002"), ["outcome", "code"]] = ["success", ""]
    found = restoration(attempts, world.exposure(), world.coverage(), world.recovery())
    assert found.relapses["host"].tolist() == ["WS0002"]
    ax = charts.time_to_recovery(found)
    row = found.relapses.iloc[0]
    days = (row["start"] - found.times.set_index("host").loc["WS0002", "onset"]) / pd.Timedelta(
        "1D"
    )
    marks = [s for s in ax.collections if s.get_label() == "failed again"]
    assert marks[0].get_offsets()[:, 0].tolist() == [pytest.approx(days)]
    assert below(ax)["failed again so far"][-1] == 1
    assert "failed once more" in charts.caption(ax)
    assert charts.title(charts.hosts_out(found)).endswith("; 1 relapse")


def test_hosts_out_tells_the_worst_moment_and_the_end(drawn):
    steps = restored().calendar
    worst = steps.loc[steps["out"] == steps["out"].max()].iloc[0]
    assert charts.title(drawn["hosts_out"]) == (
        f"At most {worst['out']} hosts out at once ({w.day(worst['time'])}); at the end 1 out, "
        "6 working again"
    )


def test_coverage_chart_counts_whole_cut_and_missing_logs(drawn):
    assert (
        charts.title(drawn["coverage_chart"])
        == "The System log of 11 of 12 hosts is whole; 1 lost a part"
    )
    ax = charts.coverage_chart(world.coverage(), channels=["Application"])
    assert charts.title(ax) == (
        "The Application log of 10 of 12 hosts is whole; 1 lost a part; 1 has none"
    )


def test_suspects_chart_names_the_probable_one(drawn):
    assert charts.title(drawn["suspects_chart"]) == (
        "KB5009543 explains the failures with probability 0.97: hosts with it failed 91 percentage "
        "points more often [86 to 95]"
    )


def test_suspects_chart_joins_what_cannot_be_told_apart():
    suspects = world.suspects().iloc[:2].assign(group=1, probability=[0.5, 0.49])
    assert charts.title(charts.suspects_chart(suspects)).startswith(
        "KB5009543 and KB5008876, which cannot be told apart, explain the failures with "
        "probability 0.99"
    )


def test_suspects_chart_blames_nobody_when_nobody_is_probable():
    suspects = world.suspects().assign(probability=0.1, group=[1, 2, 3, 4, 5])
    assert charts.title(charts.suspects_chart(suspects)) == (
        "No change explains the failures: the most probable of 5, KB5009543, has probability 0.10"
    )


def test_cost_states_hours_with_their_interval(drawn):
    assert charts.title(drawn["cost"]) == (
        "126 user-hours lost [84 to 175] on 7 hosts, with 99 attempts lost"
    )


def test_labels_of_one_change_are_named_short_and_spelled_out_below():
    exposure = world.exposure()
    half = exposure["host"] > "WS0004"
    exposure.loc[half & (exposure["change"] == world.BAD), "change"] = "KB5009566"
    ax = charts.success_rate(world.attempts(), exposure, guilty=[world.BAD, "KB5009566"])
    assert "KB5009543 (+1)" in charts.title(ax)
    assert charts.caption(ax).endswith(
        "KB5009543 (+1) is one change under the labels KB5009543, KB5009566."
    )
