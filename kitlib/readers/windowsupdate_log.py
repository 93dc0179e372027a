"""The text that `Get-WindowsUpdateLog` makes of the update agent's traces: recognised, not read.

Its lines are a developer's trace, in the local time of the machine that decoded it (which need not
be the host), without offset, host or a fixed wording; older decoders even print dates of 1601. No
line was found that states an installation in a form to rely on, so no row is made of it: the
installations stand in the update history, the event log and `ReportingEvents.log`.
"""

from __future__ import annotations

from typing import Final

from kitlib.readers import lines as lines_of
from kitlib.readers import text
from kitlib.readers.base import Parsed, parsed

KIND: Final = "windowsupdate_log"


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
    lines = len(lines_of.split(text.decode(data).text))
    reason = (
        f"a decoded trace of the update agent, {lines} lines in the local time of the machine that "
        "decoded it: it states no installation in a form to rely on, so nothing is taken from it"
    )
    return parsed(problems=[{"reason": reason, "records_lost": 0}])
