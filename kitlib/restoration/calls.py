"""Whom to call, in which order, and what to ask for: one short sentence a host.

What a host needs follows from its status in table ``hosts``, from which of the guilty change and
its cure are in effect on it at the end, and from the profile, which knows the fix by name. No
sentence is an order: whoever calls decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

from kitlib.restoration.histories import TIME, frame

if TYPE_CHECKING:
    from kitlib.cause import Cause
    from kitlib.incident import Incident

URGENCY: Final = (
    "still_failing",
    "pending_reboot",
    "workaround_only",
    "no_data",
    "not_affected",
    "unconfirmed",
    "recovered",
)
"""In which order hosts are called: broken, one restart away, half mended, unknown, not yet broken,
probably well."""

CALL_ANYWAY: Final = ("still_failing", "pending_reboot", "unconfirmed")
"""Hosts to call even where nothing says that they can fail again."""

CALL: Final = {
    "rank": "int64", "host": "str", "status": "str", "what_to_do": "str", "out_since": TIME,
    "last_seen": TIME,
}  # fmt: skip


class Needs(NamedTuple):
    """What decides which sentence a host gets; `bad` and `cured` name what is in effect on it."""

    status: str
    recovered_by: str
    fix: str
    bad: str
    cured: str
    put_back: bool


def hosts_to_call(
    hosts: pd.DataFrame,
    spells: pd.DataFrame,
    last: pd.Series[Any],
    incident: Incident,
    cause: Cause,
) -> pd.DataFrame:
    """List the hosts to call, most urgent first.

    Parameters
    ----------
    hosts
        Table of `kitlib.schema`: everybody at risk, and everybody not seen to work.
    spells
        The times each host was out; the last one says since when.
    last
        Last evidence by host.
    incident, cause
        Name the fix, and say what is in effect on whom.

    Returns
    -------
    pandas.DataFrame
        ``rank``, ``host``, ``status``, ``what_to_do``, ``out_since`` (missing: works, or never
        failed), ``last_seen``. Within one status those out longest come first.
    """
    kept = hosts[hosts["at_risk"].fillna(value=False) | hosts["status"].isin(CALL_ANYWAY)]
    open_ = spells[spells["ended_by"] != "recovered"].groupby("host")["start"].last()
    kept = kept.assign(
        urgency=[URGENCY.index(status) for status in kept["status"]],
        out_since=open_.reindex(kept["host"]).astype(TIME).array,
        last_seen=last.reindex(kept["host"]).astype(TIME).array,
    )
    kept = kept.sort_values(["urgency", "out_since", "host"], kind="stable")
    bad, cured, again = _in_effect(cause.bad), _in_effect(cause.cured), _put_back(cause.bad)
    rows = []
    for rank, row in enumerate(kept.to_dict("records"), 1):
        host = row["host"]
        needs = Needs(
            row["status"],
            row["recovered_by"],
            fix=fix_for(row["build"], incident, cause),
            bad=bad.get(host, ""),
            cured=cured.get(host, ""),
            put_back=host in again,
        )
        said = what_to_do(needs) if cause.follows else _without_a_cause(needs.status)
        told = {name: row[name] for name in ("host", "status", "out_since", "last_seen")}
        rows.append({"rank": rank, **told, "what_to_do": said})
    return frame(rows, CALL)


def _in_effect(spans: pd.DataFrame) -> dict[str, str]:
    """Name by host the change that is in effect at its last evidence."""
    held = spans[spans["end"].isna()]
    return dict(zip(held["host"], held["change"], strict=True))


def _put_back(bad: pd.DataFrame) -> set[str]:
    """Hosts on which the change is in effect again after it had been gone."""
    gone = bad.groupby("host")["end"].min().dropna()
    held = bad[bad["end"].isna() & bad["start"].notna() & bad["host"].isin(gone.index)]
    return {
        host for host, start in zip(held["host"], held["start"], strict=True) if start >= gone[host]
    }


def fix_for(build: Any, incident: Incident, cause: Cause) -> str:  # noqa: ANN401  # a whole number or missing
    """Name the fix for a build: the profile's, else the one seen to cure there; else empty."""
    if pd.isna(build):
        return ""
    branch = incident.branch(int(build))
    if branch is not None and branch.fixed is not None:
        return branch.fixed.kb
    seen = cause.cured[cause.cured["build"] == build].sort_values("revision", kind="stable")
    return str(seen["change"].iloc[0]) if len(seen) else ""


def what_to_do(needs: Needs) -> str:
    """Say in one short sentence what a host needs."""
    bad, cured = needs.bad or "the change", needs.cured
    fix = needs.fix or "the update that holds the fix"
    words = {
        "still_failing": _still_failing(needs),
        "pending_reboot": "Restart it: the fix is installed and not yet in effect",
        "workaround_only": f"Remove the block on updates, if there is one, and install {fix}"
        if needs.recovered_by == "uninstall"
        else f"Install {fix}, then take the workaround back",
        "no_data": f"Collect its logs: {bad} was in effect and nothing shows whether it works"
        if needs.bad
        else "Collect its logs and its list of updates: they do not tell its state",
        "not_affected": f"Install {fix} before it fails",
        "unconfirmed": f"Ask the user to try it: {_too_few(bad, needs)}"
        + ("" if cured else f"; then install {fix}"),
    }
    return words.get(needs.status, f"Install {fix}: it can fail again") + "."


def _too_few(bad: str, needs: Needs) -> str:
    """Say since when there were too few attempts; the bad build may still be there."""
    if needs.bad:
        return f"it may work although {bad} is in effect, but too few attempts show it"
    since = f"{needs.cured} took effect" if needs.cured else f"{bad} was removed"
    return f"too few attempts since {since}"


def _still_failing(needs: Needs) -> str:
    """Say what a broken host needs: the fix, or, where the bad build is gone, somebody who looks."""
    if needs.cured:
        return f"Collect its logs: it still fails although {needs.cured} is in effect"
    if not needs.bad:
        return "Collect its logs: it still fails, and the change is not seen to be in effect"
    cure = f"Install {needs.fix} and restart" if needs.fix else f"Remove {needs.bad} and restart"
    return cure + (f"; then find out what put {needs.bad} back" if needs.put_back else "")


def _without_a_cause(status: str) -> str:
    """Say what to ask of a host where no change is to blame."""
    if status == "still_failing":
        return "Ask what it cannot reach and collect its logs: it fails, and no change is blamed."
    return "Ask the user to try it once, and collect its logs."
