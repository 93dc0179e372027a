"""Exports of management tools are known by their columns and read by the kit's own maps."""

from __future__ import annotations

import pandas as pd
import pytest
from column_map_samples import SAMPLES, at, read, reasons

from kitlib import readers
from kitlib.readers.updates import column_maps, columns

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.map)


def test_every_built_in_map_has_a_sample():
    assert [sample.map for sample in SAMPLES] == [one.name for one in column_maps.built_in().maps]


@each_sample
def test_an_export_is_recognised_by_its_columns_alone(sample):
    head = sample.text.encode()
    assert readers.claims(head) == (columns.KIND,)


@each_sample
def test_an_export_gives_its_rows_with_their_intervals(sample):
    got = read(sample.text)
    row = got.updates.iloc[0]
    what = f"{row['operation']} {row['result_code']}"
    fields = ("title", "kb", "hresult", "update_id")
    assert (row["host"], what, *row[[*fields]]) == sample.row
    assert len(got.updates) == sample.rows
    assert (row["date_low"], row["date_high"]) == (at(sample.low), at(sample.high)) or not (
        sample.low or pd.notna(row["date_low"]) or pd.notna(row["date_high"])
    )
    assert row["date_basis"] == sample.basis
    assert set(got.updates["source_kind"]) == {columns.KIND}
    assert got.updates["local"].isna().all()
    assert got.problems["records_lost"].eq(0).all()


@each_sample
def test_problems_name_the_map_and_what_in_it_is_not_verified(sample):
    built_in = next(one for one in column_maps.built_in().maps if one.name == sample.map)
    said = reasons(read(sample.text))
    assert any(f"column map {sample.map!r}" in reason for reason in said)
    assert any("not verified" in reason for reason in said) == bool(built_in.unverified)
    assert any(built_in.note in reason for reason in said)


def test_a_later_state_of_the_same_row_is_a_removal():
    got = read(SAMPLES[0].text)
    row = got.updates.iloc[1]
    assert (row["host"], row["operation"], row["result_code"]) == (
        "WS0003",
        "uninstall",
        "succeeded",
    )
    assert row["date_high"] == at("2022-01-13T13:26:03.478")
    assert "1 rows with the state 'Unknown' are no entries of an update history: left out" in (
        reasons(got)
    )


def test_a_required_update_is_not_started_and_keeps_its_error():
    row = read(SAMPLES[3].text).updates.iloc[1]
    assert (row["host"], row["result_code"], row["hresult"]) == (
        "WS0003",
        "not_started",
        "0x80240017",
    )


def test_reported_times_bound_the_beginning_only_where_the_export_does():
    assert any(
        "nothing bounds the beginning of 1 of 2" in one for one in reasons(read(SAMPLES[0].text))
    )
