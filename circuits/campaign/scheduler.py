"""Many tasks: worker processes that are killed and replaced, retries with safer options, cache, one result for every task.

A flow asks for tasks and decides by their results which come next (a chip is trimmed, then settled, then characterized).
All flows proceed at once in one pool, so no worker waits while any of them has something to do.

The default pool (pebble) kills a worker whose task exceeds its time limit. Any ``concurrent.futures.Executor`` (for
example dask.distributed's ``Client.get_executor()``) can be given instead; then each run is an ``ngspice -b`` process
with its own time limit, because a foreign executor cannot kill its workers.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .cache import Cache
from .engines import POISONED, check_engine
from .tasks import Flow, Result, Task
from .workers import Lost, Workers, result_of

_CALLS_PER_WORKER = 500
#: calls given to the pool per worker: one more than it works on, so that none waits for the next; the rest are still in order
_AHEAD = 2


def run_flows(
    flows: Sequence[Flow[Any]],
    *,
    engine: str,
    version: str,
    jobs: int = 1,
    timeout_s: float = 60.0,
    cache: Cache | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    on_done: Callable[[Task, Result], Any] = lambda task, result: None,
) -> list[Any]:
    """Run every flow to its end and return what each returns, in the order of ``flows`` whatever ``jobs`` is.

    Equal tasks are done once. A run that does not converge is tried once more with safer options, a task whose worker died
    once more in a fresh worker; what fails for good is a Result with a reason. ``on_done`` is called after each task; what it
    raises ends the campaign, as what a flow raises does. Interrupting loses nothing: finished tasks are cached.
    """
    check_engine(engine)
    campaign = _Campaign(flows, engine, version, cache, retry_failed, on_done)
    # a foreign executor does not say how many workers it has
    most = _AHEAD * jobs if executor is None else math.inf
    given = 0
    with Workers[tuple[_Call, float]](jobs, executor=executor, most_calls=_CALLS_PER_WORKER) as workers:

        def give() -> None:
            nonlocal given
            while given < most and campaign.ready:
                call = heapq.heappop(campaign.ready)[-1]
                function, arguments, limit_s = call.task.call(engine, timeout_s, call.options)
                workers.submit((call, limit_s), function, *arguments, timeout_s=limit_s)
                given += 1

        for number in range(len(flows)):
            campaign.proceed(number)
            give()
        while given:
            (ended, limit_s), future = workers.next()
            given -= 1
            campaign.ended(ended, result_of(future, limit_s))
            give()
    return [campaign.values[number] for number in range(len(flows))]


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A task for a worker, at its ``attempt``-th try."""

    key: str
    task: Task
    attempt: int = 1
    options: str = "default"


@dataclass(kw_only=True)
class _Batch:
    """What flow ``number`` waits for: ``missing`` of the results of its tasks are not known yet."""

    number: int
    missing: int
    results: list[Any]


@dataclass
class _Campaign:
    """State of all flows. ``ready``: calls that no worker has been given yet; ``waiting_for``: who waits, by key of the task."""

    flows: Sequence[Flow[Any]]
    engine: str
    version: str
    cache: Cache | None
    retry_failed: bool
    on_done: Callable[[Task, Result], Any]
    ready: list[tuple[float, float, int, _Call]] = field(default_factory=list)
    waiting_for: dict[str, list[tuple[_Batch, int, Task]]] = field(default_factory=dict)
    known: dict[str, Result] = field(default_factory=dict)
    values: dict[int, Any] = field(default_factory=dict)
    order: count = field(default_factory=count)

    def proceed(self, number: int, results: list[Result] | None = None) -> None:
        """Send ``results`` to a flow (None: begin it), and again while it asks for nothing that must be waited for."""
        flow = self.flows[number]
        while True:
            try:
                tasks = next(flow) if results is None else flow.send(results)
            except StopIteration as end:
                self.values[number] = end.value
                return
            batch = _Batch(number=number, missing=len(tasks), results=[None] * len(tasks))
            for index, task in enumerate(tasks):
                self._ask(batch, index, task)
            if batch.missing:
                return
            results = batch.results

    def ended(self, call: _Call, outcome: Any) -> None:
        """Note how a call has ended: it is made again, or its result goes to all that wait for it."""
        if isinstance(outcome, Lost):
            if outcome.exit_code == POISONED:  # poisoned by an earlier deck; not this one's fault
                self._push(call)
                return
            outcome = call.task.outcome(reason=outcome.reason, message=outcome.message)
        if call.attempt == 1 and outcome.reason in ("no_convergence", "crash"):
            options = "safer" if outcome.reason == "no_convergence" else "default"
            self._push(_Call(key=call.key, task=call.task, attempt=2, options=options))
            return
        result = Result(outcome=outcome, attempts=call.attempt, options=call.options)
        if self.cache:
            self.cache.put(call.key, result)
        self.known[call.key] = result
        waiting = self.waiting_for.pop(call.key)
        for batch, index, task in waiting:
            self._give(batch, index, task, result)
        for batch in {id(batch): batch for batch, _, _ in waiting}.values():
            if not batch.missing:
                self.proceed(batch.number, batch.results)

    def _ask(self, batch: _Batch, index: int, task: Task) -> None:
        key = task.key(self.engine, self.version)
        if key not in self.known and key not in self.waiting_for:
            stored = self.cache.get(key, task.outcome) if self.cache else None
            if stored is None or (self.retry_failed and stored.outcome.reason):
                self._push(_Call(key=key, task=task))
                self.waiting_for[key] = []
            else:
                self.known[key] = stored
        if key in self.known:
            self._give(batch, index, task, self.known[key])
        else:
            self.waiting_for[key].append((batch, index, task))

    def _push(self, call: _Call) -> None:
        heapq.heappush(self.ready, (-call.task.urgency, -call.task.steps, next(self.order), call))

    def _give(self, batch: _Batch, index: int, task: Task, result: Result) -> None:
        batch.results[index] = result
        batch.missing -= 1
        self.on_done(task, result)
