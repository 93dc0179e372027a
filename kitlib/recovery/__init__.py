"""Is it over? For each host its state at the last evidence, why, and how sure that is.

`views` cuts the tables into what is known of each host, `rates` learns from the fleet how often
broken and working hosts fail, `together` sees what mended all of them at once, `confidence` says
what a host's attempts make of that, and `states` applies the contract's status words. Causes are
judged elsewhere, and so is what was lost: the columns for that are left missing here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kitlib import schema
from kitlib.recovery.rates import learn_fleet
from kitlib.recovery.states import CONFIDENT, COVERED, GONE, MIN_WORKING, Rules, decide
from kitlib.recovery.together import learn_ends
from kitlib.recovery.views import look_at_hosts

if TYPE_CHECKING:
    import pandas as pd

    from kitlib.cause import Cause
    from kitlib.incident import Incident

__all__ = ["CONFIDENT", "COVERED", "GONE", "MIN_WORKING", "assess_recovery"]


def assess_recovery(  # noqa: PLR0913, PLR0917  # one argument a table, as in the other rooms
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    coverage: pd.DataFrame,
    timeline: pd.DataFrame,
    incident: Incident,
    cause: Cause,
) -> pd.DataFrame:
    """Give each host its status at its last evidence.

    Parameters
    ----------
    attempts, exposure, coverage, timeline
        Tables of those names.
    incident
        The profile.
    cause
        The verdict; where it blames no change, hosts that failed can only be ``recovered`` by
        ``other``, ``still_failing`` or ``unconfirmed``.

    Returns
    -------
    pandas.DataFrame
        Table ``hosts``, sorted by host; the columns of what was lost are missing (see
        `kitlib.losses`). ``confidence`` is the probability that the stated status is right,
        ``likelihood_ratio`` answers whether a host is out of the broken state, ``residual_high``
        whether it is back to its own normal.

    Notes
    -----
    Assumes that a host is either broken or working at each attempt, with one failure rate in each
    state, and that it seldom changes between the two without a reason that is seen. Fails where
    the cure works for some attempts only (several gateways): look at ``residual_high``. What
    cannot be seen is not judged: a host not used since a later update brought the fault back
    counts as it was last seen.
    """
    views = look_at_hosts(attempts, exposure, coverage, timeline, incident, cause)

    @cache
    def cures(change: str) -> bool:
        return cause.cured_by(change, incident)

    fleet = learn_ends(views, learn_fleet(views), builds=cause.follows)
    rules = Rules(cause.follows, cures, fleet)
    return schema.frame("hosts", [decide(view, rules) for view in views])
