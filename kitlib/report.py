"""One self-contained HTML page from a case: what management reads and an auditor can check.

Takes the case's tables and its findings document and lays them out; it computes no verdict and no
number of its own beyond counting and sorting. The page holds no script and no outside address, its
content policy forbids both, pictures are inside it, and everything out of event logs is escaped
(also direction and control marks, which could make a name read as another). Long tables are cut,
and the number of rows left out is said; the whole ones stand in the case's ``tables`` folder.
"""

from __future__ import annotations

import base64
import unicodedata
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from kitlib import charts, knowledge
from kitlib.charts.fleet import removals
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from kitlib.findings import Case

FILE: Final = "report.html"
TEMPLATE: Final = "report.html.j2"
DPI: Final = 110

TIMELINE_ROWS: Final = 100
HOST_ROWS: Final = 200
CALL_ROWS: Final = 40
FILE_ROWS: Final = 400
PROBLEM_ROWS: Final = 200
SHOWN_RECORDS: Final = 3

TOLD: Final = ("update_installed", "update_uninstalled")
"""Actions of the rules that are told of every host, least pressing first."""

OTHERS: Final = 2
"""Tier of facts told of the fleet only."""

VERDICTS: Final[Mapping[str, tuple[str, str]]] = {
    "supported": (
        "supported",
        "this change explains the failures: with it hosts fail, without it on the same days not",
    ),
    "not_separable": (
        "not separable",
        "one of these changes explains the failures; they came together, so none can be singled out",
    ),
    "no_control": (
        "no control",
        "the timing fits, but nothing in the evidence can rule out another cause",
    ),
    "not_supported": (
        "not supported",
        "there were failures, and no change is to blame for them",
    ),
    "insufficient": ("insufficient", "there are too few hosts or attempts to say"),
}
"""Status of the contract: the words shown, and what they mean."""

STATUSES: Final[Mapping[str, tuple[str, str, str]]] = {
    "still_failing": ("✘", "still failing", "fails at its last evidence"),
    "pending_reboot": ("↻", "restart needed", "the fix is installed but not yet in effect"),
    "unconfirmed": ("?", "unconfirmed", "it may work again, too few attempts since to be sure"),
    "workaround_only": ("□", "workaround only", "works again, but the cure is not in its build"),
    "recovered": (
        "✔",
        "recovered",
        "back to its own normal, with the fix in or, where no change is blamed, without",
    ),
    "not_affected": ("–", "not affected", "its logs could have shown the symptom and never did"),  # noqa: RUF001  # a dash is meant
    "no_data": ("░", "no data", "its logs cannot tell: missing, rolled over or cleared"),
}
"""Host status of the contract, worst first: mark, words, meaning."""

CHECKS: Final[Mapping[bool | None, tuple[str, str, str]]] = {
    True: ("✔", "passed", "passed"),
    False: ("✘", "failed", "failed"),
    None: ("○", "not testable", "untested"),
}


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows to show, and how many more there are."""

    rows: Sequence[Mapping[str, Any]]
    left_out: int


def write_report(case: Case, document: Mapping[str, Any], out: Path) -> Path:
    """Write the report of a case.

    Parameters
    ----------
    case
        What `kitlib.analyze` returned.
    document
        What `kitlib.findings_document` made of it; verdict, hosts and numbers are taken from here,
        so that page and ``findings.json`` cannot differ.
    out
        Folder to write ``report.html`` into, made if missing; or a path that ends in ``.html``.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    path = out if out.suffix == ".html" else out / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(case, document), encoding="utf-8", newline="\n")
    return path


def render(
    case: Case,
    document: Mapping[str, Any],
    *,
    drawn: Mapping[str, Axes] | None = None,
    dpi: int = DPI,
) -> str:
    """Return the report of a case as HTML text; see `write_report`.

    `drawn` is what `draw_charts` returned, if that was already done.
    """
    axes = draw_charts(case) if drawn is None else drawn
    template = _environment().from_string(
        (files("kitlib") / "templates" / TEMPLATE).read_text("utf-8")
    )
    return template.render(
        doc=document,
        incident=case.incident,
        verdict=VERDICTS[document["verdict"]["status"]],
        statuses=STATUSES,
        checks=CHECKS,
        definitions=case.impact.definitions,
        pictures={name: _picture(ax, dpi) for name, ax in axes.items()},
        milestones=milestones(case),
        timeline=timeline_rows(case),
        hosts=host_rows(case, document),
        suspect_records=suspect_records(case),
        calls=_cut(case.restoration.to_call, CALL_ROWS),
        at_risk=[host for host in document["hosts"] if host["at_risk"]],
        counts=_count_statuses(document["hosts"]),
        files=_cut(case.evidence.files.sort_values("path", kind="stable"), FILE_ROWS),
        problems=_cut(case.evidence.problems, PROBLEM_ROWS),
    )


