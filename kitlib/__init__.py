"""kitlib: incident analysis for the day after a bad Windows update.

    import kitlib as kit

    case = kit.analyze("sample_data", "kb5009543")
    case.cause

Every public name is loaded on first use, so that ``import kitlib`` (and ``kitlib --help``)
stays fast; `__all__` is the public surface, and a test holds it against the contract.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

__version__: Final = "0.4.0"

_HOMES: Final[dict[str, str]] = {
    "read_evtx": "readers.evtx",
    "read_updates": "readers",
    "read_evidence": "store",
    "load_incident": "incident",
    "build_timeline": "timeline",
    "measure_coverage": "coverage",
    "find_exposure": "exposure",
    "find_attempts": "attempts",
    "reconcile_updates": "reconcile",
    "join_sessions": "gateway",
    "find_outages": "gateway",
    "judge_cause": "cause",
    "assess_recovery": "recovery",
    "measure_restoration": "restoration",
    "measure_impact": "impact",
    "analyze": "findings",
    "findings_document": "findings",
    "Finding": "claims",
    "Check": "claims",
}

__all__ = sorted([*_HOMES, "__version__"])  # noqa: PLE0605  # one table serves both, see _HOMES


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the home module holds
    """Load a public name from its home module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kitlib' has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return __all__
