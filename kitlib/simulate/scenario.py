"""Find a scenario's file, read it and give its fleet the wanted size.

The words a file may use are those of `kitlib.simulate.vocabulary`; whether they fit together is for
`kitlib.simulate.checks`. ``use = ["january-2022"]`` takes branches and packages from a file of
``branches/``. A group of hosts that states a `part` gets its number of hosts here, one that
states ``{site}`` its sites; nothing is decided by chance.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kitlib.errors import UsageError
from kitlib.simulate.checks import check_hosts, check_parts, check_patterns
from kitlib.simulate.declared import ScenarioError, build
from kitlib.simulate.vocabulary import SITE, Host, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE: Final = Path(__file__).resolve().parent


def list_scenarios() -> list[str]:
    """Return the names of the built-in scenarios, sorted."""
    return sorted(path.stem for path in (HERE / "scenarios").glob("*.toml"))


def load_scenario(name_or_path: str | Path, hosts: int | None = None) -> Scenario:
    """Read and check a scenario.

    Parameters
    ----------
    name_or_path
        A built-in name (see `list_scenarios`) or the path of a TOML file.
    hosts
        Number of hosts, instead of the `fleet` that the file states.

    Returns
    -------
    Scenario
        Checked, and of that size: every group has its `count`, those with ``{site}`` are split
        into one group a site.

    Raises
    ------
    UsageError
        If there is no such scenario.
    ScenarioError
        If the file is no TOML or says something a scenario cannot say, or if its groups cannot
        have that many hosts.
    """
    path = _find(name_or_path)
    table = _toml(path)
    habits = table.pop("habits", {})
    for shared in table.pop("use", []):
        extra = _toml(_shared(shared, path))
        for key in ("branch", "package"):
            table[key] = extra.get(key, []) + table.get(key, [])
    scenario = build(Scenario, _renamed(table, habits, path), path.name)
    check_parts(scenario, path.name)
    whole = _sized(scenario, scenario.fleet, path.name)
    check_patterns(whole, path.name)
    wanted = whole if hosts is None else _sized(scenario, hosts, path.name, asked=True)
    check_hosts(wanted, path.name)
    return wanted


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix != ".toml" and str(name_or_path) in list_scenarios():
        return HERE / "scenarios" / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(list_scenarios())
        raise UsageError(f"there is no scenario '{name_or_path}': give a file or one of {known}")
    return path


def _shared(name: Any, path: Path) -> Path:  # noqa: ANN401  # not yet checked
    found = HERE / "branches" / f"{name}.toml"
    if not found.is_file():
        known = ", ".join(sorted(p.stem for p in found.parent.glob("*.toml")))
        raise ScenarioError(f"{path.name}: use: there is no '{name}', known are {known}")
    return found


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path.name} is not TOML: {error}") from error


_PLURAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "branch": "branches",
        "package": "packages",
        "host": "hosts",
        "fault": "faults",
        "defect": "defects",
    }
)
_INNER: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "branch": {"revision": "revisions"},
        "host": {"act": "acts"},
        "fault": {"carrier": "carriers"},
    }
)


def _renamed(table: dict[str, Any], habits: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """TOML writes ``[[host]]`` for one of several `hosts`; give each list its plural name."""
    out = {"name": path.stem, **_plural(table, _PLURAL, path)}
    for key, inner in _INNER.items():
        entries = out.get(_PLURAL[key], [])
        if isinstance(entries, list):
            out[_PLURAL[key]] = [_plural(entry, inner, path) for entry in entries]
    for host in out.get("hosts", []):
        host["habits"] = {**habits, **host.get("habits", {})}
    return out


def _plural(table: Mapping[str, Any], names: Mapping[str, str], path: Path) -> dict[str, Any]:
    for singular, plural in names.items():
        if plural in table:
            raise ScenarioError(f"{path.name}: write [[{singular}]], not '{plural}'")
    return {names.get(key, key) if isinstance(v, list) else key: v for key, v in table.items()}


# ------------------------------------------------------------------ the size of the fleet


def _sized(scenario: Scenario, hosts: int, where: str, *, asked: bool = False) -> Scenario:
    """Give groups with a `part` their number of hosts and those with ``{site}`` their sites."""
    sharing = [host for host in scenario.hosts if host.part]
    if asked and not sharing:
        raise ScenarioError(f"{where}: no host states a 'part': its number of hosts is fixed")
    fixed = sum(len(host.names) + host.count for host in scenario.hosts)
    if sharing and hosts - fixed < len(sharing):
        raise ScenarioError(
            f"{where}: a fleet of {hosts} is too small: {fixed} hosts are fixed, and each of "
            f"{len(sharing)} groups with a 'part' needs one"
        )
    counts = iter(shared_out(hosts - fixed, [host.part for host in sharing]))
    groups = [replace(host, count=next(counts)) if host.part else host for host in scenario.hosts]
    located = [
        piece
        for number, host in enumerate(groups, 1)
        for piece in _located(host, number, scenario.office.sites)
    ]
    return replace(scenario, hosts=tuple(located))


def shared_out(total: int, parts: Sequence[float]) -> list[int]:
    """Share `total` out by `parts`: largest remainders first, at least 1 each, no more or less.

    Parameters
    ----------
    total
        Number to share out, at least the number of parts.
    parts
        Positive weights; they need not add up to 1.

    Returns
    -------
    list of int
        One number a part; their sum is `total`. Between equal remainders the first wins.
    """
    quotas = [total * part / sum(parts) for part in parts]
    counts = [max(1, int(quota)) for quota in quotas]
    order = range(len(parts))
    while parts and sum(counts) < total:
        counts[max(order, key=lambda i: quotas[i] - counts[i])] += 1
    while parts and sum(counts) > total:
        counts[min((i for i in order if counts[i] > 1), key=lambda i: quotas[i] - counts[i])] -= 1
    return counts


def _located(host: Host, number: int, sites: Sequence[str]) -> Iterator[Host]:
    """Split a group into one a site: host n of group `number` is at site n + number, in turn."""
    if SITE not in host.prefix:
        yield host
        return
    for index, site in enumerate(sites):
        prefix = host.prefix.replace(SITE, site)
        here = [n for n in range(1, host.count + 1) if (n + number) % len(sites) == index]
        if here:
            yield replace(
                host,
                names=tuple(f"{prefix}{n:04d}" for n in here),
                prefix="",
                count=0,
                habits=replace(host.habits, site=site),
            )
