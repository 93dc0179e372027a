"""Line numbers of positions in a long text, counted once and forwards."""

from __future__ import annotations


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
