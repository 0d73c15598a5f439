"""What the commands share: options, the console, and how an error becomes one clear message and an exit status."""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from neuronsim.errors import InputError, NeuronsimError, OutputError

if TYPE_CHECKING:
    from ..report.page import elements

console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)

Seed = Annotated[int, typer.Option(min=0, help="Seed of every random draw; it is written into the output file.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes (or threads) to use. Default: all cores.")]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="NEURONSIM_DATA", help="Folder with the data sets (mnist/, fashion-mnist/, cifar10/ ...)."),
]
Engine = Annotated[str, typer.Option(help="ngspice-shared (PySpice, in worker processes) or ngspice-cli (ngspice -b).")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Allow .control, shell and far includes in the netlist: it is code.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]

INTERRUPTED = 130
_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_PREFIX |= {"k": 1e3, "meg": 1e6, "M": 1e6, "g": 1e9, "G": 1e9}
_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(meg|[fpnumkMgG]?)$")


def settings(pairs: list[str]) -> dict[str, float]:
    """``["tau=25n", "r=100"]`` -> SI values. Raises InputError for what cannot be read (n, u, m, k, M ... are understood)."""
    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        text = text.strip()
        if text.lower() in ("nan", "inf", "-inf"):
            raise InputError(f"--set {pair}: {name} must be a finite number")
        match = _QUANTITY.match(text)
        if not equals or not name or not match:
            raise InputError(f"--set {pair}: write NAME=VALUE in SI units, for example tau=25n or r=100")
        values[name.strip()] = float(match[1]) * _PREFIX[match[2]]
    return values


def output_file(path: Path, *inputs: Path) -> Path:
    """``path``. Raises InputError when it is a folder or one of the ``inputs``: said before the work, not after it."""
    if path.is_dir():
        raise InputError(f"--out {path} is a folder: give the name of a file in it")
    if path.resolve() in [file.resolve() for file in inputs]:
        raise InputError(f"--out {path} would replace the file that is read: give another name")
    return path


def saved(what: str, path: Path) -> None:
    """Say where a result lies."""
    console.print(f"[green]{what}[/] {path}", soft_wrap=True)


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> Table:
    """``rows`` without a box, under their ``title``; texts are rich markup."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.padding = (0, 2, 0, 0)
    for row in rows:
        table.add_row(*row)
    return table


def show_tables(blocks: Sequence[elements.Table], columns: int | None = None) -> None:
    """Print tables of the report, each under its caption; only the first ``columns``, where a terminal has no room for all."""
    for block in blocks:
        header, *rows = ([escape(cell) for cell in row[:columns]] for row in (block.header, *block.rows))
        console.print(f"\n[dim]{escape(block.caption)}[/]", soft_wrap=True)
        console.print(plain_table(header, rows))


_HOW_NOT_WHAT = ("--out", "--data-dir", "--jobs")
_FILES = ("--card", "--plan", "--experiment")


def typed_command() -> str:
    """What the person typed, of it what decides the result: where data and results lie does not, and is nobody's business."""
    kept, skip = [], False
    for before, argument in pairwise(sys.argv):
        name, equals, value = argument.partition("=")
        if skip:
            skip = False
        elif name in _HOW_NOT_WHAT:
            skip = not equals
        elif before in _FILES:
            kept.append(Path(argument).name)
        elif name in _FILES and equals:
            kept.append(f"{name}={Path(value).name}")
        elif argument not in ("--quiet", "-q"):
            kept.append(argument)
    return shlex.join(["neuronsim", *kept])


def guarded(run: Callable[[], None]) -> int:
    """Call ``run``; return the exit status. Errors meant for people become one message on stderr, without a traceback."""
    try:
        run()
    except NeuronsimError as error:
        stderr.print("[bold red]error:[/] ", end="")
        stderr.print(str(error), markup=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        stderr.print("\n[bold]interrupted.[/] What was finished is kept: the same command resumes from that point.")
        return INTERRUPTED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            return _bug()
        where = f" {error.filename}" if error.filename else ""
        stderr.print(
            f"[bold red]error:[/] cannot write{where}: {error.strerror}. Free space or choose another --out, then repeat."
        )
        return OutputError.exit_code
    except Exception:
        return _bug()
    return 0


def _bug() -> int:
    if os.environ.get("NEURONSIM_DEBUG"):
        traceback.print_exc()
    else:
        kind, value, _ = sys.exc_info()
        stderr.print(f"[bold red]unexpected error:[/] {kind.__name__ if kind else ''}: {value}", soft_wrap=True)
        stderr.print("This is a fault of neuronsim. Set NEURONSIM_DEBUG=1 for the traceback and report it.")
    return 1
