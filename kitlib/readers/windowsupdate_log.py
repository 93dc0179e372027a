"""The text that `Get-WindowsUpdateLog` makes of the update agent's traces: recognised, not read.

Its lines are a developer's trace, in the local time of the machine that decoded it (which need not
be the host), without offset, host or a fixed wording; older decoders even print dates of 1601. No
line was found that states an installation in a form to rely on, so no row is made of it: the
installations stand in the update history, the event log and `ReportingEvents.log`.
"""

from __future__ import annotations

import re
from typing import Final

from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed

KIND: Final = "windowsupdate_log"

_LINE: Final = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{7}\s+\w{1,8}\s+\w{1,8}\s+\S")


def sniff(head: bytes) -> bool:
    """Tell it by its time stamps to 100 ns with process and thread."""
    lines = text.decode(head, partial=True).text.splitlines()[:20]
    return any(map(_LINE.match, lines))


def read(data: bytes) -> Parsed:
    """Say what the file is.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    Parsed
        No rows; one row of `problems`.
    """
    lines = len(text.decode(data).text.splitlines())
    reason = (
        f"a decoded trace of the update agent, {lines} lines in the local time of the machine that "
        "decoded it: it states no installation in a form to rely on, so nothing is taken from it"
    )
    return parsed(problems=[{"reason": reason, "records_lost": 0}])
