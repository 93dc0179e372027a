"""Objects are taken out of JSON that is broken, cut or hostile, with work that its size bounds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitlib.readers import json_objects
from kitlib.readers.remarks import Remarks


def taken(whole: str) -> tuple[list[dict[str, object]], Remarks]:
    problems = Remarks()
    found = [content for _, content in json_objects.objects(whole, json_objects.into(problems))]
    return found, problems


def test_objects_reads_on_behind_a_broken_one():
    found, problems = taken('[{"k": 1}, {"k": oops, "x": {"y": 1}}, {"k": 3}]')
    assert found == [{"k": "1"}, {"k": "3"}]
    assert problems == [
        {"place": "line 1", "reason": "broken JSON: Expecting value", "records_lost": 1}
    ]


def test_objects_reads_on_at_a_line_that_begins_with_a_brace():
    found, problems = taken('{"k": 1}\n{"k": oops}\n{"z": 3}')
    assert found == [{"k": "1"}, {"z": "3"}]
    assert problems[0]["place"] == "line 2"


@pytest.mark.parametrize(
    "cut", ['{"k": "a', '{"k": tru', '{"k": [1, 2', '{"k": {"x": 1}', '{"k"', "{"]
)
def test_objects_do_not_know_how_much_a_cut_file_lost(cut):
    found, problems = taken(f'[{{"k": 1}},\n {cut}')
    assert found == [{"k": "1"}]
    assert problems == [{"place": "line 2", "reason": json_objects.CUT, "records_lost": None}]


def test_objects_inside_of_one_that_begin_like_it_stay_inside():
    whole = [{"k": 1, "in": [{"k": 2}, {"k": {"k": 3}}]}, {"k": 4}]
    found, problems = taken(json.dumps(whole))
    assert found == [{"k": "1", "in": [{"k": "2"}, {"k": {"k": "3"}}]}, {"k": "4"}]
    assert problems == []


def test_objects_state_what_is_none_and_pass_over_null():
    found, problems = taken('[{"k": 1}, 7, null, "text", {"k": 2}]')
    assert found == [{"k": "1"}, {"k": "2"}]
    assert [(row["reason"], row["records_lost"]) for row in problems] == [
        ("an entry is no JSON object", 2)
    ]


def test_objects_keep_numbers_as_they_are_written():
    digits = "9" * 5000
    assert taken(f'{{"k": {digits}, "f": 1.10}}') == ([{"k": digits, "f": "1.10"}], [])


@pytest.mark.parametrize("key", ["\x1f{", "a{", "", '"', "{\\", "{"])
def test_objects_are_not_cut_at_a_brace_inside_of_a_text(key):
    whole = [{key: key, "k": [{key: "x" * 50}]}, {key: "{"}]
    assert taken(json.dumps(whole)) == (whole, [])


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.text(max_size=5), st.text(max_size=20) | st.none() | st.booleans(), min_size=1
        ),
        max_size=8,
    ),
    indent=st.sampled_from([None, 0, 2]),
    lines=st.booleans(),
)
def test_objects_gives_back_what_json_wrote(rows, indent, lines):
    form = json.dumps(rows, indent=indent)
    if lines:
        form = "\n".join(json.dumps(row, indent=indent) for row in rows)
    assert taken(form) == (rows, [])


HOSTILE = {
    "broken objects": lambda n: '{"k": oops}\n' * n,
    "broken, then good": lambda n: '{"k": {"a": oops, "b": [1, 2]}},{"k": 1},' * n,
    "open objects": lambda n: '{"k": [' * n,
    "open strings": lambda n: '{"k": "' * n,
    "open strings on lines": lambda n: '{"k": "a\n' * n,
    "cut wrapper": lambda n: '{"k": [' + '{"k": 1}, ' * n,
    "deep in front": lambda n: '{"k": [' * 400 + "1, " * n,
    "many keys": lambda n: '{"k": {' + '"a": 1, ' * n,
    "braces": lambda n: "{" * n,
    "brackets": lambda n: "[" * n,
    "quotes": lambda n: '"' * n,
    "rising": lambda n: "".join('{"k": [' + "1," * (i % 100) for i in range(n)),
}


def work(whole: str) -> float:
    """Return how often a text went through the decoder until it was read."""
    text = json_objects.JsonText(whole)
    assert len(list(text.objects(json_objects.into(Remarks())))) <= len(whole)
    return text.read / len(whole)


@pytest.mark.parametrize("name", HOSTILE)
def test_objects_do_work_that_grows_with_the_text_and_no_faster(name):
    small, large = (work(HOSTILE[name](n)) for n in (2_000, 32_000))
    assert large <= json_objects.EFFORT + 2
    assert large <= 1.3 * small + 1


def test_objects_of_a_sound_file_are_decoded_once():
    assert work('{"k": {"a": 1}}\n' * 5000) <= 1.01
    assert work(json.dumps([{"k": {"a": n}} for n in range(5000)], indent=2)) <= 1.01
