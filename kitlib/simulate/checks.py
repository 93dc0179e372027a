"""Say what does not fit together in a scenario, and where.

`kitlib.simulate.declared` has held every value against its type; here the values are held against
each other: names against what they name, spans against their order, kinds against what they need.
Each function raises `ScenarioError` for the first thing it finds. Nothing is changed here.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kitlib.schema import VERDICTS
from kitlib.simulate.declared import ScenarioError
from kitlib.simulate.vocabulary import (
    ACTS,
    COMPETING,
    DEFECTS,
    DUMPS,
    EXPORTS,
    FAULTS,
    GATEWAY_LOGS,
    HANDED,
    LOGS,
    PACKAGES,
    POWER,
    REBOOTS,
    ROUTES,
    SCHEMA,
    SITE,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kitlib.simulate.vocabulary import Act, Defect, Fault, Habits, Host, Scenario, Verdict

NAME: Final = re.compile(r"[A-Za-z0-9-]{1,15}")
"""A NetBIOS name, as far as a simulated host needs one."""
BLAMING: Final = ("supported", "not_separable", "no_control")
TIMED_DEFECTS: Final = ("rolled", "cleared", "clock", "stale_dump")
MOVING_DEFECTS: Final = ("clock", "wrong_dump")
_UNSUITED: Final = MappingProxyType(
    {
        "damaged": "an export cannot be damaged",
        "cut": "an export cannot be cut",
        "stale_dump": "the host has no dumps",
        "wrong_dump": "the host has no update history among its dumps",
    }
)


def check_parts(scenario: Scenario, where: str) -> None:
    """Raise if the parts of a scenario do not fit together; `where` begins the message.

    The sizes of the groups may still be open; names of hosts are for `check_hosts`.
    """
    if scenario.schema != SCHEMA:
        raise ScenarioError(f"{where}: schema must be '{SCHEMA}', found '{scenario.schema}'")
    if scenario.window.start >= scenario.window.end:
        raise ScenarioError(f"{where}: window: start must be before end")
    _one_of(scenario.office.gateway_log, ("", *GATEWAY_LOGS), f"{where}: office: gateway_log")
    _check_verdict(scenario, scenario.verdict, f"{where}: verdict")
    _check_fleet(scenario, where)
    for package in scenario.packages:
        _one_of(package.kind, PACKAGES, f"{where}: package '{package.name}': kind")
    _unique([h.prefix for h in scenario.hosts if SITE in h.prefix], f"{where}: host: prefix")
    for number, host in enumerate(scenario.hosts, 1):
        _check_host(scenario, host, f"{where}: host {number}")
    _unique([fault.name for fault in scenario.faults], f"{where}: fault")
    for fault in scenario.faults:
        _check_fault(scenario, fault, f"{where}: fault '{fault.name}'")
    for number, defect in enumerate(scenario.defects, 1):
        _check_defect(defect, f"{where}: {_called(defect, number)}")


def check_patterns(scenario: Scenario, where: str) -> None:
    """Raise if a pattern or a site fits no host of the fleet as the file states it.

    A smaller fleet than that may well lack the hosts a pattern means.
    """
    names = [name for host in scenario.hosts for name in host.host_names()]
    for number, defect in enumerate(scenario.defects, 1):
        if defect.hosts and not any(fnmatchcase(name, defect.hosts) for name in names):
            raise ScenarioError(
                f"{where}: {_called(defect, number)}: no host's name fits '{defect.hosts}'"
            )
    sites = sorted({*scenario.office.sites, *(h.habits.site for h in scenario.hosts)} - {""})
    for fault in scenario.faults:
        for site in fault.sites:
            _one_of(site, sites, f"{where}: fault '{fault.name}': sites")


def check_hosts(scenario: Scenario, where: str) -> None:
    """Raise if names of the fleet as it will be are not unique, too long or missing."""
    names = [name for host in scenario.hosts for name in host.host_names()]
    _unique(names, f"{where}: host")
    for name in names:
        if not NAME.fullmatch(name):
            raise ScenarioError(
                f"{where}: host '{name}': a name is 1 to 15 letters, digits and hyphens"
            )
    for number, defect in enumerate(scenario.defects, 1):
        if defect.host:
            place = f"{where}: {_called(defect, number)}"
            _one_of(defect.host, names, f"{place}: host")
            host = next(h for h in scenario.hosts if defect.host in h.host_names())
            if not defect.suits(host):
                raise ScenarioError(f"{place}: {_UNSUITED[defect.kind]}")


def _called(defect: Defect, number: int) -> str:
    return f"defect {number} ({defect.kind} of {defect.host or defect.hosts or 'nobody'})"


def _check_verdict(scenario: Scenario, verdict: Verdict, where: str) -> None:
    _one_of(verdict.status, VERDICTS, f"{where}: status")
    for status in verdict.also_right:
        _one_of(status, VERDICTS, f"{where}: also_right")
    for word in verdict.competing:
        _one_of(word, COMPETING, f"{where}: competing")
    if verdict.known_from < 0:
        raise ScenarioError(f"{where}: known_from is a number of hosts, not {verdict.known_from}")
    harmless = all(fault.kind == "logged" for fault in scenario.faults)
    if scenario.faults and harmless and verdict.status in BLAMING:
        raise ScenarioError(
            f"{where}: status: nothing breaks in a world with more logging only, so that "
            f"'{verdict.status}' cannot be right"
        )


def _check_fleet(scenario: Scenario, where: str) -> None:
    sharing = any(host.part for host in scenario.hosts)
    if scenario.fleet < 0:
        raise ScenarioError(f"{where}: fleet is a number of hosts, not {scenario.fleet}")
    if sharing and not scenario.fleet:
        raise ScenarioError(f"{where}: hosts with a 'part' need 'fleet', the number of all hosts")
    if scenario.fleet and not sharing:
        raise ScenarioError(f"{where}: fleet: no host states a 'part' of it")
    _unique(scenario.office.sites, f"{where}: office: sites:")


def _check_host(scenario: Scenario, host: Host, where: str) -> None:
    _check_size(scenario, host, where)
    _one_of(host.branch, [b.name for b in scenario.branches], f"{where}: branch")
    numbers = [revision.number for revision in scenario.branch(host.branch).revisions]
    _one_of(host.revision, numbers, f"{where}: revision")
    _one_of(host.habits.power, POWER, f"{where}: habits: power")
    _check_habits(host.habits, f"{where}: habits")
    for dump in host.dumps:
        _one_of(dump, DUMPS, f"{where}: dumps")
    for log, dialect in host.exports.items():
        _one_of(log, LOGS, f"{where}: exports")
        _one_of(dialect, EXPORTS, f"{where}: exports: {log}")
    _one_of(host.handed, HANDED, f"{where}: handed")
    for index, act in enumerate(host.acts, 1):
        _check_act(scenario, host, act, f"{where}: act {index}", numbers)


def _check_habits(habits: Habits, where: str) -> None:
    """Raise if what is drawn for each host could be no rate, or has no logarithm."""
    for name, span, most in (
        ("sessions_between", habits.sessions_between, math.inf),
        ("baseline_between", habits.baseline_between, 1.0),
    ):
        _ordered(span, f"{where}: {name}")
        if span and not (span[0] > 0 and span[1] < most):
            limit = " and below 1" if most == 1 else ""
            raise ScenarioError(f"{where}: {name}: both values must be above 0{limit}")


def _check_size(scenario: Scenario, host: Host, where: str) -> None:
    if host.part < 0 or host.count < 0:
        raise ScenarioError(f"{where}: 'part' and 'count' cannot be negative")
    if host.part and (host.names or host.count):
        raise ScenarioError(f"{where}: give 'part', or 'names' or 'count', not both")
    if not (host.names or (host.prefix and (host.count or host.part))):
        raise ScenarioError(
            f"{where}: give 'names', or 'prefix' and 'count', or 'prefix' and 'part'"
        )
    if SITE in host.prefix and not scenario.office.sites:
        raise ScenarioError(f"{where}: prefix: '{SITE}' needs 'sites' of the office")
    if SITE in host.prefix and (host.names or host.habits.site):
        raise ScenarioError(f"{where}: prefix: '{SITE}' goes with neither 'names' nor 'site'")


def _check_act(scenario: Scenario, host: Host, act: Act, where: str, numbers: list[int]) -> None:
    _one_of(act.do, ACTS, f"{where}: do")
    _one_of(act.by, ROUTES, f"{where}: by")
    _one_of(act.reboot, REBOOTS, f"{where}: reboot")
    if (act.at is None) == (act.between is None):
        raise ScenarioError(f"{where}: give either 'at' or 'between'")
    _ordered(act.between, f"{where}: between")
    _probability(act.share, f"{where}: share")
    _probability(act.also_share, f"{where}: also_share")
    if act.also_share < 1 and not act.also:
        raise ScenarioError(f"{where}: also_share needs packages in 'also'")
    if act.revision is not None:
        _one_of(act.revision, numbers, f"{where}: revision")
    for package in (*act.also, *([act.package] if act.package else [])):
        _one_of(package, [p.name for p in scenario.packages], f"{where}: package")
    if act.do in ("install", "uninstall", "reimage") and act.revision is None and not act.package:
        raise ScenarioError(f"{where}: '{act.do}' needs 'revision' or 'package'")
    if act.reboot == "never" and host.habits.power == "shutdown":
        raise ScenarioError(f"{where}: a host that is shut down daily cannot 'never' reboot")


def _check_fault(scenario: Scenario, fault: Fault, where: str) -> None:
    _one_of(fault.kind, FAULTS, f"{where}: kind")
    if not fault.codes:
        raise ScenarioError(f"{where}: codes must name at least one code")
    for carrier in fault.carriers:
        _one_of(carrier.branch, [b.name for b in scenario.branches], f"{where}: carrier: branch")
    if fault.package:
        _one_of(fault.package, [p.name for p in scenario.packages], f"{where}: package")
    _probability(fault.probability, f"{where}: probability")
    _probability(fault.share, f"{where}: share")
    _check_carried(fault, where)
    _check_spell(fault, where)
    if fault.kind == "logged" and (fault.per_day <= 0 or fault.ramp):
        raise ScenarioError(f"{where}: more logging needs 'per_day' above 0, and has no 'ramp'")
    if fault.kind != "logged" and fault.per_day:
        raise ScenarioError(f"{where}: 'per_day' belongs to faults of kind 'logged'")


def _check_carried(fault: Fault, where: str) -> None:
    timed = bool(fault.start or fault.end or fault.start_between or fault.lasts_hours or fault.own)
    if fault.kind == "change" and not fault.carried:
        raise ScenarioError(f"{where}: a fault of a change needs [[fault.carrier]] or 'package'")
    if fault.kind == "world" and fault.carried:
        raise ScenarioError(f"{where}: a fault of the world has no carrier and no package")
    if fault.carried and timed:
        raise ScenarioError(f"{where}: what a change carries has no span of its own")


def _check_spell(fault: Fault, where: str) -> None:
    """Raise if the span of a fault that no change carries is not stated, or stated twice."""
    if fault.carried:
        return
    if (fault.start is None) == (fault.start_between is None):
        raise ScenarioError(f"{where}: give either 'start' or 'start_between'")
    if (fault.end is None) == (fault.lasts_hours is None):
        raise ScenarioError(f"{where}: give either 'end' or 'lasts_hours'")
    _ordered(fault.start_between, f"{where}: start_between")
    _ordered(fault.lasts_hours, f"{where}: lasts_hours")
    if fault.lasts_hours and fault.lasts_hours[0] <= 0:
        raise ScenarioError(f"{where}: lasts_hours must be above 0")
    latest = fault.start or (fault.start_between or (None, None))[1]
    if fault.end and latest and latest >= fault.end:
        raise ScenarioError(f"{where}: it must start before its end")
    if fault.own and not (fault.start_between or fault.lasts_hours):
        raise ScenarioError(f"{where}: 'own' needs 'start_between' or 'lasts_hours' to draw from")


def _check_defect(defect: Defect, where: str) -> None:
    _one_of(defect.kind, DEFECTS, f"{where}: kind")
    _one_of(defect.log, LOGS, f"{where}: log")
    if bool(defect.host) == bool(defect.hosts):
        raise ScenarioError(f"{where}: give either 'host', a name, or 'hosts', a pattern")
    _probability(defect.share, f"{where}: share")
    if defect.host and defect.share < 1:
        raise ScenarioError(f"{where}: 'share' goes with 'hosts', a pattern")
    if defect.at and defect.at_between:
        raise ScenarioError(f"{where}: give either 'at' or 'at_between'")
    _ordered(defect.at_between, f"{where}: at_between")
    latest = defect.at or (defect.at_between or (None, None))[1]
    if defect.kind in TIMED_DEFECTS and not latest:
        raise ScenarioError(f"{where}: '{defect.kind}' needs 'at' or 'at_between'")
    if defect.until and latest and latest >= defect.until:
        raise ScenarioError(f"{where}: 'until' must be later than its beginning")
    if defect.kind in MOVING_DEFECTS and not defect.minutes:
        raise ScenarioError(f"{where}: '{defect.kind}' needs 'minutes' other than 0")


def _one_of(value: Any, allowed: Any, where: str) -> None:  # noqa: ANN401  # text or numbers
    if value not in allowed:
        raise ScenarioError(f"{where}: '{value}' is not one of {', '.join(map(str, allowed))}")


def _unique(names: Sequence[str], where: str) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise ScenarioError(f"{where} '{name}' appears twice")


def _probability(value: float, where: str) -> None:
    if not 0 <= value <= 1:
        raise ScenarioError(f"{where}: {value} is not a probability from 0 to 1")


def _ordered(span: Collection[Any] | None, where: str) -> None:
    if span and list(span) != sorted(span):
        raise ScenarioError(f"{where}: the first value must not be above the second")
