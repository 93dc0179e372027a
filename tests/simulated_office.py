"""The founding office: what became of each of its hosts, and ways to write it."""

from __future__ import annotations

import re

from kitlib.simulate.fleet import simulate

SEED = 20220111
FATES = {
    "PC-ANNA": ("recovered", "fix", False),
    "PC-BERND": ("recovered", "fix", False),
    "LT-PAUL": ("recovered", "fix", False),
    "LT-DAVID": ("recovered", "fix", False),
    "LT-EMMA": ("still_failing", None, True),
    "PC-FELIX": ("workaround_only", "uninstall", True),
    "LT-GRETA": ("pending_reboot", None, True),
    "PC-HUGO": ("still_failing", None, True),
    "LT-IDA": ("unconfirmed", None, False),
    "PC-JONAS": ("not_affected", None, True),
    "SRV-FILES": ("not_affected", None, False),
    "LT-KLARA": ("not_affected", None, False),
    "LT-LEON": ("not_affected", None, False),
    "PC-MARIA": ("not_affected", None, False),
    "LT-NILS": ("not_affected", None, False),
    "PC-OLGA": ("no_data", None, False),
}
AS_HANDED = re.compile(r"^(handed|exports|gateway_log) = .*\n", re.MULTILINE)


def written_office(folder, root):
    """Write the office with every host a folder of logs."""
    text = (root / "kitlib/simulate/scenarios/founding-office.toml").read_text("utf-8")
    (folder / "founding-office.toml").write_text(AS_HANDED.sub("", text), encoding="utf-8")
    return simulate(folder / "founding-office.toml", seed=SEED, out=folder / "out")


def host_of(world, name):
    return next(host for host in world.hosts if host.name == name)
