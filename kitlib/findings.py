"""The answer as a document: the whole analysis in one frozen bundle, and ``findings.json``.

`analyze` calls the library in the order of its rooms; `findings_document` writes down what came
out, exactly in the shape of ``findings.schema.json``. This file knows no report format.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import __version__, schema
from kitlib.attempts import find_attempts
from kitlib.cause import Cause, judge_cause
from kitlib.coverage import measure_coverage
from kitlib.exposure import find_exposure
from kitlib.impact import Impact, measure_impact
from kitlib.incident import Incident, load_incident
from kitlib.losses import measure_losses
from kitlib.reconcile import contradictions, reconcile_updates
from kitlib.recovery import assess_recovery
from kitlib.restoration import Restoration, measure_restoration
from kitlib.store import Evidence, read_evidence
from kitlib.timeline import build_timeline

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = "kitlib.findings/1"
FILE: Final = "findings.json"

SHOWN_LIMITS: Final = 20
"""Contradictions between sources that `limits` spells out; the table has all."""


@dataclass(frozen=True, eq=False)  # no slots: what is computed on demand is kept
class Case:
    """All tables and answers of one analysis, in the order in which they were made."""

    evidence: Evidence
    incident: Incident
    timeline: pd.DataFrame
    coverage: pd.DataFrame
    exposure: pd.DataFrame
    attempts: pd.DataFrame
    cause: Cause
    recovery: pd.DataFrame
    impact: Impact
    update_states: pd.DataFrame
    gateway: pd.DataFrame

    @cached_property
    def restoration(self) -> Restoration:
        """How the fleet came back, and whom to call; made when first asked for."""
        return measure_restoration(
            self.recovery, self.attempts, self.coverage, self.incident, self.cause
        )

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The derived tables by name, as the case folder keeps them."""
        return {
            "files": self.evidence.files,
            "problems": self.evidence.problems,
            "updates": self.evidence.updates,
            "sessions": self.evidence.sessions,
            "clocks": self.evidence.clocks,
            "timeline": self.timeline,
            "coverage": self.coverage,
            "exposure": self.exposure,
            "update_states": self.update_states,
            "attempts": self.attempts,
            "gateway": self.gateway,
            "suspects": self.cause.suspects,
            "hosts": self.recovery,
        }


def analyze(evidence: str | Path | Evidence, incident: str | Path | Incident = "") -> Case:
    """Run the whole analysis, from evidence to cost.

    Parameters
    ----------
    evidence
        A folder, an archive, a case folder, or what `kitlib.read_evidence` returned.
    incident
        Name or file of a profile, or a loaded one.

    Returns
    -------
    Case

    Raises
    ------
    UsageError, EvidenceError, IncidentError
        See `kitlib.read_evidence` and `kitlib.load_incident`.

    Examples
    --------
    >>> analyze("sample_data", "kb5009543").cause.status  # doctest: +SKIP
    'supported'
    """
    held = evidence if isinstance(evidence, Evidence) else read_evidence(evidence)
    profile = incident if isinstance(incident, Incident) else load_incident(incident)
    timeline = build_timeline(held)
    coverage = measure_coverage(held, timeline)
    exposure = find_exposure(timeline)
    attempts = find_attempts(timeline, profile)
    cause = judge_cause(attempts, exposure, coverage, profile, held.sessions)
    recovery = measure_losses(
        assess_recovery(attempts, exposure, coverage, timeline, profile, cause),
        attempts,
        timeline,
        coverage,
        profile,
        cause,
    )
    impact = measure_impact(recovery, timeline, profile)
    return Case(
        evidence=held,
        incident=profile,
        timeline=timeline,
        coverage=coverage,
        exposure=exposure,
        attempts=attempts,
        cause=cause,
        recovery=recovery,
        impact=impact,
        update_states=reconcile_updates(timeline),
        gateway=schema.empty("gateway") if cause.joined is None else cause.joined,
    )


