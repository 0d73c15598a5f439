"""Many runs: worker processes that are killed and replaced, retries with safer options, cache, one row for every run.

A flow asks for simulations and decides by their results which come next (a chip is trimmed, then settled, then characterized).
All flows go on at once in one pool, so no worker waits while any of them has something to do.

The default pool (pebble) kills a worker whose run exceeds its timeout. Any ``concurrent.futures.Executor`` (for
example dask.distributed's ``Client.get_executor()``) can be given instead; then each run is an ``ngspice -b`` process
with its own timeout, because a foreign executor cannot kill its workers.
"""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from itertools import count
from typing import Any, Generic, TypeVar

from neuronsim.errors import InputError, suggest

from ..deck.deck import Job
from ..ngspice import command_line as engine_cli
from ..ngspice import shared_library as engine_shared
from ..ngspice.outcome import Outcome
from .cache import Cache, key_of
from .workers import Lost, Workers, call_apart, result_of

ENGINES = {engine_shared.NAME: engine_shared, engine_cli.NAME: engine_cli}
_POISONED = 77
_RUNS_PER_WORKER = 500
#: calls given to the pool per worker: one more than it works on, so that none waits for the next; the rest are still in order
_AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class Result:
    """Outcome of one run, how many attempts it took, and with which options ("default" or "safer") it was reached."""

    outcome: Outcome
    attempts: int
    options: str


class Urgency(IntEnum):
    """What begins first: by what waits for it."""

    RUN = 0
    LEAD_IN = 1
    TRIM = 2  # a chip has a long way to go, one simulation after the other
    PROBE = 3  # the first run of a campaign tells whether the others can work


@dataclass(frozen=True, kw_only=True)
class Task:
    """A job and its variant with safer options. The most urgent begin first, among equals the longest."""

    job: Job
    safer: Callable[[], Job]
    urgency: Urgency = Urgency.RUN


T = TypeVar("T")
#: yields tasks, is sent their results in that order, returns what it made of them
Flow = Generator[Sequence[Task], list[Result], T]


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


def run_flows(
    flows: Sequence[Flow[T]],
    *,
    engine: str,
    version: str,
    jobs: int = 1,
    timeout_s: float = 60.0,
    cache: Cache | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    on_done: Callable[[Task, Result], Any] = lambda task, result: None,
) -> list[T]:
    """Run every flow to its end and return what each returns, in the order of ``flows`` whatever ``jobs`` is.

    Tasks with equal jobs are simulated once. A run that does not converge is tried once more with safer options, one whose
    worker died once more in a fresh worker; what fails for good is a Result with a reason. ``on_done`` is called after each
    task; what it raises ends the campaign, as what a flow raises does. Interrupting loses nothing: finished runs are cached.
    """
    check_engine(engine)
    campaign = _Campaign(flows, engine, version, cache, retry_failed, on_done)
    # the command-line engine kills its own process; the pool's limit is then only the second line
    limit_s = timeout_s if engine == engine_shared.NAME else timeout_s + 30
    call = partial(_simulate, engine) if executor is None else engine_cli.run
    # a foreign executor does not say how many workers it has
    most = _AHEAD * jobs if executor is None else math.inf
    given = 0
    with Workers[_Call](jobs, executor=executor, most_calls=_RUNS_PER_WORKER) as workers:

        def give() -> None:
            nonlocal given
            while given < most and campaign.ready:
                next_call = heapq.heappop(campaign.ready)[-1]
                workers.submit(next_call, call, next_call.job(), timeout_s, timeout_s=limit_s)
                given += 1

        for number in range(len(flows)):
            campaign.go_on(number)
            give()
        while given:
            ended, future = workers.next()
            given -= 1
            campaign.ended(ended, result_of(future, timeout_s))
            give()
    return campaign.values


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A simulation that a worker is asked for."""

    key: str
    task: Task
    attempt: int
    options: str

    def job(self) -> Job:
        return self.task.job if self.options == "default" else self.task.safer()


@dataclass(kw_only=True)
class _Batch:
    """What flow ``number`` waits for: ``missing`` of the results of its tasks are not there yet."""

    number: int
    missing: int
    results: list[Result | None]


@dataclass
class _Campaign(Generic[T]):
    """Where all flows stand. ``ready``: calls that no worker has been given yet; ``asked``: who waits for which key."""

    flows: Sequence[Flow[T]]
    engine: str
    version: str
    cache: Cache | None
    retry_failed: bool
    on_done: Callable[[Task, Result], Any]
    ready: list[tuple[float, float, int, _Call]] = field(default_factory=list)
    asked: dict[str, list[tuple[_Batch, int, Task]]] = field(default_factory=dict)
    known: dict[str, Result] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._values: dict[int, T] = {}
        self._order = count()

    @property
    def values(self) -> list[T]:
        return [self._values[number] for number in range(len(self.flows))]

    def go_on(self, number: int, results: list[Result] | None = None) -> None:
        """Send ``results`` to a flow (None: begin it), and again while it asks for nothing that must be waited for."""
        flow = self.flows[number]
        while True:
            try:
                tasks = next(flow) if results is None else flow.send(results)
            except StopIteration as end:
                self._values[number] = end.value
                return
            batch = _Batch(number=number, missing=len(tasks), results=[None] * len(tasks))
            for place, task in enumerate(tasks):
                self._ask(batch, place, task)
            if batch.missing:
                return
            results = _all_of(batch)

    def ended(self, call: _Call, outcome: Outcome | Lost) -> None:
        """Note how a call has ended: it is made again, or its result goes to all that asked for it."""
        if isinstance(outcome, Lost):
            if outcome.exit_code == _POISONED:  # poisoned by an earlier deck; not this one's fault
                self._call(call.key, call.task, call.attempt, call.options)
                return
            outcome = Outcome(reason=outcome.reason, message=outcome.message)
        if call.attempt == 1 and outcome.reason in ("no_convergence", "crash"):
            self._call(call.key, call.task, 2, "safer" if outcome.reason == "no_convergence" else "default")
            return
        if self.cache:
            self.cache.put(call.key, outcome, call.attempt, call.options)
        result = Result(outcome=outcome, attempts=call.attempt, options=call.options)
        self.known[call.key] = result
        waiting = self.asked.pop(call.key)
        for batch, place, task in waiting:
            self._give(batch, place, task, result)
        for batch in {id(batch): batch for batch, _, _ in waiting}.values():
            if not batch.missing:
                self.go_on(batch.number, _all_of(batch))

    def _ask(self, batch: _Batch, place: int, task: Task) -> None:
        key = key_of(task.job, self.engine, self.version)
        if key not in self.known and key not in self.asked:
            stored = self.cache.get(key) if self.cache else None
            if stored is None or (self.retry_failed and stored[0].reason):
                self._call(key, task, 1, "default")
                self.asked[key] = []
            else:
                self.known[key] = Result(outcome=stored[0], attempts=stored[1], options=stored[2])
        if key in self.known:
            self._give(batch, place, task, self.known[key])
        else:
            self.asked[key].append((batch, place, task))

    def _call(self, key: str, task: Task, attempt: int, options: str) -> None:
        call = _Call(key=key, task=task, attempt=attempt, options=options)
        heapq.heappush(self.ready, (-task.urgency, -task.job.steps, next(self._order), call))

    def _give(self, batch: _Batch, place: int, task: Task, result: Result) -> None:
        batch.results[place] = result
        batch.missing -= 1
        self.on_done(task, result)


def _all_of(batch: _Batch) -> list[Result]:
    return [result for result in batch.results if result is not None]
