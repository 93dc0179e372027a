"""What a reader is and what it gives back.

A reader turns the bytes of one file into rows. It knows its format and nothing else: not where
the file lay, not which host's folder that was (``path`` and, where the file itself names no
host, ``host`` stay empty and are filled in by the caller), and not what an event or an update
means. What it could not read becomes rows of `problems`, never silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from kitlib import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Problems(pd.DataFrame):
    """Table `problems` as it stands in ``attrs``.

    ``pandas.concat`` compares ``attrs`` with ``==`` and stumbles over a plain DataFrame there;
    so that event tables can be stacked, two of these are equal or not as a whole.
    """

    def __eq__(self, other: object) -> bool:  # type: ignore[override]  # see the docstring
        """Tell whether both hold the same rows."""
        return isinstance(other, pd.DataFrame) and self.equals(other)

    __hash__ = None  # as for every DataFrame

    def __deepcopy__(self, memo: object = None) -> Problems:
        """Stay what it is when pandas copies ``attrs``."""
        return Problems(self.copy())


@dataclass(frozen=True, slots=True)
class Parsed:
    """The rows of one file, as frames of `kitlib.schema`."""

    events: pd.DataFrame
    updates: pd.DataFrame
    sessions: pd.DataFrame
    problems: pd.DataFrame
    clocks: pd.DataFrame

    @property
    def records(self) -> int:
        """Rows read, of whatever table."""
        return len(self.events) + len(self.updates) + len(self.sessions)


def parsed(
    *,
    events: pd.DataFrame | None = None,
    updates: pd.DataFrame | None = None,
    sessions: pd.DataFrame | None = None,
    problems: pd.DataFrame | Iterable[Mapping[str, Any]] = (),
    clocks: Iterable[Mapping[str, Any]] = (),
) -> Parsed:
    """Bundle what a reader has, with empty tables for the rest.

    Parameters
    ----------
    events, updates, sessions
        Frames of the tables of these names; missing means no rows.
    problems
        A frame of table `problems`, or its rows as mappings.
    clocks
        Rows of table `clocks`: what the file says about its host's UTC offset. Equal ones in a
        row are to be one, see `kitlib.readers.offsets`.
    """
    return Parsed(
        events=schema.empty("events") if events is None else events,
        updates=schema.empty("updates") if updates is None else updates,
        sessions=schema.empty("sessions") if sessions is None else sessions,
        problems=problems
        if isinstance(problems, pd.DataFrame)
        else schema.frame("problems", problems),
        clocks=schema.frame("clocks", clocks),
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """One file format: how to know it and how to read it.

    Attributes
    ----------
    kind
        Its name in `files.kind` and, for update histories, in `updates.source_kind`.
    sniff
        Takes the first `HEAD_BYTES` of a file and says whether this reader can be for it. It looks
        at the content only: names lie. `kitlib.readers.sniffing.tabled` makes it of the table.
    read
        Takes the whole file. It may raise on a hopeless one; `kitlib.ingest` turns that into a
        row of `problems`.
    """

    kind: str
    sniff: Callable[[bytes], bool]
    read: Callable[[bytes], Parsed]


HEAD_BYTES = 65536
"""How much of a file the sniffers see."""
