"""Worker processes that never outlive their campaign, and a Ctrl-C that is neither lost nor a deadlock.

Python raises KeyboardInterrupt between any two steps of the main thread, also right after that thread has taken a lock which it
shares with the threads of the pool (of its task queue, of a future). Such a lock is never given back: the pool's threads wait for
it, and whoever joins them waits for ever. So Ctrl-C is only noted while workers are in use, and raised where no lock is held.
"""

import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import active_children
from types import FrameType, TracebackType
from typing import Any, Generic, Self, TypeVar

from pebble import ProcessExpired, ProcessPool
from pebble.pool.process import WORKERS_NAME

Tag = TypeVar("Tag")
T = TypeVar("T")
_PATIENCE_S, _LIMIT_S = 2.0, 5.0


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Why a call gave no result: it took too long, or its worker died (with ``exit_code``)."""

    reason: str
    message: str
    exit_code: int | None = None


class Workers(Generic[Tag]):
    """``jobs`` local processes, each killed at the timeout of its call and replaced, also after ``most_calls``; or ``executor``.

    A context manager: at its end no call runs in a local process, and those that wait in ``executor`` are canceled. A second
    Ctrl-C is raised at once.
    """

    def __init__(self, jobs: int = 1, *, executor: Executor | None = None, most_calls: int = 0) -> None:
        self._executor = executor
        self._pool = ProcessPool(max_workers=jobs, max_tasks=most_calls)  # starts no process before the first call
        self._done: queue.SimpleQueue[tuple[Tag, Future] | None] = queue.SimpleQueue()
        self._waiting: set[Future] = set()
        self._interrupted = False
        self._deferring = False

    def __enter__(self) -> Self:
        self._others = set(active_children())
        # only the main thread gets signals; a handler of the caller's own, or none (nohup), is left as it is
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._deferring = True
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for future in self._waiting if self._executor else ():
                future.cancel()
            self._stop()
        finally:
            if self._deferring:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._interrupted and kind is None:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        self._done.put(None)  # the one queue that may be used in a signal handler

    def submit(self, tag: Tag, function: Callable[..., Any], *arguments: Any, timeout_s: float) -> None:
        """Have ``function(*arguments)`` called; ``next`` will give its future under ``tag``.

        A foreign executor cannot kill its workers: there ``timeout_s`` is the function's own task.
        """
        if self._interrupted:
            return  # next() is about to say so
        if self._executor is not None:
            future: Future = self._executor.submit(function, *arguments)
        else:
            future = self._pool.schedule(function, args=arguments, timeout=timeout_s)
        self._waiting.add(future)
        future.add_done_callback(lambda done: self._done.put((tag, done)))

    def next(self) -> tuple[Tag, Future]:
        """The next call that has ended. Raises KeyboardInterrupt after Ctrl-C, behind those that had ended before."""
        ended = self._done.get()
        if ended is None:
            raise KeyboardInterrupt
        self._waiting.discard(ended[1])
        return ended

    def _stop(self) -> None:
        self._pool.stop()
        ending = threading.Thread(target=self._join, daemon=True)
        ending.start()
        ending.join(_PATIENCE_S)
        # pebble asks its workers to end, one after the other with 3 s for each; one inside libngspice does not listen
        deadline = time.monotonic() + _LIMIT_S
        while ending.is_alive() and time.monotonic() < deadline:
            for process in set(active_children()) - self._others:
                if process.name == WORKERS_NAME:
                    process.kill()
            ending.join(0.1)

    def _join(self) -> None:
        with suppress(OSError, RuntimeError):  # a worker that was killed meanwhile
            self._pool.join()


def call_apart(function: Callable[..., T], *arguments: Any, timeout_s: float) -> T:
    """``function(*arguments)`` in a process of its own. Raises what it raises, and concurrent.futures.TimeoutError."""
    with Workers[None]() as workers:
        workers.submit(None, function, *arguments, timeout_s=timeout_s)
        return workers.next()[1].result()


def result_of(future: Future[T], timeout_s: float) -> T | Lost:
    """Result of a call that has ended, or why there is none. Raises what the call raised."""
    try:
        return future.result()
    except FutureTimeout:
        return Lost(reason="timeout", message=f"killed after {timeout_s:g} s")
    except ProcessExpired as error:
        return Lost(reason="crash", message=f"the worker died (exit code {error.exitcode})", exit_code=error.exitcode)
