"""Scenes for tests of legs: from a small world, or drawn host by host without any file or table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from worlds_cause import day

from kitlib import legs
from kitlib.attempts import make_episodes
from kitlib.explain import Panel
from kitlib.incident import load_incident
from kitlib.suspects import find_suspects, in_effect

NAMED = load_incident("kb5009543")


def scene_of(world):
    """The scene of the profile's suspect, and the tables it is from."""
    tables = world.tables()
    episodes = make_episodes(tables.attempts, NAMED)
    suspect = find_suspects(tables.exposure, episodes, NAMED)[0]
    assert suspect.named
    return legs.Scene(episodes, Panel.of(episodes), suspect.masks[0], suspect.spans[0]), tables


def drawn(rows, spans):
    """A scene from (host, day, failed) and (host, first day, last day or None), all at noon.

    A state holds from the midnight before its first day to that before its last.
    """
    table = pd.DataFrame(rows, columns=["host", "day", "failed"])
    episodes = pd.DataFrame(
        {
            "host": table["host"],
            "time": pd.DatetimeIndex([day(n, 12) for n in table["day"]]).astype(
                "datetime64[ns, UTC]"
            ),
            "failed": table["failed"].astype(bool),
            "records": [[f"{host}/Application#{n}"] for n, host in enumerate(table["host"])],
        }
    )
    held = pd.DataFrame(spans, columns=["host", "start", "end"])
    for name in ("start", "end"):
        times = [pd.NaT if pd.isna(n) else day(n) for n in held[name]]
        held[name] = pd.DatetimeIndex(times, tz="UTC").astype("datetime64[ns, UTC]")
    return legs.Scene(episodes, Panel.of(episodes), in_effect(held, episodes), held)


def noise(seed, *, hosts=6, days=10, rate=0.4, starts=(3, 4, 5), kept=None):
    """Failures at random on every host and day; `starts` are dealt to the first hosts."""
    rng = np.random.default_rng(seed)
    rows = [(f"H{h}", d, rng.random() < rate) for h in range(hosts) for d in range(days)]
    ends = [None if kept is None else start + kept for start in starts]
    return drawn(rows, [(f"H{h}", a, b) for h, (a, b) in enumerate(zip(starts, ends, strict=True))])


def difference(scene, on, off):
    """Mantel-Haenszel difference over days, in loops; `on` and `off` are hosts by days."""
    k, n = scene.panel.daily()
    weights = parts = 0.0
    for d in range(k.shape[1]):
        n1, n0 = (n[:, d] * on[:, d]).sum(), (n[:, d] * off[:, d]).sum()
        if n1 and n0:
            rate1 = (k[:, d] * on[:, d]).sum() / n1
            rate0 = (k[:, d] * off[:, d]).sum() / n0
            weights += n1 * n0 / (n1 + n0)
            parts += (rate1 - rate0) * n1 * n0 / (n1 + n0)
    return parts / weights if weights else float("nan")


def reached(values, observed):
    """Share of the values that are as large as the observed one; unknown ones do not count."""
    known = [value for value in values if not np.isnan(value)]
    return sum(value >= observed - 1e-12 for value in known) / len(known)
