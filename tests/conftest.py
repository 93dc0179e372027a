"""Where the tests find their material.

``KITLIB_SHARED`` names the folder of real logs and dumps that belongs to others and is not part
of this project (default: ``../shared`` beside the checkout). Tests that need it skip without it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Modules that tests share show the values of a failed assert as tests do.
pytest.register_assert_rewrite(
    *(file.stem for file in ROOT.glob("tests/*.py") if not file.stem.startswith("test_"))
)
SHARED = Path(os.environ.get("KITLIB_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real logs are not here: {SHARED}")
    return SHARED
