"""Registry exports and hives: which updates were put on when, and nothing made up.

The hives are written by `make_hive`, which two independent readers read alike.
"""

from __future__ import annotations

import io
import random
import struct
import time

import make_hive
import pandas as pd
import pyregf
import pytest
from make_hive import BINARY, DWORD, QWORD, SZ, WRITTEN, tree, write

from kitlib import readers, schema
from kitlib.errors import FormatError
from kitlib.readers.updates import cbs_packages, reg_export, regf, registry
from kitlib.readers.updates.cbs_packages import BRANCH

KEY = "31bf3856ad364e35~amd64~"
ROLLUP = f"Package_for_RollupFix~{KEY}~19041.1466.1.7"
BEFORE = f"Package_for_RollupFix~{KEY}~19041.1415.1.4"
STACK = f"Package_for_ServicingStack_1465~{KEY}~19041.1465.1.0"
NET = f"Package_for_KB5008876~{KEY}~10.0.4440.1"
FEATURE = f"Microsoft-Windows-Foundation-Package~{KEY}~10.0.19041.1466"
SOURCE = r"C:\Windows\SoftwareDistribution\Download\0f\Windows10.0-KB5009543-x64.cab"
PUT_ON = 132_864_861_410_000_000  # 2022-01-12T18:35:41Z
INSTALLED = "2022-01-12T18:35:41"


def utc(stamp):
    return pd.Timestamp(stamp, tz="UTC").as_unit("ns")


def package(state, ticks=PUT_ON, *, client="WindowsUpdateAgent", source="", **more):
    values = {"CurrentState": state, "InstallClient": client, **more}
    if ticks is not None:
        values |= {"InstallTimeHigh": ticks >> 32, "InstallTimeLow": ticks & 0xFFFFFFFF}
    return values | ({"InstallLocation": source} if source else {})


def hive(packages, *, extra=None, **options):
    keys = {f"{BRANCH}\\{name}": values for name, values in packages.items()}
    return write(tree(keys | (extra or {})), **options)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def reg_lines(packages, top=r"HKEY_LOCAL_MACHINE\SOFTWARE"):
    lines = ["Windows Registry Editor Version 5.00", "", f"[{top}\\{BRANCH}]", ""]
    for name, values in packages.items():
        lines.append(f"[{top}\\{BRANCH}\\{name}]")
        lines += [
            f"{quoted(key)}={quoted(data)}"
            if isinstance(data, str)
            else f"{quoted(key)}=dword:{data:08x}"
            for key, data in values.items()
        ]
        # What a real export has below each package, and what is of no use.
        lines += ["", f"[{top}\\{BRANCH}\\{name}\\Owners]", f'"{name}"=dword:00020070', ""]
    return lines


def reg(packages, encoding="utf-16", **options):
    return "\r\n".join([*reg_lines(packages, **options), ""]).encode(encoding)


def rows(parsed):
    return [
        (row["kb"], row["operation"], row["result_code"], row["date"], row["date_basis"])
        for row in parsed.updates.to_dict("records")
    ]


def reasons(parsed):
    return " | ".join(parsed.problems["reason"])


def both(packages):
    """Read the same packages from a hive and from an export; times of keys are the hive's."""
    return registry.read(hive(packages)), reg_export.read(reg(packages))


# ------------------------------------------------------------------ which packages, and when


@pytest.mark.parametrize(
    ("state", "ticks", "expected"),
    [
        (0x70, PUT_ON, ("install", "succeeded", utc(INSTALLED))),
        (0x80, PUT_ON, ("install", "succeeded", utc(INSTALLED))),
        (0x50, PUT_ON, ("install", "succeeded", utc(INSTALLED))),
        (0x40, PUT_ON, ("install", "succeeded", utc(INSTALLED))),
        (0x40, 0, ("install", "not_started", pd.NaT)),
        (0x60, PUT_ON, ("install", "in_progress", utc(INSTALLED))),
        (0x60, None, ("install", "in_progress", pd.NaT)),
        (0x70, 0, ("install", "succeeded", pd.NaT)),
        (0x70, 1, ("install", "succeeded", pd.NaT)),
        (0x70, 2**64 - 1, ("install", "succeeded", pd.NaT)),
        (0x65, PUT_ON, ("install", "", utc(INSTALLED))),
        (0xFFFFFF90, PUT_ON, ("install", "", utc(INSTALLED))),
    ],
)
def test_state_and_time_of_a_package_are_read_alike_from_hive_and_export(state, ticks, expected):
    for parsed in both({NET: package(state, ticks)}):
        (row,) = parsed.updates.to_dict("records")
        assert (row["operation"], row["result_code"]) == expected[:2]
        assert row["date"] is expected[2] or row["date"] == expected[2]
        assert row["date_basis"] == ("" if pd.isna(expected[2]) else "utc")
        assert row["date_low"] is row["date"] or row["date_low"] == row["date"] == row["date_high"]
        assert ("is not understood" in reasons(parsed)) == (not expected[1])
        assert ("state no install time" in reasons(parsed)) == pd.isna(expected[2])


