"""What the facts say of changes: which thing, in which version, of which kind.

An update goes by its KB. Drivers, applications and services go by the name and version their
records state; one installation is told by several records (Windows Update names maker, class and
version of a driver, Plug and Play the device; Windows Installer writes one record with the version
and one without; a product brings its services along), which are put together here. New settings of
Group Policy have no name, so each day's are a change of their own.

This file knows what facts mean to a change; when a change was in effect is not known here.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib.timeline import record_refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Sign(NamedTuple):
    """What an action of the timeline says of a change."""

    word: str
    """``boot``, ``hybrid``, ``begun``, ``in`` or ``out``."""
    kind: str = ""
    """Kind of the change; empty where its name tells."""
    state: bool = False
    """Each fact names one of several states of the thing, which may go to and fro."""


SIGNS: Final[Mapping[str, Sign]] = MappingProxyType(
    {
        "boot": Sign("boot"),
        "hybrid_start": Sign("hybrid"),
        "update_install_started": Sign("begun"),
        "update_installed": Sign("in"),
        "update_uninstalled": Sign("out"),
        "driver_installed": Sign("in", "driver"),
        "driver_removed": Sign("out", "driver"),
        "application_installed": Sign("in", "application"),
        "application_removed": Sign("out", "application"),
        "service_installed": Sign("in", "other"),
        "driver_service_installed": Sign("in", "driver"),
        "service_start_type": Sign("in", "other", state=True),
        "policy_changed": Sign("in", "policy", state=True),
        "profile_changed": Sign("in", "other"),
        "profile_removed": Sign("out", "other"),
    }
)

TOGETHER: Final = pd.Timedelta(minutes=10)
"""Records of one installation lie this near to each other."""

SAME_DRIVER: Final = pd.Timedelta(days=1)
"""Windows Update says 'installed' this long after Plug and Play installed the driver, at most."""

_KB: Final = re.compile(r"KB\d+")
_BUILD: Final = re.compile(r"\d{5}\.\d{1,6}")
_STORE: Final = re.compile(r"9[A-Z0-9]{11}-")
"""Store apps are titled by product id and package: measured on 176 records with the Store's id."""

_DRIVER: Final = (
    re.compile(r".+? - [^-]+ - (?:.+ - )?(?P<version>\d+(?:\.\d+){1,3})"),
    re.compile(r".*\bdriver update\b.*?(?:\((?P<version>\d+(?:\.\d+){1,3})\))?", re.IGNORECASE),
)
"""Titles of drivers in Windows Update: 'Maker - Class - version', with a date before the version in
older ones, and 'Maker driver update for Device'. Unverified: known from use, no record at hand."""

_BROUGHT_BY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "service_installed": ("application_installed",),
        "driver_service_installed": ("application_installed", "driver_installed"),
    }
)


def kind_of(change: str) -> str:
    """Tell the kind of a change by its name.

    Examples
    --------
    >>> [kind_of(name) for name in ("KB5009543", "Fabrikam - Net - 12.19.1.37", "Feature update")]
    ['update', 'driver', 'other']
    """
    if _KB.fullmatch(change) or _BUILD.fullmatch(change):
        return "update"
    if _STORE.match(change):
        return "application"
    return "driver" if any(form.fullmatch(change) for form in _DRIVER) else "other"


def driver_version(title: str) -> str:
    """Return the version in a driver's title as Windows Update shows it; empty if there is none.

    Examples
    --------
    >>> driver_version("Fabrikam - Net - 12.19.1.37")
    '12.19.1.37'
    """
    found = next((hit for form in _DRIVER if (hit := form.fullmatch(title))), None)
    return (found["version"] or "") if found else ""


