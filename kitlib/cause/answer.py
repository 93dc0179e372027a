"""The verdict as one frozen object, with what it rests on; words as in the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.typing import NaTType

from kitlib import knowledge
from kitlib.claims import Check, Finding
from kitlib.explain.outages import inside
from kitlib.suspects import bad_spans, in_effect

if TYPE_CHECKING:
    from kitlib.explain import Outage
    from kitlib.incident import Incident
    from kitlib.suspects import Mask

Instant = pd.Timestamp | NaTType

UNKNOWN: tuple[Instant, Instant, Instant] = (pd.NaT, pd.NaT, pd.NaT)


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """The verdict and all it rests on; words as in the contract.

    Attributes
    ----------
    onset
        First failure under the guilty change, and the interval it lies in; NaT where none.
    bad, cured
        Rows of the exposure table in which the guilty change, or its cure, is in effect; with
        ``insufficient`` those of the change that the profile names.
    outages
        Where a change is blamed, the outages set aside because everybody had them; otherwise those
        that explain the failures instead.
    suspects, joined
        Tables ``suspects`` and ``gateway``; the latter is None where there is no gateway's log.
    """

    status: str
    changes: tuple[str, ...]
    competing: tuple[str, ...]
    probability: float
    text: str
    checks: tuple[Check, ...]
    suspects: pd.DataFrame
    onset: tuple[Instant, Instant, Instant]
    bad: pd.DataFrame = field(repr=False)
    cured: pd.DataFrame = field(repr=False)
    outages: tuple[Outage, ...] = ()
    joined: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def blames(self) -> bool:
        """Tell whether a change is held responsible, separable or not."""
        return self.status in ("supported", "not_separable", "no_control")

    @property
    def follows(self) -> bool:
        """Tell whether hosts are followed along `bad` and `cured`.

        They are where a change is blamed, and where the data are too few to judge the one that the
        profile names: who runs the declared bad build is at risk, whatever can be proved.
        """
        return self.blames or (self.status == "insufficient" and len(self.bad) > 0)

    def at_work(self, tries: pd.DataFrame) -> Mask:
        """Mark rows (host, time) at which what is held responsible was at work.

        That is the change outside the outages set aside, else the outages, else, where nothing is
        known to be responsible, any time. Failures that are only logged are nobody's work.
        """
        if "more_logging" in self.competing:
            return np.zeros(len(tries), dtype=bool)
        if self.follows:
            return in_effect(self.bad, tries) & ~inside(self.outages, tries)
        return inside(self.outages, tries) if self.outages else np.ones(len(tries), dtype=bool)

    def cured_by(self, change: str, incident: Incident) -> bool:
        """Tell whether an update is the cure or a later cumulative update that contains it."""
        # The profile's fix cures what the profile names, not whatever else is to blame.
        named = self.bad.empty or not bad_spans(self.bad, incident).empty
        if change in set(self.cured["change"]) or (named and change in incident.fixed_labels):
            return True
        if change in set(self.bad["change"]):
            return False
        least = self.cured.groupby("build")["revision"].min()
        return any(
            (named and any(branch.cured(build, revision) for branch in incident.branches))
            or (build in least.index and revision >= least[build])
            for build, revision in knowledge.revisions(change)
        )

    def finding(self) -> Finding:
        """Return the verdict as a claim that renders itself."""
        return Finding(
            self.text,
            self.suspects.head(12),
            assumptions=(
                "one fault at a time is at work, and hosts are independent given it",
                "a host's state is what its starts of Windows and update lists show",
            ),
            checks=self.checks,
        )

    def _repr_html_(self) -> str:
        return self.finding()._repr_html_()  # one family
