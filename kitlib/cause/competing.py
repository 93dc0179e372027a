"""What did it where no change did: the names of causes beside changes, and where sites are known.

A name is given only where the evidence shows it: the shape of the failures in time and over hosts
(outage of all, outage of a site, trend), or what the failing hosts' own records say (codes of a
certificate or of credentials). `kitlib.explain` has weighed the shapes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitlib.explain import Weights

CLEARED: Final = 0.8
"""Probability from which on no change is to blame, or a cause beside changes is named. Lower than
`SURE`: a change that was on four hosts and bit none of them can never be cleared altogether."""

DOMINANT: Final = 0.5
"""Share of the failing hosts whose failures must be of one class of codes for it to be named."""

NAMED_CLASSES: Final[Mapping[str, str]] = {
    "certificate": "certificate",
    "credentials": "credentials",
}
"""Classes of codes (`kitlib.knowledge`) that name a cause by themselves, and its name."""

MIN_SITE: Final = 3
"""Hosts a site must have for its outage to be told from a few hosts with troubles of their own."""

WORDS: Final[Mapping[str, str]] = {
    "shared_outage": "an outage that everybody had",
    "site_outage": "an outage of one site",
    "trend": "a failure rate of everybody that changes over the weeks",
    "certificate": "a certificate that was refused",
    "credentials": "credentials that were refused",
    "more_logging": "more failures being logged while no fewer sessions came up",
}

_SITE: Final = re.compile(r"[^\W\d_]+(?=[-_\d])")


def find_sites(hosts: Iterable[str]) -> dict[str, frozenset[str]]:
    """Tell sites by how host names begin, where they do so in at least two ways.

    Notes
    -----
    Assumes that names begin with a site, as in many offices; where they begin with the kind of the
    machine instead, those groups are looked at, which costs little and names them as they are.

    Examples
    --------
    >>> sorted(find_sites(["BER-01", "BER-02", "BER-03", "HAM-01", "HAM-02", "HAM-03"]))
    ['BER', 'HAM']
    """
    groups: dict[str, set[str]] = {}
    for host in hosts:
        start = _SITE.match(host)
        if start:
            groups.setdefault(start.group().upper(), set()).add(host)
    large = {
        name: frozenset(members) for name, members in groups.items() if len(members) >= MIN_SITE
    }
    return large if len(large) > 1 else {}


def name_competing(weights: Weights, classes: Mapping[str, float]) -> tuple[str, ...]:
    """Name the cause beside changes that the evidence shows: by what failed, else by its shape.

    Parameters
    ----------
    weights
        Of all explanations; no change is to blame.
    classes
        Share of the failing hosts whose failures are mostly of each class of codes.
    """
    by_code = [name for kind, name in NAMED_CLASSES.items() if classes.get(kind, 0.0) >= DOMINANT]
    outage = weights.shared_outage + weights.site_outage
    common = {
        "shared_outage": weights.shared_outage,
        "site_outage": weights.site_outage,
        # One rate a week can follow an outage of a week as well; then the outage is the better name.
        "trend": weights.trend + (weights.unsteady if weights.unsteady > outage else 0.0),
    }
    # Where an outage looks a little like a trend, the likelier is named.
    named = outage + weights.trend + weights.unsteady >= CLEARED
    by_shape = [max(common, key=lambda name: common[name])] if named else []
    return tuple(by_code or by_shape)
