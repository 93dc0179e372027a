"""Every form of COM's update history is known by one reader alone and read whole."""

from __future__ import annotations

import pytest
from com_history_samples import DE, SAMPLES, as_csv, entry, read
from update_dialect_samples import lost, utc

import kitlib as kit
from kitlib import readers
from kitlib.readers.updates import com_history, wu_last_results
from kitlib.readers.updates.com_dialects import READERS


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_sample_is_known_by_one_reader_and_read_whole(name, encoding):
    sample = SAMPLES[name]
    data = sample.data.encode(encoding)
    found = [reader.kind for reader in readers.READERS if reader.sniff(data)]
    assert found == [sample.kind]
    got = read(data, sample.kind)
    assert (len(got.updates), lost(got)) == (sample.rows, 0)
    row = got.updates.iloc[sample.at]
    assert row["kb"] == sample.kb
    assert f"{row['operation']} {row['result_code']}" == sample.state
    assert (row["date_low"], row["date_high"]) == (utc(sample.low), utc(sample.high))
    assert row["date_basis"] == sample.basis


def test_samples_show_every_reader():
    assert {sample.kind for sample in SAMPLES.values()} | {wu_last_results.KIND} == {
        reader.kind for reader in READERS
    } | {com_history.KIND}


def test_new_readers_take_no_file_of_another(shared):
    files = [path for path in (shared / "formats").rglob("*") if path.is_file()]
    heads = {path.name: path.read_bytes()[: readers.HEAD_BYTES] for path in files}
    stolen = [
        (name, reader.kind)
        for name, head in heads.items()
        for reader in READERS
        if reader.sniff(head)
    ]
    assert len(heads) > 30
    assert stolen == []


def test_read_updates_takes_the_new_forms(tmp_path):
    (tmp_path / "history.csv").write_text(as_csv([entry(DE)]), encoding="utf-16")
    got = kit.read_updates(tmp_path / "history.csv", host="WS0001")
    assert got[["host", "kb", "path"]].to_numpy().tolist() == [
        ["WS0001", "KB5009543", "history.csv"]
    ]
