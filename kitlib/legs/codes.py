"""What kind of error it is: a fault has a code of its own, an outage or a password another.

`signature` asks whether the code changes with the change; `code_class` sums up what the failures of
some stretch of time were about. Hosts are the unit: a host that fails a thousand times counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib import knowledge
from kitlib.claims import Check
from kitlib.explain import BASE_RATE, FAULT_RATE
from kitlib.legs.deals import Deals, deal, histories
from kitlib.legs.scene import ALPHA, SHOWN, Mask, Scene
from kitlib.stats import chance, log_beta_bernoulli

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitlib.stats import Floats, Ints

MOST: Final = 0.5
"""Share of a host's failures from which on a code is what it fails with."""

CANDIDATES: Final = 4
"""Codes tried where the profile names none: those on most hosts."""

ENOUGH: Final = 5
"""Hosts that fail on each side for "the code is the same" to be an answer, not a lack of data."""

CHUNK: Final = 100
"""Deals computed at once; bounds memory."""

_NAME: Final = "signature"


def signature(
    attempts: pd.DataFrame,
    codes: Iterable[str],
    exposed: pd.Series[bool],
    *,
    scene: Scene | None = None,
) -> Check:
    """Whether the failures' code changes with the change, not just how many there are.

    Parameters
    ----------
    attempts
        Table ``attempts``.
    codes
        The symptom's codes; if there are none, the code that most belongs to the exposed time.
    exposed
        For each attempt whether the change was in effect; same index.
    scene
        The suspect. Without it nothing is dealt out, and only a symptom of which nothing is seen
        outside the exposed time can be told.

    Notes
    -----
    Statistic: mean over hosts of a code's share of the host's failures, with the change minus
    without it. Histories of exposure are dealt out anew, so that a code that everybody has on the
    same days makes no difference; for unnamed codes the best code is found anew for every deal.
    None where all failures have one code: no change of code could show. Assumes that episodes of
    use do not bring their own codes. Fails where the fault has the code of ordinary failures.
    """
    failures = attempts[(attempts["outcome"] == "failure") & attempts["code"].ne("")]
    inside = exposed.loc[failures.index].to_numpy(dtype=bool)
    wanted = sorted(set(codes))
    if failures.empty or not inside.any():
        return Check(_NAME, None, "nothing failed while exposed")
    shift = _shift(failures, scene, wanted) if scene is not None else None
    if not wanted and shift is None:
        return Check(_NAME, None, "the profile names no code, and none can be compared")
    return _judged(
        failures, inside, wanted or [shift.code if shift else ""], shift, named=bool(wanted)
    )


@dataclass(frozen=True, slots=True)
class _Shift:
    """Largest change of a code's share, and how often chance does as well."""

    code: str
    value: float
    p: float
    deals: str


def _judged(
    failures: pd.DataFrame,
    inside: Mask,
    wanted: list[str],
    shift: _Shift | None,
    *,
    named: bool,
) -> Check:
    hit = failures["code"].isin(wanted).to_numpy()
    during, outside = (_by_host(failures["host"], hit, side) for side in (inside, ~inside))
    text = (
        f"code {', '.join(wanted)}{_meaning(wanted)} is what {int((during > MOST).sum())} of "
        f"{len(during)} hosts that fail while exposed mostly fail with; without the change "
        f"{int((outside > MOST).sum())} of {len(outside)}; in all {int((hit & inside).sum())} of "
        f"{int(inside.sum())} failures while exposed, {int((hit & ~inside).sum())} of "
        f"{int((~inside).sum())} outside"
    )
    if shift is not None:
        text += f"; share {shift.value:+.2f}, p = {shift.p:.3f} ({shift.deals})"
    rows = failures[hit & inside].drop_duplicates("host").head(SHOWN)["records"]
    records = tuple(ids[-1] for ids in rows if len(ids))
    passed, why = _answer(hit, (during, outside), shift, named=named)
    return Check(_NAME, passed, f"{text}{why}", records)


def _answer(
    hit: Mask,
    shares: tuple[Floats, Floats],
    shift: _Shift | None,
    *,
    named: bool,
) -> tuple[bool | None, str]:
    during, outside = shares
    if float(during.mean()) <= MOST:
        return False, ": most failures while exposed are of another kind"
    if not len(outside):
        return True if named else None, ": nothing failed without the change"
    if hit.all():
        return None, ": all failures have this code, so no change of code can show"
    if shift is None:
        return bool((outside > MOST).sum() <= len(during) / 10), ""
    if shift.p >= ALPHA and min(len(during), len(outside)) < ENOUGH:
        return None, ": too few hosts fail on one side to tell"
    return shift.p < ALPHA, ""


def _meaning(codes: list[str]) -> str:
    texts = {text.rstrip(".") for code in codes if (text := knowledge.explain(code).text)}
    return f" ({'; '.join(sorted(texts))})" if texts else ""


def _by_host(host: pd.Series[str], hit: Mask, side: Mask) -> Floats:
    """Share of hits among the failures on one side, for each host that has any there."""
    chosen = pd.Series(hit[side].astype(float), index=host.index[side])
    return chosen.groupby(host[side], sort=True).mean().to_numpy(dtype=float)


