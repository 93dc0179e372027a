"""Column ``data`` of many events at once: one dict an event, as `kitlib.readers.payload` has it.

Events whose outer template has the same parts beside ``System``, and whose inner instance is of
the same template, have the same fields. For each such pair a `Recipe` is made once: where each
value comes from and under which name it goes. Usually the names are a fixed list (a *flat*
recipe), and the dicts of all its events are zipped from their texts. Where the names depend on
the values (attributes that may be empty, arrays of texts, elements in elements), the small tree of
elements is built for each event and `kitlib.readers.payload` makes its dict: slower, same rules.

An inner instance inside an inner instance is left to the engines.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib.readers.binxml import layout
from kitlib.readers.binxml.block import unpacked
from kitlib.readers.binxml.instances import Instances, instances
from kitlib.readers.binxml.templates import UNUSUAL, Hole, Node, Part, Template, Unusual
from kitlib.readers.binxml.values import Text, spell
from kitlib.readers.payload import Element, canonical, payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitlib.readers.binxml.block import Ints, Mask
    from kitlib.readers.binxml.definitions import Definitions
    from kitlib.readers.binxml.system import Events

NOTHING: Final = -2
"""Stands for the inner template of an event that has no inner instance."""

Shape = tuple[Node | Hole, ...]
"""What stands beside ``System`` in a template of the outer kind."""


class Source(NamedTuple):
    """A hole of the inner template or of the outer one."""

    inner: bool
    hole: int


class Field(NamedTuple):
    """A name in ``data``, and where its value comes from: a hole or a text.

    ``listed``: the value is a list of texts (the unnamed ``Data`` of classic events). ``binary``: it
    is spelled in upper case, as binary values are anyway.
    """

    name: str
    parts: tuple[Source | str | None, ...]
    listed: bool = False
    binary: bool = False


@dataclass(frozen=True, eq=False)
class Recipe:
    """How the dicts of a kind of events are made.

    ``fields`` is None where the tree of elements has to be built. ``sources`` are the holes whose
    texts are needed, each once.
    """

    shape: Shape
    inner: Node | None
    sources: tuple[Source, ...]
    fields: tuple[Field, ...] | None


@dataclass(eq=False)
class Recipes:
    """The recipes made so far, and of each outer template its shape; grows with the templates."""

    shapes: list[Shape] = field(default_factory=list)
    shape_of: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    hole_of: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _numbers: dict[Shape, int] = field(default_factory=dict)
    _made: dict[tuple[int, int], Recipe | None] = field(default_factory=dict)

    def learn(self, templates: list[Template]) -> None:
        """Look at the templates that are new."""
        new = templates[len(self.shape_of) :]
        numbers: list[int] = []
        for template in new:
            shape = tuple(part for part in template.root.inside if not _is_system(part))
            number = self._numbers.setdefault(shape, len(self.shapes))
            if number == len(self.shapes):
                self.shapes.append(shape)
            numbers.append(number)
        if new:
            holes = [_inner_hole(self.shapes[number]) for number in numbers]
            self.shape_of = np.append(self.shape_of, numbers)
            self.hole_of = np.append(self.hole_of, holes)

    def recipe(self, shape: int, inner: int, templates: list[Template]) -> Recipe | None:
        """Return the recipe of a pair; None if it is left to the engines."""
        if (shape, inner) not in self._made:
            root = templates[inner].root if inner >= 0 else None
            try:
                made = _recipe(self.shapes[shape], root)
            except Unusual:
                made = None
            self._made[shape, inner] = made
        return self._made[shape, inner]


def payloads(
    events: Events, definitions: Definitions, recipes: Recipes, *, stale: bool = False
) -> np.ndarray:
    """Make the dicts of all events; those that cannot be made here are marked in ``events.odd``."""
    if not len(events):
        return np.empty(0, object)
    recipes.learn(definitions.templates)
    inner = _inner(events, definitions, recipes, stale=stale)
    shapes = recipes.shape_of[events.instances.template]
    pairs = (shapes << 32) + inner.template - NOTHING
    found = _grouped(pairs, recipes, definitions.templates, events)
    places = [_places(recipe, group, events.instances, inner) for recipe, group in found]
    with _collector_at_rest():
        return _dicts(events, found, places)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's garbage collector from looking through the process while dicts are made.

    It starts after so many new objects, to find cycles. Hundreds of thousands of dicts of texts
    make it start again and again (a fifth of the time of a reading, measured), and have no cycles.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _dicts(events: Events, found: list[tuple[Recipe, Ints]], places: list[Ints]) -> np.ndarray:
    """Make the dicts of all groups of events, given the values of each."""
    joined = np.concatenate([np.zeros(0, np.int64), *(p.ravel() for p in places)])
    spelled = spell(events.block, joined)
    all_good = not spelled.unread.any()
    out = np.empty(len(events), object)
    begin = 0
    for (recipe, group), values in zip(found, places, strict=True):
        code = spelled.codes[begin : begin + values.size].reshape(values.shape)
        begin += values.size
        if all_good:
            _fill(out, events, recipe, group, spelled.pool[code], values)
        else:
            good = ~spelled.unread[code].any(axis=1)
            events.odd[group[~good]] = True
            _fill(out, events, recipe, group[good], spelled.pool[code[good]], values[good])
    return out


def _grouped(
    pairs: Ints, recipes: Recipes, templates: list[Template], events: Events
) -> list[tuple[Recipe, Ints]]:
    """Return the recipe of each pair of shape and inner template, and the events it is for."""
    codes, kinds = pd.factorize(pairs)
    groups = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    found: list[tuple[Recipe, Ints]] = []
    for pair, group in zip(kinds.tolist(), groups, strict=True):
        recipe = recipes.recipe(pair >> 32, (pair & 0xFFFF_FFFF) + NOTHING, templates)
        if recipe is None:
            events.odd[group] = True
        else:
            found.append((recipe, group))
    return found


def _is_system(part: Node | Hole) -> bool:
    return isinstance(part, Node) and part.name == "System"


def _inner_hole(shape: Shape) -> int:
    """Return the hole of a shape that an inner instance may fill; -1 if none is sure to be it."""
    holes = list(_holes(shape))
    outer = [part for part in shape if isinstance(part, Hole)]
    outer += [
        part.inside[0]
        for part in shape
        if isinstance(part, Node) and len(part.inside) == 1 and isinstance(part.inside[0], Hole)
    ]
    return holes[0] if len(holes) == 1 and outer else -1


def _holes(parts: Shape) -> Iterator[int]:
    """Yield every hole in these parts, attributes first."""
    for part in parts:
        if isinstance(part, Hole):
            yield part.number
            continue
        yield from (p.number for _, p in part.attributes if isinstance(p, Hole))
        yield from _holes(part.inside)


def _inner(events: Events, definitions: Definitions, recipes: Recipes, *, stale: bool) -> Instances:
    """Read the inner instances: template NOTHING where an event has none."""
    packed = events.instances.hole(recipes.hole_of)
    values = unpacked(packed)
    there = values.kind == layout.BINXML
    events.odd |= there & (values.size == 0)
    start = np.where(there, values.place, 0)
    end = np.where(there, start + values.size, 0)
    inner = instances(events.block, definitions, start=start, end=end, stale=stale)
    events.lent |= there & inner.lent
    recipes.learn(definitions.templates)
    events.odd |= there & (inner.template == UNUSUAL)
    inner.template[~there] = NOTHING
    return inner


def _recipe(shape: Shape, inner: Node | None) -> Recipe:
    """Work out how the dicts of one kind of events are made."""
    if inner is not None and inner.name == "System":
        raise Unusual("System is not where it should be")
    sources = [Source(True, hole) for hole in _holes((inner,))] if inner is not None else []
    skip = _inner_hole(shape) if inner is not None else -1
    sources += [Source(False, hole) for hole in _holes(shape) if hole != skip]
    try:
        fields = tuple(_flat(shape, inner))
    except Unusual:
        return Recipe(shape, inner, tuple(dict.fromkeys(sources)), None)
    if len({f.name for f in fields}) < len(fields):
        return Recipe(shape, inner, tuple(dict.fromkeys(sources)), None)
    used = [part for f in fields for part in f.parts if isinstance(part, Source)]
    return Recipe(shape, inner, tuple(dict.fromkeys(used)), fields)


def _flat(shape: Shape, inner: Node | None) -> Iterator[Field]:
    """Yield the fields of a payload whose names do not depend on values; else raise `Unusual`."""
    for part in shape:
        if isinstance(part, Hole):
            if inner is not None:
                yield from _flat_part(inner, None, inner=True)
        else:
            yield from _flat_part(part, inner, inner=False)


def _flat_part(part: Node, root: Node | None, *, inner: bool) -> Iterator[Field]:
    _plain_attributes(part)
    if part.text:
        raise Unusual("text beside fields")
    if part.name == "EventData":
        yield from _event_data(part, inner=inner)
        return
    if part.name != "UserData" or len(part.inside) != 1:
        raise Unusual("neither EventData nor UserData with one root")
    (only,) = part.inside
    if isinstance(only, Node):
        yield from _user_data(only, inner=inner)
    elif root is not None:
        yield from _user_data(root, inner=True)
    else:
        raise Unusual("text in UserData")


def _event_data(part: Node, *, inner: bool) -> Iterator[Field]:
    unnamed: list[Source | str | None] = []
    fields: dict[str, Field] = {}
    for child in part.inside:
        if isinstance(child, Hole):
            raise Unusual("text beside fields")
        name, value = _name_of(child), _source(child.part, inner=inner)
        if not name and child.name == "Data":
            unnamed.append(value)
            fields["Data"] = Field("Data", tuple(unnamed), listed=True)
        elif (key := name or child.name) in fields:
            raise Unusual("a name that occurs twice")
        else:
            fields[key] = Field(key, (value,), binary=not name and key == "Binary")
    if unnamed and "Data" in [_name_of(c) for c in part.inside if isinstance(c, Node)]:
        raise Unusual("a name that occurs twice")
    yield from fields.values()


def _name_of(child: Node) -> str:
    """Return the ``Name`` of a field, which must be its only attribute and be a text."""
    names = [part for name, part in child.attributes if name == "Name"]
    rest = [name for name, _ in child.attributes if name != "Name" and not name.startswith("xmlns")]
    if rest or len(names) > 1 or any(isinstance(part, Hole) for part in names):
        raise Unusual("attributes")
    return str(names[0] or "") if names else ""


def _user_data(root: Node, *, inner: bool) -> Iterator[Field]:
    _plain_attributes(root)
    if root.text:
        raise Unusual("text beside fields")
    yield Field("UserData", (root.name.rpartition(":")[2],))
    for child in root.inside:
        if isinstance(child, Hole):
            raise Unusual("text beside fields")
        _plain_attributes(child)
        yield Field(child.name.rpartition(":")[2], (_source(child.part, inner=inner),))


def _plain_attributes(node: Node) -> None:
    if any(not name.startswith("xmlns") for name, _ in node.attributes):
        raise Unusual("attributes")


def _source(part: Part, *, inner: bool) -> Source | str | None:
    return Source(inner, part.number) if isinstance(part, Hole) else canonical(part)


# --- texts to dicts -------------------------------------------------------------------------


def _places(recipe: Recipe, group: Ints, outer: Instances, inner: Instances) -> Ints:
    """Return the packed values of a group's sources, a row an event."""
    out = np.empty((len(group), len(recipe.sources)), np.int64)
    for level, holder in ((True, inner), (False, outer)):
        at = [i for i, source in enumerate(recipe.sources) if source.inner == level]
        if at:
            holes = np.array([recipe.sources[i].hole for i in at])
            out[:, at] = holder.held[holder.first[group][:, None] + holes]
    return out


