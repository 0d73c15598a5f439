"""Runs that share a chip, its operating point and parameters: it is trimmed, then settled, then they are simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..deck.deck import Job, build
from ..deck.run import Run
from ..deck.transistors import Transistor
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from .lead_in import Key, key_of, lead_in_run, settle, shares_lead_in
from .scheduler import Flow, Result, Task, Urgency
from .trimming import Trimming, most_counts, needs_trim, trim, trim_run


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """The ``runs`` as they were simulated, with the trims of their chip, and their ``results`` in that order.

    ``trimming``: None where nothing is trimmed.
    """

    trimming: Trimming | None
    runs: Sequence[Run]
    results: Sequence[Result]


def groups(manifest: Manifest, runs: Sequence[Run]) -> list[list[int]]:
    """Indices of the runs that share their way up to the first stimulus, in the order of their first."""
    found: dict[Key, list[int]] = {}
    for index, run in enumerate(runs):
        found.setdefault((key_of(run), needs_trim(manifest, run)), []).append(index)
    return list(found.values())


def most_before(manifest: Manifest, netlist: Netlist, run: Run) -> int:
    """No more simulations than this are made for the group of ``run`` besides its runs."""
    return most_counts(manifest) * needs_trim(manifest, run) + shares_lead_in(manifest, netlist)


def runs_before(manifest: Manifest, netlist: Netlist, run: Run) -> list[Run]:
    """What is simulated for the group of ``run`` besides its runs, one run of each kind."""
    counted = [trim_run(run)] if needs_trim(manifest, run) else []
    return [*counted, *([lead_in_run(manifest, run)] if shares_lead_in(manifest, netlist) else [])]


def simulate(
    manifest: Manifest,
    netlist: Netlist,
    runs: Sequence[Run],
    *,
    waveforms: Sequence[bool],
    first: bool,
    transistors: Callable[[Run], tuple[Transistor, ...]],
    left_out: Callable[[int], None],
) -> Flow[Simulated]:
    """The flow of one group. ``waveforms``: which of its ``runs`` keep them; ``first``: its first run is that of the campaign.

    ``transistors``: those of a run's deck; ``left_out`` is told of simulations that will not be needed after all.
    """
    trimming = None
    lead_in = shares_lead_in(manifest, netlist)
    if needs_trim(manifest, runs[0]):
        trimming = yield from trim(manifest, netlist, runs[0], transistors)
        left_out(most_counts(manifest) - trimming.counts)
        if trimming.message:
            left_out(len(runs) + lead_in)
            none = Result(outcome=trimming.outcome, attempts=0, options="default")
            return Simulated(trimming=trimming, runs=runs, results=[none] * len(runs))
        runs = [replace(run, parameters=trimming.parameters) for run in runs]
    settled = (yield from settle(manifest, netlist, runs[0], transistors)) if lead_in else {}

    def task(place: int) -> Task:
        run, of_run = runs[place], transistors(runs[place])
        keep = manifest.waveforms.nodes if waveforms[place] else ()

        def job(*, safer: bool = False) -> Job:
            start = None if safer else settled or None
            made = build(manifest, netlist, run, safer=safer, transistors=of_run, settled=start)
            return replace(made, waveforms=keep)

        urgency = Urgency.PROBE if first and place == 0 else Urgency.RUN
        return Task(job=job(), safer=lambda: job(safer=True), urgency=urgency)

    results = yield [task(place) for place in range(len(runs))]
    return Simulated(trimming=trimming, runs=runs, results=results)
