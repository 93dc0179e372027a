"""A claim of the kit: a sentence with its table, assumptions, checks and record ids.

Claims render themselves in Jupyter, so that notebook prose never has to state a result. Failed
checks print as loudly as passed ones, and "cannot be tested here" is a third answer. This file
knows how a claim looks, not what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

import pandas as pd

from kitlib.inert import inert, inert_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_RECORDS: Final = 8
SHOWN_ROWS: Final = 40

_WORDS: Final = {True: "passed", False: "FAILED", None: "not testable"}
_MARKS: Final = {True: "✔", False: "✘", None: "○"}
_COLOURS: Final = {True: "#0072b2", False: "#d55e00", None: "#6b6b6b"}

_AS_IT_IS: Final = 'class="tex2jax_ignore mathjax_ignore"'
"""Keeps Jupyter from reading the dollar signs of machine accounts (``PC01$``) as formulas."""


@dataclass(frozen=True, slots=True)
class Check:
    """One test a claim was put to.

    Attributes
    ----------
    name
        Short name, e.g. ``same-day controls``.
    passed
        True, False, or None where this evidence cannot test it.
    text
        One sentence with the numbers.
    records
        Record references (``HOST/CHANNEL#ID``) it rests on, a sample where there are many.
    """

    name: str
    passed: bool | None
    text: str
    records: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{_MARKS[self.passed]} {self.name} ({_WORDS[self.passed]}): {self.text}"

    def _repr_html_(self) -> str:
        return (
            f'<div {_AS_IT_IS} style="margin:.2em 0"><b style="color:{_COLOURS[self.passed]}">'
            f"{_MARKS[self.passed]} {_safe(self.name)} — {_WORDS[self.passed]}</b>: "
            f"{_safe(self.text)}{_records_html(self.records)}</div>"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """A sentence, the table behind it, what it assumes, how it was tested, and its records."""

    text: str
    table: pd.DataFrame | None = None
    assumptions: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    checks: tuple[Check, ...] = field(default=())

    def __str__(self) -> str:
        return "\n".join([self.text, *(str(check) for check in self.checks)])

    def _repr_html_(self) -> str:
        parts = [f'<p style="font-size:1.15em;margin:.4em 0"><b>{_safe(self.text)}</b></p>']
        parts += [check._repr_html_() for check in self.checks]  # one family
        if self.table is not None:
            parts.append(table_html(self.table))
        if self.assumptions:
            items = "".join(f"<li>{_safe(text)}</li>" for text in self.assumptions)
            parts.append(f"<p style='margin:.4em 0 0'>Assumes:</p><ul>{items}</ul>")
        parts.append(_records_html(self.records))
        return f"<div {_AS_IT_IS}>{''.join(parts)}</div>"


def _safe(text: str) -> str:
    return escape(inert(text))


def _records_html(records: Iterable[str]) -> str:
    listed = list(records)
    if not listed:
        return ""
    more = f" and {len(listed) - SHOWN_RECORDS} more" if len(listed) > SHOWN_RECORDS else ""
    shown = ", ".join(_safe(ref) for ref in listed[:SHOWN_RECORDS])
    return f'<div style="color:#555;font-size:.85em">records: {shown}{more}</div>'


def table_html(table: pd.DataFrame, *, rows: int = SHOWN_ROWS) -> str:
    """Render a table as plain, escaped HTML; says how many rows are not shown.

    Sentences are shown whole, times to the second, and numbers to three digits.
    """
    shown = inert_columns(table.head(rows), table.columns[table.dtypes == "str"]).copy()
    for name in shown.columns[[str(dtype).startswith("datetime") for dtype in shown.dtypes]]:
        shown[name] = shown[name].dt.strftime("%Y-%m-%d %H:%M:%S").fillna("")
    with pd.option_context("display.max_colwidth", None):
        html = shown.to_html(
            index=False, escape=True, border=0, na_rep="", max_rows=None, float_format=_number
        )
    left = len(table) - len(shown)
    return html + (f"<p>{left} more rows are in the table.</p>" if left else "")


def _number(value: float) -> str:
    """Show three digits; what is smaller than a thousandth of anything shown here is 0."""
    return "0" if abs(value) < 5e-4 else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
