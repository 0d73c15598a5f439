"""Runs that share a chip, its operating point and parameters: it is trimmed, then settled, then they are simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..deck.deck import build
from ..deck.job import Job
from ..deck.resolved import Resolved, resolve
from ..deck.run import Run
from ..deck.transistors import Transistor
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from ..ngspice.outcome import Outcome
from .lead_in import Key, key_of, lead_in_run, settle, shares_lead_in
from .tasks import Flow, Result, Simulation, Urgency
from .trimming import Trimming, most_counts, needs_trim, trim, trim_run


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """The ``runs`` as they were simulated, with the trims of their chip, and their ``results`` in that order.

    ``trimming``: None where nothing is trimmed.
    """

    trimming: Trimming | None
    runs: Sequence[Resolved]
    results: Sequence[Result[Outcome]]


def groups(manifest: Manifest, runs: Sequence[Run]) -> list[list[int]]:
    """Indices of the runs that share their way up to the first stimulus, in the order of their first."""
    members: dict[Key, list[int]] = {}
    for index, run in enumerate(runs):
        members.setdefault((key_of(run), needs_trim(manifest, run)), []).append(index)
    return list(members.values())


def most_before(manifest: Manifest, netlist: Netlist, run: Run) -> int:
    """No more simulations than this are made for the group of ``run`` besides its runs."""
    return most_counts(manifest) * needs_trim(manifest, run) + shares_lead_in(manifest, netlist)


def runs_before(manifest: Manifest, netlist: Netlist, run: Run) -> list[Run]:
    """What is simulated for the group of ``run`` besides its runs, one run of each kind."""
    counted = [trim_run(run)] if needs_trim(manifest, run) else []
    return [*counted, *([lead_in_run(run)] if shares_lead_in(manifest, netlist) else [])]


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
            resolved = [resolve(manifest, run) for run in runs]
            return Simulated(trimming=trimming, runs=resolved, results=[none] * len(runs))
        runs = [replace(run, parameters=trimming.parameters) for run in runs]
    settled = (yield from settle(manifest, netlist, runs[0], transistors)) if lead_in else {}
    resolved = [resolve(manifest, run) for run in runs]

    def task(index: int) -> Simulation:
        run, of_run = runs[index], transistors(runs[index])
        keep = manifest.waveforms.nodes if waveforms[index] else ()

        def safer() -> Job:
            return replace(build(resolve(manifest, run, safer=True), netlist, transistors=of_run), waveforms=keep)

        job = build(resolved[index], netlist, transistors=of_run, settled=settled or None)
        urgency = Urgency.PROBE if first and index == 0 else Urgency.RUN
        return Simulation(job=replace(job, waveforms=keep), safer=safer, urgency=urgency)

    results = yield [task(index) for index in range(len(runs))]
    return Simulated(trimming=trimming, runs=resolved, results=results)
