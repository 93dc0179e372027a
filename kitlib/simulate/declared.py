"""Read a table of plain data into a frozen dataclass, and say exactly what is wrong with it.

The dataclass is the specification: its fields are the allowed keys, their types the allowed
values, fields without a default are required. A mistake names the place, the key, the nearest
right key or the wanted type. This file knows no scenario.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeVar, cast

from kitlib.errors import UsageError

T = TypeVar("T")

_PLAIN: Mapping[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
    datetime: (datetime,),
    date: (date,),
}
_WORDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    datetime: "a date with time, such as 2022-01-12T08:30:00",
    date: "a date, such as 2022-01-12",
}


class ScenarioError(UsageError):
    """A scenario cannot be used; the message names the place, the key and the remedy."""


def build(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Make a `cls` from `table`.

    Parameters
    ----------
    cls
        A dataclass; its field types may be plain (bool, int, float, str, date, datetime), a
        dataclass, ``tuple[X, ...]``, ``tuple[X, X]``, ``Mapping[K, V]`` or ``X | None``.
    table
        Keys and values as `tomllib` gives them.
    where
        Place for messages, such as ``office.toml: host 3``.

    Raises
    ------
    ScenarioError
        For an unknown key, a missing key or a value of the wrong kind.
    """
    if not isinstance(table, Mapping):
        raise ScenarioError(f"{where}: wanted a table, found {table!r}")
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]  # T is one
    for key in table:
        if key not in known:
            raise ScenarioError(f"{where}: unknown key '{key}'{_nearest(key, known)}")
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # T is a dataclass
        if field.name not in table and _required(field):
            raise ScenarioError(f"{where}: key '{field.name}' is missing")
    return cls(**{key: _value(hints[key], table[key], f"{where}: {key}") for key in table})


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean '{close[0]}'?)" if close else f"; known are {', '.join(sorted(known))}"


def _value(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401  # any TOML value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _value(next(k for k in inner if k is not type(None)), value, where)
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(inner, value, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, where)
    return _plain(kind, value, where)


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: wanted a list, found {value!r}")
    if inner[-1] is not Ellipsis and len(value) != len(inner):
        raise ScenarioError(f"{where}: wanted {len(inner)} values, found {len(value)}")
    return tuple(_value(inner[0], item, f"{where} {i}") for i, item in enumerate(value, 1))


def _mapping(inner: tuple[Any, ...], value: Any, where: str) -> types.MappingProxyType[Any, Any]:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where}: wanted a table, found {value!r}")
    key_kind, value_kind = inner
    out = {
        _key(key_kind, k, where): _value(value_kind, v, f"{where}.{k}") for k, v in value.items()
    }
    return types.MappingProxyType(out)


def _key(kind: type, key: str, where: str) -> str | int:
    if kind is not int:
        return key
    if not key.isdecimal():
        raise ScenarioError(f"{where}: key '{key}' must be a number")
    return int(key)


def _plain(kind: type, value: Any, where: str) -> Any:  # noqa: ANN401  # any TOML value
    wanted: tuple[type, ...] = _PLAIN[kind]
    wrong_bool = isinstance(value, bool) and kind is not bool
    if (
        not isinstance(value, wanted)
        or wrong_bool
        or (kind is date and isinstance(value, datetime))
    ):
        raise ScenarioError(f"{where}: wanted {_WORDS[kind]}, found {value!r}")
    return float(cast("float", value)) if kind is float else value
