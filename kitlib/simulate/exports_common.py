r"""What all writers of event exports share: cultures, times, values as text, messages, bytes.

An export is what a program made of an event log. The writers take the same `Event`s as
`kitlib.simulate.evtx.encode_log` and number them in the same way, so one list of events can be
written as ``.evtx`` and as any export. They know nothing of the readers.

Known here: how Windows spells a value of event data, how a culture prints a date, the words that
Event Viewer shows in four languages, and the English sentences of ``messages.toml``. Not known:
any export's layout, and what an event means.

Sources: real exports for the English and German words and for the dates of en-US, de-DE and
es-CO; the French and Spanish words and the dates of the other cultures are from memory, not seen
in a file.
"""

from __future__ import annotations

import codecs
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from kitlib.errors import UsageError
from kitlib.simulate.evtx import Event, Typed, UserData
from kitlib.simulate.values import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitlib.simulate.values import Value

UNIX_EPOCH: Final = 116_444_736_000_000_000
"""FILETIME ticks of 1970-01-01."""
AUDIT_FAILURE: Final = 0x10000000000000
AUDIT_SUCCESS: Final = 0x20000000000000
CLASSIC: Final = 0x80000000000000

MessageOf: TypeAlias = Callable[[Event], str]
"""Gives what Windows says about an event, in the language of the export."""


# --- cultures -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Culture:
    """How a user's Windows prints a time, and the words of its language.

    Attributes
    ----------
    name
        As in ``RenderingInfo Culture``.
    date
        Pattern with ``{d}``, ``{dd}``, ``{m}``, ``{mm}`` and ``{y}``.
    halves
        AM and PM; empty where hours run to 24.
    separator
        Between the cells of a list, for ``Export-Csv -UseCulture``.
    columns
        Event Viewer's five headers.
    keywords
        Header of the first column in the Security log.
    levels
        Words of levels 0 to 5; Windows shows 0 and 4 alike.
    audits
        Words for audit success and audit failure.
    nothing
        Word for a task category of 0.
    """

    name: str
    date: str
    halves: tuple[str, str] | None
    separator: str
    columns: tuple[str, str, str, str, str]
    keywords: str
    levels: tuple[str, str, str, str, str, str]
    audits: tuple[str, str]
    nothing: str

    def moment(self, local: datetime) -> str:
        """Print a local time to the second: the culture's general long form (``G`` in .NET)."""
        day = self.date.format(
            d=local.day, dd=f"{local.day:02}", m=local.month, mm=f"{local.month:02}", y=local.year
        )
        if self.halves is None:
            return f"{day} {local:%H:%M:%S}"
        hour = local.hour % 12 or 12
        return f"{day} {hour}:{local:%M:%S} {self.halves[local.hour >= 12]}"

    def level(self, number: int) -> str:
        """Return the word for a level; the number where Windows has no word."""
        return self.levels[number] if number < len(self.levels) else str(number)

    def category(self, task: int) -> str:
        """Return what stands for a task category that the provider has no name for."""
        return f"({task})" if task else self.nothing

    def audit(self, keywords: int) -> str:
        """Return the audit words that keywords stand for; empty without."""
        if keywords & AUDIT_SUCCESS:
            return self.audits[0]
        return self.audits[1] if keywords & AUDIT_FAILURE else ""


EN_US: Final = Culture(
    name="en-US",
    date="{m}/{d}/{y}",
    halves=("AM", "PM"),
    separator=",",
    columns=("Level", "Date and Time", "Source", "Event ID", "Task Category"),
    keywords="Keywords",
    levels=("Information", "Critical", "Error", "Warning", "Information", "Verbose"),
    audits=("Audit Success", "Audit Failure"),
    nothing="None",
)
DE_DE: Final = Culture(
    name="de-DE",
    date="{dd}.{mm}.{y}",
    halves=None,
    separator=";",
    columns=("Ebene", "Datum und Uhrzeit", "Quelle", "Ereignis-ID", "Aufgabenkategorie"),
    keywords="Schlüsselwörter",
    levels=("Informationen", "Kritisch", "Fehler", "Warnung", "Informationen", "Ausführlich"),
    audits=("Überwachung erfolgreich", "Überwachung gescheitert"),
    nothing="Keine",
)
FR_FR: Final = Culture(
    name="fr-FR",
    date="{dd}/{mm}/{y}",
    halves=None,
    separator=";",
    columns=("Niveau", "Date et heure", "Source", "ID de l’événement", "Catégorie de la tâche"),  # noqa: RUF001  # the apostrophe that French Windows prints
    keywords="Mots clés",
    levels=("Information", "Critique", "Erreur", "Avertissement", "Information", "Commentaires"),
    audits=("Succès de l’audit", "Échec de l’audit"),  # noqa: RUF001  # as above
    nothing="Aucun",
)
ES_CO: Final = Culture(
    name="es-CO",
    date="{d}/{mm}/{y}",
    halves=("a. m.", "p. m."),
    separator=";",
    columns=("Nivel", "Fecha y hora", "Origen", "Id. del evento", "Categoría de la tarea"),
    keywords="Palabras clave",
    levels=("Información", "Crítico", "Error", "Advertencia", "Información", "Detallado"),
    audits=("Auditoría correcta", "Error de auditoría"),
    nothing="Ninguno",
)
CULTURES: Final = (EN_US, DE_DE, FR_FR, ES_CO)


