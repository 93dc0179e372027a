"""An update history without entries gives no rows, and none is said to be lost, in any dialect."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from roundtrip_update_samples import HOST
from update_dialect_samples import lost

from kitlib import readers
from kitlib.simulate import update_dumps as dumps
from kitlib.simulate.update_dumps import Machine, Session

EMPTY = [
    dumps.hotfix_csv([], Session()),
    dumps.hotfix_table([], Session()),
    dumps.hotfix_json_51([], Session()),
    dumps.hotfix_json_7([], Session()),
    dumps.hotfix_clixml([], Session()),
    dumps.wmic_csv([], Session()),
    dumps.wmic_table([], Session()),
    dumps.wmic_list([], Session()),
    dumps.osquery_patches([], Session()),
    dumps.com_json_51([], Session()),
    dumps.com_json_7([]),
    dumps.collector_json([], Session()),
    dumps.com_csv([], Session()),
    dumps.com_clixml([]),
    dumps.pswindowsupdate_csv([], Session()),
    dumps.pswindowsupdate_table([], Session()),
    dumps.pswindowsupdate_list([], Session()),
    dumps.pswindowsupdate_json_51([], Session()),
    dumps.pswindowsupdate_json_7([], Session()),
    dumps.pswindowsupdate_clixml([], Session()),
    dumps.agent_log_old([], Session(), marks=[datetime(2022, 1, 12, tzinfo=UTC)]),
    dumps.agent_log_decoded([], Session()),
    dumps.winupdatesview_csv([], Session()),
    dumps.osquery_history([]),
    dumps.dism_list([], Session()),
    dumps.dism_table([], Session()),
    dumps.dism_info([], Session()),
    dumps.cbs_log([], Session()),
    dumps.reporting_events([], Session()),
    dumps.systeminfo_list([], Session(host=HOST), Machine()),
    dumps.reg_packages([]),
]


@pytest.mark.parametrize("data", EMPTY, ids=range(len(EMPTY)))
def test_an_empty_history_gives_no_rows_and_loses_none(data):
    reader = readers.reader_for(data)
    got = reader.read(data) if reader else readers.parsed()
    assert (len(got.updates), lost(got)) == (0, 0)
