"""``neuronsim verify``: does a card still predict its circuit?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .characterize import Timeout
from .common import Jobs, Quiet, Seed, Trust, console, output_file, plain_table, saved

if TYPE_CHECKING:
    from ..artifacts.verification import Verification

DOES_NOT_HOLD = 6


def show_verification(result: Verification) -> None:
    """Print the table of the fresh runs and the verdict."""
    from ..units import quantity

    unit = "s" if result.code == "ttfs" else "Hz"

    def value(number: float | None) -> str:
        return "silent" if number is None else quantity(number, unit)

    rows = []
    for row in result.stimuli:
        error = "" if row.error is None else f"{100 * row.error:+.3g} %"
        inside = "" if row.inside else "[red]outside[/]"
        times = row.reason or value(row.simulated), value(row.predicted)
        rows.append((str(row.trial), row.description, *times, error, f"{100 * row.allowed:.3g} %", inside))
    console.print(plain_table(("", "stimulus", "simulated", "predicted", "error", "allowed", ""), rows))
    if result.card_edited:
        console.print("[yellow]the card was edited by hand[/]")
    for note in result.notes:
        console.print(f"[yellow]note[/] {note}", soft_wrap=True)
    same = "[yellow]changed since the card was made[/]" if result.netlist_changed else "as the card knows it"
    console.print(f"netlist {result.manifest}: {same}", soft_wrap=True)
    console.print(
        f"outside: {result.outside} of {len(result.stimuli)} runs (a healthy card has at most {result.outside_limit})"
    )
    if result.drift is not None and result.drift_limit is not None and result.detectable_shift is not None:
        console.print(
            f"mean clipped error against that of the held-out runs: {100 * result.drift:+.3g} % (at most "
            f"{100 * result.drift_limit:.3g} %; a common shift of {100 * result.detectable_shift:.3g} % would be detected)",
            soft_wrap=True,
        )
    if result.holds:
        console.print("[bold green]the card holds[/]")
    else:
        console.print(f"[bold red]the card does not hold[/]: calibrate {result.neuron} again", soft_wrap=True)


def verify_command(
    card: Annotated[Path, typer.Argument(help="Model card (.json) that 'neuronsim calibrate' wrote.")],
    netlist: Annotated[
        str | None,
        typer.Option(
            help="Manifest (.toml) of the netlist, or name of a neuron. Default: the one that the card was made from."
        ),
    ] = None,
    stimuli: Annotated[int, typer.Option(min=8, help="Fresh runs. More of them find smaller changes.")] = 32,
    out: Annotated[Path | None, typer.Option(help="Also write the result there (.json).")] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    engine: Annotated[
        str | None, typer.Option(help="ngspice-shared or ngspice-cli. Default: the engine of the card.")
    ] = None,
    timeout: Timeout = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Say whether CARD still predicts its circuit: fresh stimuli through the netlist, against what the card predicts.

    What is allowed comes from the card's own held-out error; a healthy card is rejected in at most 1 of 100 verifications.
    Exit status: 0 the card holds, 6 it does not.

    Example: neuronsim verify build/pll_nlif_averaged/card.json
    """
    from neuronsim.circuits import verify
    from neuronsim.progress import bar

    path = output_file(out) if out else None
    bench = {"jobs": jobs, "timeout_s": timeout, "trust": trust, **({"engine": engine} if engine else {})}
    with bar(f"verify {card.name}", stimuli, shown=not quiet) as progress:
        result = verify(card, netlist=netlist, stimuli=stimuli, seed=seed, out=path, progress=progress.move, **bench)
    show_verification(result)
    if path:
        saved("verification", path)
    if not result.holds:
        raise typer.Exit(DOES_NOT_HOLD)