# --- records --------------------------------------------------------------------------------


class Record(NamedTuple):
    """An event where it stands: in which log, of which computer, under which number."""

    event: Event
    number: int
    channel: str
    computer: str

    @property
    def user(self) -> str:
        """SID of the user, empty without."""
        return self.event.user_sid

    @property
    def provider(self) -> str:
        """Name of the provider."""
        return self.event.provider


def records(
    events: Iterable[Event], *, channel: str, computer: str, first_record_id: int
) -> list[Record]:
    """Give events their numbers as `kitlib.simulate.evtx.encode_log` does; an event's own names count."""
    return [
        Record(event, number, event.channel or channel, event.computer or computer)
        for number, event in enumerate(events, first_record_id)
    ]


# --- times ----------------------------------------------------------------------------------


def moment(ticks: int) -> datetime:
    """Return FILETIME ticks as a UTC time, cut to microseconds."""
    return EPOCH + timedelta(microseconds=ticks // 10)


def local(ticks: int, utc_offset: int) -> datetime:
    """Return what a clock on the wall shows, `utc_offset` minutes ahead of UTC."""
    return moment(ticks) + timedelta(minutes=utc_offset)


def iso(ticks: int, *, digits: int = 7, mark: str = "T") -> str:
    """Print ticks as ISO 8601 without zone, cut to `digits` (up to 9) decimals of a second."""
    decimals = f"{ticks % 10_000_000:07}00"[:digits]
    return (
        f"{moment(ticks):%Y-%m-%d}{mark}{moment(ticks):%H:%M:%S}{'.' if digits else ''}{decimals}"
    )


def offset_text(utc_offset: int) -> str:
    """Print an offset in minutes as ``+hh:mm``."""
    hours, minutes = divmod(abs(utc_offset), 60)
    return f"{'-' if utc_offset < 0 else '+'}{hours:02}:{minutes:02}"


def unix(ticks: int) -> float:
    """Return seconds since 1970 as a float, which holds them to a quarter of a microsecond."""
    return (ticks - UNIX_EPOCH) / 10_000_000


# --- values ---------------------------------------------------------------------------------


def shown(value: Value) -> str:
    """Return a value as Windows' own XML shows it; NULL and empty text are both empty.

    Examples
    --------
    >>> shown(Typed("hex32", 0x8024001E)), shown(True)
    ('0x8024001e', 'true')
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _typed(value)


def _typed(value: Typed) -> str:
    kind, inner = value.kind, value.value
    if isinstance(inner, bytes):
        return inner.hex().upper()
    if kind in ("hex32", "hex64"):
        return f"0x{inner:x}"
    if kind == "guid":
        return f"{{{str(inner).strip('{}').lower()}}}"
    if kind in ("filetime", "systemtime"):
        return iso(int(inner), digits=7 if kind == "filetime" else 3) + "Z"
    return str(inner)


def fields(event: Event) -> list[tuple[str, Value]]:
    """List an event's values with their names; unnamed strings have none."""
    data = event.data
    if isinstance(data, UserData):
        data = data.fields
    if isinstance(data, Mapping):
        return list(data.items())
    return [("", value) for value in data]


def sid_or_none(record: Record) -> str | None:
    """Return the user's SID, None without."""
    return record.user or None


# --- messages -------------------------------------------------------------------------------


@cache
def _sentences() -> Mapping[tuple[str, int], str]:
    source = Path(__file__).with_name("messages.toml").read_text("utf-8")
    found = tomllib.loads(source)["message"]
    return {(one["provider"], one["event_id"]): one["text"] for one in found}


_FORMATTER: Final = Formatter()


def _by_name(event: Event) -> Mapping[str, str]:
    """Return values by name; a number that has its word beside it counts as the word."""
    named = {name: shown(value) for name, value in fields(event) if name}
    words = {name.removesuffix("Textized"): text for name, text in named.items()}
    return defaultdict(str, named | words)


def message_of(event: Event) -> str:
    r"""Say in English what an event is about: its own sentence, or its values one a line.

    Examples
    --------
    >>> message_of(Event(provider="P", event_id=1, time=0, data={"a": "b"}))
    'Event 1 of P.\na: b'
    """
    values = [shown(value) for _, value in fields(event)]
    sentence = _sentences().get((event.provider, event.event_id))
    if sentence is not None and sentence.count("{") <= len(values):
        return _FORMATTER.vformat(sentence, values, _by_name(event))
    named = [f"{name}: {shown(value)}" if name else shown(value) for name, value in fields(event)]
    return "\n".join([f"Event {event.event_id} of {event.provider}.", *named])


# --- bytes ----------------------------------------------------------------------------------


def encode(text: str, encoding: str) -> bytes:
    """Encode an export.

    Parameters
    ----------
    text
        The whole file.
    encoding
        ``utf-8``, ``utf-8-sig``, ``utf-16-le`` (written with its mark, as Windows does), or a
        code page, in which Windows writes a question mark for what the page does not have.

    Raises
    ------
    UsageError
        There is no such encoding, or the text holds half a surrogate pair.
    """
    try:
        if encoding == "utf-16-le":
            return codecs.BOM_UTF16_LE + text.encode(encoding)
        return text.encode(encoding, "strict" if encoding.startswith("utf") else "replace")
    except (LookupError, UnicodeEncodeError) as error:
        raise UsageError(f"an export cannot be written as {encoding}: {error}") from error
