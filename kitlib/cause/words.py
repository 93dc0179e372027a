"""The verdict as one sentence in plain English, with the numbers it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitlib.cause.competing import WORDS

if TYPE_CHECKING:
    from kitlib.legs import Scene


def sentence(
    status: str,
    labels: tuple[str, ...],
    probability: float,
    competing: tuple[str, ...],
    scene: Scene,
) -> str:
    """Say the verdict.

    Parameters
    ----------
    status
        Verdict word of the contract.
    labels
        Labels of the change that is blamed, or of those that cannot be told apart.
    probability
        Of what the sentence states, as it is to be shown.
    competing
        Names of causes beside changes, where no change is to blame.
    scene
        Episodes and mask of the most probable change.
    """
    rates = scene.rates()
    failing = int((rates["k1"] > 0).sum())
    names = " / ".join(labels)
    sure = f"(probability {probability:.2f})"
    if status == "supported":
        return (
            f"{names} explains the failures {sure}: {failing} of {int((rates['n1'] > 0).sum())} "
            f"hosts that tried with it in effect fail, in {int(rates['k1'].sum())} of "
            f"{int(rates['n1'].sum())} episodes; without it {int(rates['k0'].sum())} of "
            f"{int(rates['n0'].sum())} episodes fail that way."
        )
    if status == "not_separable":
        return f"One of {names} explains the failures {sure}; this evidence cannot say which."
    if status == "no_control":
        return (
            f"The timing fits {names}, but nothing in the evidence can rule out another cause: "
            "too few hosts without it tried on the same days, and no way back was seen on enough "
            "of them."
        )
    other = " and ".join(WORDS[name] for name in competing) or "no common cause that shows"
    return f"No change explains the failures {sure}; the evidence fits {other}."


def too_few_failing(failing: int, least: int) -> str:
    """Say that too few hosts fail to blame anything."""
    return (
        "Too little to say what caused the failures: hosts that fail with the most probable change "
        f"in effect: {failing}; {least} are the least."
    )


def unsettled(no_change: float) -> str:
    """Say that neither side is probable enough."""
    return (
        f"Too little to say what caused the failures: probability {1 - no_change:.2f} for "
        f"changes, {no_change:.2f} for causes beside them, and the checks do not settle it."
    )
