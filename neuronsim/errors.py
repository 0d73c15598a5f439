"""Errors that a person can act on: each says what, where, the legal range, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeuronsimError(Exception):
    """Base of every error meant for the user. The command line prints its text without a traceback.

    Subclasses set :attr:`exit_code`, the process exit status of the command line.
    """

    exit_code = 2


class InputError(NeuronsimError, ValueError):
    """A value given by the user is out of range, missing or contradictory."""


class MissingToolError(NeuronsimError):
    """Something that must be installed (ngspice, a data set) is missing."""

    exit_code = 3


class DataError(NeuronsimError):
    """A file is corrupt, truncated, of the wrong schema, or does not support what is asked of it."""

    exit_code = 4


class OutputError(NeuronsimError):
    """A result could not be written (disk full, no permission)."""

    exit_code = 5


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'? Known: ..."`` for an unknown ``name``, ready to append to a message."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"{hint} Known: {', '.join(known) or 'none'}."