def suspect_records(case: Case) -> dict[str, list[str]]:
    """Name for each suspect a record that shows it in effect, first host first."""
    spans = case.exposure.sort_values("start", kind="stable").groupby("change")["records"].first()
    return {change: list(spans.get(change, []))[:1] for change in case.cause.suspects["change"]}


def draw_charts(case: Case) -> dict[str, Axes]:
    """Draw the charts of the report, by name."""
    bad, cured = labels(case)
    marks, codes = release_marks(case), case.incident.codes
    tries, exposure = case.attempts, case.exposure
    return {
        "success_rate": charts.success_rate(tries, exposure, guilty=bad, fixed=cured, marks=marks),
        "fleet_swimlane": charts.fleet_swimlane(
            tries,
            exposure,
            case.coverage,
            guilty=bad,
            fixed=cured,
            codes=codes,
            timeline=case.timeline,
            marks=marks,
        ),
        "aligned_on_exposure": charts.aligned_on_exposure(tries, exposure, guilty=bad, codes=codes),
        "error_codes": charts.error_codes(tries, exposure, guilty=bad, texts=code_texts(case)),
        "suspects": charts.suspects_chart(case.cause.suspects),
        "adoption": charts.adoption(
            exposure, tries, guilty=bad, fixed=cured, codes=codes, marks=marks
        ),
        "time_to_recovery": charts.time_to_recovery(case.restoration),
        "cost": charts.cost(case.impact, case.recovery),
        "coverage": charts.coverage_chart(case.coverage),
    }


def labels(case: Case) -> tuple[list[str], list[str]]:
    """Return the labels of the guilty change and of its cures, as the exposure table has them.

    Where no change is held guilty, the incident's suspects are shown instead, unblamed.
    """
    bad = sorted(set(case.cause.bad["change"]) | set(case.cause.changes))
    if not bad:
        bad = sorted(case.incident.bad_labels & set(case.exposure["change"]))
    cured = sorted(set(case.cause.cured["change"]) | set(case.incident.fixed_labels))
    return bad, [label for label in cured if label in set(case.exposure["change"])]


def release_marks(case: Case) -> dict[str, pd.Timestamp]:
    """Return when the incident's updates that this evidence knows were first released, by name."""
    seen = set(case.exposure["change"])
    bad = [b.bad for b in case.incident.branches if b.bad.kb in seen]
    fixed = [b.fixed for b in case.incident.branches if b.fixed and b.fixed.kb in seen]
    marks = {}
    for name, part in ((charts.name_changes([r.kb for r in bad]), bad), ("fix", fixed)):
        days = [release.date for release in part if release.date is not None]
        if days:
            marks[f"{name} released"] = pd.Timestamp(min(days), tz="UTC")
    return marks


def code_texts(case: Case) -> dict[str, str]:
    """Explain the failure codes seen, where the kit knows them."""
    seen = sorted(set(case.attempts["code"]) - {""})
    return {code: text for code in seen if (text := knowledge.explain(code).text)}


# ---------------------------------------------------------------- tables of the page


def milestones(case: Case) -> list[dict[str, Any]]:
    """List detection, mitigation and recovery in order, each with time and records.

    Returns
    -------
    list
        ``what``, ``time`` (text, UTC), ``after`` (hours after the onset, or None), ``records``.
    """
    bad, cured = labels(case)
    onset = case.cause.onset[0]
    starts = case.exposure.loc[case.exposure["start"].notna()]
    detected, hosts = case.incident.detected, case.recovery
    found = [
        _first("first host with the change in effect", _of(starts, bad), "start"),
        _first("first failure with the symptom", _first_failures(case), "time"),
        ("detected, as the incident profile states", detected, []) if detected else None,
        _first("first removal of the change in effect", _removals(case, bad, cured), "end"),
        _first("first host with the fix in effect", _of(starts, cured), "start"),
        _first("last recovery seen", hosts[hosts["recovered_at"].notna()], "recovered_at", -1),
    ]
    return [
        {
            "what": what,
            "time": clock(time),
            "after": None if pd.isna(onset) else (time - onset).total_seconds() / 3600,
            "records": records,
        }
        for what, time, records in sorted(filter(None, found), key=lambda row: row[1])
    ]


