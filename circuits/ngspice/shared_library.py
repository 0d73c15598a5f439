"""Engine ``ngspice-shared``: libngspice inside this process, through PySpice's binding.

PySpice 1.5 predates ngspice 39 and numpy 2. Its binding and callbacks are used; loading, running and reading vectors go
through the thin layer below, which judges a run by the vectors that came back instead of by lines on stderr. After
any error libngspice may stay poisoned for good, so :data:`poisoned` tells the worker to die before its next job.
"""

import ctypes.util
import logging
import os
import tempfile
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import MissingToolError

from ..deck.job import Job
from .command_line import HOW_TO_INSTALL
from .outcome import Outcome, measured

NAME = "ngspice-shared"
poisoned = False
_instance: Any = None
_messages: list[str] = []


def library_path() -> str:
    """File name of libngspice. Raises MissingToolError when there is none."""
    path = os.environ.get("NGSPICE_LIBRARY_PATH") or ctypes.util.find_library("ngspice")
    if not path:
        raise MissingToolError(f"the library libngspice is missing: {HOW_TO_INSTALL}")
    return path


def _start() -> Any:
    global _instance
    if _instance is None:
        os.environ["NGSPICE_LIBRARY_PATH"] = library_path()
        os.environ["OMP_THREAD_LIMIT"] = "1"  # read when the library brings in OpenMP
        logging.getLogger("PySpice").setLevel(logging.CRITICAL)
        logging.disable(logging.WARNING)  # PySpice warns about ngspice versions it does not know
        home = tempfile.mkdtemp(prefix="neuronsim-home-")
        before, where = os.environ.get("HOME"), os.getcwd()
        os.environ["HOME"] = home  # a .spiceinit of the user must not change results
        os.chdir(home)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from PySpice.Spice.NgSpice.Shared import NgSpiceShared

                class Quiet(NgSpiceShared):
                    """The binding, with ngspice's messages kept for us."""

                    def send_char(self, message: str, ngspice_id: int) -> int:
                        _messages.append(message.removeprefix("stdout ").removeprefix("stderr "))
                        return 0

                _instance = Quiet.new_instance()
        finally:
            os.chdir(where)
            if before is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = before
            os.rmdir(home)
            logging.disable(logging.NOTSET)
        _command("set num_threads=1")
        _command("set nomoremode")
    return _instance


def version() -> str:
    """Version of libngspice."""
    return str(_start().ngspice_version)


def _command(text: str) -> int:
    return _instance._ngspice_shared.ngSpice_Command(text.encode())


def _load(deck: str) -> int:
    ffi = _ffi()
    lines = [ffi.new("char[]", line.encode()) for line in deck.splitlines() if line.strip()]
    return _instance._ngspice_shared.ngSpice_Circ([*lines, ffi.NULL])


def _ffi() -> Any:
    from PySpice.Spice.NgSpice import Shared

    return Shared.ffi


def _vectors() -> dict[str, NDArray[np.float64]]:
    ffi, library = _ffi(), _instance._ngspice_shared
    plot = library.ngSpice_CurPlot()
    if plot == ffi.NULL:
        return {}
    name = ffi.string(plot).decode()
    if not name.startswith("tran"):
        return {}
    vectors: dict[str, NDArray[np.float64]] = {}
    names = library.ngSpice_AllVecs(plot)
    i = 0
    while names != ffi.NULL and names[i] != ffi.NULL:
        vector = ffi.string(names[i]).decode()
        info = library.ngGet_Vec_Info(f"{name}.{vector}".encode())
        if info != ffi.NULL and info.v_length > 0 and info.v_realdata != ffi.NULL:
            raw = ffi.buffer(info.v_realdata, info.v_length * 8)
            vectors[vector.lower()] = np.frombuffer(raw, dtype=np.float64).copy()
        i += 1
    return vectors


def listing(deck: str) -> list[str]:
    """The deck with its subcircuits expanded and its expressions evaluated, line by line."""
    global poisoned
    _start()
    _messages.clear()
    if _load(deck) != 0:
        poisoned = True
    _messages.clear()
    _command("listing expand")
    lines = list(_messages)
    _forget()
    return lines


def _forget() -> None:
    # without these a process slows down with every run
    _command("destroy all")
    _command("remcirc")


def run(job: Job, timeout_s: float | None = None) -> Outcome:
    """Simulate one job in this process. A hard timeout is the worker pool's task; ``timeout_s`` is not used here."""
    global poisoned
    _start()
    _messages.clear()
    status = _load(job.deck)
    for command in job.commands if status == 0 else ():
        _command(command)
    if status == 0:
        status = _command("run")
    vectors = _vectors() if status == 0 else {}
    outcome = measured(job, vectors, "\n".join(_messages))
    if outcome.reason:
        poisoned = True
    _forget()
    return outcome
