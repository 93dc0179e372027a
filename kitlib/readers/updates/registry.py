r"""What the kit takes out of a registry, and the reader of hive files.

Four places of it are used: the packages of Windows servicing (rows of `updates`), the build of
Windows (said in `problems`, since no table has a place for it), the time zone (rows of `clocks`)
and the name of the machine. `kitlib.readers.updates.reg_export` reads the same from text.

Collections bring dozens of hives, of users and of programs, of which the kit needs nothing: each
gets a sentence in `problems` that costs no record. So do the transaction logs of hives, which are
not applied. The zone is what the machine had last; whether it was another one before is not in it.

That the kernel rewrites ``ActiveTimeBias`` at each change of clocks, so that the key's last change
begins the span in which it held, is common knowledge of the field and was not verified here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kitlib import schema
from kitlib.readers.base import Parsed, parsed
from kitlib.readers.remarks import Remarks
from kitlib.readers.updates import cbs_packages, regf
from kitlib.readers.updates.cbs_packages import Package, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitlib.readers.updates.regf import Hive

KIND: Final = "registry_hive"

WINDOWS: Final = r"Microsoft\Windows NT\CurrentVersion"
"""Where Windows names its build, below the hive SOFTWARE."""
ZONE: Final = r"Control\TimeZoneInformation"
"""Where the time zone is, below a control set of the hive SYSTEM."""
COMPUTER: Final = r"Control\ComputerName\ComputerName"
"""Where the machine's name is, below a control set."""

WINDOWS_VALUES: Final = frozenset(
    {"currentbuildnumber", "currentbuild", "ubr", "productname", "installdate"}
)
ZONE_VALUES: Final = frozenset(
    {
        "bias",
        "standardbias",
        "daylightbias",
        "activetimebias",
        "daylightstart",
        "dynamicdaylighttimedisabled",
    }
)

_SOFTWARE: Final = "software"
_FURTHEST: Final = 16 * 60  # minutes; no zone is further from UTC


@dataclass(frozen=True, slots=True)
class Windows:
    """The Windows a registry belongs to.

    Attributes
    ----------
    build, revision
        As in 19044.1466; -1 where it is not stated.
    product
        Its name; Windows 11 calls itself Windows 10 here.
    installed
        When this build was installed or upgraded to, UTC.
    seen
        When the registry was last written, UTC: the build is the one of then.
    """

    build: int
    revision: int
    product: str
    installed: pd.Timestamp | None
    seen: pd.Timestamp | None

    def __str__(self) -> str:
        """Say it in words."""
        revision = f".{self.revision}" if self.revision >= 0 else ""
        words = f"{self.product or 'Windows'}, build {self.build}{revision}"
        if self.seen is not None:
            words += f", as of {self.seen:%Y-%m-%d %H:%M} UTC"
        if self.installed is not None:
            words += f" (this build installed {self.installed:%Y-%m-%d})"
        return words


def windows_of(values: Mapping[str, object], *, written: int = 0) -> Windows | None:
    """Read the build from the values of the key `WINDOWS`; None if it names none.

    Parameters
    ----------
    values
        By lower-case name.
    written
        FILETIME of the registry's last change, or 0.
    """
    build = values.get("currentbuildnumber") or values.get("currentbuild")
    if not isinstance(build, str) or not (build.isascii() and build.isdigit()):
        return None
    revision, seconds = values.get("ubr"), values.get("installdate")
    product = values.get("productname")
    installed = (
        pd.Timestamp(seconds, unit="s", tz="UTC")
        if isinstance(seconds, int) and 0 < seconds < 1 << 32
        else None
    )
    return Windows(
        build=int(build[:9]),
        revision=revision if isinstance(revision, int) else -1,
        product=product[:80] if isinstance(product, str) else "",
        installed=installed,
        seen=moment(written).date,
    )


def zone_of(
    values: Mapping[str, object], *, host: str, since: int = 0, until: int = 0
) -> list[dict[str, Any]]:
    """Read rows of table `clocks` from the values of the key `ZONE`.

    Parameters
    ----------
    values
        By lower-case name; biases are minutes to add to local time to get UTC.
    host
        The machine's name.
    since, until
        FILETIME of the last change of the key and of the hive: the span in which the offset it
        calls active held. 0 where the source does not tell.

    Returns
    -------
    list
        One row that holds at any time, from the zone's offsets with and without summer time; one
        for the active offset, where its span is known. None if the key states no bias.
    """
    bias = _minutes(values, "bias")
    if bias is None:
        return []
    standard = bias + (_minutes(values, "standardbias") or 0)
    summer = bias + (_minutes(values, "daylightbias") or 0)
    possible = {-standard, -summer} if _has_summer(values) else {-standard}
    rows = [_clock(host, min(possible), max(possible))]
    active, begin, end = _minutes(values, "activetimebias"), moment(since).date, moment(until).date
    if active is not None and begin is not None and end is not None and begin <= end:
        rows.append({**_clock(host, -active, -active), "start": begin, "end": end})
    return [
        row for row in rows if -_FURTHEST <= row["offset_low"] <= row["offset_high"] <= _FURTHEST
    ]