def test_package_becomes_a_whole_row_of_the_table():
    for kind, parsed in zip(
        (registry.KIND, reg_export.KIND), both({ROLLUP: package(0x50, source=SOURCE)}), strict=True
    ):
        expected = schema.frame(
            "updates",
            [
                {
                    **dict.fromkeys(("date", "date_low", "date_high"), utc(INSTALLED)),
                    "date_basis": "utc",
                    "operation": "install",
                    "result_code": "succeeded",
                    "title": ROLLUP,
                    "kb": "KB5009543",
                    "client_application_id": "WindowsUpdateAgent",
                    "source_kind": kind,
                }
            ],
        )
        pd.testing.assert_frame_equal(parsed.updates, expected)
        assert parsed.problems.empty


def test_removal_is_a_second_row_between_installation_and_last_change_of_the_key():
    from_hive, from_export = both({NET: package(0x00), STACK: package(0x05)})
    expected = [
        ("KB5008876", "install", "succeeded", utc(INSTALLED), "utc"),
        ("KB5008876", "uninstall", "succeeded", pd.NaT, "utc"),
        ("", "install", "succeeded", utc(INSTALLED), "utc"),
        ("", "uninstall", "in_progress", pd.NaT, "utc"),
    ]
    assert repr(rows(from_hive)) == repr(expected)
    removed = from_hive.updates.iloc[1]
    assert (removed["date_low"], removed["date_high"]) == (utc(INSTALLED), utc("2022-01-16"))
    assert [row[1:3] for row in rows(from_export)] == [row[1:3] for row in expected]
    assert from_export.updates["date_low"].isna().tolist() == [False, True, False, True]


def test_absent_package_without_install_time_is_no_update():
    assert [len(parsed.updates) for parsed in both({NET: package(0, 0)})] == [0, 0]


def test_of_thousands_of_packages_only_updates_have_rows():
    packages = {
        ROLLUP: package(0x70, source=SOURCE),
        BEFORE: package(0x50),
        STACK: package(0x70),
        NET: package(0x70),
        f"Package_1_for_KB5008876~{KEY}~10.0.4440.1": package(0x70),
        f"Package_for_KB5008876~{KEY}de-DE~10.0.4440.1": package(0x70),
        FEATURE: package(0x70, source=SOURCE),
        f"Microsoft-Windows-Client-LanguagePack-Package~{KEY}de-DE~10.0.19041.1": package(0x70),
        # named by no Package_for_: one row, the first that was put on
        f"Package_2_for_KB5003791~{KEY}~19041.1237.1.1": package(0x70, PUT_ON + 10),
        f"Package_1_for_KB5003791~{KEY}~19041.1237.1.1": package(0x70, PUT_ON),
    }
    for parsed in both(packages):
        assert sorted(parsed.updates["title"]) == sorted(
            [ROLLUP, BEFORE, STACK, NET, f"Package_1_for_KB5003791~{KEY}~19041.1237.1.1"]
        )
        assert "5 of 10 packages are parts of updates, features or languages" in reasons(parsed)


def test_staged_packages_with_a_time_are_said_to_rest_on_it():
    for parsed in both({NET: package(0x40)}):
        assert "1 packages are staged and have an install time" in reasons(parsed)
        assert parsed.problems["records_lost"].tolist() == [0]


# ------------------------------------------------------------------ exports as text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig", "utf-16-le", "cp1252"])
def test_export_is_read_in_every_encoding(encoding):
    data = reg({ROLLUP: package(0x70, source=SOURCE + "ü")}, encoding)
    assert readers.sniff(data[:4096]) == reg_export.KIND
    assert rows(reg_export.read(data)) == [
        ("KB5009543", "install", "succeeded", utc(INSTALLED), "utc")
    ]


