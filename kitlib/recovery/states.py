"""The contract's status words, applied to one host: the most specific rule first.

`tell_story` puts together what a host's attempts say (was it hit, does it work at the end, since
when, how sure); the rules below it choose the word. Attempts say whether a host works, builds say
whether that is a cure: a host that works without one is on a workaround.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from kitlib import schema
from kitlib.recovery.confidence import (
    SWITCH,
    Switches,
    follow,
    likelihood_ratio,
    likely_states,
    residual_bound,
    residual_failures,
    steps,
)
from kitlib.recovery.rates import (
    ALONE,
    UNDER_FAULT,
    Fleet,
    careful_rates_of,
    has_own_story,
    how_affected,
)
from kitlib.recovery.stays import instant
from kitlib.recovery.together import last_chapter
from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from kitlib.recovery.confidence import Rates
    from kitlib.recovery.views import Bools, Tries, View

CONFIDENT: Final = 0.95
"""Probability from which on a host is said to work again, or to be broken in spite of a cure."""

MIN_WORKING: Final = 3
"""Successes that show a host working although nothing that could have mended it was seen."""

STILL: Final = 0.75
"""Probability to which a host that was once said to work may fall before that is taken back."""

COVERED: Final = 0.5
"""Share of the time that matters which the logs must cover to call a host not affected."""

COVERED_FREE: Final = 0.2
"""The same for a host known never to have been exposed: no time matters more than another."""

GONE: Final = pd.Timedelta(days=4)
"""A host whose evidence ends this long before the fleet's has not been heard of since."""

MODEL_DOUBT: Final = 0.01
"""No confidence above 1 minus this is stated: the two states may not be the whole truth."""

MANY: Final = 1e6
"""Likelihood ratios beyond this are told in words."""

_SHOWN: Final = 6
_EVEN: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """What a host's attempts say.

    Attributes
    ----------
    hit
        Probability that the host was affected.
    works
        Probability that it works at its last evidence.
    proven
        Highest probability that it works at any attempt of `tail`.
    doubt
        Probability of being broken from which on it is said to fail.
    seen
        Whether something that could have mended it was seen: a change of its build, the end of an
        outage, everybody else working again.
    tail
        Attempts that bear on the end: since what mended it, and since it was last broken.
    ratio
        Likelihood of `tail` when working against when broken.
    onset, recovered_at
        First failure of the first broken stretch; first success after the last one (ns), None
        while broken.
    """

    hit: float
    works: float
    proven: float
    doubt: float
    seen: bool
    tail: Tries
    ratio: float
    onset: int | None
    recovered_at: int | None

    @property
    def sound(self) -> bool:
        """Tell whether it works again, surely enough; one more failure does not undo the proof."""
        enough = int(self.tail.worked.sum()) >= (1 if self.seen else MIN_WORKING)
        sure = self.works >= CONFIDENT or (self.proven >= CONFIDENT and self.works >= STILL)
        return sure and enough and self.recovered_at is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """What all hosts have in common.

    Attributes
    ----------
    follows
        Whether a change is blamed (or declared bad), so that builds matter.
    cures
        Tells whether an update is the cure.
    fleet
        Rates and dates of the fleet.
    """

    follows: bool
    cures: Callable[[str], bool]
    fleet: Fleet


# ---------------------------------------------------------------- what the attempts say


def tell_story(view: View, fleet: Fleet) -> Story:
    """Say from a host's attempts whether it was hit and whether it works at the end."""
    hit = how_affected(view, fleet)
    if hit > _EVEN:
        return _followed(view, fleet, hit)
    doubtful = view.tries.unsure if view.stays else view.tries.telling
    if not doubtful.symptom.any():
        return _untouched(view, hit)
    own, rates = has_own_story(view, fleet)
    if own <= _EVEN:
        return _untouched(view, max(hit, own))
    return _followed(view, fleet, own) if view.stays else _own_story(view, rates, own)


def _untouched(view: View, hit: float) -> Story:
    """Tell the story of a host that has none."""
    return Story(hit, 1.0, 1.0, _EVEN, False, view.tries[:0], 1.0, None, None)


