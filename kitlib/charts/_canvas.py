"""The drawing ground all charts share: size, palette, title, caption, time axis, change marks.

Knows how a chart of this kit looks: 16:9, letters readable on a slide, a colour *and* a mark for
each meaning (Okabe-Ito, named once in `LOOKS`), the finding as title, the denominator and the
window under the axis, times in UTC. Knows nothing of what is drawn.

No pyplot: every figure is its own object, so nothing leaks into a notebook and nothing piles up
in memory. Text out of event logs goes through `kitlib.charts._words.plain` before it is drawn.
"""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation
from PIL import Image

from kitlib.charts import _words as w

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

P = ParamSpec("P")

SIZE: Final = (12.8, 7.2)
"""Inches; 16:9, so that a chart fills a slide."""

TITLE_SIZE: Final = 17.0
TEXT_SIZE: Final = 12.0
CAPTION_SIZE: Final = 11.0

NOTHING: Final = "nothing"

INK: Final = "#222222"
FAINT: Final = "#6b6b6b"
RULE: Final = "#d9d9d9"


@dataclass(frozen=True, slots=True)
class Look:
    """How one meaning is drawn, everywhere: colour, mark and word."""

    colour: str
    marker: str
    word: str


OK: Final = Look("#0072B2", "|", "success")
FAIL: Final = Look("#D55E00", "x", "failure")
FIX: Final = Look("#009E73", "D", "fix in effect")
REMOVED: Final = Look("#56B4E9", "s", "patch removed")
EFFECT: Final = Look("#E69F00", "_", "patch in effect")
OTHER: Final = Look("#CC79A7", "+", "failure, other code")
BOOT: Final = Look("#222222", "^", "restart")
NO_DATA: Final = Look("#b3b3b3", "", "no data")

LOOKS: Final[Mapping[str, Look]] = {
    "ok": OK,
    "fail": FAIL,
    "fix": FIX,
    "removed": REMOVED,
    "effect": EFFECT,
    "other": OTHER,
    "boot": BOOT,
    "no_data": NO_DATA,
}
"""The palette by meaning; a test holds that no two share a colour or a mark."""

STYLE: Final[Mapping[str, Any]] = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT_SIZE,
    "text.parse_math": False,  # a computer account ends in '$'
    "timezone": "UTC",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.labelsize": TEXT_SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.facecolor": "white",
    "xtick.labelsize": TEXT_SIZE,
    "ytick.labelsize": TEXT_SIZE,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": RULE,
    "legend.frameon": False,
    "legend.fontsize": TEXT_SIZE - 0.5,
    "hatch.linewidth": 0.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def _style() -> Iterator[None]:
    """Set matplotlib's defaults, then `STYLE`, and put the reader's own settings back after."""
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in STYLE.items():
            mpl.rcParams[name] = value  # type: ignore[index]  # the names are matplotlib's own
        yield


def styled(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """Run `draw` under `STYLE`, whatever the reader's own matplotlib settings are."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Axes:
        with _style():
            return draw(*args, **kwargs)

    return inner


# ---------------------------------------------------------------- canvas, title, caption


def canvas(
    ax: Axes | None,
    *,
    left: float = 1.0,
    bottom: float = 1.35,
    right: float = 0.45,
    top: float = 1.1,
) -> Axes:
    """Return `ax`, or new axes on a figure of the kit's own size; margins in inches."""
    if ax is not None:
        return ax
    width, height = SIZE
    figure = Figure(figsize=SIZE, label="kitlib")
    FigureCanvasAgg(figure)
    return figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    )


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure `ax` is on."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes are on no figure")
    return figure


def is_own(ax: Axes) -> bool:
    """Say whether the kit made the figure (else margins belong to the caller)."""
    return figure_of(ax).get_label() == "kitlib"


def finish(ax: Axes, *, title: str, caption: str, alt: str = "") -> Axes:
    """Write the finding above, the denominator below, and keep the alternative text.

    The alternative text is the title, `alt` (more numbers) and the caption's first clause, the
    denominator: short enough to be listened to.
    """
    _write_title(ax, title)
    _write_caption(ax, caption)
    told = caption.split(";", maxsplit=1)[0].split(". ", maxsplit=1)[0]
    ax.set_label(" ".join(_sentence(part) for part in (title, alt, told) if part))
    return ax


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _write_title(ax: Axes, title: str) -> None:
    if not is_own(ax):
        ax.set_title(textwrap.fill(title, 60), loc="left", fontsize=TITLE_SIZE, color=INK, pad=30)
        return
    text = ax.set_title(
        textwrap.fill(title, 100),
        loc="left",
        fontsize=TITLE_SIZE,
        color=INK,
        linespacing=1.25,
        y=0.965,
    )
    text.set_transform(figure_of(ax).transFigure)  # titles of all charts start at the same corner
    text.set(x=0.03, verticalalignment="top")