def findings_document(case: Case, *, generated: dt.datetime | None = None) -> dict[str, Any]:
    """Write the case down as the contract's ``findings.json``.

    Parameters
    ----------
    case
        What `analyze` returned.
    generated
        Time to state as time of writing; now if omitted. Nothing else depends on the clock.

    Returns
    -------
    dict
        Valid against `schema_document`; times are ISO 8601 text with ``Z``, NaN is null.
    """
    when = generated or dt.datetime.now(dt.UTC).replace(microsecond=0)
    return {
        "schema": SCHEMA,
        "kit_version": __version__,
        "incident": case.incident.name,
        "generated": _time(pd.Timestamp(when)),
        "evidence": _evidence(case.evidence),
        "window": {
            "start": _time(case.coverage["start"].min()),
            "end": _time(case.coverage["end"].max()),
        },
        "verdict": _verdict(case.cause),
        "suspects": [_suspect(row) for row in case.cause.suspects.to_dict("records")],
        "onset": {
            "time": _time(case.cause.onset[0]),
            "interval": [_time(case.cause.onset[1]), _time(case.cause.onset[2])],
        },
        "hosts": [_host(row) for row in case.recovery.to_dict("records")],
        "impact": _impact(case.impact),
        "limits": limits(case),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    files_read = evidence.files
    lost = set(evidence.problems.loc[evidence.problems["records_lost"].isna(), "path"])
    unread = files_read["path"].isin(lost) & (files_read["records"].fillna(0) == 0)
    return {
        "files": len(files_read),
        "files_unread": int(unread.sum()),
        "records": int(files_read["records"].sum()),
        "problems": len(evidence.problems),
        "manifest_sha256": evidence.manifest_sha256,
    }


def _verdict(cause: Cause) -> dict[str, Any]:
    return {
        "status": cause.status,
        "changes": list(cause.changes),
        "competing": list(cause.competing),
        "probability": _number(cause.probability),
        "text": cause.text,
        "basis": [
            {
                "check": check.name,
                "passed": check.passed,
                "text": check.text,
                "records": list(check.records),
            }
            for check in cause.checks
        ],
    }


def _suspect(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        "change": row["change"],
        "kind": row["kind"],
        "rank": int(row["rank"]),
        "probability": _number(row["probability"]),
        "hosts_exposed": int(row["hosts_exposed"]),
        "risk_difference": [
            _number(row[name]) for name in ("risk_difference", "risk_low", "risk_high")
        ],
    }


def _host(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        "host": row["host"],
        "status": row["status"],
        "at_risk": bool(row["at_risk"]),
        "exposed_from": _time(row["exposed_from"]),
        "onset": _time(row["onset"]),
        "recovered_at": _time(row["recovered_at"]),
        "recovered_by": row["recovered_by"] or None,
        "confidence": _number(row["confidence"]),
        "attempts": int(row["attempts"]),
        "failures": int(row["failures"]),
        "user_hours_lost": [_number(row[n]) for n in ("hours_lost", "hours_low", "hours_high")],
        "attempts_lost": [
            _number(row[n]) for n in ("attempts_lost", "attempts_low", "attempts_high")
        ],
    }


def _impact(impact: Impact) -> dict[str, Any]:
    return {
        "hosts_affected": impact.hosts_affected,
        "attempts_lost": impact.attempts_lost,
        "attempts_lost_interval": [_number(value) for value in impact.attempts_lost_interval],
        "user_hours_lost": [_number(value) for value in impact.user_hours_lost],
        "mttd_hours": _number(impact.mttd_hours),
        "mttr_hours": _number(impact.mttr_hours),
    }


def limits(case: Case) -> list[str]:
    """Say what this case cannot show, one sentence each, from its own tables."""
    blind = case.recovery.loc[case.recovery["status"] == "no_data", "host"]
    lost = case.evidence.problems
    said = [
        "Times of attempts and starts are those of each host's own clock, in UTC.",
        "Working hours are learned from use; holidays and leave are not known.",
        (
            "The 90 % intervals of user-hours and attempts lost were measured on simulated fleets "
            "only, where they held the true value for about nine of ten hosts; leave during the "
            "outage on a machine that stays in use is their weakest point."
        ),
        (
            "Changes that leave no trace in the logs read here (rollbacks by policy, registry edits, "
            "server-side changes) cannot be named."
        ),
    ]
    said += _outside_window(case)
    apart = _symptom_elsewhere(case)
    if len(apart):
        said.append(
            f"The symptom also shows where the change was not in effect: {', '.join(apart)}. If "
            "that is unexpected, the profile may lack a branch."
        )
    if len(blind):
        said.append(
            f"Without a usable log for the time that matters: {len(blind)} of "
            f"{len(case.recovery)} hosts ({', '.join(blind)})."
        )
    if len(lost):
        known, unknown = int(lost["records_lost"].sum()), int(lost["records_lost"].isna().sum())
        said.append(
            f"While reading: {known} records lost, places where the loss is not known: {unknown}, "
            f"remarks in all: {len(lost)}; the table of problems lists them."
        )
    said += [
        f"Sources disagree about {row['change']} on {row['host']}: {row['why']}."
        for row in contradictions(case.update_states).head(SHOWN_LIMITS).to_dict("records")
    ]
    timeless = int(case.attempts["time"].isna().sum())
    if timeless:
        said.append(
            f"Attempts whose time is not known, because nothing tells their host's UTC offset: "
            f"{timeless}; they count in no rate."
        )
    untested = [check.name for check in case.cause.checks if check.passed is None]
    if untested:
        said.append(f"Not testable with this evidence: {', '.join(untested)}.")
    if not case.incident.branches:
        said.append(
            "No suspect was named beforehand; the cure is inferred from where failures end."
        )
    return said


def _outside_window(case: Case) -> list[str]:
    """Say so if the evidence and the profile's window have no day in common."""
    start, end = case.coverage["start"].min(), case.coverage["end"].max()
    first, last = case.incident.start, case.incident.end
    if pd.isna(start) or not (
        (last is not None and start > last) or (first is not None and end < first)
    ):
        return []
    span = f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
    why = "lies outside the window that the profile gives: it can say nothing about this incident"
    return [f"The evidence ({span}) {why}."]


def _symptom_elsewhere(case: Case) -> list[str]:
    """Hosts without the change that fail with the profile's own codes more than once."""
    if not case.incident.codes or not case.cause.follows:
        return []
    failed = case.attempts["outcome"] == "failure"
    hit = case.attempts[failed & case.incident.is_symptom(case.attempts["code"])]
    per_host = hit["host"].value_counts()
    exposed = set(case.cause.bad["host"])
    return sorted(str(host) for host, n in per_host.items() if n > 1 and host not in exposed)


def _time(value: Any) -> str | None:  # noqa: ANN401  # a Timestamp or NaT
    if pd.isna(value):
        return None
    text: str = pd.Timestamp(value).tz_convert("UTC").isoformat()
    return text.replace("+00:00", "Z")


def _number(value: Any) -> float | None:  # noqa: ANN401  # a float, NaN or None
    if value is None or pd.isna(value) or not math.isfinite(value):
        return None
    return round(float(value), 4)


@cache
def schema_document() -> dict[str, Any]:
    """Return the JSON Schema of ``findings.json``."""
    text = (files("kitlib") / "findings.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def validate(document: dict[str, Any]) -> None:
    """Raise ``jsonschema.ValidationError`` if `document` is not a valid ``findings.json``."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # slow to import

    Draft202012Validator(schema_document()).validate(document)


def save(case: Case, out: Path, *, generated: dt.datetime | None = None) -> dict[str, Any]:
    """Write ``findings.json`` and the tables (``tables/*.parquet``) into the case folder `out`."""
    document = findings_document(case, generated=generated)
    validate(document)
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in case.tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (out / FILE).write_text(text, encoding="utf-8", newline="\n")
    return document
