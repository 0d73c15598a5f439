"""Compiled kernels on several threads: independent ranges of images or weight rows, so results do not depend on their number.

Plain threads that sleep when idle instead of OpenMP: an OpenMP team spins at every barrier, and on a machine with other work
on its cores that made training more than ten times slower.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch

from neuronsim.errors import InputError

_WORTH_SHARING = 2e6  # steps of some nanoseconds: waking a thread costs about 50 microseconds
_BLOCKS = 4  # per thread, so that a thread with silent images takes over work from the others,
_LEAST = 4  # but of no fewer items each than this: a block has costs of its own
_chosen: list[int] = []


def thread_count() -> int:
    """Threads the kernels use: those set by :func:`use_threads`, or else one per CPU of this process."""
    if _chosen:
        return _chosen[-1]
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="ttfs")


def run_blocks(kernel: Callable[..., object], n: int, *arguments: object, work: float = math.inf) -> None:
    """Call ``kernel(first, last, *arguments)`` over all of range(n), in blocks shared by the pool's threads and this one.

    ``work``: about how many elementary steps all of it takes; little work is done here at once.
    """
    threads = min(thread_count(), n)
    if threads <= 1 or work < _WORTH_SHARING:
        kernel(0, n, *arguments)
        return
    blocks = max(threads, min(n // _LEAST, threads * _BLOCKS))
    edges = [n * k // blocks for k in range(blocks + 1)]
    turns = iter(itertools.pairwise(edges))

    def take_turns() -> None:
        while (turn := next(turns, None)) is not None:
            kernel(*turn, *arguments)

    # The process id keeps a forked child from using threads it does not have.
    pool = _pool(threads - 1, os.getpid())
    calls = [pool.submit(take_turns) for _ in range(threads - 1)]
    take_turns()
    for call in calls:
        call.result()


@contextmanager
def use_threads(threads: int | None) -> Iterator[None]:
    """Run kernels on ``threads`` threads (None: one per CPU) and torch's small operations on one.

    Raises InputError for fewer than one.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads = {threads} is out of range: at least 1")
    before = torch.get_num_threads()
    if threads is not None:
        _chosen.append(threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if threads is not None:
            _chosen.pop()
