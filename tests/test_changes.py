"""Claims about names of changes: kinds are told by titles only where a title tells."""

from __future__ import annotations

import doctest

import pytest

from kitlib import changes
from kitlib.changes import driver_version, kind_of


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("KB5009543", "update"),
        ("19044.64999", "update"),
        ("Fabrikam - Net - 12.19.1.37", "driver"),
        ("Fabrikam - System - 7/18/1968 12:00:00 AM - 10.1.1.38", "driver"),
        ("Fabrikam Corp. Driver Update (12.19.1.37)", "driver"),
        ("Fabrikam driver update for Fabrikam Ethernet Adapter", "driver"),
        ("9NBLGGH4QGHW-Microsoft.MicrosoftStickyNotes", "application"),
        ("Feature update to Windows 10, version 1803", "other"),
        ("Kontor - Zeiterfassung", "other"),
        ("2022-01 Update - x64", "other"),
        ("", "other"),
    ],
)
def test_kind_of_tells_what_the_title_tells(change, kind):
    assert kind_of(change) == kind


@pytest.mark.parametrize(
    ("title", "version"),
    [
        ("Fabrikam - Net - 12.19.1.37", "12.19.1.37"),
        ("Fabrikam - System - 7/18/1968 12:00:00 AM - 10.1.1.38", "10.1.1.38"),
        ("Fabrikam Corp. Driver Update (12.19.1.37)", "12.19.1.37"),
        ("Fabrikam driver update for Fabrikam Ethernet Adapter", ""),
        ("KB5009543", ""),
    ],
)
def test_driver_version_is_the_one_in_the_title(title, version):
    assert driver_version(title) == version


def test_examples_of_changes_hold():
    assert doctest.testmod(changes).failed == 0
