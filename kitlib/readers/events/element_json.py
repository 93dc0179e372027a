"""Events that were XML and are JSON now, back to the elements that `kitlib.readers.payload` takes.

Two spellings of the same: attributes under ``#attributes`` (evtx_dump) or as keys with ``@``
(EvtxECmd), text beside them under ``#text``, an element that occurs again as a list.
"""

from __future__ import annotations

from typing import Any

from kitlib.readers.events.exports import clean
from kitlib.readers.payload import Element


def elements(name: str, value: Any) -> list[Element]:  # noqa: ANN401  # whatever JSON holds
    """Return the elements of one key: several where its value, or the text in it, is a list.

    Parameters
    ----------
    name
        The key.
    value
        Text, bool, None, dict or list, as `kitlib.readers.json_objects` gives them.
    """
    if isinstance(value, list):
        return [element for item in value for element in elements(name, item)]
    if not isinstance(value, dict):
        return [Element(clean(name), {}, as_text(value), [])]
    texts = value.get("#text")
    attributes = _attributes(value)
    children = [
        child
        for key, inner in value.items()
        if key[:1] not in ("#", "@")
        for child in elements(key, inner)
    ]
    return [
        Element(clean(name), attributes, as_text(text), children)
        for text in (texts if isinstance(texts, list) and texts else [texts])
    ]


def _attributes(value: dict[str, Any]) -> dict[str, str | None]:
    inner = value.get("#attributes")
    found = dict(inner) if isinstance(inner, dict) else {}
    found |= {key[1:]: text for key, text in value.items() if key[:1] == "@"}
    return {clean(key): as_text(text) for key, text in found.items()}


def as_text(value: object) -> str | None:
    """Spell a JSON value as event data does; what is neither text nor truth value is None."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value) if isinstance(value, str) and value else None
