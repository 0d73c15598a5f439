"""The command line. It parses arguments, calls and shows."""

import inspect
import os
import sys
from typing import Annotated

# One thread per ngspice run; numba and torch choose their own.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer

from .calibrate import calibrate_command
from .characterize import characterize_command
from .common import INTERRUPTED, guarded
from .compare import compare_command
from .demo import demo_command
from .doctor import doctor_command
from .listing import list_command
from .networks import evaluate_command, train_command
from .report import report_command
from .studies import reproduce_app, robustness_command
from .verify import verify_command

app = typer.Typer(
    name="neuronsim",
    help="What does a real neuron circuit do to a real network? Characterize a circuit in ngspice, calibrate a model card "
    "from it, train and stress networks under that circuit's own noise.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with 'neuronsim doctor', then 'neuronsim demo'. Exit status: 0 done, 1 fault of neuronsim, 2 bad input, "
    "3 something is not installed, 4 bad data, 5 cannot write, 6 a card does not hold (verify), 130 interrupted.",
)
app.add_typer(reproduce_app, name="reproduce")
for name, command in (
    ("demo", demo_command),
    ("doctor", doctor_command),
    ("list", list_command),
    ("characterize", characterize_command),
    ("calibrate", calibrate_command),
    ("verify", verify_command),
    ("compare", compare_command),
    ("train", train_command),
    ("evaluate", evaluate_command),
    ("robustness", robustness_command),
    ("report", report_command),
):
    app.command(name)(command)
for info in (*app.registered_commands, *reproduce_app.registered_commands):
    # rich keeps line ends: a paragraph of a docstring becomes one line, which it breaks itself
    paragraphs = inspect.cleandoc(info.callback.__doc__ or "").split("\n\n") if info.callback else []
    info.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _version(wanted: bool) -> None:
    if wanted:
        from neuronsim import __version__

        typer.echo(f"neuronsim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command ``neuronsim``: runs a command and exits with its status."""
    status = 0

    def run() -> None:
        nonlocal status
        try:
            status = app(args=arguments, standalone_mode=False) or 0
            if status == INTERRUPTED:  # how newer versions of typer report Ctrl-C
                raise KeyboardInterrupt
        except typer.Abort:
            raise KeyboardInterrupt from None
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            # a usage error of typer or of click: which of the two raises it depends on typer's version
            show = getattr(error, "show", None)
            show() if show else typer.echo(error, err=True)
            status = 2

    failure = guarded(run)
    sys.exit(failure or status)