def _fill(out: np.ndarray, events: Events, recipe: Recipe, group: Ints, *parts: np.ndarray) -> None:
    """Make the dicts of one group; `parts` are texts and packed values of its sources, a row an event."""
    texts, packed = parts
    if recipe.fields is None:
        slow = np.ones(len(group), bool)
    else:
        slow = _unlike(recipe.fields, recipe.sources, packed >> 16 & 0xFF)
        flat = ~slow if slow.any() else slice(None)
        out[group[flat]] = _zipped(recipe.fields, recipe.sources, texts[flat])
    for event, row in zip(group[slow].tolist(), texts[slow].tolist(), strict=True):
        try:
            out[event] = _built(recipe, dict(zip(recipe.sources, row, strict=True)))
        except Unusual:
            events.odd[event] = True


def _unlike(fields: tuple[Field, ...], sources: tuple[Source, ...], kinds: np.ndarray) -> Mask:
    """Tell which events have a value of another type than a flat recipe counts on."""
    slow = np.zeros(len(kinds), bool)
    listed = {part for one in fields if one.listed for part in one.parts}
    binary = {part for one in fields if one.binary for part in one.parts}
    for at, source in enumerate(sources):
        kind = kinds[:, at]
        if source not in listed:
            slow |= kind == layout.STRINGS
        if source in binary:
            slow |= (kind != layout.BINARY) & (kind != layout.NULL)
    return slow


