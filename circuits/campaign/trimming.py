"""Trimming chips at start-up: parameters that bring the oscillators of each to what the circuit without mismatch does.

A manifest lists the steps (:class:`.TrimStep`). In each, the oscillators are counted and every trim is corrected until all
are within tolerance: ln f = k ln trim + constant, k = 1 at first and then as measured from round to round. The trims belong to
the chip at its operating point and accuracy, as its lead-in does: trimmed once, used by all runs there. A chip that cannot be
trimmed (an oscillator stands still, a trim leaves its range, the rounds are used up) has a reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..deck.deck import build_count
from ..deck.resolved import resolve
from ..deck.run import Run
from ..deck.transistors import Transistor
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from ..neuron.trim_step import TrimStep
from ..ngspice.outcome import Outcome
from .tasks import Flow, Simulation, TransistorsOf, Urgency

REASON = "not_trimmed"
#: limits of an exponent measured from two nearly equal frequencies
_EXPONENTS = (0.3, 3.0)


@dataclass(kw_only=True)
class Trim:
    """One trim of one chip in one step: ``values`` and relative ``errors`` of the frequency (or ratio) by round."""

    step: int
    name: str
    tolerance: float
    values: list[float]
    errors: list[float] = field(default_factory=list)
    frequencies_hz: list[float] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether the last count was within tolerance."""
        return bool(self.errors) and abs(self.errors[-1]) <= self.tolerance


@dataclass(kw_only=True)
class Trimming:
    """A chip at its operating point: all trims so far, why it could not be trimmed, if so, and simulations made for it."""

    run: Run
    trims: list[Trim] = field(default_factory=list)
    message: str = ""
    counts: int = 0

    @property
    def parameters(self) -> dict[str, float]:
        """Parameters of the chip's runs: those of its circuit with the trims."""
        return {**self.run.parameters, **{trim.name: trim.values[-1] for trim in self.trims}}

    @property
    def outcome(self) -> Outcome:
        """Outcome of a run on a chip that could not be trimmed."""
        return Outcome(reason=REASON, message=self.message)


def next_value(values: Sequence[float], errors: Sequence[float]) -> float:
    """The next value of a trim from its values and relative errors so far, both (rounds,): secant in ln trim and ln f."""
    log_value, log_error = np.log(values), np.log1p(errors)
    exponent = 1.0
    if len(values) > 1 and log_value[-1] != log_value[-2]:
        measured = (log_error[-1] - log_error[-2]) / (log_value[-1] - log_value[-2])
        exponent = float(np.clip(measured, *_EXPONENTS))
    return float(np.exp(log_value[-1] - log_error[-1] / exponent))


def needs_trim(manifest: Manifest, run: Run) -> bool:
    """Whether the chip of ``run`` is trimmed before it."""
    return bool(manifest.trim) and run.trim and run.operating.chip is not None


def trim_run(run: Run) -> Run:
    """The run without inputs in which the oscillators of the chip of ``run`` are counted."""
    return replace(run, plan="trim", trial=0, stimulus=run.stimulus.silent(), noise=None, again=None)


def most_counts(manifest: Manifest) -> int:
    """No more simulations than this are made to trim a chip: in each step the goal, and a count in each round."""
    return sum(1 + step.rounds for step in manifest.trim)


def trim(manifest: Manifest, netlist: Netlist, run: Run, transistors: TransistorsOf) -> Flow[Trimming]:
    """Trim the chip of ``run``; the result says whether it could be."""
    chip = Trimming(run=trim_run(run))

    def count(step: TrimStep, run: Run, of_run: tuple[Transistor, ...]) -> Flow[Outcome]:
        chip.counts += 1
        job = build_count(resolve(manifest, run), netlist, step, transistors=of_run)
        (result,) = yield [Simulation(job=job, safer=lambda: job, urgency=Urgency.TRIM)]
        return result.outcome

    for number, step in enumerate(manifest.trim):
        nominal = chip.run.operating.model_copy(update={"chip": None})
        goal = yield from count(step, replace(chip.run, operating=nominal), ())
        start = manifest.checked(chip.parameters)
        own = [Trim(step=number, name=n, tolerance=step.tolerance, values=[start[n]]) for n in step.count]
        chip.trims += own
        for last in [False] * (step.rounds - 1) + [True]:
            outcome = yield from count(step, replace(chip.run, parameters=chip.parameters), transistors(chip.run))
            chip.message = _count(step, own, outcome, goal)
            if chip.message or all(trim.good for trim in own):
                break
            chip.message = _used_up(step, own) if last else _correct(manifest, own)
            if chip.message:
                break
        if chip.message:
            break
    return chip


def _value(step: TrimStep, outcome: Outcome, node: str) -> tuple[float, float]:
    """Frequency of a node (Hz), and what is compared: itself, or its ratio to the step's other node."""
    of = dict(zip(step.nodes, outcome.frequencies_hz.values(), strict=True))
    return of[node], of[node] / of[step.against] if step.against else of[node]


def _count(step: TrimStep, trims: list[Trim], outcome: Outcome, goal: Outcome) -> str:
    """Enter the counts. Returns why they cannot be used, or nothing."""
    for who, counted in (("the circuit without mismatch", goal), ("the chip", outcome)):
        if counted.reason:
            return f"{who} could not be counted: {counted.reason} {counted.message}".strip()
    for trim in trims:
        node = step.count[trim.name]
        hz, value = _value(step, outcome, node)
        wanted = _value(step, goal, node)[1]
        if not (math.isfinite(value) and math.isfinite(wanted)):
            return f"{node}, which {trim.name} trims, does not oscillate"
        trim.frequencies_hz.append(hz)
        trim.errors.append(value / wanted - 1)
    return ""


def _correct(manifest: Manifest, trims: list[Trim]) -> str:
    for trim in trims:
        value = next_value(trim.values, trim.errors)
        problem = manifest.parameters[trim.name].problem(value)
        if problem:
            return f"{trim.name} = {value:.4g} {problem}"
        trim.values.append(value)
    return ""


def _used_up(step: TrimStep, trims: list[Trim]) -> str:
    worst = max(trims, key=lambda trim: abs(trim.errors[-1]))
    return (
        f"after {step.rounds} rounds {worst.name} leaves {step.count[worst.name]} {worst.errors[-1]:+.2g} off, "
        f"tolerance {step.tolerance:g}"
    )
