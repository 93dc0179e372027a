"""Recognition by content: one row a format, one format a file, in every encoding, in bounded work."""

from __future__ import annotations

import time
import tomllib
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kitlib as kit
from kitlib import readers
from kitlib.readers import Reader, sniffing
from kitlib.readers.sniffing import Head

ROWS = sniffing.formats()
BY_KIND = {row.kind: row for row in ROWS}
RAW = tomllib.loads((files("kitlib.readers") / "sniffing.toml").read_text("utf-8"))["format"]
BINARY = {raw["kind"] for raw in RAW if "bytes" in raw}
TEXTS = [row for row in ROWS if row.kind not in BINARY]

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
each_text = pytest.mark.parametrize("row", TEXTS, ids=lambda row: row.kind)


# ------------------------------------------------------------------ the table


def test_every_reader_has_one_row_and_every_row_one_reader():
    kinds = [reader.kind for reader in readers.READERS]
    assert sorted(row.kind for row in ROWS) == sorted(kinds)
    assert len(set(kinds)) == len(kinds)


def test_rows_use_only_what_the_matcher_knows():
    about = {"kind", "label", "holds", "reference", "example", "also", "within"}
    for raw in RAW:
        assert set(raw) <= about | set(sniffing.CONDITIONS), raw["kind"]
        assert set(raw) & set(sniffing.CONDITIONS), f"{raw['kind']} asks for nothing"
        assert ("within" in raw) <= bool({"line", "columns"} & set(raw)), raw["kind"]
        assert ("line" in raw) <= ("within" in raw), raw["kind"]
        assert raw.get("within", 0) <= sniffing.CELL_LINES or "columns" not in raw, raw["kind"]


def test_words_that_are_looked_for_in_any_case_stand_in_lower_case():
    for raw in RAW:
        for name in ("contains", "columns", "keys_any_case"):
            assert str(raw.get(name, "")).lower() == str(raw.get(name, "")), raw["kind"]


