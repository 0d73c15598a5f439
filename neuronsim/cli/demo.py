"""``neuronsim demo``: the whole chain once."""

import time
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from .calibrate import show_card
from .characterize import show_dataset
from .common import DataDir, Jobs, Quiet, Seed, console, saved
from .networks import show_evaluation

_SHOW = {"dataset": show_dataset, "card": show_card, "evaluation": show_evaluation}


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/demo"),
    seed: Seed = 0,
    jobs: Jobs = None,
    data_dir: DataDir = None,
    chips: Annotated[int, typer.Option(min=2, help="Frozen mismatch draws.")] = 20,
    images: Annotated[int, typer.Option(min=1, help="Held-out test images, of 1000.")] = 500,
    quiet: Quiet = False,
) -> None:
    """The whole chain once: netlist in ngspice -> card -> trained 4-bit network -> its accuracy on 20 chips -> report.html.

    Takes a few minutes on two cores; repeated, it takes seconds, and interrupted, it resumes where it stopped.
    """
    from ..codesign.demo import STEPS, demo

    started, number = time.monotonic(), count(1)

    def say(step: str) -> None:
        console.print(f"[bold]{next(number)}/{STEPS}[/] {step}")

    def made(what: str, path: Path) -> None:
        saved(what, path)
        if what in _SHOW:
            _SHOW[what](path)

    page = demo(
        out, seed=seed, jobs=jobs, data_dir=data_dir, chips=chips, images=images, say=say, made=made, progress=not quiet
    )
    seconds = time.monotonic() - started
    console.print(f"done in {seconds:.0f} s: open {page.resolve().as_uri()} in a browser", soft_wrap=True)
