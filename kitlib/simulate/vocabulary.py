"""What a scenario file may say: an office, its Windows branches, its people and what is done.

A scenario is data (TOML); this is its vocabulary as frozen dataclasses: the fields are the keys a
file may use. `kitlib.simulate.scenario` reads a file into it, `kitlib.simulate.checks` says what
does not fit together, `kitlib.simulate.world` grows a world from it. Nothing here decides by
chance, reads a file or writes a log.

All times in a scenario are the office's local time; ``Window.utc`` turns them into UTC.
"""

from __future__ import annotations

from collections.abc import (  # noqa: TC003  # `declared.build` reads these types at run time
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final

SCHEMA: Final = "kitlib.scenario/1"
LOGS: Final = ("Application", "System", "Setup")
ACTS: Final = ("install", "uninstall", "reboot", "reimage", "away", "workaround", "retire")
REBOOTS: Final = ("at once", "evening", "night", "never")
ROUTES: Final = ("windows_update", "wusa", "wusa_quiet", "settings", "server", "library")
POWER: Final = ("on", "sleep", "shutdown")
DUMPS: Final = ("com_51", "com_iso", "hotfix_csv", "wmic_csv", "wmic_table", "systeminfo")
HISTORIES: Final = ("com_51", "com_iso")
"""Dumps that list every install with its time."""
EXPORTS: Final = ("wevtutil_xml",)
HANDED: Final = ("folder", "velociraptor")
GATEWAY_LOGS: Final = ("meraki_csv",)
DEFECTS: Final = (
    "rolled",
    "cleared",
    "damaged",
    "cut",
    "missing",
    "duplicated",
    "clock",
    "stale_dump",
    "wrong_dump",
)
PACKAGES: Final = ("update", "driver", "application")
FAULTS: Final = ("change", "world", "logged")
COMPETING: Final = (
    "shared_outage",
    "site_outage",
    "trend",
    "certificate",
    "credentials",
    "more_logging",
)
SITE: Final = "{site}"
"""What stands for the site in a group's `prefix`."""


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
    sites: tuple[str, ...] = ()
    """Sites that groups with ``{site}`` in their `prefix` are spread over, in turn."""
    gateway_log: str = ""
    """Dialect in which the gateway's own log is handed over, one of `GATEWAY_LOGS`; empty: none."""
    group_policy: bool = False
    """Whether a domain's Group Policy is refreshed and now and then brings all hosts news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a right analysis of this world must conclude (contract: verdict)."""

    status: str
    competing: tuple[str, ...] = ()
    changes: tuple[str, ...] | None = None
    """Labels to name; without it those of the guilty change that were in effect somewhere."""
    also_right: tuple[str, ...] = ()
    """Further statuses that are right as well."""
    known_from: int = 0
    """Least number of hosts from which this design lets the verdict be known."""


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
    sessions_between: tuple[float, float] | None = None
    """Span from which `sessions_per_day` is drawn once a host, by its logarithm."""
    baseline_failure: float = 0.02
    """Share of tries that fail though nothing is wrong."""
    baseline_between: tuple[float, float] | None = None
    """Span from which `baseline_failure` is drawn once a host, by its logarithm."""
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
    also_share: float = 1.0
    """Probability that a host is offered a package of `also`, drawn once a host and package."""
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
    """One host, or a group of hosts that differ only by chance.

    Its size is the number of its `names`, a `count`, or a `part` of the scenario's fleet.
    """

    branch: str
    revision: int
    names: tuple[str, ...] = ()
    prefix: str = ""
    count: int = 0
    part: float = 0.0
    """Weight with which the group shares the hosts of the fleet that nobody else has."""
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
    """What makes attempts fail: a change in effect (`kind` 'change') or the world ('world').

    A 'logged' fault makes none fail: while its change or its span is in effect, an agent dials in
    vain `per_day` times a working day beside the user. More is logged, nobody loses anything.

    The spans of the world and of logging are fixed (`start`, `end`) or drawn (`start_between`,
    `lasts_hours`), once for all hosts or, with `own`, for each host that is bitten.
    """

    name: str
    kind: str
    codes: Mapping[int, float]
    probability: float = 1.0
    carriers: tuple[Carrier, ...] = ()
    package: str = ""
    start: datetime | None = None
    end: datetime | None = None
    start_between: tuple[datetime, datetime] | None = None
    lasts_hours: tuple[float, float] | None = None
    own: bool = False
    per_day: float = 0.0
    """Dials of the agent on a whole working day (kind 'logged')."""
    sites: tuple[str, ...] = ()
    tunnels: tuple[str, ...] = ("L2TP",)
    share: float = 1.0
    """Share of hosts that are susceptible."""
    ramp: bool = False
    """The probability grows from zero to `probability` over the span: a trend."""
    delay_hours: tuple[float, float] = (0.0, 0.0)
    """Hours from the change's effect to the fault's, drawn once a host."""

    @property
    def carried(self) -> bool:
        """Whether a change carries the fault, rather than a span of time."""
        return bool(self.carriers or self.package)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is wrong with the evidence of a host, though not with the host.

    It is that of one named `host`, or that of each host whose name fits the pattern `hosts` with
    the probability `share`; where it then cannot be (a log too small to lose a chunk), it is not.

    ``rolled`` and ``cleared`` logs begin at `at`, ``damaged`` ones lack `chunk`, ``cut`` ones end
    in it, ``missing`` ones are not there, ``duplicated`` ones were exported at `at` as well; the
    ``clock`` is wrong by `minutes` from `at` to `until`; a ``stale_dump`` was made at `at`; a
    ``wrong_dump`` states the installs of cumulative updates `minutes` late (early where negative).
    """

    kind: str
    host: str = ""
    hosts: str = ""
    share: float = 1.0
    log: str = "Application"
    at: datetime | None = None
    at_between: tuple[datetime, datetime] | None = None
    """Span from which `at` is drawn, once a host."""
    until: datetime | None = None
    chunk: int = 1
    minutes: float = 0.0

    def suits(self, host: Host) -> bool:
        """Return whether a host of a group hands over what the defect is one of."""
        if self.kind in ("damaged", "cut"):
            return self.log not in host.exports
        if self.kind == "wrong_dump":
            return any(dump in HISTORIES for dump in host.dumps)
        return self.kind != "stale_dump" or bool(host.dumps)


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
    fleet: int = 0
    """Number of hosts, where groups take a `part` of them."""
    family: bool = False
    """One of the families of worlds that benchmarks grow in many sizes and seeds."""

    @property
    def guilty(self) -> bool:
        """Whether a change is to blame."""
        return any(fault.kind == "change" for fault in self.faults)

    @property
    def main_faults(self) -> tuple[Fault, ...]:
        """The faults the world is about: those of changes or, without one, those of the world."""
        kind = "change" if self.guilty else "world"
        return tuple(fault for fault in self.faults if fault.kind == kind)

    def branch(self, name: str) -> Branch:
        """Return the branch called `name`."""
        return next(branch for branch in self.branches if branch.name == name)

    def package(self, name: str) -> Package:
        """Return the package called `name`."""
        return next(package for package in self.packages if package.name == name)
