"""The error tree: every failure a user can cause or meet has a class and a plain sentence.

A message says what is wrong, where, and what to do next; ``exit_code`` is what the
command line returns for it. Errors that mean a defect in the kit are not caught here.
"""

from __future__ import annotations


class KitError(Exception):
    """Base of every error the kit raises on purpose."""

    exit_code = 2


class UsageError(KitError):
    """The call itself is wrong: a missing folder, an unknown option value."""


class IncidentError(KitError):
    """An incident profile or rule file cannot be used; the message names line, key and remedy."""


class EvidenceError(KitError):
    """Nothing usable was found in the evidence."""

    exit_code = 3


class FormatError(KitError):
    """A file is not what its reader expected; ingest turns it into a row of ``problems``."""

    exit_code = 3
