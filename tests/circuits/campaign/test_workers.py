"""Worker processes end with their campaign, and Ctrl-C is neither lost nor a deadlock."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children

import pytest

from neuronsim.circuits.campaign.workers import Lost, Workers, call_apart, result_of


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as in a command of its own, however these tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    children = set(active_children())
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert set(active_children()) <= children
    signal.signal(signal.SIGINT, before)


@contextmanager
def interrupted():
    """Fails if Ctrl-C does not come through."""
    with pytest.raises(KeyboardInterrupt):
        yield


def deaf(seconds: float) -> None:
    """Does not end when asked, as a worker inside libngspice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


def test_calls_and_what_becomes_of_them():
    with Workers[str](2) as workers:
        workers.submit("good", pow, 2, 5, timeout_s=60)
        workers.submit("long", time.sleep, 60, timeout_s=0.5)
        workers.submit("dead", os._exit, 9, timeout_s=60)
        found = {tag: result_of(future, 0.5) for tag, future in (workers.next() for _ in range(3))}
    assert found == {
        "good": 32,
        "long": Lost(reason="timeout", message="killed after 0.5 s"),
        "dead": Lost(reason="crash", message="the worker died (exit code 9)", exit_code=9),
    }
    assert call_apart(pow, 2, 6, timeout_s=60) == 64
    with pytest.raises(ZeroDivisionError):
        call_apart(divmod, 1, 0, timeout_s=60)


def test_ctrl_c_is_raised_where_no_lock_is_held():
    found, went_on = [], False
    with interrupted(), Workers[int](2) as workers:
        for number in range(3):
            workers.submit(number, pow, number, 2, timeout_s=60)
        found.append(workers.next()[0])
        time.sleep(3.0)  # the two others end
        signal.raise_signal(signal.SIGINT)
        went_on = True
        workers.submit(3, pow, 3, 2, timeout_s=60)
        while True:
            found.append(workers.next()[0])
    assert went_on
    assert sorted(found) == [0, 1, 2]  # what had ended before is still handed out


def test_ctrl_c_after_the_last_call_is_not_lost():
    with interrupted(), Workers[int]() as workers:
        workers.submit(0, pow, 2, 2, timeout_s=60)
        workers.next()
        signal.raise_signal(signal.SIGINT)


def test_second_ctrl_c_is_raised_at_once():
    with interrupted(), Workers[int]():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")


def test_many_deaf_workers_end_together():
    with interrupted(), Workers[int](6) as workers:
        for number in range(12):
            workers.submit(number, deaf, 120, timeout_s=120)
        time.sleep(2.0)
        started = time.monotonic()
        signal.raise_signal(signal.SIGINT)
        workers.next()
    assert time.monotonic() - started < 12  # asked one after the other, with 3 s for each, they take 18 s


@pytest.mark.slow
def test_a_lock_that_was_not_given_back_does_not_hold_up_the_end():
    """What KeyboardInterrupt in the middle of a ``with lock`` leaves behind: the threads of the pool wait for ever."""
    started = time.monotonic()
    with interrupted(), Workers[int]() as workers:
        workers.submit(0, time.sleep, 1.0, timeout_s=60)
        workers.submit(1, time.sleep, 1.0, timeout_s=60)
        (future, *_) = workers._waiting
        future._condition.acquire()
        time.sleep(2.0)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 20
    future._condition.release()


def test_waiting_calls_of_an_executor_are_canceled():
    with ThreadPoolExecutor(1) as executor, interrupted(), Workers[int](executor=executor) as workers:
        for number in range(5):
            workers.submit(number, time.sleep, 0.5, timeout_s=60)
        futures = set(workers._waiting)
        signal.raise_signal(signal.SIGINT)
        workers.next()
    assert sum(future.cancelled() for future in futures) >= 3
