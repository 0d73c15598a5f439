"""Outcome of one SPICE run, and how an engine's messages are read."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..deck.job import Job
from .waveform_measures import crossings, envelope

WAVEFORM_SAMPLES = 800

#: what ngspice says, and the reason that it gives for it
_SIGNS = {
    "bad_parameter": (
        "undefined parameter, cannot compute substitute, expression err, parameter (inf), parameter (nan), parameter (-nan), "
        "parameter (-inf), formula() error"
    ),
    "bad_netlist": (
        "circuit not parsed, unknown subckt, there aren't any circuits loaded, too few parameters for subcircuit"
    ),
    "no_convergence": (
        "timestep too small, no convergence, singular matrix, iteration limit, convergence failed, transient op failed, "
        "gmin stepping failed, source stepping failed, simulation(s) aborted"
    ),
}
_COMPLAINTS = ("error on line", "err", "fail", "too small", "unknown", "unable", "singular", "undefined", "cannot")


@dataclass(frozen=True, kw_only=True)
class BlockEnergy:
    """Energy of one block in joules: over the whole window, and per spike in the active window (NaN without a spike).

    The active window of a TTFS neuron goes from its first input to its first spike; that of a rate neuron from its first
    to its last spike, divided by the intervals in it.
    """

    window_j: float
    active_j: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of one run: spike times (possibly none) and energy, whole and by block, or a reason why there is none.

    ``final``: node voltages at the end, ``frequencies_hz``: frequency of nodes (NaN: does not oscillate), of jobs that ask for
    them.
    """

    spikes_s: tuple[float, ...] = ()
    energy_j: float = float("nan")
    blocks: dict[str, BlockEnergy] = field(default_factory=dict)
    reason: str = ""
    message: str = ""
    waveforms: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    final: dict[str, float] = field(default_factory=dict)
    frequencies_hz: dict[str, float] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """Plain data for JSON, without NaN: null."""
        return {
            **asdict(self),
            "energy_j": _null(self.energy_j),
            "blocks": {block: (energy.window_j, _null(energy.active_j)) for block, energy in self.blocks.items()},
            "waveforms": {name: values.tolist() for name, values in self.waveforms.items()},
            "frequencies_hz": {name: _null(value) for name, value in self.frequencies_hz.items()},
        }

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> Self:
        """The outcome of :meth:`stored`."""
        blocks = {block: BlockEnergy(window_j=w, active_j=_nan(a)) for block, (w, a) in stored["blocks"].items()}
        return cls(
            spikes_s=tuple(stored["spikes_s"]),
            energy_j=_nan(stored["energy_j"]),
            blocks=blocks,
            reason=stored["reason"],
            message=stored["message"],
            waveforms={name: np.asarray(values) for name, values in stored["waveforms"].items()},
            final=stored.get("final", {}),
            frequencies_hz={name: _nan(value) for name, value in stored.get("frequencies_hz", {}).items()},
        )


def _null(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def reason_of(messages: str) -> str:
    """The reason that ngspice's messages give."""
    lower = messages.lower()
    for reason, signs in _SIGNS.items():
        if any(sign in lower for sign in signs.split(", ")):
            return reason
    return "no_result"


def first_complaint(messages: str) -> str:
    """The first line of the messages that names the trouble, with the netlist line it belongs to, for people."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    for i, line in enumerate(lines):
        if any(word in line.lower() for word in _COMPLAINTS):
            more = lines[i + 1 : i + 3] if line.lower().startswith("error on line") else []
            return " ".join([line, *(" ".join(extra.split()) for extra in more)])[:240]
    return (lines[-1] if lines else "ngspice gave no message")[:240]


def failed(reason: str, messages: str) -> Outcome:
    """An outcome without a result."""
    return Outcome(reason=reason, message=first_complaint(messages))


def _silence(job: Job, above: NDArray[np.float64]) -> str:
    """How far a silent run stayed from a spike; ``above``: the node over its level."""
    if job.reference:
        return f"no spike: {job.node} over {job.reference} stayed between {above.min():.3g} and {above.max():.3g} V"
    low, high = above.min() + job.level_v, above.max() + job.level_v
    return f"no spike: {job.node} stayed between {low:.3g} and {high:.3g} V, the spike level is {job.level_v:g} V"


def measured(job: Job, vectors: dict[str, NDArray[np.float64]], messages: str) -> Outcome:
    """Read spikes, energy and plot waveforms off the vectors; a run that stopped early has failed."""
    time = vectors.get("time")
    signal = vectors.get(job.node)
    if time is None or signal is None or time.size < 3:
        return failed(reason_of(messages), messages)
    time = time - job.t_start_s
    if time[-1] < job.t_stop_s * (1 - 1e-6) or not np.isfinite(signal).all():
        reason = reason_of(messages)
        return failed("no_convergence" if reason == "no_result" else reason, messages or f"stopped at {time[-1]:g} s")
    level = vectors[job.reference] if job.reference else job.level_v
    spikes = tuple(float(t) for t in crossings(time, signal - level, edge=job.edge))
    blocks = _blocks(job, time, vectors, spikes)
    waveforms = {}
    if job.waveforms:
        waveforms = {"time": np.linspace(time[0], time[-1], WAVEFORM_SAMPLES)}
        kept = [name for name in job.waveforms if name in vectors]
        waveforms |= {name: envelope(time, vectors[name], WAVEFORM_SAMPLES) for name in kept}
    nodes = [name for name in vectors if job.final and name != "time" and "#" not in name]
    return Outcome(
        message="" if spikes else _silence(job, signal - level),
        final={name: float(vectors[name][-1]) for name in nodes},
        frequencies_hz={name: _frequency_hz(time, vectors[name] - level) for name in job.counted},
        spikes_s=spikes,
        energy_j=sum(block.window_j for block in blocks.values()) if blocks else float("nan"),
        blocks=blocks,
        waveforms=waveforms,
    )


def _frequency_hz(time: NDArray[np.float64], above: NDArray[np.float64]) -> float:
    """Mean frequency from the first to the last rising edge since time zero; NaN with fewer than three."""
    edges = crossings(time, above)
    edges = edges[edges >= 0]
    return float((edges.size - 1) / (edges[-1] - edges[0])) if edges.size > 2 else float("nan")


def _blocks(
    job: Job, time: NDArray[np.float64], vectors: dict[str, NDArray[np.float64]], spikes: tuple[float, ...]
) -> dict[str, BlockEnergy]:
    if job.first_input_s is not None:
        # a spike before the first input was not caused by it
        caused = spikes and spikes[0] >= job.first_input_s
        span, count = (job.first_input_s, spikes[0] if caused else np.nan), 1
    else:
        span, count = (spikes[0], spikes[-1]) if len(spikes) > 1 else (np.nan, np.nan), max(len(spikes) - 1, 1)
    drawn: dict[str, NDArray[np.float64]] = {}
    for name, volts, block in job.supplies:
        drawn[block] = drawn.get(block, np.zeros(time.size)) - volts * _integral(vectors[name], time)
    return {
        block: BlockEnergy(
            window_j=float(joules[-1]),
            active_j=float(np.interp(span[1], time, joules) - np.interp(span[0], time, joules)) / count,
        )
        for block, joules in drawn.items()
    }


def _integral(values: NDArray[np.float64], time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of ``values`` over ``time`` up to every point, by trapezoids; that of scipy.integrate takes 0.6 s to load."""
    return np.concatenate(([0.0], np.cumsum(np.diff(time) * (values[1:] + values[:-1]) / 2.0)))
