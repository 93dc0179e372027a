"""The case store: evidence parsed once, kept as Parquet, read back as the same tables.

``CASE/store`` holds one Parquet shard a table and content, named by the content's hash and the
kit's version, so running again parses only what is new. Shards know neither path nor host guess:
those are in ``manifest.json``. No file holds the time of its making: the same evidence gives the
same bytes. Every file is written under another name and renamed.

Nothing here knows formats or meanings, and nothing writes to the evidence.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kitlib import __version__, schema
from kitlib.errors import EvidenceError, UsageError
from kitlib.evidence import Evidence, assemble, manifest_hash
from kitlib.ingest import NOT_READ, Unit, hash_unit, read_unit, run
from kitlib.readers import Parsed
from kitlib.readers.updates.column_maps import Maps, own_maps

if TYPE_CHECKING:
    from kitlib.collection import Item

__all__ = ["Evidence", "ingest", "is_case", "load", "read_evidence", "verify"]

Progress = Callable[[int, int, str], None]

SCHEMA: Final = "kitlib.store/1"
_ROWS: Final = ("events", "updates", "sessions", "problems", "clocks")
_ARROW: Final[Mapping[str, pa.DataType]] = {
    schema.TIME: pa.timestamp("ns", "UTC"),
    schema.TEXT: pa.string(),
    schema.WHOLE: pa.int64(),
    schema.REAL: pa.float64(),
    schema.FLAG: pa.bool_(),
    schema.ANY: pa.string(),  # as JSON text
}


def is_case(folder: Path) -> bool:
    """Tell whether a folder is a case that `ingest` made."""
    return (folder / "store" / "manifest.json").is_file()


def read_evidence(
    path: str | Path,
    *,
    columns: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Read all evidence in a folder or archive, or what a case has stored.

    Parameters
    ----------
    path
        A folder, a ``.zip`` or ``.tar.gz``, a single file, or a case folder made by `ingest`.
    columns
        A file of column maps for exports that the kit does not know, see
        ``kitlib/readers/updates/columns.toml``; default: ``columns.toml`` at the top of the folder.
    workers
        Processes; default: as many as pay off.
    progress
        Called after each file with the number done, the number known so far, and the path.

    Returns
    -------
    Evidence
        Tables sorted by path; within a file in its own order.

    Raises
    ------
    kitlib.errors.UsageError
        There is no such folder or file, or the column maps are not valid or are named for a case.
    kitlib.errors.EvidenceError
        Nothing in it can be used.

    Examples
    --------
    >>> read_evidence("sample_data").files.kind.unique()  # doctest: +SKIP
    """
    root = Path(path)
    if is_case(root):
        refuse_columns(root, columns)
        return load(root)
    job = partial(read_unit, maps=own_maps(root, columns))
    return assemble(run(root, job, workers=workers, progress=progress), name=str(path))


def refuse_columns(case: Path, columns: str | Path | None) -> None:
    """Refuse column maps that are named with a case: its evidence is read already.

    Raises
    ------
    kitlib.errors.UsageError
        `columns` is not None.
    """
    if columns is not None:
        raise UsageError(
            f"{case} is a case, its evidence is read already: name the column maps {columns} "
            "together with the evidence"
        )


