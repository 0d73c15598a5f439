"""The engines by name, and calls of one in a process of its own."""

import os
from collections.abc import Sequence

from neuronsim.errors import InputError, suggest

from ..deck.job import Job
from ..ngspice import command_line as engine_cli
from ..ngspice import shared_library as engine_shared
from ..ngspice.outcome import Outcome
from .workers import Workers, call_apart

ENGINES = {engine_shared.NAME: engine_shared, engine_cli.NAME: engine_cli}
#: exit status of a worker whose engine cannot be trusted any more
POISONED = 77


def check_engine(engine: str) -> str:
    """Return the name if it is known. Raises InputError otherwise."""
    if engine not in ENGINES:
        raise InputError(f"unknown engine '{engine}'.{suggest(engine, ENGINES)}")
    return engine


def _leave_if_poisoned(engine: str) -> None:
    """libngspice cannot be trusted after an error: a fresh process takes this call."""
    if engine == engine_shared.NAME and engine_shared.poisoned:
        os._exit(POISONED)


def simulate(engine: str, job: Job, timeout_s: float) -> Outcome:
    """Simulate ``job`` in this process."""
    _leave_if_poisoned(engine)
    return ENGINES[engine].run(job, timeout_s)


def _version(engine: str) -> str:
    return ENGINES[engine].version()


def engine_version(engine: str) -> str:
    """Version of an engine, read in a process of its own. Raises MissingToolError when it is not installed."""
    if engine == engine_shared.NAME:
        engine_shared.library_path()
        return call_apart(_version, engine, timeout_s=60)
    return _version(engine)


def _listing(engine: str, deck: str) -> list[str]:
    _leave_if_poisoned(engine)
    return ENGINES[engine].listing(deck)


def listings(engine: str, decks: Sequence[str]) -> list[list[str]]:
    """Every deck as the engine expands it (subcircuits flattened, expressions evaluated), in a process of its own."""
    expanded = []
    with Workers[None]() as workers:
        for deck in decks:
            workers.submit(None, _listing, engine, deck, timeout_s=60)
            expanded.append(workers.next()[1].result())
    return expanded
