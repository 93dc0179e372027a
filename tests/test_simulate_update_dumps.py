"""Writers of update histories print times as Windows does, and the same bytes each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from roundtrip_update_samples import PRINTED, installed

from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.dumps import to_universal
from kitlib.simulate.update_dumps import CULTURES, Session


def test_every_writer_is_deterministic():
    items = [installed(datetime(2022, 3, 9, 15, 15, tzinfo=UTC))]
    for printed in PRINTED.values():
        assert printed.write(items, Session()) == printed.write(items, Session())


@pytest.mark.parametrize(
    ("culture", "printed"),
    [
        ("en-US", "1/12/2022 3:04:05 PM"),
        ("en-GB", "12/01/2022 15:04:05"),
        ("de-DE", "12.01.2022 15:04:05"),
        ("es-CO", "12/01/2022 3:04:05 p.m."),
        ("zh-CN", "2022/1/12 15:04:05"),
        ("ko-KR", "2022-01-12 오후 3:04:05"),
        ("cs-CZ", "12. 01. 2022 15:04:05"),
    ],
)
def test_cultures_print_as_windows_does(culture, printed):
    assert CULTURES[culture].general(datetime(2022, 1, 12, 15, 4, 5)) == printed  # a wall's time


def test_to_universal_counts_a_time_shown_twice_or_never_as_standard_time():
    berlin = dumps.european(60)
    for wall in (datetime(2022, 10, 30, 2, 30), datetime(2022, 3, 27, 2, 30)):  # a wall's time
        assert to_universal(wall, berlin) == wall.replace(tzinfo=UTC) - timedelta(minutes=60)
    assert to_universal(datetime(2022, 7, 1, 2), berlin) == datetime(
        2022, 7, 1, tzinfo=UTC
    )  # a wall's time
