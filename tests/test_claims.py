"""A claim shows itself with its checks and records, and whatever stands in a log stays text."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from kitlib.claims import SHOWN_RECORDS, SHOWN_ROWS, Check, Finding, table_html

HOSTILE = '<script>alert("x")</script><img src=x onerror=y>&amp;'


class Tags(HTMLParser):
    """Names of the tags of a text, and the text without them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = set(), "", []
        self.feed(html)

    def handle_starttag(self, tag, _attributes):
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_finding_keeps_hostile_text_inert_wherever_it_stands():
    table = pd.DataFrame(
        {"host": [HOSTILE], HOSTILE: [1], "records": [[f"{HOSTILE}/System#1"]]}, index=[HOSTILE]
    )
    check = Check(HOSTILE, passed=True, text=HOSTILE, records=(HOSTILE,))
    shown = Tags(Finding(HOSTILE, table, (HOSTILE,), (HOSTILE,), (check,))._repr_html_())
    assert not shown.tags & {"script", "img"}
    assert shown.text.count(HOSTILE) == 9
    assert not shown.open


@pytest.mark.parametrize(
    ("passed", "word"),
    [(True, "passed"), (False, "FAILED"), (None, "not testable"), (np.bool_(0), "FAILED")],
)
def test_check_says_how_it_went_in_text_and_html(passed, word):
    check = Check("own past", passed=passed, text="3 of 4")
    assert f"({word}): 3 of 4" in str(check)
    assert f"{word}: 3 of 4" in Tags(check._repr_html_()).text


def test_finding_prints_its_sentence_and_its_checks():
    finding = Finding("It is so.", checks=(Check("a", passed=None, text="none"),))
    assert str(finding) == "It is so.\n○ a (not testable): none"


def test_finding_without_anything_else_is_its_sentence():
    assert Tags(Finding("It is so.")._repr_html_()).text == "It is so."


def test_finding_shows_records_and_how_many_more():
    refs = tuple(f"PC1/System#{n}" for n in range(SHOWN_RECORDS + 3))
    text = Tags(Finding("It is so.", records=refs)._repr_html_()).text
    assert f"#{SHOWN_RECORDS - 1} and 3 more" in text
    assert f"#{SHOWN_RECORDS}," not in text


def test_finding_is_not_read_as_a_formula():
    html = Finding("PC1$ and PC2$ fail")._repr_html_()
    assert html.startswith('<div class="tex2jax_ignore mathjax_ignore">')
    assert "tex2jax_ignore" in Check("PC1$", passed=True, text="PC2$")._repr_html_()


def test_table_html_says_how_many_rows_are_left():
    table = pd.DataFrame({"n": range(SHOWN_ROWS + 2)})
    text = Tags(table_html(table)).text
    assert "2 more rows are in the table." in text
    assert Tags(table_html(table.head(3))).text.split() == ["n", "0", "1", "2"]


def test_table_html_shows_long_text_whole_and_nothing_where_nothing_is():
    table = pd.DataFrame({"why": ["x" * 300, None], "time": [pd.NaT, pd.Timestamp("2022-01-12")]})
    text = Tags(table_html(table)).text
    assert "x" * 300 in text
    assert "NaT" not in text
    assert "None" not in text
