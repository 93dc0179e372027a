"""Write ``systeminfo`` as Windows prints it in several languages, from one description of a host.

Labels and phrases stand in ``systeminfo.toml``. The host states its local boot time, its zone's
base offset in words, and its hotfixes by number, without dates. Windows 7 and older list some 245
of them and stop, while still claiming all. Redirected by cmd the text is in the console's code
page, from PowerShell in UTF-16; `LANGUAGES` names the code page of each language.

The CSV form is written from its description, no real file was seen.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from kitlib.simulate.dumps import CULTURES, Culture, Item, Session, encoded, wall_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LANGUAGES: Final = ("en", "de", "fr", "it", "es", "ru", "zh")
"""Languages whose labels are known."""
OLD_LIMIT: Final = 3825
"""Characters of the list that Windows 7 prints: some 245 hotfixes, and the next one's beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What ``systeminfo`` tells of a host besides its hotfixes.

    Attributes
    ----------
    boot, installed
        When it last started and was set up, in UTC.
    memory
        Physical memory in MB; the other amounts follow from it.
    zone
        The line of the time zone, ``(UTC+01:00) ...``; by default one of the language.
    language
        One of `LANGUAGES`.
    limit
        Characters of the list of hotfixes that are printed; 0: all. See `OLD_LIMIT`.
    """

    os_name: str = "Microsoft Windows 10 Pro"
    version: str = "10.0.19044"
    boot: datetime = datetime(2022, 1, 12, 6, 41, 17, tzinfo=UTC)
    installed: datetime = datetime(2021, 6, 3, 8, 12, 44, tzinfo=UTC)
    domain: str = "WORKGROUP"
    server: str = ""
    maker: str = "LENOVO"
    model: str = "20W1S0A100"
    processor: str = "Intel64 Family 6 Model 140 Stepping 1 GenuineIntel ~2419"
    bios: str = "LENOVO N34ET42W (1.42 )"
    bios_day: datetime = datetime(2021, 9, 16, tzinfo=UTC)
    memory: int = 16155
    address: str = "192.0.2.41"
    dhcp: str = "192.0.2.1"
    zone: str = ""
    language: str = "en"
    limit: int = 0


def code_page(language: str) -> str:
    """Return the code page in which a console of `language` prints."""
    return str(_words(language)["code_page"])


def culture_of(language: str) -> Culture:
    """Return the culture that goes with `language`."""
    return CULTURES[_words(language)["culture"]]


@cache
def _all_words() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("kitlib.simulate").joinpath("systeminfo.toml").read_text("utf-8"))


def _words(language: str) -> Mapping[str, Any]:
    return _all_words()[language]


def systeminfo_list(
    items: Sequence[Item], session: Session, machine: Machine, *, encoding: str = ""
) -> bytes:
    """Write ``systeminfo > file``.

    Parameters
    ----------
    items
        The hotfixes installed.
    session
        The host, the user's culture and the host's clock; `culture_of` a language as a rule.
    machine
        What else is printed, and in which language.
    encoding
        By default the console's code page; UTF-16 from PowerShell's ``>``.
    """
    words = _words(machine.language)
    values = _values(items, session, machine, words)
    labels = words["labels"]
    width = max(map(len, labels)) + 2
    lines = [""]
    for label, value in zip(labels, values, strict=True):
        if label and value:
            first, *more = value
            lines.append(f"{f'{label}:':<{width}}{first}")
            lines += [" " * width + line for line in more]
    return encoded("".join(f"{line}\r\n" for line in lines), encoding or words["code_page"])


def systeminfo_csv(
    items: Sequence[Item], session: Session, machine: Machine, *, encoding: str = ""
) -> bytes:
    """Write ``systeminfo /fo csv``: one row, the hotfixes in one cell; see `systeminfo_list`."""
    words = _words(machine.language)
    values = _values(items, session, machine, words)
    fields = [pair for pair in zip(words["labels"], values, strict=True) if all(pair)]
    rows = [
        [label for label, _ in fields],
        [",".join(line.strip() for line in value) for _, value in fields],
    ]
    lines = (",".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)
    return encoded("".join(lines), encoding or words["code_page"])


def _values(
    items: Sequence[Item], session: Session, machine: Machine, words: Mapping[str, Any]
) -> Iterator[list[str]]:
    """Give the lines of each field, in the order of the labels."""
    culture = session.culture

    def moment(when: datetime) -> str:
        wall = wall_time(when, session.offset)
        return f"{culture.day(wall)}, {culture.print(culture.clock, wall)}"

    build = machine.version.rpartition(".")[2]
    yield [session.host]
    yield [machine.os_name]
    yield [words["version"].format(version=machine.version, build=build)]
    yield ["Microsoft Corporation"]
    yield [words["member"]]
    yield ["Multiprocessor Free"]
    yield [words["owner"]]
    yield [words["nothing"]]
    yield ["00330-80000-00000-AA128"]
    yield [moment(machine.installed)]
    yield [moment(machine.boot)]
    yield [machine.maker]
    yield [machine.model]
    yield ["x64-based PC"]
    processor = f"{machine.processor} {words['megahertz']}"
    yield [words["processors"].format(count=1), f"[01]: {processor}"]
    yield [f"{machine.bios}, {culture.day(machine.bios_day)}"]
    yield [r"C:\WINDOWS"]
    yield [r"C:\WINDOWS\system32"]
    yield [r"\Device\HarddiskVolume1"]
    yield [words["locale"]]
    yield [words["locale"]]
    yield [machine.zone or words["zone"]]
    for amount in _memory(machine.memory):
        yield [f"{culture.number(amount)} {words['megabyte']}"]
    yield [r"C:\pagefile.sys"]
    yield [machine.domain]
    yield [rf"\\{machine.server or session.host}"]
    yield _hotfixes(items, words, machine.limit)
    yield _card(machine, words)
    yield [f"{name}: {words['yes']}" for name in words["hyper_v"]]


def _memory(total: int) -> tuple[int, int, int, int, int]:
    """Return physical memory, its free part, virtual memory, its free part, its used part."""
    free, virtual = total * 7 // 11, total * 9 // 8
    left = virtual * 5 // 9
    return total, free, virtual, left, virtual - left


def _hotfixes(items: Sequence[Item], words: Mapping[str, Any], limit: int) -> list[str]:
    """Return the claim and the list, which stops within a line where the limit falls into it."""
    if not items:
        return [str(words["no_hotfix"])]
    lines, left = [], limit
    for number, item in enumerate(items, 1):
        line = f"[{number:02}]: {item.kb}"
        lines.append(line[:left] if limit else line)
        left -= len(line)
        if limit and left <= 0:
            break
    return [words["hotfixes"].format(count=len(items)), *lines]


def _card(machine: Machine, words: Mapping[str, Any]) -> list[str]:
    name, enabled, server, addresses = words["card"]
    before = words.get("before_colon", "")
    width = max(map(len, (name, enabled, server))) + len(before) + 2
    inner = [
        f"{f'{label}{before}:':<{width}}{value}"
        for label, value in ((name, "Ethernet"), (enabled, words["yes"]), (server, machine.dhcp))
    ]
    card = "Intel(R) Ethernet Connection (13) I219-V"
    lines = [*inner, addresses, f"[01]: {machine.address}"]
    return [words["cards"].format(count=1), f"[01]: {card}", *(f"      {line}" for line in lines)]