def _of(exposure: pd.DataFrame, changes: Collection[str]) -> pd.DataFrame:
    return exposure.loc[exposure["change"].isin(list(changes))]


def _first(
    what: str, table: pd.DataFrame, column: str, place: int = 0
) -> tuple[str, pd.Timestamp, list[str]] | None:
    """Name the first (or last) row of `table` by `column`, with its records."""
    if table.empty:
        return None
    row = table.sort_values(column, kind="stable").iloc[place]
    return what, row[column], _list(row["records"])


def _removals(case: Case, bad: Collection[str], cured: Collection[str]) -> pd.DataFrame:
    """Return the removals, each with the records of the state that followed it."""
    gone = removals(case.exposure, guilty=bad, fixed=cured)[["host", "end"]]
    followed = case.exposure[["host", "start", "records"]]
    return gone.merge(followed, left_on=["host", "end"], right_on=["host", "start"], how="left")


def _first_failures(case: Case) -> pd.DataFrame:
    """Return the attempts in which a host failed with the symptom for the first time."""
    onsets = case.recovery.loc[case.recovery["onset"].notna(), ["host", "onset"]]
    return case.attempts.merge(onsets, left_on=["host", "time"], right_on=["host", "onset"])


def timeline_rows(case: Case, *, limit: int = TIMELINE_ROWS) -> Cut:
    """Pick the key facts of the incident, at most `limit`, in order of time.

    Of each host: first and last attempt with the symptom, last success, the starts that put the
    change or its cure in effect, removals, reported installations; of the fleet: first and last of
    every other fact about the incident. The page says how many facts are left out.
    """
    facts = _key_facts(case)
    ends = _first_and_last(facts, ["host", "action", "change", "code"])
    fleet = _first_and_last(facts, ["action", "change", "code"])
    ranked = pd.concat([ends.loc[ends["tier"] < OTHERS], fleet.loc[fleet["tier"] == OTHERS]])
    kept = ranked.sort_values(["tier", "time"], kind="stable").head(limit)
    shown = kept.sort_values("time", kind="stable")
    rows = [
        {
            "time": clock(row["time"])
            if row["time_basis"] != "date"
            else f"{row['time']:%Y-%m-%d}",
            "host": row["host"],
            "what": row["message"] or row["action"].replace("_", " "),
            "code": row["code"],
            "record": ref,
        }
        for row, ref in zip(shown.to_dict("records"), record_refs(shown), strict=True)
    ]
    return Cut(rows, len(case.timeline) - len(rows))


def _key_facts(case: Case) -> pd.DataFrame:
    """Return the facts about the incident in order of time, with ``tier``: what is told first."""
    facts = case.timeline.loc[case.timeline["time"].notna()].sort_values("time", kind="stable")
    spans = pd.concat([case.cause.bad, case.cause.cured])
    proof = {ref for refs in spans["records"] for ref in _list(refs)}
    boots = facts.loc[facts["action"] == "boot"]
    started = facts.index.isin(boots.index[[ref in proof for ref in record_refs(boots)]])
    named = facts["change"].isin([label for part in labels(case) for label in part])
    ended = (facts["activity"] == case.incident.activity) & facts["outcome"].ne("")
    symptom = ended & facts["outcome"].eq("failure") & case.incident.is_symptom(facts["code"])
    last = ended & facts["outcome"].eq("success")
    last &= ~facts.loc[last].duplicated("host", keep="last").reindex(facts.index, fill_value=True)
    told = facts["action"].isin(TOLD) & named & facts["record_id"].notna()
    tiers = np.select(
        [symptom | started | (told & facts["action"].ne(TOLD[0])), last | told], [0, 1], OTHERS
    )
    return facts.assign(tier=tiers).loc[ended | named | started]