def _write_caption(ax: Axes, caption: str) -> None:
    style: dict[str, Any] = {"fontsize": CAPTION_SIZE, "color": FAINT, "gid": "caption"}
    if is_own(ax):
        figure_of(ax).text(0.03, 0.025, textwrap.fill(caption, 148), va="bottom", **style)
        return
    ax.annotate(
        textwrap.fill(caption, 100),
        xy=(0, 0),
        xycoords="axes fraction",
        xytext=(0, -48),
        textcoords="offset points",
        va="top",
        **style,
    )


def title(ax: Axes) -> str:
    """Return the finding a chart states, on one line."""
    return " ".join(ax.get_title(loc="left").split())


def caption(ax: Axes) -> str:
    """Return what stands under a chart: denominator, window, how to read it."""
    found = next(
        (text for text in [*ax.texts, *figure_of(ax).texts] if text.get_gid() == "caption"), None
    )
    return " ".join(found.get_text().split()) if found else ""


def alt_text(ax: Axes) -> str:
    """Return the sentences that stand for a chart where it cannot be seen."""
    return str(ax.get_label())


def nothing(ax: Axes | None, why: str) -> Axes:
    """Return axes that say in words why there is nothing to draw."""
    ax = canvas(ax)
    ax.set_axis_off()
    ax.set_gid(NOTHING)
    ax.text(0.5, 0.5, "nothing to draw", ha="center", va="center", fontsize=TITLE_SIZE, color=FAINT)
    return finish(
        ax, title=why, caption="An empty chart is no finding: it says nothing either way."
    )


def counts_below(
    ax: Axes, x: Sequence[float], rows: Mapping[str, Sequence[float]], *, points: float
) -> None:
    """Write denominators under the axis, one row each, from `points` downwards."""
    for i, (name, values) in enumerate(rows.items()):
        down = -(points + 15 * i)
        style: dict[str, Any] = {
            "textcoords": "offset points",
            "va": "top",
            "fontsize": CAPTION_SIZE,
            "color": FAINT,
            "annotation_clip": False,
        }
        ax.annotate(
            name, xy=(0, 0), xycoords="axes fraction", xytext=(-20, down), ha="right", **style
        )
        for at, value in zip(x, values, strict=True):
            ax.annotate(
                f"{int(value):,}",
                xy=(at, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, down),
                ha="center",
                **style,
            )


def is_empty(ax: Axes) -> bool:
    """Say whether a chart only tells that there was nothing to draw."""
    return ax.get_gid() == NOTHING


# ---------------------------------------------------------------- time axis


