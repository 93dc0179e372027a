"""What a scenario file may say: an office, its Windows branches, its people and what is done.

A scenario is data (TOML). This file holds its vocabulary as frozen dataclasses, reads it and
checks that its parts fit together. It decides nothing by chance and writes no log: `kitlib.
simulate.world` grows a world from it.

All times in a scenario are the office's local time; ``Window.utc`` turns them into UTC.
``use = ["january-2022"]`` takes branches and packages from a file of ``branches/``.
"""

from __future__ import annotations

import tomllib
from collections.abc import (  # noqa: TC003  # `declared.build` reads these types at run time
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kitlib.errors import UsageError
from kitlib.schema import VERDICTS
from kitlib.simulate.declared import ScenarioError, build

SCHEMA: Final = "kitlib.scenario/1"
HERE: Final = Path(__file__).resolve().parent
LOGS: Final = ("Application", "System", "Setup")
ACTS: Final = ("install", "uninstall", "reboot", "reimage", "away", "workaround", "retire")
REBOOTS: Final = ("at once", "evening", "night", "never")
ROUTES: Final = ("windows_update", "wusa", "wusa_quiet", "settings", "server", "library")
POWER: Final = ("on", "sleep", "shutdown")
DUMPS: Final = ("com_51", "com_iso", "hotfix_csv", "wmic_csv", "wmic_table", "systeminfo")
EXPORTS: Final = ("wevtutil_xml",)
HANDED: Final = ("folder", "velociraptor")
GATEWAY_LOGS: Final = ("meraki_csv",)
DEFECTS: Final = ("rolled", "cleared", "damaged", "cut", "missing", "duplicated", "clock")
PACKAGES: Final = ("update", "driver", "application")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A change of the office's UTC offset (start or end of summer time)."""

    at: datetime
    utc_offset_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The span the exported logs cover, in local time, and how local time relates to UTC."""

    start: datetime
    end: datetime
    utc_offset_minutes: int
    zone: str
    shifts: tuple[Shift, ...] = ()
    holidays: tuple[date, ...] = ()

    def offset(self, local: datetime) -> timedelta:
        """Return local minus UTC at a `local` time."""
        minutes = self.utc_offset_minutes
        for shift in self.shifts:
            minutes = shift.utc_offset_minutes if local >= shift.at else minutes
        return timedelta(minutes=minutes)

    def utc(self, local: datetime) -> datetime:
        """Return the UTC time of a `local` time of the scenario."""
        return (local - self.offset(local)).replace(tzinfo=UTC)

    def local(self, time: datetime) -> datetime:
        """Return the local time (without zone) of a UTC `time`."""
        naive = time.astimezone(UTC).replace(tzinfo=None)
        guess = naive + timedelta(minutes=self.utc_offset_minutes)
        return naive + self.offset(guess)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Names that all hosts share."""

    domain: str
    netbios: str
    profile: str
    server: str
    gateway_log: str = ""
    """Dialect in which the gateway's own log is handed over, one of `GATEWAY_LOGS`; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a right analysis of this world must conclude (contract: verdict)."""

    status: str
    competing: tuple[str, ...] = ()
    changes: tuple[str, ...] | None = None
    """Labels to name; without it those of the guilty change that were in effect somewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One cumulative update of a branch: the update build revision it brings, and its name."""

    number: int
    kb: str
    released: date
    title: str = ""
    kind: str = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hotfix:
    """A package that every host of a branch has had since before the window."""

    kb: str
    installed: date
    kind: str = "Update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One Windows version with its cumulative updates, in rising order of revision."""

    name: str
    product: str
    build: int
    revisions: tuple[Revision, ...]
    lab: str
    kernel_build: int | None = None
    """Build that Kernel-General 12 states where it differs (shared kernel binaries)."""
    setup_shape: str = "A"
    """Shape of Servicing records: 'A' states as text, 'B' numbers with text beside them."""
    servicing_client: str = "WindowsUpdateAgent"
    hotfixes: tuple[Hotfix, ...] = ()

    def revision(self, number: int) -> Revision:
        """Return the revision with this `number`; raise KeyError if the branch has none."""
        for revision in self.revisions:
            if revision.number == number:
                return revision
        raise KeyError(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A change that is not a cumulative update: .NET, a driver, an application."""

    name: str
    title: str
    kind: str = "update"
    kb: str = ""
    version: str = ""
    maker: str = ""

    @property
    def label(self) -> str:
        """What an analysis should call it (contract: changes)."""
        return self.kb or " ".join(part for part in (self.title, self.version) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a host and its user behave; times of day are local hours, spans as named."""

    vpn: bool = True
    tunnel: str = "L2TP"
    use_probability: float = 0.93
    """Share of working days on which the user wants the VPN at all."""
    sessions_per_day: float = 2.2
    session_minutes: tuple[float, float] = (35.0, 200.0)
    work_start: float = 8.0
    work_end: float = 17.0
    workdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    baseline_failure: float = 0.02
    baseline_codes: Mapping[int, float] = field(
        default_factory=lambda: MappingProxyType({809: 5.0, 691: 2.0, 628: 2.0})
    )
    cancelled: float = 0.012
    retries: tuple[int, int] = (2, 5)
    """Fewest and most tries of a burst while the VPN does not come up."""
    retry_seconds: tuple[float, float] = (4.0, 55.0)
    give_up: float = 0.8
    """Factor on the wish for sessions for each working day without any success."""
    power: str = "sleep"
    reboots_per_week: float = 0.25
    site: str = ""
    noise: float = 1.0
    """Factor on the number of background records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something done to a host, at a time or at a random time `between` two.

    ``install`` and ``uninstall`` (of `revision` or `package`) take effect at the `reboot`;
    ``reboot`` is one without reason; ``reimage`` puts the host back to `revision` and its logs to
    nothing; ``away`` is the user's absence (`until`); ``workaround`` ends a change's fault without
    a change of build, on the server (`by` 'server') or with an older library ('library', which
    restarts the IKE service); ``retire`` switches the host off for good.
    """

    do: str
    at: datetime | None = None
    between: tuple[datetime, datetime] | None = None
    until: datetime | None = None
    revision: int | None = None
    package: str = ""
    also: tuple[str, ...] = ()
    """Packages that go on in the same session with the same reboot."""
    by: str = "windows_update"
    reboot: str = "evening"
    reboot_at: datetime | None = None
    share: float = 1.0
    """Probability that the act happens on a host of the group."""
    repeated: bool = False
    """Windows Update reports the same install a second time a day later."""
    fails_first: int = 0
    """Days in a row before, at the same hour, on which the same install failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host, or a group of hosts that differ only by chance."""

    branch: str
    revision: int
    names: tuple[str, ...] = ()
    prefix: str = ""
    count: int = 0
    user: str = ""
    habits: Habits = field(default_factory=Habits)
    acts: tuple[Act, ...] = ()
    dumps: tuple[str, ...] = ("com_iso",)
    exports: Mapping[str, str] = field(default_factory=dict)
    """Logs that are handed over in another form than .evtx: log → one of `EXPORTS`."""
    handed: str = "folder"
    """How the files come, one of `HANDED`."""
    culture: str = "en-US"
    first_record_id: int = 0
    """Record id the logs begin with; 0 lets chance decide (1 for about a third of hosts)."""

    def host_names(self) -> Iterator[str]:
        """Yield the names of all hosts of the group."""
        yield from self.names
        yield from (f"{self.prefix}{number:04d}" for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Revisions of a branch that carry a fault: from `first` up to, not including, `fixed`."""

    branch: str
    first: int
    fixed: int = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What makes an attempt fail: a change in effect (`kind` 'change') or the world ('world')."""

    name: str
    kind: str
    codes: Mapping[int, float]
    probability: float = 1.0
    carriers: tuple[Carrier, ...] = ()
    package: str = ""
    start: datetime | None = None
    end: datetime | None = None
    sites: tuple[str, ...] = ()
    tunnels: tuple[str, ...] = ("L2TP",)
    share: float = 1.0
    """Share of hosts that are susceptible."""
    ramp: bool = False
    """The probability grows from zero to `probability` over the span: a trend."""
    delay_hours: tuple[float, float] = (0.0, 0.0)
    """Hours from the change's effect to the fault's, drawn once a host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is wrong with the evidence of a host, though not with the host."""

    host: str
    kind: str
    log: str = "Application"
    at: datetime | None = None
    until: datetime | None = None
    chunk: int = 1
    minutes: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario, checked."""

    name: str
    schema: str
    title: str
    incident: str
    window: Window
    office: Office
    verdict: Verdict
    branches: tuple[Branch, ...]
    hosts: tuple[Host, ...]
    faults: tuple[Fault, ...] = ()
    packages: tuple[Package, ...] = ()
    defects: tuple[Defect, ...] = ()

    def branch(self, name: str) -> Branch:
        """Return the branch called `name`."""
        return next(branch for branch in self.branches if branch.name == name)

    def package(self, name: str) -> Package:
        """Return the package called `name`."""
        return next(package for package in self.packages if package.name == name)


def list_scenarios() -> list[str]:
    """Return the names of the built-in scenarios, sorted."""
    return sorted(path.stem for path in (HERE / "scenarios").glob("*.toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read and check a scenario.

    Parameters
    ----------
    name_or_path
        A built-in name (see `list_scenarios`) or the path of a TOML file.

    Raises
    ------
    UsageError
        If there is no such scenario.
    ScenarioError
        If the file is no TOML or says something a scenario cannot say.
    """
    path = _find(name_or_path)
    table = _toml(path)
    habits = table.pop("habits", {})
    for shared in table.pop("use", []):
        extra = _toml(_shared(shared, path))
        for key in ("branch", "package"):
            table[key] = extra.get(key, []) + table.get(key, [])
    scenario = build(Scenario, _renamed(table, habits, path), path.name)
    _check(scenario, path.name)
    return scenario


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


def _check(scenario: Scenario, where: str) -> None:
    """Raise if the parts of a scenario do not fit together."""
    if scenario.schema != SCHEMA:
        raise ScenarioError(f"{where}: schema must be '{SCHEMA}', found '{scenario.schema}'")
    if scenario.window.start >= scenario.window.end:
        raise ScenarioError(f"{where}: window: start must be before end")
    _one_of(scenario.verdict.status, VERDICTS, f"{where}: verdict: status")
    _one_of(scenario.office.gateway_log, ("", *GATEWAY_LOGS), f"{where}: office: gateway_log")
    names = [name for host in scenario.hosts for name in host.host_names()]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(f"{where}: host '{name}' appears twice")
    for number, host in enumerate(scenario.hosts, 1):
        _check_host(scenario, host, f"{where}: host {number}")
    for fault in scenario.faults:
        _check_fault(scenario, fault, f"{where}: fault '{fault.name}'")
    for defect in scenario.defects:
        _one_of(defect.host, names, f"{where}: defect: host")
        _one_of(defect.kind, DEFECTS, f"{where}: defect: kind")
        _one_of(defect.log, LOGS, f"{where}: defect: log")
        exports = next(h.exports for h in scenario.hosts if defect.host in h.host_names())
        if defect.kind in ("damaged", "cut") and defect.log in exports:
            raise ScenarioError(f"{where}: defect of {defect.host}: an export cannot be damaged")
        if defect.kind in ("rolled", "cleared", "clock") and defect.at is None:
            raise ScenarioError(f"{where}: defect of {defect.host}: '{defect.kind}' needs 'at'")


def _check_host(scenario: Scenario, host: Host, where: str) -> None:
    if not list(host.host_names()):
        raise ScenarioError(f"{where}: give 'names', or 'prefix' and 'count'")
    _one_of(host.branch, [b.name for b in scenario.branches], f"{where}: branch")
    numbers = [revision.number for revision in scenario.branch(host.branch).revisions]
    _one_of(host.revision, numbers, f"{where}: revision")
    _one_of(host.habits.power, POWER, f"{where}: habits: power")
    for dump in host.dumps:
        _one_of(dump, DUMPS, f"{where}: dumps")
    for log, dialect in host.exports.items():
        _one_of(log, LOGS, f"{where}: exports")
        _one_of(dialect, EXPORTS, f"{where}: exports: {log}")
    _one_of(host.handed, HANDED, f"{where}: handed")
    for index, act in enumerate(host.acts, 1):
        _check_act(scenario, host, act, f"{where}: act {index}", numbers)


def _check_act(scenario: Scenario, host: Host, act: Act, where: str, numbers: list[int]) -> None:
    _one_of(act.do, ACTS, f"{where}: do")
    _one_of(act.by, ROUTES, f"{where}: by")
    _one_of(act.reboot, REBOOTS, f"{where}: reboot")
    if (act.at is None) == (act.between is None):
        raise ScenarioError(f"{where}: give either 'at' or 'between'")
    if act.revision is not None:
        _one_of(act.revision, numbers, f"{where}: revision")
    for package in (*act.also, *([act.package] if act.package else [])):
        _one_of(package, [p.name for p in scenario.packages], f"{where}: package")
    if act.do in ("install", "uninstall", "reimage") and act.revision is None and not act.package:
        raise ScenarioError(f"{where}: '{act.do}' needs 'revision' or 'package'")
    if act.reboot == "never" and host.habits.power == "shutdown":
        raise ScenarioError(f"{where}: a host that is shut down daily cannot 'never' reboot")


def _check_fault(scenario: Scenario, fault: Fault, where: str) -> None:
    _one_of(fault.kind, ("change", "world"), f"{where}: kind")
    if not fault.codes:
        raise ScenarioError(f"{where}: codes must name at least one code")
    for carrier in fault.carriers:
        _one_of(carrier.branch, [b.name for b in scenario.branches], f"{where}: carrier: branch")
    if fault.package:
        _one_of(fault.package, [p.name for p in scenario.packages], f"{where}: package")
    if fault.kind == "world" and (fault.start is None or fault.end is None):
        raise ScenarioError(f"{where}: a fault of the world needs 'start' and 'end'")
    if fault.kind == "change" and not (fault.carriers or fault.package):
        raise ScenarioError(f"{where}: a fault of a change needs [[fault.carrier]] or 'package'")


def _one_of(value: Any, allowed: Any, where: str) -> None:  # noqa: ANN401  # text or numbers
    if value not in allowed:
        raise ScenarioError(f"{where}: '{value}' is not one of {', '.join(map(str, allowed))}")
