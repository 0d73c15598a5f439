"""Engine ``ngspice-cli``: each run is one ``ngspice -b`` process, killed when it takes too long."""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import MissingToolError

from ..deck.job import Job
from .outcome import Outcome, failed, measured, reason_of

NAME = "ngspice-cli"
HOW_TO_INSTALL = (
    "install it with 'apt-get install ngspice libngspice0' (Debian, Ubuntu) or 'make setup', then 'neuronsim doctor'"
)


@functools.cache
def version() -> str:
    """Version of the ``ngspice`` command. Raises MissingToolError when there is none."""
    path = shutil.which("ngspice")
    if path is None:
        raise MissingToolError(f"the command 'ngspice' is missing: {HOW_TO_INSTALL}")
    printed = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    match = re.search(r"ngspice-(\S+)", printed)
    return match[1] if match else "unknown"


def read_raw(path: Path) -> dict[str, NDArray[np.float64]]:
    """Vectors of a binary raw file of one real analysis, by lower-case name; node voltages without ``v()``."""
    content = path.read_bytes()
    mark = content.find(b"Binary:\n")
    if mark < 0:
        return {}
    header = content[:mark].decode(errors="replace")
    n_vectors = int(re.search(r"No\. Variables:\s*(\d+)", header)[1])  # type: ignore[index]
    names = [line.split()[1].lower() for line in header.split("Variables:\n")[-1].strip().splitlines()]
    data = np.frombuffer(content, dtype="<f8", offset=mark + 8)
    rows = data[: data.size // n_vectors * n_vectors].reshape(-1, n_vectors)

    def plain(name: str) -> str:
        if name.startswith("v(") and name.endswith(")"):
            return name[2:-1]
        return name[2:-1] + "#branch" if name.startswith("i(") and name.endswith(")") else name

    return {plain(name): rows[:, i].copy() for i, name in enumerate(names)}


def listing(deck: str) -> list[str]:
    """The deck with its subcircuits expanded and its expressions evaluated, line by line."""
    with tempfile.TemporaryDirectory(prefix="neuronsim-") as folder:
        path = Path(folder, "listing.cir")
        path.write_text(_with_commands(deck, ("listing expand", "quit")), encoding="utf-8")
        return ngspice(folder, ["-b", str(path)], None).stdout.splitlines()


def _with_commands(deck: str, commands: tuple[str, ...]) -> str:
    """``deck`` with commands that ngspice executes after loading it."""
    body, end = deck.rstrip().rsplit("\n", 1)
    return "\n".join([body, ".control", *commands, ".endc", end, ""])


def ngspice(folder: str, arguments: list[str], timeout_s: float | None) -> subprocess.CompletedProcess[str]:
    """Run the command with ``arguments`` in ``folder``, without the user's settings and with one thread."""
    try:
        return subprocess.run(
            ["ngspice", "-n", "-D", "num_threads=1", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=folder,
            # -D num_threads comes too late for BSIM4 in ngspice 39, which starts two threads: OMP_THREAD_LIMIT holds
            env={**os.environ, "HOME": folder, "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"},
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise MissingToolError(f"the command 'ngspice' is missing: {HOW_TO_INSTALL}") from None


def run(job: Job, timeout_s: float | None = None) -> Outcome:
    """Simulate one job; never raises for what the deck does."""
    with tempfile.TemporaryDirectory(prefix="neuronsim-") as folder:
        deck, raw = Path(folder, "run.cir"), Path(folder, "run.raw")
        text, arguments = job.deck, ["-b", "-r", str(raw), str(deck)]
        if job.commands:
            text = _with_commands(text, (*job.commands, "run", f"write {raw.name}", "quit"))
            arguments = ["-b", str(deck)]
        deck.write_text(text, encoding="utf-8")
        try:
            done = ngspice(folder, arguments, timeout_s)
        except subprocess.TimeoutExpired:
            return Outcome(reason="timeout", message=f"killed after {timeout_s:g} s")
        messages = done.stdout + done.stderr
        if done.returncode < 0:
            return Outcome(reason="crash", message=f"ngspice died of signal {-done.returncode}")
        if not raw.is_file():
            return failed(reason_of(messages), messages)
        return measured(job, read_raw(raw), messages)
