"""What a simulation wrote, for tests that compare two of them."""

from __future__ import annotations


def contents(folder):
    """Bytes of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