def _minutes(values: Mapping[str, object], name: str) -> int | None:
    """Read a bias, a signed number that the registry keeps unsigned."""
    found = values.get(name)
    if not isinstance(found, int):
        return None
    return found - (1 << 32) if found >= 1 << 31 else found


def _has_summer(values: Mapping[str, object]) -> bool:
    """Tell a zone with summer time: the month in which it begins is set, and it is not off."""
    start = values.get("daylightstart")
    month = start[2:4] if isinstance(start, bytes) else b""
    return bool(month.strip(b"\0")) and not values.get("dynamicdaylighttimedisabled")


def _clock(host: str, low: int, high: int) -> dict[str, Any]:
    return {"host": host, "offset_low": low, "offset_high": high, "source": KIND}


def read(data: bytes) -> Parsed:
    """Read a registry hive.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        Of SOFTWARE: `updates`, see `kitlib.readers.updates.cbs_packages.rows_of`. Of SYSTEM: `clocks`,
        with the machine's name. `problems` says what a hive is of which nothing is used.

    Raises
    ------
    kitlib.errors.FormatError
        It has no whole header.
    """
    hive = regf.open_hive(data)
    problems = Remarks()
    if not hive.primary:
        reason = f"a transaction log of the registry hive {_called(hive)}: it is not applied"
        problems.append({"reason": reason, "records_lost": 0})
        return parsed(problems=problems)
    rows = _software(hive, problems)
    clocks = zone_of_hive(hive)
    if clocks or rows:
        problems.extend(_state(hive))
    elif not problems:
        reason = f"the registry hive {_called(hive)}: nothing of it is used"
        problems.append({"reason": reason, "records_lost": 0})
    return parsed(updates=schema.frame("updates", rows), problems=problems, clocks=clocks)


def _called(hive: Hive) -> str:
    return hive.name or "without a name"


def _state(hive: Hive) -> list[dict[str, Any]]:
    """State what is wrong with a hive that is used."""
    said = []
    if hive.dirty:
        reason = (
            "the hive was not closed cleanly: what changed last may stand only in its transaction "
            "logs (.LOG1, .LOG2), which are not applied"
        )
        said.append({"reason": reason, "records_lost": 0})
    if hive.missing:
        said.append({"reason": f"the hive is cut off: {hive.missing} bytes are missing"})
    return said


def _software(hive: Hive, problems: Remarks) -> list[dict[str, Any]]:
    windows = windows_of_hive(hive)
    if windows:
        reason = f"the registry is that of {windows}; no table holds this"
        problems.append({"reason": reason, "records_lost": 0})
    branch, damaged = regf.find(hive, cbs_packages.BRANCH)
    if branch is None:
        if damaged and (windows or hive.name.lower() == _SOFTWARE):
            reason = "the hive is damaged: its servicing packages cannot be found"
            problems.append({"reason": reason, "records_lost": None})
        elif windows:
            reason = "the hive holds no servicing packages"
            problems.append({"reason": reason, "records_lost": 0})
        return []
    keys, lost = regf.subkeys(hive, branch)
    if lost:
        reason = f"{lost} servicing packages cannot be read: the hive is damaged"
        problems.append({"reason": reason, "records_lost": lost})
    packages = []
    for key in keys:
        values, broken = regf.values(hive, key, cbs_packages.VALUES)
        if broken:
            reason = "values of a servicing package cannot be read: they are taken as not there"
            problems.append({"place": key.name[:120], "reason": reason, "records_lost": 0})
        packages.append(Package(key.name, values, key.written))
    return cbs_packages.rows_of(packages, problems, kind=KIND)


def windows_of_hive(hive: Hive) -> Windows | None:
    """Read the build of Windows from a SOFTWARE hive; None if it is no such hive."""
    key, _ = regf.find(hive, WINDOWS)
    if key is None:
        return None
    return windows_of(regf.values(hive, key, WINDOWS_VALUES)[0], written=hive.written)


def computer_of_hive(hive: Hive) -> str:
    """Read the machine's name from a SYSTEM hive; empty if it is no such hive."""
    key, _ = regf.find(hive, f"{_control_set(hive)}\\{COMPUTER}")
    found = regf.values(hive, key, {"computername"})[0] if key else {}
    name = found.get("computername")
    return name if isinstance(name, str) else ""


def zone_of_hive(hive: Hive) -> list[dict[str, Any]]:
    """Read rows of table `clocks` from a SYSTEM hive; none if it is no such hive."""
    key, _ = regf.find(hive, f"{_control_set(hive)}\\{ZONE}")
    if key is None:
        return []
    values, _ = regf.values(hive, key, ZONE_VALUES)
    return zone_of(values, host=computer_of_hive(hive), since=key.written, until=hive.written)


def _control_set(hive: Hive) -> str:
    """Name the control set in use; the first where the hive does not say."""
    key, _ = regf.find(hive, "Select")
    current = regf.values(hive, key, {"current"})[0].get("current") if key else None
    return (
        f"ControlSet{current:03}"
        if isinstance(current, int) and current < 1000
        else "ControlSet001"
    )
