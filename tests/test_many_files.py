"""Reading very many tiny files costs as much as they are many, counted in calls."""

from __future__ import annotations

from collection_samples import put
from hostile_samples import GOOD, counted, log

from kitlib import ingest as ingesting
from kitlib.evidence import assemble


def test_many_tiny_files_cost_as_much_as_they_are_many(tmp_path):
    def cost(number: int) -> int:
        files = {f"WS{n % 50}/{n}.txt": b"a note of nothing %d" % n for n in range(number)}
        root = put(tmp_path / str(number), {"good.evtx": GOOD, **files})
        return counted(lambda: assemble(ingesting.run(root, workers=1), name="e"))

    few, many = cost(200), cost(800)
    assert many < 4.4 * few
    # A hundred thousand of them: some hundred million calls, minutes, and no more.
    assert (many - few) / 600 < 3000


def test_many_tiny_logs_cost_as_much_as_they_are_many(tmp_path):
    def cost(number: int) -> int:
        files = {f"{n}/a.evtx": log(f"WS{n}", count=1) for n in range(number)}
        root = put(tmp_path / f"l{number}", files)
        return counted(lambda: assemble(ingesting.run(root, workers=1), name="e"))

    assert cost(80) < 4.4 * cost(20)
