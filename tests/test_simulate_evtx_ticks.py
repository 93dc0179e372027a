"""`ticks` counts a time's steps of 100 ns since 1601, to the step, and refuses what is no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kitlib.errors import UsageError
from kitlib.simulate.evtx import ticks


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("1601-01-01T00:00:00Z", 0),
        ("1601-01-01", 0),
        ("1970-01-01T00:00:00", 116444736000000000),
        ("1970-01-01 00:00:00.5Z", 116444736005000000),
        ("1970-01-01T00:00:00.0000001Z", 116444736000000001),
        ("1970-01-01T02:00:00.1234567+02:00", 116444736001234567),
        (datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), 116444736000000010),
        (datetime(1970, 1, 1), 116444736000000000),
        (datetime(1970, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))), 116444736000000000),
    ],
    ids=str,
)
def test_ticks_counts_100_ns_since_1601(when: str | datetime, expected: int) -> None:
    assert ticks(when) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2022-01-12T00:00:00.12345678Z", "2022-13-01", "2022-01-12T00:00:00,5Z"],
)
def test_ticks_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        ticks(text)