def ingest(
    evidence: str | Path,
    out: str | Path,
    *,
    columns: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Parse evidence once into a case store; running it again parses only what is new.

    Parameters
    ----------
    evidence
        Folder, archive or file. It is never written to.
    out
        The case folder; made if it does not exist.
    columns, workers, progress
        As for `read_evidence`.

    Returns
    -------
    Evidence
        The same tables as `read_evidence` gives for the evidence and for the case.

    Raises
    ------
    kitlib.errors.UsageError
        There is no such evidence, the case lies inside it, the case holds other evidence, or the
        column maps are not valid.
    kitlib.errors.EvidenceError
        Nothing in it can be used; then no case is made.
    """
    root, case = Path(evidence), Path(out)
    _separate(root, case)
    maps = own_maps(root, columns)
    store = case / "store"
    fresh = not store.exists()
    try:
        return _ingest(root, store, maps, workers=workers, progress=progress)
    except EvidenceError:
        if fresh:
            shutil.rmtree(store, ignore_errors=True)
        raise


def _ingest(
    root: Path, store: Path, maps: Maps, *, workers: int | None, progress: Progress | None
) -> Evidence:
    job = partial(_stored, store=store, maps=maps)
    units = list(run(root, job, workers=workers, progress=progress))
    _same_evidence(store, units, root)
    manifest = _manifest(units)
    made = assemble(_filled(units, store), name=str(root))
    _write(store / "manifest.json", orjson.dumps(manifest, option=_JSON))
    _write(store / "evidence_path.txt", f"{root.resolve()}\n".encode())
    _sweep(store, {unit.key for unit in units})
    return made


def _separate(root: Path, case: Path) -> None:
    inside, outside = case.resolve(), root.resolve()
    if inside == outside or outside in inside.parents:
        raise UsageError(
            f"the case folder {case} lies inside the evidence {root}, which is never written to: "
            "choose another --out"
        )
    if case.is_dir() and any(case.iterdir()) and not (case / "store").is_dir():
        raise UsageError(f"{case} is not empty and no case: choose another --out")


def _same_evidence(store: Path, units: Iterable[Unit], root: Path) -> None:
    """Refuse to replace one case by another that shares nothing with it."""
    if not (store / "manifest.json").is_file():
        return
    listed = _listed(store)
    before = {unit.sha256 for unit in listed}
    if before and before.isdisjoint(unit.sha256 for unit in units):
        _sweep(store, {unit.key for unit in listed})
        raise UsageError(
            f"the case {store.parent} holds other evidence than {root} (no file in common): "
            "choose another --out"
        )


def load(case: str | Path) -> Evidence:
    """Read back what `ingest` stored.

    Parameters
    ----------
    case
        The case folder.

    Raises
    ------
    kitlib.errors.UsageError
        It is no case, or its store is not whole or of another version of the kit.
    """
    folder = Path(case)
    if not is_case(folder):
        raise UsageError(f"{folder} is not a case folder: it has no store/manifest.json")
    store = folder / "store"
    return assemble(_filled(_listed(store), store), name=str(folder))


def verify(case: str | Path, *, workers: int | None = None) -> pd.DataFrame:
    """Hash the evidence again and compare it with the case's manifest.

    Parameters
    ----------
    case
        The case folder; it knows where its evidence lay.
    workers
        As for `read_evidence`.

    Returns
    -------
    pandas.DataFrame
        Table `problems`, one row a file that is changed, missing or new; empty if all is as it
        was.

    Raises
    ------
    kitlib.errors.UsageError
        It is no case, or its evidence is gone.
    """
    folder = Path(case)
    if not is_case(folder):
        raise UsageError(f"{folder} is not a case folder: it has no store/manifest.json")
    root = Path((folder / "store" / "evidence_path.txt").read_text(encoding="utf-8").strip())
    then = {unit.path: unit.sha256 for unit in _listed(folder / "store")}
    now = {unit.path: unit.sha256 for unit in run(root, hash_unit, workers=workers)}
    return schema.frame("problems", _differences(then, now))


def _differences(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for path in sorted(then.keys() | now.keys()):
        if path not in now:
            reason = "missing: the case was made with it"
        elif path not in then:
            reason = "new: it was not there when the case was made"
        elif then[path] != now[path]:
            reason = f"changed: sha256 was {then[path]}, is {now[path]}"
        else:
            continue
        yield {"path": path, "place": "", "reason": reason}


# One file per content: KEY.VERSION, where KEY is `Unit.key` and VERSION the kit's.

_JSON: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def _shard(store: Path, table: str, key: str) -> Path:
    return store / table / f"{key}.{__version__}.parquet"


def _done(store: Path, key: str) -> Path:
    return store / "done" / f"{key}.{__version__}.json"


@dataclass(frozen=True, slots=True)
class _Known:
    """The keys that are done, asked one by one: sending them all to a worker would cost more."""

    store: Path

    def __contains__(self, key: object) -> bool:
        return _done(self.store, str(key)).is_file()


def _stored(item: Item, *, store: Path, maps: Maps) -> Unit:
    """Read one file, put its rows into shards and give back the unit without them."""
    unit = read_unit(item, known=_Known(store), maps=maps)
    if unit.parsed is None:
        return unit
    counts = {}
    for table in _ROWS:
        rows: pd.DataFrame = getattr(unit.parsed, table)
        counts[table] = len(rows)
        if len(rows):
            _write_shard(_shard(store, table, unit.key), table, rows)
    # Written last: where it stands, the shards it counts are whole.
    _write(_done(store, unit.key), orjson.dumps(counts, option=_JSON))
    return replace(unit, parsed=None)


def _filled(units: Iterable[Unit], store: Path) -> Iterator[Unit]:
    """Give units their rows from the shards."""
    for unit in units:
        if unit.kind in NOT_READ:
            yield unit
            continue
        try:
            counts = orjson.loads(_done(store, unit.key).read_bytes())
            tables = {
                table: _read_shard(_shard(store, table, unit.key), table)
                if counts[table]
                else schema.empty(table)
                for table in _ROWS
            }
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"the case store {store} lacks the rows of {unit.path} as this version of the kit "
                f"({__version__}) reads them: run `kitlib ingest` on the evidence again"
            ) from error
        yield replace(unit, parsed=Parsed(**tables))


def _manifest(units: Iterable[Unit]) -> dict[str, Any]:
    ordered = sorted(units, key=lambda unit: unit.path)
    return {
        "schema": SCHEMA,
        "kit_version": __version__,
        "manifest_sha256": manifest_hash(ordered),
        "files": [
            {name: getattr(unit, name) for name in _MANIFEST_FIELDS} | {"problems": unit.problems}
            for unit in ordered
        ],
    }


_MANIFEST_FIELDS: Final = ("path", "host", "kind", "sha256", "size_bytes", "maps")


def _listed(store: Path) -> list[Unit]:
    manifest = orjson.loads((store / "manifest.json").read_bytes())
    if manifest.get("schema") != SCHEMA:
        raise UsageError(f"{store} is not a case store this version of the kit can read")
    return [Unit(**file | {"problems": tuple(file["problems"])}) for file in manifest["files"]]


def _sweep(store: Path, keys: set[str]) -> None:
    """Remove shards that the manifest no longer asks for, and what a stopped run left behind."""
    for file in store.glob("*/*"):
        key, version, _ = file.name.partition(f".{__version__}.")
        if key not in keys or not version:
            file.unlink()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(file)


def _write_shard(file: Path, table: str, rows: pd.DataFrame) -> None:
    columns = {
        name: _packed(rows[name], dtype)
        for name, (dtype, _) in schema.TABLES[table].items()
        if name != "path"
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    _write(file, sink.getvalue().to_pybytes())


def _packed(column: pd.Series[Any], dtype: str) -> pa.Array:
    if dtype == schema.ANY:
        column = pd.Series([_json(value) for value in column])
    return pa.Array.from_pandas(column, type=_ARROW[dtype])


def _read_shard(file: Path, table: str) -> pd.DataFrame:
    rows = pq.read_table(file).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    for name, (dtype, _) in schema.TABLES[table].items():
        if dtype == schema.ANY and name in rows:
            values = np.empty(len(rows), object)
            values[:] = [_unjson(text) for text in rows[name]]
            rows[name] = values
    return schema.coerce(table, rows)


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, which Windows lets a program log
        return json.dumps(value)


def _unjson(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