@pytest.mark.parametrize(
    ("first", "codec"),
    [("Windows Registry Editor Version 5.00", "utf-16-le"), ("REGEDIT4", "cp1252")],
)
def test_export_with_coded_values_and_continued_lines_is_read(first, codec):
    def coded(kind, raw, *, step=9):
        digits = [f"{byte:02x}" for byte in raw]
        lines = [",".join(digits[n : n + step]) for n in range(0, len(digits), step)]
        return f"hex({kind}):" + ",\\\r\n  ".join(lines)

    words = [
        f'"CurrentState"={coded(4, struct.pack("<I", 0x70))}',
        f'"InstallTimeHigh"=dword:{PUT_ON >> 32:08X}',
        f'"InstallTimeLow"={coded(4, struct.pack("<I", PUT_ON & 0xFFFFFFFF))}',
        f'"InstallLocation"={coded(2, (SOURCE + chr(0)).encode(codec))}',
        f'"InstallClient"={coded(7, ("DISM" + chr(0) + chr(0)).encode(codec))}',
        '"Binary"=hex:01,02,\\\r\n  03',
        '"Gone"=-',
        '@="default"',
        "; a comment",
    ]
    whole = [first, "", f"[HKEY_LOCAL_MACHINE\\OFFLINE\\{BRANCH}\\{ROLLUP}]", *words, ""]
    parsed = reg_export.read("\r\n".join(whole).encode("cp1252"))
    assert rows(parsed) == [("KB5009543", "install", "succeeded", utc(INSTALLED), "utc")]
    assert parsed.updates["client_application_id"].tolist() == ["DISM"]


def test_text_that_looks_like_a_key_is_a_text():
    fake = (
        f'\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\{BRANCH}\\{NET}]\r\n"CurrentState"=dword:00000070\r\n'
    )
    lines = reg_lines({ROLLUP: package(0x70, Note=fake)})
    parsed = reg_export.read("\r\n".join([*lines, ""]).encode("utf-16"))
    assert parsed.updates["title"].tolist() == [ROLLUP]


def test_key_to_be_deleted_and_copies_for_32_bit_are_no_packages():
    text = "\r\n".join(reg_lines({ROLLUP: package(0x70)}))
    deleted = text.replace("[HKEY", "[-HKEY")
    copied = text.replace(r"\SOFTWARE", r"\SOFTWARE\WOW6432Node")
    assert [len(reg_export.read(t.encode()).updates) for t in (text, deleted, copied)] == [1, 0, 0]


def test_export_of_other_keys_says_so_and_loses_nothing():
    data = b'REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\Software\\Example]\r\n"a"="b"\r\n'
    parsed = reg_export.read(data)
    assert parsed.problems[["reason", "records_lost"]].to_numpy().tolist() == [
        [
            (
                "a registry export of 1 keys, the first HKEY_CURRENT_USER\\Software\\Example: "
                "nothing of it is used"
            ),
            0,
        ]
    ]


def test_export_that_was_cut_off_says_so():
    data = reg({NET: package(0x70), STACK: package(0x70)})
    parsed = reg_export.read(data[: data.rindex("InstallTimeLow".encode("utf-16-le"))])
    assert "it was cut off" in reasons(parsed)
    assert parsed.problems["records_lost"].isna().any()
    assert len(parsed.updates) == 2


def test_export_states_build_and_zone_and_name_of_the_machine():
    control = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet"
    lines = [
        "Windows Registry Editor Version 5.00",
        f"[HKEY_LOCAL_MACHINE\\SOFTWARE\\{registry.WINDOWS}]",
        '"CurrentBuildNumber"="19044"',
        '"UBR"=dword:000005ba',
        '"ProductName"="Windows 10 Pro"',
        f"[{control}\\{registry.ZONE}]",
        '"Bias"=dword:0000012c',
        '"StandardBias"=dword:00000000',
        '"DaylightBias"=dword:ffffffc4',
        '"DaylightStart"=hex:00,00,03,00,02,00,02,00,00,00,00,00,00,00,00,00',
        '"ActiveTimeBias"=dword:0000012c',
        f"[{control}\\{registry.COMPUTER}]",
        '"ComputerName"="PC-OTTO"',
        "",
    ]
    parsed = reg_export.read("\r\n".join(lines).encode("utf-16"))
    assert "the registry is that of Windows 10 Pro, build 19044.1466; no table" in reasons(parsed)
    assert parsed.clocks[["host", "offset_low", "offset_high", "source"]].to_numpy().tolist() == [
        ["PC-OTTO", -300, -240, reg_export.KIND]
    ]


