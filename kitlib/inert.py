"""Text out of evidence made harmless to look at: on a terminal, in a page, in a list of files.

A log may hold what steers a terminal (ANSI escapes), turns the direction of reading (a name that
reads as another) or breaks a line (a second, forged line of a manifest). `inert` writes such
characters as escapes, so that they are seen instead of obeyed. Nothing else is changed: markup is
the business of whoever writes HTML.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


def inert(text: str, *, keep: str = "\n\t") -> str:
    r"""Write control, direction and other unseen characters as ``\uXXXX``.

    Parameters
    ----------
    text
        Anything out of evidence.
    keep
        Control characters that may stay.

    Returns
    -------
    str
        The text; where JSON text is given, JSON text of the same meaning.

    Examples
    --------
    >>> print(inert("\x1b[2J WS0001\u202e"))
    \u001b[2J WS0001\u202e
    """
    if text.isprintable():
        return text
    return "".join(c if _shows(c) or c in keep else _escaped(c) for c in text)


def _shows(c: str) -> bool:
    return c.isprintable() or unicodedata.category(c) == "Zs"


def _escaped(c: str) -> str:
    """Write a character as JSON does: beyond 16 bits as a surrogate pair."""
    raw = c.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{raw[at : at + 4]}" for at in range(0, len(raw), 4))


def inert_columns(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return a table with the text in these columns made inert, line breaks too."""
    forms = {
        name: {text: inert(text, keep="") for text in table[name].dropna().unique()}
        for name in names
    }
    changed = {
        name: table[name].map(form, na_action="ignore").astype(table[name].dtype)
        for name, form in forms.items()
        if any(text != shown for text, shown in form.items())
    }
    return table.assign(**changed) if changed else table