def told_changes(timeline: pd.DataFrame) -> pd.DataFrame:
    """Pick the facts that bear on what is in effect, with one name for one change.

    Parameters
    ----------
    timeline
        Table ``timeline``.

    Returns
    -------
    pandas.DataFrame
        Columns host, time, time_low, time_high, word, kind, change, key, bare, state, build,
        revision, states, listed, number, ref; sorted by host and time. Facts of one `key` are of
        one thing, whose versions replace each other; `bare` facts do not name the version.
        A fact known only to lie in an interval gets the latest time in it. Facts of no known host
        are left out.

    Notes
    -----
    Assumes that a service installed within `TOGETHER` of a product (a driver's, of the driver) is a
    part of it, and that a driver in Windows Update and one in Plug and Play with the same version on
    the same host are one. Fails where something else installs a service at that moment: it then has
    no row of its own.
    """
    told = timeline[timeline["action"].isin(SIGNS) & (timeline["host"] != "")]
    told = told.assign(time=told["time"].fillna(told["time_high"]))
    told = told[told["time"].notna() & (told["change"].ne("") | ~_names(told["action"]))]
    told = told.sort_values(["host", "time"], kind="stable", ignore_index=True)
    told = _one_driver(told)
    told = told[~(_part_of_a_product(told) | _said_with_version(told))]
    signs = [SIGNS[action] for action in told["action"]]
    kind = [sign.kind or kind_of(name) for sign, name in zip(signs, told["change"], strict=True)]
    state = np.array([sign.state for sign in signs], dtype=bool)
    policy = told["action"] == "policy_changed"
    thing = told["target"].where((told["target"] != "") & (told["change"] != ""), told["change"])
    by_kb = told["change"].str.fullmatch(_KB)
    of_update = (told["action"].str.startswith("update_") & ~told["is_driver"]) | by_kb
    day = told["time"].dt.strftime(" %Y-%m-%d").where(policy, "")
    return told.assign(
        word=[sign.word for sign in signs],
        kind=pd.Series(kind, index=told.index, dtype=object).where(~by_kb, "update"),
        state=state,
        key=_keys(told["change"].where(of_update | policy, thing), kind, of_update=of_update),
        bare=(told["change"] == told["target"]) & ~policy,
        change=told["change"] + day,
        states=told["build"].notna() & told["revision"].notna(),
        build=told["build"].fillna(0),
        revision=told["revision"].fillna(0),
        listed=told["record_id"].isna(),
        number=told["record_id"].fillna(-1),
        ref=record_refs(told.astype(dict.fromkeys(("host", "channel", "path"), object))),
    )


def _names(actions: pd.Series[str]) -> pd.Series[bool]:
    """Mark the actions that are about a change, as opposed to starts of Windows."""
    about = [name for name, sign in SIGNS.items() if sign.word not in ("boot", "hybrid")]
    return actions.isin(about)


def _keys(
    things: pd.Series[str], kinds: Iterable[str], *, of_update: pd.Series[bool]
) -> pd.Series[str]:
    """Keep things of one name and several kinds apart; updates have one kind only."""
    spaces = ["" if own else f"{kind}: " for own, kind in zip(of_update, kinds, strict=True)]
    return pd.Series(spaces, index=things.index, dtype=object) + things.astype(object)


def _one_driver(told: pd.DataFrame) -> pd.DataFrame:
    """Give a driver that Windows Update brought one name in all its records, on all hosts."""
    titles = {name: driver_version(name) for name in told["change"].unique()}
    by_update = told["action"].str.startswith("update_") & told["change"].map(titles).ne("")
    told = told.assign(is_driver=False)
    by_device = told["action"].isin(("driver_installed", "driver_removed"))
    if not (by_update.any() and by_device.any()):
        return told
    titled = told.loc[by_update, ["host", "time", "change"]]
    titled = titled.assign(version=titled["change"].map(titles)).rename(columns={"change": "title"})
    device = told.loc[by_device, ["host", "time", "change", "target"]]
    device = device.assign(version=device["change"].str.rpartition(" ")[2])
    both = device.merge(titled, on=["host", "version"], suffixes=("", "_titled"))
    both = both[(both["time_titled"] - both["time"]).abs() <= SAME_DRIVER]
    pairs = both[["change", "title", "target"]].drop_duplicates().sort_values("target")
    pairs = pairs[~pairs.duplicated("change", keep=False)]
    title = dict(zip(pairs["change"], pairs["title"], strict=True))
    device_of = pairs.groupby("title")["target"].first().to_dict()  # one of them stands for all
    renamed = told["change"].map(title).where(by_device)
    told = told.assign(change=renamed.fillna(told["change"]))
    named = told["change"].map(device_of).where(by_update | by_device)
    return told.assign(target=named.fillna(told["target"]), is_driver=named.notna())


def _part_of_a_product(told: pd.DataFrame) -> pd.Series[bool]:
    """Mark services that were installed together with what brings such services."""
    out = pd.Series(data=False, index=told.index)
    for service, bringers in _BROUGHT_BY.items():
        out |= _near(told, told["action"] == service, told["action"].isin(bringers), by=["host"])
    return out


def _said_with_version(told: pd.DataFrame) -> pd.Series[bool]:
    """Mark records of an application without its version where another one states it."""
    of_application = told["action"].isin(("application_installed", "application_removed"))
    bare = of_application & (told["change"] == told["target"])
    return _near(told, bare, of_application & ~bare, by=["host", "action", "target"])


def _near(
    told: pd.DataFrame, these: pd.Series[bool], those: pd.Series[bool], *, by: list[str]
) -> pd.Series[bool]:
    """Mark those of `these` rows that have one of `those` rows near in time."""
    out = pd.Series(data=False, index=told.index)
    if not (these.any() and those.any()):
        return out
    left = told.loc[these, [*by, "time"]].reset_index().sort_values("time")
    right = told.loc[those, [*by, "time"]].assign(near=True).sort_values("time")
    met = pd.merge_asof(left, right, on="time", by=by, direction="nearest", tolerance=TOGETHER)
    out.loc[met.loc[met["near"].notna(), "index"]] = True
    return out
