"""The words of charts: names, counts with their nouns, shares, days; text made fit for drawing.

Text out of event logs is attacker-controlled: `plain` makes it harmless (no control or direction
marks, no glyph the font lacks). This file draws nothing.
"""

from __future__ import annotations

import textwrap
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import font_manager

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd


@cache
def _glyphs() -> frozenset[int]:
    path = font_manager.findfont("DejaVu Sans")
    return frozenset(font_manager.get_font(path).get_charmap())


def plain(text: str, *, limit: int = 28) -> str:
    r"""Return `text` fit for drawing: what the font lacks or cannot be seen is escaped, ends cut.

    Examples
    --------
    >>> plain("WS0001"), plain("a\u202eb")
    ('WS0001', 'a\\u202eb')
    """
    text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    shown = "".join(
        c if c.isprintable() and ord(c) in _glyphs() else f"\\u{ord(c):04x}" for c in text
    )
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def name_changes(changes: Collection[str]) -> str:
    """Name one change that goes by several labels, short enough for a title.

    Examples
    --------
    >>> name_changes(["KB5009566", "KB5009543"]), name_changes([])
    ('KB5009543 (+1)', 'the suspected change')
    """
    labels = [plain(label) for label in sorted(changes)]
    if not labels:
        return "the suspected change"
    return labels[0] if len(labels) == 1 else f"{labels[0]} (+{len(labels) - 1})"


def spell_changes(changes: Collection[str]) -> str:
    """Say in a caption which labels a short name stands for; empty where there is but one."""
    if len(changes) < 2:
        return ""
    names = [plain(label) for label in sorted(changes)]
    return f" {name_changes(changes)} is one change under the labels {', '.join(names)}."


def listed(changes: Sequence[str], *, limit: int = 3) -> str:
    """List different changes: ``'A, B and 2 more'``."""
    names = [plain(change) for change in changes]
    if len(names) > limit:
        names = [*names[: limit - 1], f"{len(names) - limit + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def percent(share: float) -> str:
    """Write a share as a whole percentage; never round a rest away to 0 % or 100 %.

    Examples
    --------
    >>> percent(0.034), percent(0.999), percent(0.0)
    ('3 %', '>99 %', '0 %')
    """
    if not np.isfinite(share):
        return "none"
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 < share < 1:
        return ">99 %"
    return f"{100 * share:.0f} %"


def of(count: int, total: int, noun: str) -> str:
    """Write a count with its denominator: ``'3 of 12 hosts'``."""
    return f"{count:,} of {total:,} {noun}{'' if total == 1 else 's'}"


def fold(text: str, width: int) -> str:
    """Break `text` into lines of at most `width` letters."""
    return textwrap.fill(text, width)


def many(count: int, noun: str) -> str:
    """Write a count with its noun: ``'1 host'``, ``'2 hosts'``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def codes_words(codes: Collection[str]) -> str:
    """Name the failure codes a chart counts."""
    if not codes:
        return "any failure code"
    return f"code{'s' * (len(codes) > 1)} {', '.join(plain(code) for code in sorted(codes))}"


def day(time: pd.Timestamp) -> str:
    """Write a day for a title: ``'13 Jan'``."""
    return f"{time.day} {time:%b}"


def window(low: pd.Timestamp, high: pd.Timestamp) -> str:
    """Write the window of a chart, days in UTC."""
    return f"{low:%Y-%m-%d} to {high:%Y-%m-%d} UTC"