def _followed(view: View, fleet: Fleet, hit: float) -> Story:
    """Tell the story of a host of which it is known when what is blamed was in effect."""
    since, entry, seen = last_chapter(view, fleet)
    rates = careful_rates_of(view, fleet)
    under = view.tries.bad if len(view.failed) else view.tries.unsure
    first = likely_states(steps(under, rates).tolist(), UNDER_FAULT)
    return _end(
        Story(
            hit=hit,
            works=1 - entry,
            proven=1 - entry,
            doubt=CONFIDENT if seen else _EVEN,
            seen=seen,
            tail=view.tries.since(since),
            ratio=1.0,
            onset=_first(under, first & under.symptom),
            recovered_at=None,
        ),
        rates,
        Switches(entry, fleet.breaks, SWITCH) if seen else UNDER_FAULT,
    )


def _end(story: Story, rates: Rates, switches: Switches) -> Story:
    """Follow the last chapter of a story, whose attempts are in `tail`, to its end."""
    tries = story.tail
    says = steps(tries, rates)
    if not len(tries):
        return story
    broken = np.array(follow(says.tolist(), switches).broken)
    path = likely_states(says.tolist(), switches)
    since = _after_last(path)
    if path[-1]:
        since = np.full(len(tries), fill_value=True) if story.seen else _after_last(tries.symptom)
    return replace(
        story,
        works=1 - float(broken[-1]),
        proven=1 - float(broken[since].min(initial=1.0)),
        tail=tries[since],
        ratio=likelihood_ratio(says[since]),
        recovered_at=None if path[-1] else _first(tries, since & tries.worked),
    )


def _own_story(view: View, rates: Rates, hit: float) -> Story:
    """Tell the story of a host that shows the symptom without what is blamed in effect, as known."""
    tries = view.tries.telling
    path = likely_states(steps(tries, rates).tolist(), ALONE)
    if not path.any():
        return _untouched(view, min(hit, _EVEN))
    story = replace(_untouched(view, hit), tail=tries, onset=_first(tries, path & tries.symptom))
    return _end(story, rates, ALONE)


def _after_last(marks: Bools) -> Bools:
    """Mark the places after the last mark; all of them where there is none."""
    places = np.flatnonzero(marks)
    return np.arange(len(marks)) > (places[-1] if len(places) else -1)


def _first(tries: Tries, marks: Bools) -> int | None:
    places = np.flatnonzero(marks)
    return int(tries.time[places[0]]) if len(places) else None


# ---------------------------------------------------------------- which word


def decide(view: View, rules: Rules) -> dict[str, Any]:
    """Give one host its row of table ``hosts``, without what was lost."""
    story = tell_story(view, rules.fleet)
    hit = story.hit > _EVEN
    row: dict[str, Any] = {
        "host": view.name,
        "exposed_from": instant(view.exposed_from if rules.follows else None),
        "onset": instant(story.onset if hit else None),
        "attempts": len(view.tries) + view.untimed,
        "failures": len(view.failed),
        "recovered_at": pd.NaT,
        "recovered_by": "",
        "build": view.states[-1][0] if view.states else None,
        "revision": view.states[-1][1] if view.states else None,
        "likelihood_ratio": story.ratio if len(story.tail) else None,
        "residual_high": _residual(story) if hit else None,
        "records": _evidence(view),
    }
    row |= _status(view, story, rules)
    row["confidence"] = min(float(row["confidence"]), 1 - MODEL_DOUBT)
    row["why"] += _gone(view, rules.fleet)
    row["at_risk"] = _at_risk(view, str(row["status"]), hit=hit, follows=rules.follows)
    return row


def _status(view: View, story: Story, rules: Rules) -> dict[str, Any]:
    """Apply the contract's words, most specific first."""
    if rules.follows and view.stateless and story.hit > _EVEN:
        return _of_unknown_build(story)
    if story.hit > _EVEN:
        return _hit(view, story, rules)
    needed = COVERED_FREE if _known_free(view, rules) else COVERED
    hidden = view.covered_share() < needed or (view.stays and view.untimed_symptoms)
    if hidden and not len(view.tries.bad):
        return _unseen(view)
    return _not_affected(view, story, rules)


