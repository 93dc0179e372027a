"""The counting behind the charts: who was exposed at an attempt, shares with their intervals.

Tables in, arrays or small tables out; nothing is drawn here. An attempt counts if it ended in
success or failure; cancelled and unknown ones stand in no denominator. Retries of one burst
(`episode`) are no independent evidence, so intervals are as wide as the number of episodes says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from kitlib.stats import LEVEL, wilson

if TYPE_CHECKING:
    from collections.abc import Collection

Array = np.ndarray[Any, np.dtype[np.float64]]

BEGIN: Final = pd.Timestamp("1700-01-01", tz="UTC")
END: Final = pd.Timestamp("2200-01-01", tz="UTC")


def intervals(share: Array, total: Array) -> tuple[Array, Array]:
    """Return the Wilson 90 % interval of each share of `total`; 0 to 1 where `total` is 0."""
    pairs = [wilson(p * t, t, level=LEVEL) for p, t in zip(share, total, strict=True)]
    low, high = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    return low, high


def counted(attempts: pd.DataFrame, *, codes: Collection[str] = ()) -> pd.DataFrame:
    """Return the attempts that count, with ``failed`` (any code) and ``symptom`` (`codes` only)."""
    kept = attempts.loc[attempts["outcome"].isin(["success", "failure"]) & attempts["time"].notna()]
    failed = kept["outcome"] == "failure"
    symptom = failed & (kept["code"].isin(list(codes)) if codes else True)
    return kept.assign(failed=failed, symptom=symptom, burst=_bursts(kept)).reset_index(drop=True)


def _bursts(attempts: pd.DataFrame) -> pd.Series[Any]:
    """Name each attempt's burst: its episode, or itself where none is known."""
    alone = attempts["episode"].isna()
    itself = pd.Series(attempts.index, index=attempts.index).astype("str")
    burst: pd.Series[Any] = attempts["episode"].astype("str").where(~alone, "#" + itself)
    return attempts["host"] + " " + burst


def spans(exposure: pd.DataFrame, changes: Collection[str]) -> pd.DataFrame:
    """Return host, start, end of the time `changes` were in effect, open ends filled far out."""
    kept = exposure.loc[exposure["change"].isin(list(changes)), ["host", "start", "end"]]
    return kept.assign(start=kept["start"].fillna(BEGIN), end=kept["end"].fillna(END)).reset_index(
        drop=True
    )


def phases(times: pd.DataFrame, during: pd.DataFrame) -> pd.Series[str]:
    """Say of each row (host, time) how it lies to the host's own spans.

    Returns ``'before'`` the first span, ``'during'`` one, ``'after'`` (removed or fixed, between
    spans too), ``'never'`` for a host without a span.
    """
    rows = times[["host", "time"]].reset_index(drop=True)
    paired = rows.reset_index(names="row").merge(during, on="host")
    inside = (paired["start"] <= paired["time"]) & (paired["time"] < paired["end"])
    hit = inside.groupby(paired["row"]).any().reindex(rows.index, fill_value=False)
    starts = during.groupby("host")["start"].min()
    first = starts.reindex(rows["host"]).set_axis(rows.index)
    named = np.select(
        [first.isna(), hit.to_numpy(dtype=bool), rows["time"] < first],
        ["never", "during", "before"],
        default="after",
    )
    return pd.Series(named, index=times.index, dtype="str")


def shares(rows: pd.DataFrame, key: pd.Series[Any], what: str) -> pd.DataFrame:
    """Count `what` (a flag column) per `key`: hits, total, share, low, high (90 %), episodes."""
    grouped = rows.groupby(key.to_numpy())
    table = pd.DataFrame(
        {
            "hits": grouped[what].sum().astype("int64"),
            "total": grouped.size(),
            "episodes": grouped["burst"].nunique(),
            "hosts": grouped["host"].nunique(),
        }
    )
    table["share"] = table["hits"] / table["total"]
    episodes = table["episodes"].to_numpy(dtype=np.float64)
    low, high = intervals(table["share"].to_numpy(dtype=np.float64), episodes)
    return table.assign(low=low, high=high)


def attempt_channels(attempts: pd.DataFrame) -> frozenset[str]:
    """Name the channels the attempts were read from, by their record references."""
    refs = [ref for refs in attempts["records"] if isinstance(refs, (list, tuple)) for ref in refs]
    return frozenset(
        ref.split("/", 1)[1].rsplit("#", 1)[0] for ref in refs if "/" in ref and "#" in ref
    )
