"""Compiled kernels on several threads: independent ranges of images or weight rows, so results do not depend on their number.

Plain threads that sleep when idle instead of OpenMP: an OpenMP team spins at every barrier, and on a machine with other work
on its cores that made training more than ten times slower.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch

from neuronsim.errors import InputError

_BLOCKS = 4  # per thread, so that a thread with silent images takes over work from the others
_chosen: list[int] = []


def thread_count() -> int:
    """Threads the kernels use: those set by :func:`use_threads`, or else one per CPU of this process."""
    return (
        _chosen[-1]
        if _chosen
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="ttfs")


def run_blocks(kernel: Callable[..., object], n: int, *arguments: object) -> None:
    """Call ``kernel(first, last, *arguments)`` over all of range(n), in blocks on the pool's threads."""
    threads = min(thread_count(), n)
    if threads <= 1:
        kernel(0, n, *arguments)
        return
    edges = [n * k // (threads * _BLOCKS) for k in range(threads * _BLOCKS + 1)]
    # The process id keeps a forked child from using threads it does not have.
    pool = _pool(threads, os.getpid())
    calls = [pool.submit(kernel, first, last, *arguments) for first, last in itertools.pairwise(edges) if first < last]
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