def _known_free(view: View, rules: Rules) -> bool:
    """Tell whether it is known that what is blamed never was in effect on the host.

    Its build must be known from the start of the fleet's failing on: a machine set up anew since
    has left nothing of what was before.
    """
    if view.stays or not rules.follows:
        return not view.stays
    start = view.window[0]
    logged = view.logged_from is not None and start is not None and view.logged_from <= start
    return logged and not view.stateless


def _hit(view: View, story: Story, rules: Rules) -> dict[str, Any]:
    """Choose among the words for a host that was hit."""
    if story.sound:
        return _works(view, story, rules)
    waiting = _pending(view, rules) if view.open and rules.follows else None
    if waiting is not None:
        return _pending_reboot(view, story, waiting)
    broken = 1 - story.works
    if broken >= story.doubt:
        return {
            "status": "still_failing",
            "confidence": story.hit * broken,
            "why": f"{_situation(view, rules)}; {_last_failure(view)}; {_worked(story.tail)}",
        }
    return {
        "status": "unconfirmed",
        "confidence": story.hit,
        "why": f"{_situation(view, rules)}; {_worked(story.tail)}: too few to confirm"
        f"{_proof(story)}",
    }


def _works(view: View, story: Story, rules: Rules) -> dict[str, Any]:
    """Choose the word for a host that works again, by what its build says."""
    fixed = rules.follows and view.cured and not view.open
    removed = bool(view.stays) and not view.open
    if fixed:
        status, by = "recovered", "fix"
    elif rules.follows and view.stays:
        status, by = "workaround_only", "uninstall" if removed and not _anew(view) else "other"
    else:
        status, by = "recovered", "other"
    return {
        "status": status,
        "recovered_by": by,
        "recovered_at": instant(story.recovered_at),
        "confidence": story.hit * story.works,
        "why": f"{_situation(view, rules)}; {_worked(story.tail)}{_proof(story)}",
    }


def _pending_reboot(view: View, story: Story, waiting: dict[Hashable, Any]) -> dict[str, Any]:
    at = waiting["time"]
    when = "by the time of the export" if pd.isna(at) else f"{at:%Y-%m-%d %H:%M} UTC"
    return {
        "status": "pending_reboot",
        "confidence": story.hit * max(1 - story.works, _EVEN),
        "why": f"{waiting['change']} was installed {when} and no start of Windows has followed",
        "records": [
            *_evidence(view),
            *record_refs(schema.frame("timeline", [{str(k): v for k, v in waiting.items()}])),
        ],
    }


def _pending(view: View, rules: Rules) -> dict[Hashable, Any] | None:
    """Find the installation of a cure that no start of Windows has followed yet."""
    after = view.facts_from if view.last_boot is None else view.last_boot
    for fact in view.installs:
        listed = pd.isna(fact["time_low"]) and fact["action"] == "update_restart_needed"
        later = pd.notna(fact["time_low"]) and after is not None and fact["time_low"].value > after
        if (later or listed) and rules.cures(str(fact["change"])):
            return fact
    return None


def _of_unknown_build(story: Story) -> dict[str, Any]:
    """Decide for a host that shows the symptom on a build that nothing tells.

    A working one has recovered by nobody knows what: its logs tell when, and cannot tell its state.
    """
    unknown = "no start of Windows and no update list says which build it ran"
    shown = f"the symptom shows from {instant(story.onset):%Y-%m-%d} on; {_worked(story.tail)}"
    if story.sound:
        return {
            "status": "no_data",
            "confidence": story.works,
            "recovered_at": instant(story.recovered_at),
            "why": f"{shown}; {unknown}",
        }
    return {
        "status": "still_failing",
        "confidence": story.hit * max(1 - story.works, _EVEN),
        "why": f"{shown}; {unknown}",
    }


def _unseen(view: View) -> dict[str, Any]:
    """Say why the logs cannot tell."""
    if view.stays and view.untimed_symptoms:  # it showed, and nobody knows whether under the change
        return {
            "status": "no_data",
            "confidence": 1.0,
            "why": f"the symptom shows ({view.untimed_symptoms} attempts) in local time of an "
            "unknown UTC offset",
        }
    share = view.covered_share()
    why = "no log of the channel that would show it"
    if view.untimed and not len(view.tries):
        why = f"its attempts ({view.untimed}) are told in local time of an unknown UTC offset"
    if view.seen:
        begins = f"its log begins {instant(min(start for start, _ in view.seen)):%Y-%m-%d}"
        why = f"{begins} and covers {share:.0%} of the time that matters"
    return {"status": "no_data", "confidence": 1 - share, "why": why}