@pytest.mark.parametrize(
    "unit",
    ['"a="', '"', '[x\r\n"a"=hex:00,\\\r\n', '"a"="\\"\r\n', "[" * 50 + "\n", '@="\\\r\n', "\\"],
)
def test_hostile_export_is_read_in_linear_time(unit):
    head = f"REGEDIT4\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\{BRANCH}\\{NET}]\r\n"
    begin = time.perf_counter()
    reg_export.read((head + unit * (3_000_000 // len(unit))).encode())
    assert time.perf_counter() - begin < 20


# ------------------------------------------------------------------ hives


def walked(data):
    """The whole tree as the kit reads it: values of every key by path."""
    opened = regf.open_hive(data)
    out, waiting = {}, [("", regf.root(opened))]
    while waiting:
        path, key = waiting.pop()
        below, lost = regf.subkeys(opened, key)
        values, broken = regf.values(opened, key, {f"v{n}" for n in range(9)} | {"ü", "日本"})
        assert (lost, broken) == (0, 0)
        out[path] = (sorted(values.items()), key.written)
        waiting += [(f"{path}\\{one.name}", one) for one in below]
    return out


def as_libregf_reads(data):
    file = pyregf.file()
    file.open_file_object(io.BytesIO(data))
    assert not file.is_corrupted()
    out, waiting = {}, [("", file.root_key)]
    while waiting:
        path, key = waiting.pop()
        values = []
        for value in key.values:  # noqa: PD011  # no pandas here
            number = value.type in (DWORD, QWORD)
            if number:
                data = value.get_data_as_integer() & (1 << 32 * (1 + (value.type == QWORD))) - 1
            else:
                data = value.get_data_as_string() if value.type == SZ else value.get_data()
            values.append((value.name.lower(), data))
        out[path] = (sorted(values), key.get_last_written_time_as_integer())
        waiting += [(f"{path}\\{one.name}", one) for one in key.sub_keys]
    return out


def as_regipy_reads(data, path):
    # Imported here: its types are compiled at import, which takes a while.
    from regipy.registry import RegistryHive  # noqa: PLC0415  # see above

    path.write_bytes(data)
    opened = RegistryHive(str(path))
    out, waiting = {}, [("", opened.root)]
    while waiting:
        where, key = waiting.pop()
        values = [(v.name.lower(), v.value) for v in key.iter_values(trim_values=False)]
        out[where] = (sorted(values), key.header.last_modified)
        waiting += [(f"{where}\\{one.name}", one) for one in list(key.iter_subkeys() or ())]
    return out


@pytest.mark.parametrize("lists", ["lf", "lh", "li", "ri"])
def test_hive_is_read_as_two_independent_readers_read_it(lists, tmp_path):
    keys = {
        "": {"v1": "text", "v2": 7},
        r"A\b": {"v1": "", "v2": 0xFFFFFFFF, "v3": (BINARY, b"12345"), "v4": (BINARY, b"1234")},
        r"A\ünï": {"ü": "ümlaut", "v5": (QWORD, struct.pack("<Q", PUT_ON))},
        r"A\日本": {"日本": "x" * 3000},
        **{rf"Many\k{n:03}": {"v6": n} for n in range(20)},
    }
    data = write(tree(keys), lists=lists)
    own = walked(data)
    assert own == as_libregf_reads(data)
    # That one reads names of one byte a letter as ASCII only.
    plain = str.maketrans(dict.fromkeys("üï", "\ufffd"))
    ascii_names = {
        path.translate(plain): (sorted((name.translate(plain), v) for name, v in values), at)
        for path, (values, at) in own.items()
    }
    assert ascii_names == as_regipy_reads(data, tmp_path / "hive")
    assert len(own) == 26


def test_hive_of_software_tells_build_and_state():
    values = {
        "CurrentBuildNumber": "19044",
        "UBR": 1466,
        "ProductName": "Windows 10 Pro",
        "InstallDate": 1_640_000_000,
    }
    data = hive({NET: package(0x70)}, extra={registry.WINDOWS: values}, dirty=True)
    parsed = registry.read(data)
    assert parsed.problems["reason"].tolist() == [
        (
            "the registry is that of Windows 10 Pro, build 19044.1466, as of 2022-01-16 00:00 UTC "
            "(this build installed 2021-12-20); no table holds this"
        ),
        (
            "the hive was not closed cleanly: what changed last may stand only in its transaction "
            "logs (.LOG1, .LOG2), which are not applied"
        ),
    ]
    assert parsed.problems["records_lost"].tolist() == [0, 0]
    assert registry.windows_of_hive(regf.open_hive(data)) == registry.Windows(
        build=19044,
        revision=1466,
        product="Windows 10 Pro",
        installed=utc("2021-12-20T11:33:20"),
        seen=utc("2022-01-16"),
    )


def minutes(number):
    return number & 0xFFFFFFFF


def system(zone, *, current=1, name="PC-ANNA"):
    control = f"ControlSet{current:03}"
    keys = {
        "Select": {"Current": current},
        "ControlSet009": {},
        f"{control}\\{registry.ZONE}": zone,
        f"{control}\\{registry.COMPUTER}": {"ComputerName": name},
    }
    return write(tree(keys), name=r"\SystemRoot\System32\Config\SYSTEM")


SUMMER = (BINARY, bytes([0, 0, 3, 0]) + bytes(12))


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (
            {"Bias": minutes(-60), "StandardBias": 0, "DaylightBias": minutes(-60)}
            | {"ActiveTimeBias": minutes(-120), "DaylightStart": SUMMER},
            [(60, 120, None), (120, 120, utc("2022-01-16"))],
        ),
        (
            {"Bias": 300, "DaylightBias": minutes(-60), "DaylightStart": SUMMER}
            | {"ActiveTimeBias": 300, "DynamicDaylightTimeDisabled": 1},
            [(-300, -300, None), (-300, -300, utc("2022-01-16"))],
        ),
        (
            {"Bias": minutes(-330), "DaylightBias": minutes(-60)}
            | {"DaylightStart": (BINARY, bytes(16))},
            [(330, 330, None)],
        ),
        ({"Bias": 99999}, []),
        ({"TimeZoneKeyName": "UTC"}, []),
    ],
)
@pytest.mark.parametrize("current", [1, 2])
def test_hive_of_system_tells_the_zone_and_the_machine(zone, expected, current):
    parsed = registry.read(system(zone, current=current))
    found = [
        (row["offset_low"], row["offset_high"], None if pd.isna(row["start"]) else row["start"])
        for row in parsed.clocks.to_dict("records")
    ]
    assert found == expected
    assert set(parsed.clocks["host"]) <= {"PC-ANNA"}
    assert set(parsed.clocks["source"]) <= {registry.KIND}
    assert len(parsed.updates) == 0
    assert parsed.problems["records_lost"].fillna(-1).tolist() == [0] * (not expected)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            write(tree({"Software": {"a": 1}}), name=r"\??\C:\Users\anna\ntuser.dat", dirty=True),
            "the registry hive ntuser.dat: nothing of it is used",
        ),
        (
            write(tree({"Software": {"a": 1}}), name=r"\??\C:\Users\anna\ntuser.dat")[:4200],
            "the registry hive ntuser.dat: nothing of it is used",
        ),
        (
            hive({NET: package(0x70)}, file_type=6),
            "a transaction log of the registry hive SOFTWARE: it is not applied",
        ),
    ],
)
def test_hive_that_is_of_no_use_says_which_it_is_and_loses_nothing(data, words):
    parsed = registry.read(data)
    assert parsed.problems[["reason", "records_lost"]].to_numpy().tolist() == [[words, 0]]
    assert parsed.records == 0