def numbers(times: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Turn UTC times into matplotlib's day numbers (days since 1970); missing ones become NaN."""
    since = pd.to_datetime(times, utc=True) - pd.Timestamp(0, tz="UTC")
    return np.asarray(since.dt.total_seconds() / 86_400, dtype=np.float64)


def number(time: pd.Timestamp) -> float:
    """Turn one UTC time into matplotlib's day number."""
    return float(numbers(pd.Series([time]))[0])


def moment(at: float) -> pd.Timestamp:
    """Turn a day number back into a UTC time."""
    return pd.Timestamp(round(at * 86_400), unit="s", tz="UTC")


def time_axis(ax: Axes, low: float, high: float) -> None:
    """Give `ax` an x axis in UTC from `low` to `high` (day numbers), with the months named."""
    pad = max((high - low) * 0.015, 1 / 24)
    ax.set_xlim(low - pad, high + pad)
    locator = mdates.AutoDateLocator(tz="UTC", minticks=4, maxticks=10)  # type: ignore[no-untyped-call]  # matplotlib's own

    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(FuncFormatter(_short if high - low < 300 else _long))
    first, last = moment(low), moment(high)
    months = f"{first:%B %Y}"
    if (first.year, first.month) != (last.year, last.month):
        head = f"{first:%B}" if first.year == last.year else f"{first:%B %Y}"
        months = f"{head} to {last:%B %Y}"
    ax.set_xlabel(f"time (UTC), {months}")


def _short(at: float, _: int | None = None) -> str:
    time = moment(at)
    return f"{time.day} {time:%b}" if (time.hour, time.minute) == (0, 0) else f"{time:%H:%M}"


def _long(at: float, _: int | None = None) -> str:
    return f"{moment(at):%b %Y}"


def whole_numbers(count: int) -> MaxNLocator:
    """Return a locator of about `count` whole numbers."""
    return MaxNLocator(count, integer=True)


def edge(ax: Axes) -> float:
    """Return where the figure's left edge lies, in axes fractions (0 on a caller's own axes)."""
    box = ax.get_position()
    return (0.03 - box.x0) / box.width if is_own(ax) else 0.0


def below(ax: Axes, points: float) -> ScaledTranslation:
    """Return the shift by `points` downwards, to hang something under the axes."""
    return ScaledTranslation(0, -points / 72, figure_of(ax).dpi_scale_trans)


def percent_axis(ax: Axes, label: str) -> None:
    """Give `ax` a y axis from 0 to 100 % with light rules."""
    ax.set_ylim(-0.02, 1.02)
    ax.set_yticks(np.linspace(0, 1, 6), [f"{p} %" for p in range(0, 101, 20)])
    ax.grid(axis="y", linewidth=0.8)
    ax.set_ylabel(label)


# ---------------------------------------------------------------- marks of changes


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment drawn on every time axis the same way."""

    label: str
    time: pd.Timestamp
    look: Look | None = None


def change_marks(
    exposure: pd.DataFrame,
    *,
    guilty: Collection[str],
    fixed: Collection[str],
    marks: Mapping[str, pd.Timestamp],
) -> list[Mark]:
    """Collect the moments to mark: first host with the patch, first with the fix, named dates."""
    found = [Mark(w.plain(label, limit=40), time) for label, time in marks.items()]
    for labels, name, look in ((guilty, w.name_changes(guilty), EFFECT), (fixed, "fix", FIX)):
        starts = exposure.loc[exposure["change"].isin(list(labels)), "start"].dropna()
        if len(starts):
            found.append(Mark(f"{name} on first host", starts.min(), look))
    return sorted(found, key=lambda mark: mark.time)


def draw_marks(ax: Axes, marks: Sequence[Mark]) -> None:
    """Draw each mark as a line through the panel with its name above, names never overlapping."""
    low, high = ax.get_xlim()
    inside = [(number(m.time), m) for m in marks if low <= number(m.time) <= high]
    for (x, mark), (row, right) in zip(inside, _places(ax, inside), strict=True):
        look = mark.look
        colour = look.colour if look else FAINT
        style = "--" if look is EFFECT else "-." if look is FIX else ":"
        ax.axvline(x, color=colour, linestyle=style, linewidth=1.8, zorder=1.5)
        ax.annotate(
            _named(mark),
            xy=(x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3 if right else -3, 4 + 15 * row),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=CAPTION_SIZE,
            color=INK,
            annotation_clip=False,
        )


def _named(mark: Mark) -> str:
    return f"{mark.label}, {w.day(mark.time)}"


def _places(ax: Axes, inside: Sequence[tuple[float, Mark]]) -> list[tuple[int, bool]]:
    """Give each name the lowest free row, right of its line or left of it.

    A letter is taken as 0.56 of its size wide; a name must stay on the panel.
    """
    low, high = ax.get_xlim()
    width = ax.get_position().width * figure_of(ax).get_figwidth() * 72
    at = [(x - low) / (high - low) * width for x, _ in inside]
    taken: list[tuple[int, float, float]] = []
    places = []
    for i, (_, mark) in enumerate(inside):
        length = len(_named(mark)) * CAPTION_SIZE * 0.56 + 6
        crowded = i + 1 < len(at) and at[i + 1] < at[i] + length
        row, right, start = next(
            (row, right, start)
            for row in range(len(inside) + 1)
            for right in ((False, True) if crowded else (True, False))
            for start in (at[i] if right else at[i] - length,)
            if (0 <= start <= width - length or row == len(inside))
            and not any(r == row and a < start + length and start < b for r, a, b in taken)
        )
        taken.append((row, start, start + length))
        places.append((row, right))
    return places


# ---------------------------------------------------------------- pictures


def png(ax: Axes, *, dpi: int = 150) -> bytes:
    """Return the chart's figure as PNG; the same chart gives the same bytes.

    Charts have few colours: a palette of 256 makes the file a third as large and looks the same.
    """
    raw, out = BytesIO(), BytesIO()
    with _style():
        figure_of(ax).savefig(raw, format="png", dpi=dpi, metadata={"Software": None})
    with Image.open(raw) as picture:
        flat = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        flat.save(out, format="png", optimize=True)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished chart as a notebook shows it: PNG with its alternative text."""

    image: bytes
    alt: str

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        del include, exclude  # Jupyter filters what it does not want itself
        data = {"image/png": self.image, "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


def show(ax: Axes, *, dpi: int = 90) -> Picture:
    """Return the chart as the last thing of a notebook cell; its text form is the alt text."""
    return Picture(png(ax, dpi=dpi), alt_text(ax))
