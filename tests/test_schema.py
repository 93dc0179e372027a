"""Tables have one shape, whatever their columns came as."""

from __future__ import annotations

import pandas as pd
import pytest

from kitlib import schema


@pytest.mark.parametrize("table", sorted(schema.TABLES))
def test_empty_and_frame_have_the_shape_of_their_table(table):
    assert schema.check(table, schema.empty(table)).empty
    assert len(schema.check(table, schema.frame(table, [{}, {}]))) == 2


@pytest.mark.parametrize("dtype", ["category", "object", "str", "string"])
def test_coerce_takes_text_of_any_dtype_and_fills_what_is_missing(dtype):
    df = pd.DataFrame({"host": pd.Series(["PC1", None, "PC2"], dtype=dtype)})
    got = schema.check("files", schema.coerce("files", df))
    assert got["host"].tolist() == ["PC1", "", "PC2"]


def test_coerce_takes_times_of_any_zone_and_unit():
    times = pd.to_datetime(["2022-01-12T09:00+01:00", None]).as_unit("s")
    got = schema.coerce("sessions", pd.DataFrame({"time": times}))
    assert got["time"][0] == pd.Timestamp("2022-01-12T08:00Z")
    assert pd.isna(got["time"][1])
    mixed = [pd.Timestamp("2022-01-12T09:00+01:00"), "2022-01-12T08:00:00.1234567Z", None]
    got = schema.coerce("sessions", pd.DataFrame({"time": pd.Series(mixed, dtype=object)}))
    assert got["time"][1] == pd.Timestamp("2022-01-12T08:00:00.1234567Z")


def test_coerce_does_not_need_a_plain_index():
    df = pd.DataFrame({"host": ["PC1", "PC2"]}, index=[3, 3])
    assert schema.coerce("files", df)["host"].tolist() == ["PC1", "PC2"]


def test_coerce_drops_other_columns_and_keeps_the_order():
    df = pd.DataFrame({"size_bytes": [1], "other": [2], "host": ["PC1"]})
    assert list(schema.coerce("files", df)) == list(schema.TABLES["files"])


def test_frame_refuses_unknown_columns():
    with pytest.raises(KeyError, match="files has no column"):
        schema.frame("files", [{"hots": "PC1"}])


def test_check_names_the_columns_that_are_wrong():
    df = schema.empty("problems").astype({"records_lost": "float64"})
    with pytest.raises(TypeError, match="records_lost"):
        schema.check("problems", df)


def test_concat_of_nothing_is_the_empty_table():
    assert schema.check("files", schema.concat("files", [])).empty
    assert schema.check("files", schema.concat("files", [schema.empty("files")])).empty


def test_concat_numbers_rows_anew():
    part = schema.frame("files", [{"host": "PC1"}])
    assert schema.concat("files", [part, part]).index.tolist() == [0, 1]
