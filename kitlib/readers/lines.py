"""Lines of a text: cut where Windows ends them, and numbered by position.

``str.splitlines`` would also cut at the separators that Unicode has, which stand in titles and names.
"""

from __future__ import annotations

import re
from typing import Final

_END: Final = re.compile(r"\r\n|\n|\r")
_KEPT: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")


def split(text: str) -> list[str]:
    r"""Cut a text into its lines, without their ends.

    Examples
    --------
    >>> split("a\r\nb\u2028c\n")
    ['a', 'b\u2028c']
    """
    lines = _END.split(text)
    return lines if lines[-1] else lines[:-1]


def split_keeping_ends(text: str) -> list[str]:
    """Cut a text into its lines, each with its end as it stands."""
    return _KEPT.findall(text)


class Lines:
    """Counts lines from the last position asked for, so that asking often stays cheap.

    Parameters
    ----------
    text
        The whole text. Positions must be asked for in rising order; an earlier one than the last
        gets the last one's line.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def at(self, position: int) -> int:
        """Return the line, from 1, that `position` is on."""
        if position > self._at:
            self._line += self._text.count("\n", self._at, position)
            self._at = position
        return self._line
