"""The suspects with their weights: what the verdict is made from, and the table that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib import legs, schema
from kitlib.suspects import in_effect

if TYPE_CHECKING:
    import pandas as pd

    from kitlib.explain import Panel, Weights
    from kitlib.stats import Floats
    from kitlib.suspects import Mask, Suspect

MODEL_DOUBT: Final = 0.01
"""No probability above 1 minus this is stated: the true cause may be none of those weighed."""

INSEPARABLE: Final = 19.0
"""Two changes are told apart only where one is this many times as probable as the other."""

MOST_PLACEBOS: Final = 200
"""Other changes that the blamed one is compared with, at most: those on most hosts."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """All suspects with their weights, and the scene of the leading one."""

    panel: Panel  # all episodes that were weighed
    scene: legs.Scene
    suspects: list[Suspect]
    weights: Weights
    tied: list[int]  # suspects that fit about equally well; the first one leads
    outside: Mask  # episodes outside the outages set aside, which the scene has left

    @property
    def lead(self) -> int:
        """The suspect that leads."""
        return self.tied[0]

    @property
    def spans(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Exposure rows of the leading suspect and of its cure."""
        suspect, row = self.suspects[self.lead], self.weights.best_mask[self.lead]
        return suspect.spans[row], suspect.cured[row]

    @property
    def failing(self) -> int:
        """Hosts that fail with the leading suspect in effect."""
        return int((self.scene.panel.counts(self.scene.mask)[0] > 0).sum())

    def labels(self, place: int) -> tuple[str, ...]:
        """Labels of a suspect, with those of later releases that carried its fault on or back.

        A later release counts if hosts fail under it.
        """
        suspect, row = self.suspects[place], self.weights.best_mask[place]
        spans = suspect.spans[row]
        later = spans[~spans["change"].isin(suspect.labels)]
        failed = self.scene.episodes[self.scene.failed]
        carried = [
            str(change)
            for change, rows in later.groupby("change", sort=True)
            if not suspect.named and in_effect(rows, failed).any()
        ]
        return (*suspect.labels, *carried)

    def masks(self) -> tuple[Mask, list[str]]:
        """Where the most widespread changes were in effect, at their best span; and their labels."""
        wide = sorted(range(len(self.suspects)), key=self._hosts, reverse=True)[:MOST_PLACEBOS]
        rows = [self.suspects[s].masks[self.weights.best_mask[s]][self.outside] for s in wide]
        return np.asarray(rows), [self.suspects[s].change for s in wide]

    def _hosts(self, place: int) -> int:
        spans = self.suspects[place].spans[self.weights.best_mask[place]]
        return int(spans["host"].nunique())


def suspects_table(case: Weighed, rare: pd.DataFrame) -> pd.DataFrame:
    """Rank the suspects: table ``suspects``, most probable first; groups cannot be told apart.

    Changes on too few hosts to be blamed (`rare`: change, kind, hosts) stand last.
    """
    rows = []
    resamples = legs.Resamples.of(case.scene.panel)
    weights = case.weights
    for suspect, weight, row in zip(case.suspects, weights.changes, weights.best_mask, strict=True):
        point, low, high = resamples.risk_difference(suspect.masks[row][case.outside])
        rows.append(
            {
                "change": suspect.change,
                "kind": suspect.kind,
                "probability": min(float(weight), 1 - MODEL_DOUBT),
                "hosts_exposed": suspect.spans[row]["host"].nunique(),
                "risk_difference": point,
                "risk_low": low,
                "risk_high": high,
                "first_start": suspect.spans[row]["start"].min(),
            }
        )
    out = schema.frame("suspects", rows).assign(weight=weights.changes, fit=weights.fit)
    out = out.sort_values(["weight", "change"], ascending=[False, True], ignore_index=True)
    out["group"] = _groups(out["fit"].to_numpy())
    few = schema.frame(
        "suspects",
        [
            {
                "change": change,
                "kind": kind,
                "probability": 0.0,
                "hosts_exposed": hosts,
                "risk_difference": np.nan,
                "risk_low": np.nan,
                "risk_high": np.nan,
                "group": out["group"].max() + 1 if len(out) else 1,
            }
            for change, kind, hosts in zip(rare["change"], rare["kind"], rare["hosts"], strict=True)
        ],
    )
    out = schema.concat("suspects", [schema.coerce("suspects", out), few])
    out["rank"] = range(1, len(out) + 1)
    return schema.coerce("suspects", out)


def _groups(fit: Floats) -> list[int]:
    """Give numbers to the groups of what fits about as well as the first of its group."""
    groups: list[int] = []
    leaders: list[float] = []
    for value in fit:
        near = [n for n, lead in enumerate(leaders) if abs(lead - value) <= np.log(INSEPARABLE)]
        if not near:
            leaders.append(float(value))
        groups.append(near[0] + 1 if near else len(leaders))
    return groups