def _shift(failures: pd.DataFrame, scene: Scene, wanted: list[str]) -> _Shift | None:
    """Test the change of a code's share with histories dealt out; None where nothing varies."""
    cells = _Cells.of(failures, scene)
    tried = [wanted] if wanted else [[code] for code in cells.commonest()]
    number, (table,) = histories(scene.states().astype(float))
    deals = deal(number)
    if not tried or not len(cells.host) or not deals.can_pass:
        return None
    values = np.stack([cells.differences(deals, table > 0, codes) for codes in tried])
    if np.isnan(values[:, 0]).all():
        return None
    best = int(np.nanargmax(values[:, 0]))
    highest = np.where(np.isnan(values).all(axis=0), np.nan, np.fmax.reduce(values, axis=0))
    return _Shift("/".join(tried[best]), float(values[best, 0]), deals.p(highest), str(deals))


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Failures by host, day and code, in that order; only where there are any."""

    host: Ints
    day: Ints
    code: npt.NDArray[np.object_]
    count: Floats

    @classmethod
    def of(cls, failures: pd.DataFrame, scene: Scene) -> _Cells:
        host = pd.Index(scene.panel.hosts).get_indexer(pd.Index(failures["host"]))
        days = scene.panel.days
        day = (failures["time"].dt.floor("D") - days[0]).dt.days.to_numpy()
        known = (host >= 0) & (day >= 0) & (day < len(days))
        table = pd.DataFrame(
            {"host": host[known], "day": day[known], "code": failures["code"].to_numpy()[known]}
        )
        found = table.groupby(["host", "day", "code"], sort=True).size().reset_index(name="count")
        return cls(
            found["host"].to_numpy(np.int64),
            found["day"].to_numpy(np.int64),
            found["code"].to_numpy(object),
            found["count"].to_numpy(float),
        )

    def commonest(self) -> list[str]:
        """Codes on most hosts, whatever their exposure."""
        pairs = pd.DataFrame({"host": self.host, "code": self.code}).drop_duplicates()
        return [str(code) for code in pairs["code"].value_counts().index[:CANDIDATES]]

    def differences(self, deals: Deals, table: Mask, codes: list[str]) -> Floats:
        """Mean share of `codes` over hosts, exposed minus not, for each deal of histories."""
        hits = np.isin(self.code, codes) * self.count
        starts = np.flatnonzero(np.diff(self.host, prepend=-1))
        everything = [np.add.reduceat(x, starts) for x in (hits, self.count)]
        out = np.empty(len(deals.kinds))
        for low in range(0, len(out), CHUNK):
            kinds = deals.kinds[low : low + CHUNK]
            on = table[kinds[:, self.host], self.day]
            k1, n1 = (np.add.reduceat(on * x, starts, axis=1) for x in (hits, self.count))
            k0, n0 = everything[0] - k1, everything[1] - n1
            out[low : low + CHUNK] = _mean_share(k1, n1) - _mean_share(k0, n0)
        return out


def _mean_share(k: Floats, n: Floats) -> Floats:
    """Mean over hosts (last axis) of k / n, where n; nan where no host has any."""
    some = n > 0
    shares = np.divide(k, n, out=np.zeros_like(k), where=some)
    hosts = some.sum(axis=-1)
    out = np.full(len(k), np.nan)
    return np.asarray(np.divide(shares.sum(axis=-1), hosts, out=out, where=hosts > 0))


def code_class(attempts: pd.DataFrame, inside: Mask) -> dict[str, float]:
    """Sum up what the failures in a stretch of time were about, each host counting once.

    Parameters
    ----------
    attempts
        Table ``attempts``.
    inside
        For each attempt whether it is in the stretch.

    Returns
    -------
    dict
        Class -> share, 0..1, largest first; the shares sum to 1. Classes are ``certificate`` and
        ``credentials`` where the code is about one, else the kinds of
        `kitlib.knowledge.Explanation`, and ``unknown``. Empty where nothing failed inside.

    Notes
    -----
    Assumes that a code means what Windows' headers say. A server may refuse an expired certificate
    with a code that does not say so (general processing errors); those stay ``security``. A host
    counts with the odds that its failures are more than ordinary ones: one failed try of ten is no
    part of the matter.
    """
    known = attempts["code"].ne("") & attempts["code"].notna()
    chosen = attempts[(attempts["outcome"] == "failure") & inside & known]
    if chosen.empty:
        return {}
    classes = {code: _class_of(str(code)) for code in chosen["code"].unique()}
    table = pd.DataFrame({"host": chosen["host"], "what": chosen["code"].map(classes)})
    by_host = table.groupby("host")["what"].value_counts(normalize=True)
    weight = _beyond_usual(attempts[inside]).reindex(table["host"].unique())
    weighted = by_host * weight.reindex(by_host.index, level="host")
    shares = weighted.groupby("what").sum() / weight.sum()
    ordered = shares.sort_values(ascending=False, kind="stable")
    return {str(what): float(part) for what, part in ordered.items()}


def _beyond_usual(attempts: pd.DataFrame) -> pd.Series[float]:
    """Return for each host how probable it is that it failed more than hosts usually do."""
    seen = attempts[attempts["outcome"].isin(["success", "failure"])]
    failed = (seen["outcome"] == "failure").groupby(seen["host"]).agg(["sum", "count"])
    k, n = failed["sum"].to_numpy(), failed["count"].to_numpy()
    odds = log_beta_bernoulli(k, n, *FAULT_RATE) - log_beta_bernoulli(k, n, *BASE_RATE)
    return pd.Series([chance(each) for each in odds], index=failed.index)


def _class_of(code: str) -> str:
    found = knowledge.explain(code)
    return found.about or found.kind or "unknown"
