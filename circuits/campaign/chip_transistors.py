"""The transistors of runs that are on a chip: what the mismatch of that chip is drawn for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..deck.deck import build
from ..deck.operating_point import NOMINAL
from ..deck.resolved import resolve
from ..deck.run import Run
from ..deck.transistors import Transistor, transistors_in
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from .engines import listings


def transistors_of(
    manifest: Manifest, netlist: Netlist, runs: Sequence[Run], engine: str
) -> Callable[[Run], tuple[Transistor, ...]]:
    """What gives the transistors of any of ``runs`` by ngspice's own expansion of one deck of each kind; none off chips."""
    kinds = {_kind(manifest, run): run for run in runs if run.operating.chip is not None}
    drawn = [replace(run, operating=NOMINAL, parameters=_as_drawn(manifest, run)) for run in kinds.values()]
    decks = [build(resolve(manifest, run), netlist).deck for run in drawn]
    known = dict(zip(kinds, map(transistors_in, listings(engine, decks) if decks else ()), strict=True))
    return lambda run: known.get(_kind(manifest, run), ())


def _as_drawn(manifest: Manifest, run: Run) -> dict[str, float]:
    """Parameters without trims: a chip's mismatch is frozen before it is trimmed, even where a trim is a width."""
    return {name: value for name, value in run.parameters.items() if name not in manifest.trims}


def _kind(manifest: Manifest, run: Run) -> tuple:
    """Runs that agree in this have the same transistors: sizes may depend on parameters, not on weights or times."""
    return tuple(sorted(_as_drawn(manifest, run).items())), len(run.spikes.weights)