def _zipped(
    fields: tuple[Field, ...], sources: tuple[Source, ...], texts: np.ndarray
) -> np.ndarray:
    """Make the dicts of a flat recipe."""
    rows = len(texts)
    columns = {source: texts[:, at].tolist() for at, source in enumerate(sources)}
    values: list[list[Any]] = []
    for one in fields:
        parts = [columns[p] if isinstance(p, Source) else [p] * rows for p in one.parts]
        values.append(_lists(parts) if one.listed else parts[0])
    names = [one.name for one in fields]
    out = np.empty(rows, object)
    # zip's tuples are used again for each row, so the garbage collector has nothing to look at,
    # and it need not be told that they are as long as the names.
    out[:] = [dict(zip(names, row)) for row in zip(*values)] if fields else [{} for _ in out]  # noqa: B905  # as above
    return out


def _lists(parts: list[list[Any]]) -> list[list[str]]:
    """Make the list of texts of each event, given its parts, each for all events."""
    out = []
    for row in zip(*parts, strict=True):
        made: list[str] = []
        for value in row:
            if isinstance(value, tuple):
                made.extend(value or ("",))
            else:
                made.append(value or "")
        out.append(made)
    return out


def _built(recipe: Recipe, texts: dict[Source, Any]) -> dict[str, Any]:
    """Make one dict by way of the tree of elements."""
    inner = list(_elements(recipe.inner, texts, [], inner=True)) if recipe.inner else []
    parts: list[Element] = []
    for part in recipe.shape:
        if isinstance(part, Hole):
            if recipe.inner is None and texts.get(Source(False, part.number)) is not None:
                raise Unusual("text beside System")
            parts += inner
        else:
            parts += _elements(part, texts, inner, inner=False)
    return payload(parts)


def _elements(
    node: Node,
    texts: dict[Source, Any],
    inserted: list[Element],
    *,
    inner: bool,
) -> Iterator[Element]:
    """Fill an element; it becomes as many as its text has parts where that is an array."""
    attributes: dict[str, str | None] = {}
    for name, part in node.attributes:
        text = texts[Source(inner, part.number)] if isinstance(part, Hole) else part
        if isinstance(text, tuple):
            raise Unusual("an array of texts in an attribute")
        if text:
            attributes[name] = text
    children: list[Element] = []
    own: Text = node.text or None
    for part_ in node.inside:
        if isinstance(part_, Node):
            children += _elements(part_, texts, inserted, inner=inner)
        elif (source := Source(inner, part_.number)) in texts:
            own = texts[source]
        else:
            children += inserted
    if isinstance(own, tuple):
        if children:
            raise Unusual("an array of texts beside elements")
        for text in own or (None,):
            yield Element(node.name, attributes, text or None, [])
    else:
        yield Element(node.name, attributes, own, children)
