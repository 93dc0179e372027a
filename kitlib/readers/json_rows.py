"""Rows out of JSON of any layout: an array, one object, an object a line, or a file cut short.

PowerShell writes an array, or one object where there is one row, or wraps the array in
``{"value": [...], "Count": n}``; other tools write an object a line. A broken file gives every
object that is still whole.

Nothing here knows what the rows are about.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_BEGIN: Final = re.compile(r'\{\s{0,99}"')
_PATIENCE: Final = 200
"""Broken places after which a file is given up."""


def objects(whole: str, mark: re.Pattern[str], problems: list[dict[str, Any]]) -> list[Any]:
    """Return the rows of a JSON text, whatever layout it has.

    Parameters
    ----------
    whole
        The text.
    mark
        A key that every row has. In a broken file only objects that hold it count: others are
        pieces of a broken row.
    problems
        Takes a row of table `problems` if the text is broken.

    Returns
    -------
    list
        What the array holds, usually dicts.

    Raises
    ------
    RecursionError
        At nesting deeper than the interpreter takes: no export is like that.
    """
    try:
        top = json.loads(whole)
    except json.JSONDecodeError as error:
        return _whole_ones(whole, mark, error, problems)
    except ValueError as error:  # a number of more digits than Python takes
        problems.append({"reason": f"JSON that cannot be read: {error}"[:200]})
        return []
    if isinstance(top, dict) and isinstance(top.get("value"), list):
        top = top["value"]  # PowerShell 5.1 wraps arrays that passed through a variable
    return top if isinstance(top, list) else [top]


def _whole_ones(
    whole: str,
    mark: re.Pattern[str],
    error: json.JSONDecodeError,
    problems: list[dict[str, Any]],
) -> list[Any]:
    """Read JSON lines, or what is whole in a broken file."""
    decoder = json.JSONDecoder()
    found: list[Any] = []
    end = failures = 0
    # Every failure costs a count of all lines before it, so their number is bounded.
    while failures < _PATIENCE and (begin := _BEGIN.search(whole, end)):
        try:
            entry, end = decoder.raw_decode(whole, begin.start())
        except json.JSONDecodeError as broken:
            failures += 1
            end = max(begin.end(), broken.pos)  # not back into what was read already
        except (RecursionError, ValueError) as broken:
            problems.append({"reason": f"JSON that cannot be read: {broken}"[:200]})
            return found
        else:
            if mark.search(whole, begin.start(), end):
                found.append(entry)
    if not found or error.msg != "Extra data" or whole[end:].strip():
        problems.append(
            {
                "place": f"line {error.lineno}",
                "reason": f"broken JSON ({error.msg}): {len(found)} whole entries were read",
            }
        )
    return found


def word(value: object) -> str:
    """Return a JSON value that is text, without blanks around it; empty for any other value."""
    if not isinstance(value, str):
        return ""
    # JSON can spell half a surrogate pair, which is no text and which no table takes.
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").strip()
