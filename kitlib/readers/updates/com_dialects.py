"""The registry of readers for what tools make of COM's update history, as text, CSV or Clixml.

Their order says nothing: ``sniffing.toml`` has the order in which they are tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kitlib.readers.sniffing import tabled
from kitlib.readers.updates import com_history_clixml, com_history_text, odc, tss, wu_last_results

if TYPE_CHECKING:
    from kitlib.readers.base import Reader

READERS: Final[tuple[Reader, ...]] = (
    tabled(com_history_text.CSV_KIND, com_history_text.read_csv),
    tabled(com_history_clixml.KIND, com_history_clixml.read),
    tabled(tss.KIND, tss.read),
    tabled(odc.KIND, odc.read),
    tabled(com_history_text.LIST_KIND, com_history_text.read_list),
    tabled(wu_last_results.KIND, wu_last_results.read),
)