def test_hive_is_told_by_its_bytes_and_refused_without_a_header():
    data = hive({NET: package(0x70)})
    assert readers.sniff(data[:65536]) == registry.KIND
    with pytest.raises(FormatError, match="cut off in its header"):
        registry.read(data[:4095])


def test_software_hive_whose_end_is_missing_says_what_is_lost():
    names = [f"Package_for_KB50{n:05}~{KEY}~1.0" for n in range(40)]
    data = hive({name: package(0x70) for name in names})
    kept = registry.read(data)
    assert len(kept.updates) == 40
    cut = registry.read(data[: len(data) - 4096])
    assert "cannot be" in reasons(cut)
    assert cut.problems["records_lost"].isna().any() or cut.problems["records_lost"].sum() > 0


def test_package_whose_key_is_broken_costs_one_record_and_no_other():
    names = [f"Package_for_KB500000{n}~{KEY}~1.0" for n in range(3)]
    data = bytearray(hive({name: package(0x70) for name in names}))
    at = data.index(names[1].encode()) - 76
    data[at : at + 2] = b"xx"
    parsed = registry.read(bytes(data))
    assert parsed.updates["title"].tolist() == [names[0], names[2]]
    lost = parsed.problems[parsed.problems["records_lost"] > 0]
    assert lost["reason"].tolist() == ["1 servicing packages cannot be read: the hive is damaged"]


