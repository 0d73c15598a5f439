"""Runs that share a chip, its operating point and parameters: it is trimmed, then settled, then they are simulated; and the
transistors that the mismatch of a chip is drawn for.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from ..deck.deck import build
from ..deck.job import Job
from ..deck.operating_point import NOMINAL
from ..deck.resolved import Resolved, resolve
from ..deck.run import Run
from ..deck.transistors import transistors_in
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from ..ngspice.outcome import Outcome
from .engines import listings
from .lead_in import key_of, lead_in_run, settle, shares_lead_in
from .tasks import Flow, Result, Simulation, TransistorsOf, Urgency
from .trimming import Trimming, most_counts, needs_trim, trim, trim_run


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Runs as they were simulated, with the trims of their chip, and their results, by index in the campaign.

    ``trimming``: None where nothing is trimmed.
    """

    trimming: Trimming | None
    rows: dict[int, tuple[Resolved, Result[Outcome]]]


def groups(manifest: Manifest, runs: Sequence[Run]) -> list[list[int]]:
    """Indices of the runs that share their way up to the first stimulus, in the order of their first."""
    members: dict[tuple, list[int]] = {}
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
    runs: dict[int, Run],
    *,
    waveforms: Collection[int],
    transistors: TransistorsOf,
    left_out: Callable[[int], None],
) -> Flow[Simulated]:
    """The flow of one group of runs, by index in the campaign, whose run 0 is its probe. ``waveforms``: runs that keep them.

    ``transistors``: those of a run's deck; ``left_out`` is called with the number of simulations that turn out not to be needed.
    """
    trimming, first = None, next(iter(runs.values()))
    lead_in = shares_lead_in(manifest, netlist)
    if needs_trim(manifest, first):
        trimming = yield from trim(manifest, netlist, first, transistors)
        left_out(most_counts(manifest) - trimming.counts)
        if trimming.message:
            left_out(len(runs) + lead_in)
            none = Result(outcome=trimming.outcome, attempts=0, options="default")
            return Simulated(trimming=trimming, rows={i: (resolve(manifest, run), none) for i, run in runs.items()})
        runs = {index: replace(run, parameters=trimming.parameters) for index, run in runs.items()}
        first = next(iter(runs.values()))
    settled = (yield from settle(manifest, netlist, first, transistors)) if lead_in else {}
    resolved = [resolve(manifest, run) for run in runs.values()]

    def task(index: int, one: Resolved) -> Simulation:
        of_run = transistors(one.run)
        keep = manifest.waveforms.nodes if index in waveforms else ()

        def safer() -> Job:
            return replace(build(resolve(manifest, one.run, safer=True), netlist, transistors=of_run), waveforms=keep)

        job = replace(build(one, netlist, transistors=of_run, settled=settled or None), waveforms=keep)
        return Simulation(job=job, safer=safer, urgency=Urgency.RUN if index else Urgency.PROBE)

    results = yield [task(index, one) for index, one in zip(runs, resolved, strict=True)]
    return Simulated(trimming=trimming, rows=dict(zip(runs, zip(resolved, results, strict=True), strict=True)))


def transistors_of(manifest: Manifest, netlist: Netlist, runs: Sequence[Run], engine: str) -> TransistorsOf:
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
