"""Invented exports of management tools, and a map of columns that wrong ones are made of."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import pandas as pd

from kitlib import schema
from kitlib.readers.updates import column_maps, columns

ITEM = "11111111-2222-3333-4444-555555555555"


def table(*rows, separator=","):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def read(data, own=column_maps.NO_MAPS):
    got = columns.reader(own).read(data if isinstance(data, bytes) else data.encode())
    schema.check("updates", got.updates)
    schema.check("problems", got.problems)
    return got


def reasons(got):
    return got.problems["reason"].tolist()


def at(stamp):
    return pd.Timestamp(stamp, tz="UTC") if stamp else pd.NaT


@dataclass(frozen=True)
class Sample:
    """An invented export of a built-in map, and its first row as the kit should have it."""

    map: str
    text: str
    row: tuple[str, str, str, str, str, str]  # host, what, title, kb, hresult, update id
    low: str
    high: str
    basis: str
    rows: int = 1


OPEN = "1990-01-01"

SAMPLES = [
    Sample(
        "wufb_client_update_status",
        table(
            ["TimeGenerated [UTC]", "DeviceName", "ClientState", "ClientSubstate",
             "ClientSubstateTime [UTC]", "TargetBuild", "TargetKBNumber", "UpdateDisplayName",
             "UpdateReleaseTime [UTC]", "UpdateId"],
            ["2022/01/14 02:00:00.000 AM", "WS0001", "", "UpdateInstalled",
             "2022/01/12 09:26:03.478 PM", "10.0.19044.1466", "KB5009543", "2022-01 Update, B",
             "2022/01/11 06:00:00.000 PM", ITEM],
            ["2022/01/14 02:00:00.000 AM", "WS0002", "", "Unknown",
             "2022/01/12 09:26:03.478 PM", "10.0.19044.1466", "KB5009543", "2022-01 Update, B",
             "2022/01/11 06:00:00.000 PM", ITEM],
            ["2022/01/14 02:00:00.000 AM", "WS0003", "Uninstalled", "",
             "2022/01/13 13:26:03.478 PM", "10.0.19044.1466", "KB5009543", "2022-01 Update, B",
             "", ""],
        ),
        ("WS0001", "install succeeded", "2022-01 Update, B (build 19044.1466)", "KB5009543", "",
         ITEM),
        "2022-01-11T18:00", "2022-01-12T21:26:03.478", "utc", rows=2,
    ),
    Sample(
        "wufb_update_alert",
        table(
            ["DeviceName", "AlertSubtype", "AlertClassification", "StartTime [UTC]",
             "TargetBuild", "ErrorCode"],
            ["WS0001", "DiskFull", "Error", "44573.5", "19044.1466", "0x80070070_C3FD"],
            ["WS0001", "EndOfService", "Warning", "44573.5", "19044.1466", ""],
        ),
        ("WS0001", "install failed", "build 19044.1466", "", "0x80070070", ""),
        OPEN, "2022-01-12T12:00", "utc",
    ),
    Sample(
        "wufb_client",
        table(
            ["DeviceName", "OSBuild", "OSRevisionNumber", "OSQualityUpdateReleaseTime [UTC]",
             "TimeGenerated [UTC]"],
            ["WS0001", "10.0.19044.1466", "1466", "2022-01-11 18:00:00", "2022-01-13T02:00:00Z"],
        ),
        ("WS0001", "install succeeded", "build 19044.1466", "", "", ""),
        "2022-01-11T18:00", "2022-01-13T02:00", "utc",
    ),
    Sample(
        "configmgr_compliance_view",
        table(
            ["Netbios_Name0", "Title", "ArticleID", "CI_UniqueID", "Status",
             "LastStatusChangeTime", "LastErrorCode"],
            ["WS0001", "2022-01 Cumulative Update", "5009543", ITEM.upper(), "3",
             "2022-01-12 21:26:03.477", "NULL"],
            ["WS0002", "2022-01 Cumulative Update", "5009543", ITEM, "1",
             "2022-01-12 21:26:03.477", "NULL"],
            ["WS0003", "2022-01 Cumulative Update", "5009543", ITEM, "Update is required",
             "2022-01-12 21:26:03.477", "-2145124329"],
        ),
        ("WS0001", "install succeeded", "2022-01 Cumulative Update", "KB5009543", "", ITEM),
        OPEN, "2022-01-13T09:26:03.477", "local", rows=2,
    ),
    Sample(
        "configmgr_compliance_class",
        table(
            ["ArticleID", "LocalizedDisplayName", "MachineID", "Status", "LastStatusChangeTime"],
            ["5009543", "Update", "16777221", "3", "20220112212603.000000+060"],
        ),
        ("16777221", "install succeeded", "Update", "KB5009543", "", ""),
        OPEN, "2022-01-12T20:26:03", "offset",
    ),
    Sample(
        "intune_feature_update",
        table(
            ["DeviceName", "FeatureUpdateVersion", "CurrentDeviceUpdateStatus",
             "CurrentDeviceUpdateStatus_loc", "CurrentDeviceUpdateStatusEventDateTimeUTC",
             "EventDateTimeUTC", "AggregateState"],
            ["WS0001", "Windows 11, version 22H2", "4", "Installiert",
             "2022-10-12 21:26:03.0000000", "2022-10-14 00:00:00.0000000", "Success"],
        ),
        ("WS0001", "install succeeded", "Windows 11, version 22H2", "", "", ""),
        OPEN, "2022-10-12T21:26:03", "utc",
    ),
    Sample(
        "intune_feature_update_failures",
        table(
            ["DeviceName", "FeatureUpdateVersion", "AlertMessage", "Win32ErrorCode",
             "EventDateTimeUTC"],
            ["WS0001", "Windows 11, version 22H2", "Not enough room", "112",
             "2022-10-12 21:26:03"],
        ),
        ("WS0001", "install failed", "Windows 11, version 22H2", "", "0x00000070", ""),
        OPEN, "2022-10-12T21:26:03", "utc",
    ),
    Sample(
        "intune_quality_update",
        table(
            ["PolicyId", "DeviceName", "CurrentDeviceUpdateStatus", "AggregateState",
             "EventDateTimeUTC"],
            [ITEM, "WS0001", "Installing", "InProgress", "2022-01-12 21:26:03"],
        ),
        ("WS0001", "install in_progress", f"quality update of policy {ITEM}", "", "", ""),
        OPEN, "2022-01-12T21:26:03", "utc",
    ),
    Sample(
        "intune_quality_update_errors",
        table(
            ["PolicyId", "DeviceName", "AlertMessage", "Win32ErrorCode"],
            [ITEM, "WS0001", "Not enough room", "0x70"],
        ),
        ("WS0001", "install failed", f"quality update of policy {ITEM}", "", "0x00000070", ""),
        "", "", "",
    ),
    Sample(
        "intune_driver_update",
        table(
            ["DeviceName", "PolicyName", "CurrentDeviceUpdateState",
             "CurrentDeviceUpdateSubstateTime"],
            ["WS0001", "Drivers, ring 1", "Cancelled", "2022-01-12 21:26:03"],
        ),
        ("WS0001", "install aborted", "driver update of policy Drivers, ring 1", "", "", ""),
        OPEN, "2022-01-12T21:26:03", "utc",
    ),
]  # fmt: skip


GOOD = """schema = "kitlib.columns/1"
[[map]]
name = "tool"
reference = "Tool 1, CSV"
required = ["Machine", "Patch", "State", "When"]
host = "Machine"
kb = "Patch"
state = "State"
time = "When"
zone = "utc"
[map.states]
done = "succeeded"
"""