def test_value_that_is_broken_is_said_and_the_package_kept():
    data = bytearray(hive({NET: package(0x70, client="Broken")}))
    at = data.index(b"InstallClient") - 20
    data[at + 8 : at + 12] = b"\xf0\xff\xff\x7f"  # its data lies beyond the end
    parsed = registry.read(bytes(data))
    assert rows(parsed)[0][:3] == ("KB5008876", "install", "succeeded")
    assert parsed.updates["client_application_id"].tolist() == [""]
    assert "values of a servicing package cannot be read" in reasons(parsed)


@pytest.mark.parametrize(("points_to", "kept"), [("itself", 0), ("one leaf", 3)])
def test_hive_with_lists_that_run_in_circles_ends(points_to, kept):
    names = [f"Package_for_KB500000{n}~{KEY}~1.0" for n in range(9)]
    data = bytearray(hive({name: package(0x70) for name in names}, lists="ri"))
    at = next(at for at in range(len(data) - 16) if data[at : at + 4] == b"ri\x03\x00")
    (leaf,) = struct.unpack_from("<I", data, at + 4)
    place = at - 4 - 4096 if points_to == "itself" else leaf
    data[at + 4 : at + 16] = struct.pack("<III", place, place, place)
    parsed = registry.read(bytes(data))
    assert parsed.updates["title"].tolist() == names[:kept]
    assert f"{9 - kept} servicing packages cannot be read" in reasons(parsed)


def test_hive_that_claims_millions_of_subkeys_is_read_within_bounds():
    data = bytearray(hive({NET: package(0x70)}))
    opened = regf.open_hive(bytes(data))
    key, _ = regf.find(opened, BRANCH)
    at = data.index(b"Packages") - 76
    data[at + 20 : at + 24] = b"\xff\xff\xff\xff"
    parsed = registry.read(bytes(data))
    assert key.subkeys[0] == 1
    assert parsed.updates["title"].tolist() == [NET]
    assert parsed.problems["records_lost"].max() < regf.MOST_KEYS


def test_hives_with_flipped_bits_end_in_rows_and_problems():
    dice = random.Random(5009543)  # noqa: S311  # damage that is the same each time
    whole = [
        hive({f"Package_for_KB500000{n}~{KEY}~1.0": package(0x70) for n in range(9)}, lists="ri"),
        system({"Bias": minutes(-60), "ActiveTimeBias": minutes(-60)}),
    ]
    for _ in range(60):
        data = bytearray(dice.choice(whole))
        used = [at for at in range(len(data)) if data[at]]
        for at in dice.sample(used, dice.choice((1, 4, 40))):
            data[at] ^= 1 << dice.randrange(8)
        data[:4] = b"regf"
        parsed = registry.read(bytes(data))
        schema.check("updates", parsed.updates)
        schema.check("problems", parsed.problems)
        schema.check("clocks", parsed.clocks)
        assert parsed.records or len(parsed.clocks) or len(parsed.problems)


def test_seven_thousand_packages_are_read_quickly():
    names = [f"Microsoft-Windows-Feature-{n}-Package~{KEY}~10.0.19041.1" for n in range(7000)]
    packages = {name: package(0x70, source=r"C:\Windows\x.cab") for name in [*names, NET]}
    data = hive(packages)
    begin = time.perf_counter()
    parsed = registry.read(data)
    assert time.perf_counter() - begin < 15
    assert parsed.updates["title"].tolist() == [NET]


def test_moment_of_a_filetime_is_unknown_outside_of_what_windows_stamps():
    assert cbs_packages.moment(WRITTEN).date == utc("2022-01-16")
    assert [cbs_packages.moment(ticks).date for ticks in (0, 1, 2**63, 2**64 - 1)] == [None] * 4


def test_writer_of_hives_seals_its_header():
    data = hive({NET: package(0x70)})
    assert not regf.open_hive(data).dirty
    broken = bytearray(data)
    broken[200] ^= 1
    assert regf.open_hive(bytes(broken)).dirty
    assert not regf.open_hive(bytes(make_hive.seal(broken))).dirty