def _first_and_last(facts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the first and the last row of each group, in the order given."""
    return facts.loc[~facts.duplicated(by) | ~facts.duplicated(by, keep="last")]


def host_rows(case: Case, document: Mapping[str, Any], *, limit: int = HOST_ROWS) -> Cut:
    """Return the hosts, worst first, with why and the records behind each."""
    more = case.recovery.set_index("host")[["why", "records", "build", "revision"]].to_dict("index")
    worst = list(STATUSES)
    ranked = sorted(
        document["hosts"],
        key=lambda host: (worst.index(host["status"]), not host["at_risk"], host["host"]),
    )
    rows = [{**host, **more.get(host["host"], {})} for host in ranked[:limit]]
    for row in rows:
        row["records"] = _list(row.get("records"))
        known = pd.notna(row.get("build")) and pd.notna(row.get("revision"))
        row["state"] = f"{row['build']}.{row['revision']}" if known else ""
    return Cut(rows, max(0, len(ranked) - limit))


def _count_statuses(hosts: Collection[Mapping[str, Any]]) -> dict[str, int]:
    counts = {status: sum(host["status"] == status for host in hosts) for status in STATUSES}
    return {status: count for status, count in counts.items() if count}


def _cut(table: pd.DataFrame, limit: int) -> Cut:
    rows = table.head(limit).astype(object).where(table.head(limit).notna(), None)
    shown = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    return Cut(shown, max(0, len(table) - limit))


def _list(value: Any) -> list[str]:  # noqa: ANN401  # a list, or nothing
    return [str(ref) for ref in value] if isinstance(value, (list, tuple)) else []


def _picture(ax: Axes, dpi: int) -> dict[str, str]:
    if charts.is_empty(ax):
        return {"src": "", "alt": charts.title(ax)}
    data = base64.b64encode(charts.png(ax, dpi=dpi)).decode("ascii")
    return {"src": f"data:image/png;base64,{data}", "alt": charts.alt_text(ax)}


# ---------------------------------------------------------------- words and escaping


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clock": clock,
        "minute": minute,
        "number": number,
        "hours": hours,
        "sure": sure,
        "points": points,
        "refs": refs,
    }
    return environment


def visible(value: Any) -> Any:  # noqa: ANN401  # whatever a template expression gives
    """Write control and direction marks of plain text as escapes; leave all else alone."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if _shows(c) else f"\\u{ord(c):04x}" for c in value)


def _shows(c: str) -> bool:
    return c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs"


def clock(value: Any) -> str:  # noqa: ANN401  # Timestamp, ISO text or None
    """Write a time in UTC to the second, a dash where there is none."""
    if value is None or pd.isna(value):
        return "–"  # noqa: RUF001  # a dash is meant
    return f"{pd.Timestamp(value).tz_convert('UTC'):%Y-%m-%d %H:%M:%S}"


def minute(value: Any) -> str:  # noqa: ANN401  # Timestamp, ISO text or None
    """Write a time in UTC to the minute, a dash where there is none."""
    return clock(value)[:16]


def number(value: float | None) -> str:
    """Write a number for people: thousands apart, decimals only where they say something."""
    if value is None or pd.isna(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:,.1f}"


def hours(value: float | None) -> str:
    """Write a span given in hours: minutes, hours or days, whichever reads best."""
    if value is None or pd.isna(value):
        return "unknown"
    size = abs(value)
    if size < 1:
        return f"{value * 60:.0f} min"
    return f"{value:.1f} h" if size < 48 else f"{value / 24:.1f} days"


def sure(p: float | None) -> str:
    """Write a probability as a percentage that never claims certainty."""
    if p is None:
        return "unknown"
    if p > 0.99:
        return "more than 99 %"
    return "less than 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def points(share: float) -> str:
    """Write a difference of rates in signed percentage points."""
    return f"{round(100 * share):+d}"


def refs(records: Sequence[str], *, limit: int = SHOWN_RECORDS) -> Markup:
    """Write record references, the first few of many; one is never broken at a hyphen."""
    shown = Markup(", ").join(
        Markup('<span class="ref">{}</span>').format(visible(ref)) for ref in records[:limit]
    )
    more = len(records) - limit
    return shown + f" and {more:,} more" if more > 0 else shown
