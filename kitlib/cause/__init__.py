"""Did the patch do it? Explanations weighed, legs tested, identifiability asked first.

The verdict words are those of the contract. "Not separable", "no control" and "insufficient" are
answers, not failures. `weighed` holds the suspects with their weights, `judge` decides, `competing` names what did it where no change did, `words`
says it in a sentence, `answer` holds it. Masks, likelihoods and legs are computed in other rooms.
"""

from __future__ import annotations

from kitlib.cause.answer import Cause, Instant
from kitlib.cause.competing import CLEARED
from kitlib.cause.judge import MIN_AFFECTED, MIN_HOSTS, SURE, judge_cause
from kitlib.cause.weighed import INSEPARABLE, MODEL_DOUBT, suspects_table

__all__ = [
    "CLEARED",
    "INSEPARABLE",
    "MIN_AFFECTED",
    "MIN_HOSTS",
    "MODEL_DOUBT",
    "SURE",
    "Cause",
    "Instant",
    "judge_cause",
    "suspects_table",
]