def _not_affected(view: View, story: Story, rules: Rules) -> dict[str, Any]:
    exposed = "never exposed"
    if view.stays:
        exposed = "with the change in effect" if rules.follows else "there when others failed"
    shown = int(view.tries.symptom.sum()) + view.untimed_symptoms
    apart = ", none of them under the change" if shown and not len(view.failed) else ""
    return {
        "status": "not_affected",
        "confidence": 1 - story.hit,
        "why": f"{exposed}; {len(view.tries) + view.untimed} attempts, {shown} with the symptom"
        f"{apart}; its log covers {view.covered_share():.0%} of the time that matters",
    }


def _at_risk(view: View, status: str, *, hit: bool, follows: bool) -> bool:
    """Tell whether the host can fail (again), as far as is known; a doubt counts as yes."""
    if not follows:
        return False
    if status in ("still_failing", "workaround_only", "pending_reboot"):
        return True
    if view.cured and not view.open:
        return False
    if view.stateless:
        return bool(view.tries.symptom.any() or view.untimed_symptoms)
    return bool(view.stays) and (view.open or hit or status == "no_data")


# ---------------------------------------------------------------- words for it


def _situation(view: View, rules: Rules) -> str:
    """Say what the builds, or the outage, say about the end."""
    if not rules.follows:
        over = "what everybody had is over" if view.stays and not view.open else ""
        return over or "no change is blamed"
    if not view.stays:
        return "never seen with the change in effect, and yet it shows the symptom"
    if not view.open:
        left = f"since {instant(view.last_stay.end_high):%Y-%m-%d}"
        anew = f"set up anew with build {view.states[-1][0]}, " if _anew(view) else ""
        held = "the build holds the fix" if view.cured else "the bad build is gone and no fix is in"
        return f"{anew}{held} {left}"
    mended = rules.fleet.mended
    if mended is not None and mended > view.last_stay.start_high:
        return f"with the bad build in effect all hosts work since {instant(mended):%Y-%m-%d}"
    return "the bad build is in effect"


def _anew(view: View) -> bool:
    """Tell whether Windows was set up anew: with another build."""
    return len({build for build, _ in view.states[-2:]}) > 1


def _last_failure(view: View) -> str:
    hit = view.tries.time[view.tries.symptom]
    return f"last failure {instant(int(hit[-1])):%Y-%m-%d %H:%M} UTC" if len(hit) else ""


def _worked(tail: Tries) -> str:
    if not len(tail):
        return "no attempt since"
    return f"{int(tail.worked.sum())} of {len(tail)} attempts since work"


def _proof(story: Story) -> str:
    """Answer both questions: out of the broken state, and back to its own normal."""
    if not len(story.tail):
        return ""
    times = "more than a million" if story.ratio > MANY else f"{story.ratio:,.3g}"
    said = f", which is {times} times as likely from a working host as from a broken one"
    residual = _residual(story)
    if math.isnan(residual):  # a retry or another code alone bounds nothing
        return said
    return f"{said}; at most {residual:.0%} of its attempts still fail (95 %)"


def _residual(story: Story) -> float:
    """Bound the share of its attempts that still fail, from the bursts since it works."""
    tail = story.tail
    if story.recovered_at is not None:
        tail = tail[tail.time >= story.recovered_at]
    return residual_bound(*residual_failures(tail))


def _gone(view: View, fleet: Fleet) -> str:
    if view.last is None or fleet.last is None or fleet.last - view.last < GONE.value:
        return ""
    return f"; nothing heard of it since {instant(view.last):%Y-%m-%d}"


def _evidence(view: View) -> list[str]:
    """Record ids a status rests on: the change's own, the first failures, the last attempts."""
    refs = list(view.bad_records)
    refs += [ref for records in view.failed.records[:2] for ref in records[-1:]]
    refs += [ref for records in view.tries.records[-2:] for ref in records[-1:]]
    refs += view.cured_by
    return list(dict.fromkeys(refs))[:_SHOWN]
