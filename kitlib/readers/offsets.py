"""What a file says about its host's UTC offset, as rows of table `clocks`.

Offsets are minutes east of UTC: local = UTC + offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]

SUMMER: Final = 60
"""Minutes by which clocks go on in summer."""
SURE: Final = pd.Timedelta(days=30)
"""Summer time lasts longer than this everywhere, so two equal offsets have no other between them."""


def least_to_summer(standard: int) -> tuple[int, int]:
    """Return the offsets of a zone whose offset without summer time is known, in minutes.

    Morocco, at UTC+1, is the one that puts its clocks back, in Ramadan; what states a zone's offset
    does not give its country away.

    Examples
    --------
    >>> least_to_summer(-300)
    (-300, -240)
    """
    return (standard - SUMMER if standard == SUMMER else standard), standard + SUMMER


def runs(marks: Iterable[tuple[pd.Timestamp, int]], *, source: str, host: str = "") -> list[Row]:
    """Make one row of equal statements that follow each other closely.

    Parameters
    ----------
    marks
        UTC instants and the offset (minutes) that held then.
    source
        Column `source`.
    host
        Empty where the file does not name it.
    """
    out: list[Row] = []
    for time, offset in sorted(set(marks)):
        last = out[-1] if out else None
        if last and last["offset_low"] == offset and time - last["end"] <= SURE:
            last["end"] = time
        else:
            out.append(
                _row(offset, offset, source=source, host=host) | {"start": time, "end": time}
            )
    return out


def of_zone(standard: int, *, source: str, host: str = "") -> Row:
    """Make the row of a file that states a zone without its summer time; it holds at any time."""
    low, high = least_to_summer(standard)
    return _row(low, high, source=source, host=host)


def _row(low: int, high: int, *, source: str, host: str) -> Row:
    return {"host": host, "offset_low": low, "offset_high": high, "source": source}
