"""Rows of `problems` that stay few: what is said twice stands once, with its number.

A file of a million broken lines has one problem, not a million. Readers of text append to a
`Remarks` as to any list of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 200
"""Different reasons that are listed; further ones are counted together."""


class Remarks(list[dict[str, Any]]):
    """Rows of table `problems` of one file, each reason once: the first place, and how many more.

    Examples
    --------
    >>> found = Remarks()
    >>> found.extend({"place": f"line {n}", "reason": "cut", "records_lost": 1} for n in (1, 4, 9))
    >>> found
    [{'place': 'line 1 and 2 more', 'reason': 'cut', 'records_lost': 3}]
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, tuple[dict[str, Any], str, int]] = {}

    def append(self, row: dict[str, Any]) -> None:
        """Add a row, or count it where its reason stands already."""
        reason = str(row["reason"])
        if reason not in self._known and len(self._known) >= MOST:
            reason = "further problems of other kinds"
            row = row | {"reason": reason}
        known, place, count = self._known.get(reason, ({}, "", 0))
        if not known:
            known, place = dict(row), str(row.get("place", ""))
            super().append(known)
        else:
            known["place"] = f"{place} and {count} more" if place else f"{count + 1} times"
            losses = (known.get("records_lost"), row.get("records_lost"))
            known["records_lost"] = None if None in losses else sum(filter(None, losses))
        self._known[reason] = (known, place, count + 1)

    def extend(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add several rows."""
        for row in rows:
            self.append(row)