def test_rows_say_what_they_are_and_what_they_rest_on():
    assert len({row.label for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.label, row.kind
        assert row.reference, row.kind
        assert row.holds in sniffing.HOLDINGS, row.kind


@each_row
def test_example_is_taken_by_its_own_row_and_by_those_named_only(row):
    assert readers.claims(row.example) == (row.kind, *row.also)


@each_row
def test_row_that_may_take_it_too_comes_later_and_has_a_reason(row):
    order = list(BY_KIND)
    for kind, reason in row.also.items():
        assert order.index(kind) > order.index(row.kind)
        assert len(reason) > 10


def test_kinds_that_hold_no_update_history_are_refused_as_one(tmp_path):
    for row in ROWS:
        if row.holds == "update history":
            continue
        file = tmp_path / row.kind
        file.write_bytes(row.example)
        with pytest.raises(kit.errors.FormatError, match=f"it is {row.kind}"):
            kit.read_updates(file)


# ------------------------------------------------------------------ encodings

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": b"",
    "utf-16-be": b"",
    "utf-16-be with mark": b"\xfe\xff",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@each_text
def test_example_is_recognised_in_every_encoding(row, encoding):
    whole = row.example.decode()
    data = ENCODINGS[encoding] + whole.encode(encoding.partition(" ")[0])
    assert readers.claims(data) == (row.kind, *row.also)


@pytest.mark.parametrize("page", ["cp850", "cp1252"])
def test_example_is_recognised_in_a_code_page(page):
    tried = 0
    for row in TEXTS:
        whole = row.example.decode()
        if not whole.isascii():
            tried += 1
            assert readers.claims(whole.encode(page)) == (row.kind, *row.also), row.kind
    assert tried > 20


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
@each_text
def test_line_ends_and_blank_lines_before_change_nothing(row, encoding, blank):
    whole = "\n" * blank + row.example.decode()
    assert readers.claims(whole.replace("\n", "\r\n").encode(encoding)) == (row.kind, *row.also)


@pytest.mark.parametrize("kind", ["wmic_qfe", "systeminfo", "dism_packages"])
def test_doubled_carriage_returns_of_a_piped_console_change_nothing(kind):
    whole = BY_KIND[kind].example.decode().replace("\n", "\r\r\n")
    assert readers.claims(whole.encode("cp850")) == (kind,)


@each_text
def test_head_is_recognised_when_it_ends_in_the_middle_of_a_character(row):
    whole = row.example.decode()
    long = whole + "\n" + "ü€😀" * 8000
    for encoding in ("utf-8", "utf-16", "utf-16-le"):
        data = long.encode(encoding)
        for cut in range(8):
            head = data[: 40_000 + cut]
            assert readers.sniff(head) == row.kind, (encoding, cut)


def test_signature_beyond_ascii_survives_a_head_cut_in_a_character():
    wide = "ID : A~31bf3856ad364e35~x86~~1.0\n".replace("~", "\uff5e") + "イ" * 20
    whole = wide.encode()
    assert {readers.sniff(whole[: len(whole) - cut]) for cut in range(4)} == {"dism_packages"}


def test_utf16_without_mark_after_ascii_is_recognised():
    notice = b"Please wait while WMIC is being installed.\r\n"
    table = "Description  HotFixID   InstalledOn\r\nUpdate       KB5009543  1/12/2022\r\n"
    assert readers.sniff(notice + table.encode("utf-16-le")) == "wmic_qfe"


def test_ascii_before_much_utf16_is_recognised_by_either_part():
    ascii_part = BY_KIND["cbs_log"].example.replace("für".encode(), b"fuer") * 3
    assert readers.sniff(ascii_part + ("x" * 9000).encode("utf-16-le")) == "cbs_log"


# ------------------------------------------------------------------ other spellings

LISTED = """\
CSName=WS0001
HotFixID=KB5009543
InstalledOn=1/12/2022
"""
VARIANTS = {
    "chunk first": (b"ElfChnk\0" + bytes(64), "evtx"),
    "broken file header": (bytes(4096) + b"ElfChnk\0", "evtx"),
    "wevtutil /e:": ("<Log><Event xmlns='u'><System/></Event></Log>", "event_xml"),
    "Event Viewer's XML": (
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<Events><Event/></Events>',
        "event_xml",
    ),
    "XML with a comment": ("<!-- a > b --><!-- c --><e:Event xmlns:e='u'/>", "event_xml"),
    "XML with a document type": ('<!DOCTYPE a [<!ENTITY b "c">]><Event/>', "event_xml"),
    "Winlogbeat, keys with points": (
        '{"_source":{"winlog.channel":"System","winlog.event_id":1}}',
        "winlogbeat_json",
    ),
    "Elasticsearch's answer": (
        '{"hits":{"hits":[{"_source":{"winlog":{"event_data":{"a":"{\\"}"},"event_id":"1"}}}]}}',
        "winlogbeat_json",
    ),
    "Winlogbeat behind a broken record": (
        '{"message": "ab\nc", x"}\n{"winlog": {"event_id": 1}}',
        "winlogbeat_json",
    ),
    "Velociraptor in a list": (
        '[\n {"System": {"Provider": {"Name": "a"}, "EventID": {"Value": 1}}}]',
        "velociraptor_json",
    ),
    "selected properties as Clixml": (
        '<Objs Version="1.1.0.1"><Obj><S N="TimeCreated">x</S><S N="ProviderName">y</S></Obj></Objs>',
        "get_winevent_clixml",
    ),
    "Clixml of a remote shell": (
        '#< CLIXML\n<Objs Version="1.1.0.1"><Obj><S N="HotFixID">KB5009543</S></Obj></Objs>',
        "get_hotfix_clixml",
    ),
    "Get-EventLog as a list": (
        "Index : 501\nEntryType : Error\nInstanceId : 20227\nMessage : x\nSource : RasClient\n",
        "get_eventlog_text",
    ),
    "Event Viewer's text": (
        (
            "Level\tDate and Time\tSource\tEvent ID\tTask Category\n"
            "Error\t1/12/2022 9:15:00 AM\tRasClient\t20227\tNone\tThe user dialed.\n"
        ),
        "event_viewer_text",
    ),
    "CSV that names its separator": (
        "sep=;\nTimeCreated;Id;ProviderName\n12.01.2022;20227;RasClient\n",
        "get_winevent_csv",
    ),
    "systeminfo as CSV": (
        (
            '"Host Name","OS Name","Hotfix(s)"\n"WS0001","Microsoft Windows 10 Pro",'
            '"2 Hotfix(s) Installed.,[01]: KB5009543,[02]: KB5010793"\n'
        ),
        "systeminfo",
    ),
    "DISM as a table": (
        (
            "Package Identity | State | Release Type | Install Time\n"
            "---------------- | ----- | ------------ | ------------\n"
            "Package_for_A~31bf3856ad364e35~amd64~~10.0.1.0 | Installed | Update | 1/12/2022 9:15 AM\n"
        ),
        "dism_packages",
    ),
    "DISM with wide tildes": (
        "パッケージ ID : A~31bf3856ad364e35~x86~~1.0".replace("~", "\uff5e"),
        "dism_packages",
    ),
    "our collector's history": (
        '[{"operation": "Installation", "result_code": "Succeeded"}]',
        "com_history_json",
    ),
    "wmic's table": (
        "CSName  HotFixID   InstalledOn\nWS0001  KB5009543  1/12/2022\n",
        "wmic_qfe",
    ),
    "wmic's list": (LISTED, "wmic_qfe"),
    "Get-HotFix as a table": (
        (
            "Source  Description  HotFixID   InstalledBy  InstalledOn\n"
            "------  -----------  --------   -----------  -----------\n"
            "WS0001  Update       KB5009543               1/12/2022\n"
        ),
        "get_hotfix",
    ),
    "Get-HotFix with a type line": (
        '#TYPE System.Management.ManagementObject\n"Source"\t"HotFixID"\n"WS0001"\t"KB5009543"\n',
        "get_hotfix",
    ),
    "old registry export": ("REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE]\n", "registry_export"),
    "the tools' table": (
        "\nCategory  Level  ID  Operation  Date  Client  By  Result  Title\n",
        "tss_hotfixes",
    ),
    "last results as a list": (
        "ComputerName : A\nLastSearchSuccessDate : 1\nLastInstallationSuccessDate : 2\n",
        "pswindowsupdate_last_results",
    ),
    "last results as JSON": (
        '{"LastInstallationSuccessDate": null}',
        "pswindowsupdate_last_results",
    ),
    "paste of Meraki's dashboard": (
        "1. Time (CDT)\tClient\tEvent type\tDetails\n",
        "meraki_event_log",
    ),
    "charon, RFC 5424": ("<30>1 2022-01-12T08:15:00Z gw1 charon 99 - - 1[IKE] x", "charon_syslog"),
    "charon, ISO stamp": ("2022-01-12T08:15:00+00:00 gw1 charon-systemd[9]: x", "charon_syslog"),
    "FortiGate behind a syslog header": (
        "<189>date=2022-01-12 time=09:15:00 logid=0101039424 type=event\n",
        "fortigate_log",
    ),
    "Meraki's syslog behind a relay": (
        "Jan 12 09:15:00 192.0.2.1 1 1641975300.5 MX_Office events x\n",
        "meraki_syslog",
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_is_recognised(name):
    content, kind = VARIANTS[name]
    assert readers.sniff(content.encode() if isinstance(content, str) else content) == kind


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        bytes(65536),
        b"hello",
        b'{"a": 1}',
        b"[]",
        b"Get-HotFix | Select-Object HotFixID, InstalledOn\n",
        b"install charon with: apt install strongswan-charon\n",
        b"Node: HotFixID is missing\n",
        b"<html><body>Event</body></html>",
        b'<Objs Version="1.1.0.1"><Obj RefId="0"><Props/></Obj></Objs>',
        b'{"note": "\\"hotfixid\\": 1"}',
        b'{"System": {"a": 1}, "EventID": {"Value": 1}}',
        b'{"System": {"a": {"EventID": {"Value": 1}}}}',
        b'{"winlog": {"event_data": {"event_id": 1}}}',
        b"ElfFil",
        b"PK\x03\x04",
        bytes(range(256)),
    ],
)
def test_what_is_no_format_of_the_kit_is_claimed_by_no_row(data):
    assert readers.claims(data) == ()


def test_nested_key_must_be_of_that_object():
    inside = b'{"Event": {"a": [{"b": 1}], "System": {"c": 1}}}'
    beside = b'{"Event": {"a": 1}, "System": {"c": 1}}'
    deeper = b'{"Event": {"a": {"System": {"c": 1}}}}'
    assert readers.claims(inside) == ("evtx_dump_json",)
    assert readers.claims(beside) == ()
    assert readers.claims(deeper) == ()


def test_column_stands_in_any_separator_and_case():
    for mark in (",", ";", "\t"):
        for title in ("TIMECREATED", '"TimeCreated"'):
            head = f"{title}{mark}Id{mark}message\n1{mark}2{mark}3\n"
            assert readers.sniff(head.encode()) == "get_winevent_csv"


# ------------------------------------------------------------------ readers without a row


def test_reader_without_a_row_is_asked_where_no_row_fits(monkeypatch):
    own = Reader("own", lambda head: b"KB" in head, lambda _: readers.parsed())
    monkeypatch.setattr(readers, "READERS", (*readers.READERS, own))
    assert readers.reader_for(b"only KB5009543") is own
    assert readers.sniff(BY_KIND["get_hotfix"].example) == "get_hotfix"
    assert readers.claims(BY_KIND["get_hotfix"].example) == ("get_hotfix", "own")


@each_row
def test_reader_of_a_row_tells_by_itself_what_the_row_tells(row):
    reader = next(reader for reader in readers.READERS if reader.kind == row.kind)
    assert reader.sniff(row.example)
    assert not reader.sniff(b"something else")


# ------------------------------------------------------------------ names say nothing

NAMES = ("a.txt", "b.csv", "c.json", "d.xml", "e.log", "f.evtx", "README.md", "desktop.ini", "i")


@pytest.mark.parametrize("shift", range(3))
def test_file_is_read_as_what_it_holds_whatever_its_name(tmp_path, shift):
    want = {}
    for number, row in enumerate(ROWS):
        path = f"HOST{number:02}/{NAMES[(number + shift) % len(NAMES)]}"
        file = tmp_path / path
        file.parent.mkdir()
        file.write_bytes(row.example)
        want[path] = row.kind
    found = kit.read_evidence(tmp_path).files
    assert dict(zip(found["path"], found["kind"], strict=True)) == want


# ------------------------------------------------------------------ work


class Counted(bytes):
    """Bytes that count how often they are decoded."""

    times = 0

    def decode(self, *args, **named):
        self.times += 1
        return super().decode(*args, **named)


@each_text
def test_head_is_decoded_once_however_many_rows_are_tried(row):
    data = Counted(row.example)
    assert [one.kind for one in sniffing.claims(Head(data))] == [row.kind, *row.also]
    assert data.times == 1


def test_what_bytes_tell_is_not_decoded():
    for kind in ("evtx", "registry_hive"):
        data = Counted(BY_KIND[kind].example)
        assert next(sniffing.claims(Head(data))).kind == kind
        if kind == "evtx":
            assert data.times == 0


SIZE = readers.HEAD_BYTES


def filled(piece: str, first: str = "") -> bytes:
    return (first + piece * (SIZE // len(piece) + 1)).encode()[:SIZE]


HOSTILE = {
    "zeros": bytes(SIZE),
    "one byte": b"\xff" * SIZE,
    **{f"only {char!r}": filled(char) for char in 'a 0,;\t|"\\<>[{(:~.-\n\r}]='},
    "open brackets": filled("[{"),
    "deep objects": filled('{"a":', "["),
    "deep of the searched key": filled('{"Event":'),
    "deep of a path": filled('{"System":{"EventID":'),
    "wide object": filled('"a":1,', '{"Event":{'),
    "wide objects": filled('{"winlog":{"a":[{}]}},', "["),
    "open strings": filled('\\"', '{"winlog":{"'),
    "quotes and blanks": filled('"' + " " * 500, "{"),
    "keys without colon": filled('"EventID" ', "{"),
    "comments": filled("<!--"),
    "closed comments": filled("<!---->"),
    "types": filled("]  ", "<!DOCTYPE a ["),
    "tags": filled("<a "),
    "events": filled("<Event> "),
    "events and blanks": filled("<Event>" + " " * 3000),
    "roots": filled("<Log>\n", "<Log>"),
    "clixml names": filled(' N="ProviderName"', "<Objs "),
    "clixml operation": filled('<S N="operation" <S N="resultcode_"', "<Objs "),
    "hotfix words": filled("hotfixid "),
    "hotfix lines": filled("hotfixid\n"),
    "package": filled("~0123456789abcde"),
    "package labels": filled("a " * 40 + ": a~\n"),
    "package table": filled("|", " A~31bf3856ad364e35~a~~1 "),
    "blanks before a colon": filled(" " * 4000 + ":\n"),
    "numbered": filled("  [01]: windows\n"),
    "zones": filled("a" + " " * 70 + ": \n"),
    "dashboard": filled(" Event type", "Time (CET),"),
    "dashboard lines": filled("Time (CET), Event type Event type Event type\n"),
    "fortigate": filled('date=2022-01-12 time=09:15:00 logid="1"'),
    "charon": filled("Jan 12 09:15:00 charon " * 3 + "\n"),
    "syslog": filled(">1 1641975300.5 " + "x" * 200),
    "servicing": filled("2022-01-12 09:15:00, Info" + " " * 45 + "cbs\n"),
    "stamps": filled("2022/01/12 09:15 UTC - "),
    "stamp lines": filled("2022/01/12 09:15 UTC - - - -\n"),
    "headings": filled('category,level,id," ', "category,"),
    "heading blanks": filled(" ", "category"),
    "reports": filled("{3F2504E0-4F89-11D3-9A0C-0305E82C3301}\t"),
    "list": filled("ResultCode" + " " * 41 + ":\n"),
    "quoted header": filled('"a""b",'),
    "open cell": filled("\n,", '"a,'),
    "list view": filled("12.01.2022 09:15:00,", "a,b,c,d,e\n"),
    "level list": filled("1.1.1 " * 20 + ",", "a,b,c,d,e\nx,1.1.1"),
    "accounting": filled('"x","IAS",1/1/2022,'),
    "database": filled('"' + "x" * 64),
    "last results": filled("lastinstallationsuccessdate "),
    "utf-16": "lastinstallationsuccessdate hotfixid [01]: ~".encode("utf-16-le") * 740,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_head_takes_bounded_work(name):
    sniffing.formats()
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        readers.claims(HOSTILE[name])
        best = min(best, time.process_time() - start)
        if best < 0.25:
            return
    pytest.fail(f"{best:.2f} s for 64 KiB")


@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_recognised_or_not_but_never_raise(data):
    assert readers.sniff(data) == (readers.claims(data) or ("",))[0]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_example_never_raises(data):
    content = bytearray(data.draw(st.sampled_from(ROWS)).example)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    readers.claims(bytes(content))


# ------------------------------------------------------------------ real files

REAL = {
    "SOURCES.md": "",
    "collections/collect_fleet.example.ps1": "",
    "collections/collect_host.example.ps1": "",
    "eventlog/Get-EventLog_Out-File_es-CO.txt": "get_eventlog_text",
    "eventlog/Get-WinEvent_ConvertTo-Json_ps51.json": "get_winevent_json",
    "eventlog/Get-WinEvent_Export-Csv_ps51_en-US.csv": "get_winevent_csv",
    "eventlog/event_viewer_save_as_csv_de-DE.csv": "event_viewer_text",
    "eventlog/evtx_dump_style_jsonl.jsonl": "evtx_dump_json flat_event_json",
    "eventlog/otrf_security_datasets_winlogbeat_flat.jsonl": "flat_event_json",
    "eventlog/velociraptor_parse_evtx_1102.json": "velociraptor_json flat_event_json",
    "eventlog/wevtutil_qe_RenderedXml_two_events_no_root.xml": "event_xml",
    "eventlog/winlogbeat_ecs_1102.json": "winlogbeat_json",
    "update_history/CBS.log.loghub_win7.head.txt": "cbs_log",
    "update_history/Get-HotFix_Export-Clixml.xml": "get_hotfix_clixml",
    "update_history/Get-HotFix_table_es-CO.txt": "get_hotfix",
    "update_history/Get-WindowsUpdateLog_win10_1709.head.txt": "windowsupdate_log",
    "update_history/ReportingEvents.log.msjapan.txt": "reporting_events",
    "update_history/dism_get-packageinfo_en-US.txt": "dism_packages",
    "update_history/dism_get-packageinfo_ja-JP.txt": "dism_packages",
    "update_history/dism_get-packages_en-US_pending.txt": "dism_packages",
    "update_history/dism_get-packages_ja-JP.txt": "dism_packages",
    "update_history/systeminfo_10_1803_x64_pro_it.txt": "systeminfo",
    "update_history/systeminfo_10_1809_x64_education_es.txt": "systeminfo",
    "update_history/systeminfo_10_1809_x64_enterprise_zh-cn.txt": "systeminfo",
    "update_history/systeminfo_10_21H2_x64_pro.txt": "systeminfo",
    "update_history/systeminfo_11_24H2_x64_enterprise.txt": "systeminfo",
    "update_history/systeminfo_7_sp1_x64_ultimaten_de.txt": "systeminfo",
    "update_history/systeminfo_fr_win7_powershell_utf16le.txt": "systeminfo",
    "update_history/systeminfo_srv_2012r2_x64_standard_ru.txt": "systeminfo",
    "update_history/wmic_qfe_table_utf16le_en-us_win10_1809.txt": "wmic_qfe",
    "update_history/wmic_qfe_table_utf8_ru_srv2012r2.txt": "wmic_qfe",
    "update_history/wmic_qfe_table_vista_hex_filetime.head.txt": "wmic_qfe",
    "vpn/fortigate_event_vpn.log": "fortigate_log",
    "vpn/meraki_api_getNetworkEvents_one_event.json": "meraki_api_events",
    "vpn/meraki_dashboard_event_log_paste.txt": "meraki_event_log",
    "vpn/meraki_syslog_events_vpn.log": "meraki_syslog",
    "vpn/nps_IN_log_DTS_xml.log": "nps_dts_xml",
    "vpn/nps_IN_log_ias_format.log": "nps_ias",
    "vpn/nps_IN_log_odbc_2006.log": "nps_database",
    "vpn/pfsense_charon_rfc5424.log": "charon_syslog",
    "vpn/vyos_strongswan_charon_syslog.log": "charon_syslog",
}
SAMPLE = {
    ".evtx": "evtx",
    "README.md": "",
    "truth.json": "",
    "hotfix.csv": "get_hotfix",
    "qfe.csv": "wmic_qfe",
    "qfe.txt": "wmic_qfe",
    "update_history.json": "com_history_json",
    "wu.json": "com_history_json",
}


def heads(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                yield path.relative_to(folder).as_posix(), stream.read(readers.HEAD_BYTES)


def test_real_files_of_every_format_are_recognised(shared):
    found = {name: " ".join(readers.claims(head)) for name, head in heads(shared / "formats")}
    assert found == REAL


def test_real_logs_are_recognised_and_claimed_by_no_other_row(shared):
    found = {name: readers.claims(head) for name, head in heads(shared / "evtx")}
    assert found == dict.fromkeys(found, ("evtx",))
    assert len(found) > 20


def test_files_of_the_sample_are_recognised(root):
    found = dict(heads(root / "sample_data"))
    assert found
    for name, head in found.items():
        known = [kind for ending, kind in SAMPLE.items() if name.endswith(ending)]
        assert known in ([readers.sniff(head)], []), name
    assert {readers.sniff(head) for head in found.values()} >= set(SAMPLE.values())
