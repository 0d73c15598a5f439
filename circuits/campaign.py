"""Many runs: worker processes that are killed and replaced, retries with safer options, cache, one row for every run.

The default pool (pebble) kills a worker whose run exceeds its timeout. Any ``concurrent.futures.Executor`` (for
example dask.distributed's ``Client.get_executor()``) can be given instead; then each run is an ``ngspice -b`` process
with its own timeout, because a foreign executor cannot kill its workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

from neuronsim.errors import InputError, suggest

from . import engine_cli, engine_shared
from .cache import Cache, key_of
from .deck import Job
from .outcome import Outcome
from .workers import Lost, Workers, call_apart, result_of

ENGINES = {engine_shared.NAME: engine_shared, engine_cli.NAME: engine_cli}
_POISONED = 77
_RUNS_PER_WORKER = 500


@dataclass(frozen=True, kw_only=True)
class Result:
    """Outcome of one run, how many attempts it took, and with which options ("default" or "safer") it was reached."""

    outcome: Outcome
    attempts: int
    options: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A job and its variant with safer options."""

    job: Job
    safer: Callable[[], Job]


def check_engine(engine: str) -> str:
    """Return the name if it is known. Raises InputError otherwise."""
    if engine not in ENGINES:
        raise InputError(f"unknown engine '{engine}'.{suggest(engine, ENGINES)}")
    return engine


def _simulate(engine: str, job: Job, timeout_s: float) -> Outcome:
    if engine_shared.poisoned:
        os._exit(_POISONED)  # libngspice cannot be trusted after an error: a fresh process takes this job
    return ENGINES[engine].run(job, timeout_s)


def _version(engine: str) -> str:
    return ENGINES[engine].version()


def engine_version(engine: str) -> str:
    """Version of an engine, asked in a process of its own. Raises MissingToolError when it is not installed."""
    if engine == engine_shared.NAME:
        engine_shared.library_path()
        return call_apart(_version, engine, timeout_s=60)
    return _version(engine)


def _listing(engine: str, deck: str) -> list[str]:
    if engine_shared.poisoned:
        os._exit(_POISONED)
    return ENGINES[engine].listing(deck)


def listings(engine: str, decks: Sequence[str]) -> list[list[str]]:
    """Every deck as the engine expands it (subcircuits flattened, expressions evaluated), in a process of its own."""
    found = []
    with Workers[None]() as workers:
        for deck in decks:
            workers.submit(None, _listing, engine, deck, timeout_s=60)
            found.append(workers.next()[1].result())
    return found


def run_all(
    tasks: Sequence[Task],
    *,
    engine: str,
    version: str,
    jobs: int = 1,
    timeout_s: float = 60.0,
    cache: Cache | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    on_done: Callable[[int], Any] = lambda index: None,
) -> list[Result]:
    """Run every task; results come back in the order of ``tasks`` whatever ``jobs`` is.

    A run that does not converge is tried once more with safer options, one whose worker died once more in a fresh
    worker; what fails for good is a Result with a reason. ``on_done(index)`` is called after each. Interrupting loses
    nothing: finished runs are in the cache.
    """
    check_engine(engine)
    results: list[Result | None] = [None] * len(tasks)
    keys = [key_of(task.job, engine, version) for task in tasks]
    open_indices: list[int] = []
    first: dict[str, int] = {}
    followers: dict[int, list[int]] = {}  # runs with equal decks are simulated once
    for index, key in enumerate(keys):
        stored = cache.get(key) if cache else None
        if stored is not None and not (retry_failed and stored[0].reason):
            results[index] = Result(outcome=stored[0], attempts=stored[1], options=stored[2])
            on_done(index)
        elif key in first:
            followers.setdefault(first[key], []).append(index)
        else:
            first[key] = index
            open_indices.append(index)
    if not open_indices:
        return [result for result in results if result is not None]

    # the command-line engine kills its own process; the pool's limit is then only the second line
    limit_s = timeout_s if engine == engine_shared.NAME else timeout_s + 30
    waiting = len(open_indices)
    with Workers[tuple[int, int, str]](jobs, executor=executor, most_calls=_RUNS_PER_WORKER) as workers:

        def submit(index: int, attempt: int, options: str) -> None:
            job = tasks[index].job if options == "default" else tasks[index].safer()
            call = partial(_simulate, engine) if executor is None else engine_cli.run
            workers.submit((index, attempt, options), call, job, timeout_s, timeout_s=limit_s)

        for index in open_indices:
            submit(index, 1, "default")
        while waiting:
            (index, attempt, options), future = workers.next()
            outcome = result_of(future, timeout_s)
            if isinstance(outcome, Lost):
                if outcome.exit_code == _POISONED:  # poisoned by an earlier deck; not this one's fault
                    submit(index, attempt, options)
                    continue
                outcome = Outcome(reason=outcome.reason, message=outcome.message)
            if attempt == 1 and outcome.reason in ("no_convergence", "crash"):
                submit(index, 2, "safer" if outcome.reason == "no_convergence" else "default")
                continue
            results[index] = Result(outcome=outcome, attempts=attempt, options=options)
            if cache:
                cache.put(keys[index], outcome, attempt, options)
            waiting -= 1
            for same in (index, *followers.get(index, ())):
                results[same] = results[index]
                on_done(same)
    return [result for result in results if result is not None]
