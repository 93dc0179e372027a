"""Chunks that cannot hold what is asked for, found by the provider's name alone.

A provider's name stands as text in every chunk that has an event of it, be it in a template or as a
value. If only a few providers are asked for, looking for their names costs less than reading
the chunks, and rare ones are in few. It is not worth it for many names, nor where most chunks have
one: then the search stops.

Names are compared as `kitlib.readers.payload.Wanted` does, without regard to case, but for ASCII
only; other names are not searched for. Bit 0x20, the difference between upper and lower case,
is set in all bytes before, which may find too much and never too little. (Too little would be
found of a name written with one of the few characters beyond ASCII that count as an ASCII letter,
such as the Kelvin sign, or as an 8 bit string, which no provider's name is.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from kitlib.readers.chunks import CHUNK

if TYPE_CHECKING:
    from kitlib.readers.binxml.block import Block, Mask
    from kitlib.readers.payload import Wanted

MOST_NAMES: Final = 3
"""More names than this are not searched for."""
TRIAL_CHUNKS: Final = 64
MOST_HITS: Final = 0.5
"""If after so many chunks more than this share of them had a name, the search stops."""

_FOLD: Final = 0x20
_FOLDS: Final = np.uint64(0x2020_2020_2020_2020)


@dataclass(eq=False)
class Search:
    """Looks for the providers' names of one reading, block by block."""

    names: tuple[re.Pattern[bytes], ...]
    chunks: int = 0
    hits: int = 0
    _folded: bytearray = field(default_factory=bytearray)

    def holders(self, block: Block) -> Mask | None:
        """Return for each chunk whether it may have an event of the providers; None: not known."""
        if self.chunks >= TRIAL_CHUNKS and self.hits > MOST_HITS * self.chunks:
            return None
        here = np.zeros(block.chunks, bool)
        if self.names:
            folded = self._fold(block)
            for name in self.names:
                _mark(here, folded, name)
        self.chunks += len(here)
        self.hits += int(here.sum())
        return here

    def _fold(self, block: Block) -> memoryview:
        words = np.frombuffer(block.raw, np.uint64, block.chunks * CHUNK // 8)
        if len(self._folded) < words.nbytes:
            self._folded = bytearray(words.nbytes)
        out = np.frombuffer(self._folded, np.uint64, len(words))
        np.bitwise_or(words, _FOLDS, out=out)
        return memoryview(self._folded)[: words.nbytes]


def search(wanted: Wanted | None) -> Search | None:
    """Return the search that may spare work for what is asked for; None if none can."""
    providers = None if wanted is None else wanted.providers
    if providers is None or len(providers) > MOST_NAMES or not all(map(str.isascii, providers)):
        return None
    return Search(tuple(map(_pattern, sorted(providers))))


def _pattern(name: str) -> re.Pattern[bytes]:
    """Return what finds a folded name; on plain text `re` is twice as fast as `bytes.find`."""
    folded = bytes(byte | _FOLD for byte in name.strip().encode("utf-16-le"))
    return re.compile(re.escape(folded))


def _mark(here: Mask, folded: memoryview, name: re.Pattern[bytes]) -> None:
    """Mark the chunks that have a name; after a hit the rest of the chunk is skipped."""
    found = name.search(folded)
    while found:
        chunk = found.start() // CHUNK
        here[chunk] = True
        found = name.search(folded, (chunk + 1) * CHUNK)
