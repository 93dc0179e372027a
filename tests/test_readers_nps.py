"""NPS and RRAS accounting in its layouts."""

from __future__ import annotations

from gateway_samples import between, element, exactly, read, reasons, times


def test_dts_offset_holds_between_two_records_that_tell_the_same():
    text = element("01/12/2022 09:00:00.000", "01/12/2022 08:00:00", 4)
    text += element("01/12/2022 09:30:00.500")
    text += element("01/12/2022 10:00:00.000", "01/12/2022 09:00:01", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[1]) == exactly("2022-01-12T08:30:00.5")
    assert got.problems.empty


def test_dts_offset_beyond_the_last_record_that_tells_may_have_changed_once():
    text = element("03/27/2022 01:00:00.000", "03/27/2022 00:00:00", 4)
    text += element("03/27/2022 05:00:00.000")
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[1]) == between("2022-03-27T03:00", "2022-03-27T05:00")


def test_dts_offset_between_records_that_differ_is_either():
    text = element("03/27/2022 01:00:00.000", "03/27/2022 00:00:00", 4)
    text += element("03/27/2022 03:30:00.000")
    text += element("03/27/2022 05:00:00.000", "03/27/2022 03:00:00", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[0]) == exactly("2022-03-27T00:00")
    assert times(got.sessions.iloc[1]) == between("2022-03-27T01:30", "2022-03-27T02:30")
    assert times(got.sessions.iloc[2]) == exactly("2022-03-27T03:00")


def test_dts_offsets_that_no_zone_has_together_are_not_used():
    text = element("01/12/2022 09:00:00.000", "01/12/2022 08:00:00", 4)
    text += element("01/12/2022 09:01:00.000", "01/12/2022 03:01:00", 4)
    got = read("nps_dts_xml", text)
    assert times(got.sessions.iloc[0]) == between("2022-01-11T19:00", "2022-01-12T21:00")
    assert "clock is wrong" in reasons(got)


def test_dts_stamp_that_is_no_quarter_of_an_hour_away_tells_nothing():
    text = element("01/12/2022 09:00:00.000", "01/12/2022 08:07:00", 4)
    assert times(read("nps_dts_xml", text).sessions.iloc[0])[0] is None


def test_dts_resolves_the_five_entities_and_no_other():
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c SYSTEM "file:///etc/hostname">]>\n'
    user = '<User-Name data_type="1">a&amp;b&#65;&b;&c;</User-Name>'
    got = read("nps_dts_xml", bomb + element("01/12/2022 09:00:00", more=user))
    assert got.sessions.iloc[0]["user"] == "a&bA&b;&c;"
    assert "not expanded" in reasons(got)


def test_dts_cut_in_a_record_keeps_the_others():
    whole = element("01/12/2022 09:00:00.000") * 3
    got = read("nps_dts_xml", whole[: len(whole) - 30])
    assert len(got.sessions) == 2
    assert got.problems.iloc[0]["reason"] == "a record without its end"
    assert (got.problems.iloc[0]["place"], got.problems.iloc[0]["records_lost"]) == ("line 3", 1)


def test_dts_keeps_the_first_of_fields_that_stand_twice():
    more = "".join(f'<User-Name data_type="1">{name}</User-Name>' for name in ("anna", "bert"))
    got = read("nps_dts_xml", element("01/12/2022 09:00:00", more=more))
    assert got.sessions.iloc[0]["user"] == "anna"


def test_nps_line_that_is_none_is_counted_and_costs_only_itself():
    line = '"RasBox","RAS",10/22/2006,09:13:09,3,,"ACME\\anna",,,,,,,,,,,,,,,,,4,,36,,\n'
    got = read("nps_database", line + "garbage\n" + line)
    assert len(got.sessions) == 2
    assert got.problems["records_lost"].sum() == 1


def test_ias_attribute_without_value_and_of_no_name_is_passed_over():
    line = "192.0.2.1,anna,10/22/2006,09:13:09,IAS,NPS1,4136,3,9999,x,4142,16,31"
    row = read("nps_ias", line).sessions.iloc[0]
    assert (row["user"], row["action"], row["code"]) == ("anna", "attempt_failed", "16")
