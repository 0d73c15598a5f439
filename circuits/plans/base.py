"""What every plan is: a frozen, keyword-only object that can be written as TOML and lists the runs of one experiment."""

import zlib
from abc import abstractmethod
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from neuronsim.errors import InputError
from neuronsim.neuron.closed_form import spike_time
from neuronsim.schema import Part

from ..deck.run import Run, SpikeStimulus
from ..neuron.manifest import Manifest

#: field of the plans that can leave the rest of a run, for a neuron that fires once
Beyond = Annotated[
    float | None,
    Field(gt=0, le=100, description="watch no longer than this after the spike time of equation 4, in tau"),
]
Times = Annotated[tuple[float, ...], Field(description="input times, in tau")]
Weights = Annotated[tuple[float, ...], Field(description="weights of the inputs, in unit weights; one per time")]
WeightRange = Annotated[
    tuple[float, float], Field(description="range that the weights are drawn from, in unit weights")
]


class Plan(Part):
    """Base of all plans. ``kind`` is its name; ``code`` the kind of neuron it is for ("any": both)."""

    kind: ClassVar[str]
    code: ClassVar[str]
    summary: ClassVar[str]
    fine: bool = Field(default=False, description="sign-off accuracy: half the time step, a tenth of the tolerance")

    def obstacle(self, manifest: Manifest) -> str | None:
        """Why the neuron of ``manifest`` cannot do this plan, or None. A group leaves such a plan out."""
        if self.code not in ("any", manifest.code):
            return f"it is for {self.code} neurons"
        return None

    @abstractmethod
    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        """The runs, drawn from ``seed`` alone. ``parameters`` replace defaults of the manifest."""

    def rng(self, seed: int, *more: int) -> np.random.Generator:
        """A generator that depends on the plan's kind, the seed and nothing else."""
        return np.random.default_rng([seed, zlib.crc32(self.kind.encode()), *more])

    def seeds(self, number: int, seed: int, *more: int) -> list[int]:
        """``number`` seeds of noise, of the generator :meth:`rng` gives."""
        return [int(s) for s in self.rng(seed, *more).integers(0, 2**31 - 1, number)]

    def unit_s(self, manifest: Manifest, parameters: dict[str, float]) -> float:
        """Time unit of the neuron in seconds."""
        return manifest.checked(parameters)[manifest.time.unit]


class TTFSPlan(Plan):
    """A plan for a neuron that fires once. Times are in units of the neuron's time constant."""

    code: ClassVar[str] = "ttfs"
    settle: float = Field(default=5.0, gt=0, le=100, description="how long to watch after the last input, in tau")
    beyond: Beyond = None

    def run(
        self,
        unit_s: float,
        times: np.ndarray,
        weights: np.ndarray,
        *,
        nominal_times: np.ndarray | None = None,
        nominal_weights: np.ndarray | None = None,
        last_time: float | None = None,
        **about: Any,
    ) -> Run:
        """One run, from times in tau; nominal stimulus as given where none is named. ``about``: other fields of the run.

        It is watched until ``last_time`` (None: the last nominal input) + settle, or until ``beyond`` after the spike of the
        ideal neuron if that is earlier: a neuron that fires once does nothing of interest later.
        """
        meant = times if nominal_times is None else nominal_times
        stimulus = SpikeStimulus(
            times_s=tuple(float(t) * unit_s for t in times),
            weights=tuple(float(w) for w in weights),
            nominal_times_s=tuple(float(t) * unit_s for t in meant),
            nominal_weights=tuple(float(w) for w in (weights if nominal_weights is None else nominal_weights)),
        )
        window = (meant.max() if last_time is None else last_time) + self.settle
        if self.beyond is not None:
            window = min(window, float(spike_time(times, weights)) + self.beyond)
        return Run(plan=self.kind, window_s=window * unit_s, stimulus=stimulus, **about)


def membrane_extremes(times: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Largest phase error |sum w e^{-(t - t_i)}| and lowest membrane potential of equation 3, at and after the inputs."""
    order = np.argsort(times)
    t, w = times[order], weights[order]
    elapsed = np.maximum(t[:, None] - t[None, :], 0.0)
    causal = t[None, :] <= t[:, None]
    error = np.where(causal, w[None, :] * np.exp(-elapsed), 0.0).sum(axis=1)
    membrane = np.where(causal, w[None, :] * (1 - np.exp(-elapsed)), 0.0).sum(axis=1)
    return float(np.abs(error).max()), float(min(membrane.min(), w.sum(), 0.0))


def problem_of(manifest: Manifest, times: np.ndarray, weights: np.ndarray) -> str | None:
    """Why a stimulus lies outside the manifest's validity range, or None."""
    error, lowest = membrane_extremes(times, weights)
    limit = manifest.validity
    if limit.summed_weight is not None and error > limit.summed_weight:
        return f"summed weight {error:.3g} is above {limit.summed_weight:g}, where the detector leaves its linear range"
    if limit.lowest_membrane is not None and lowest < limit.lowest_membrane:
        return f"membrane potential {lowest:.3g} is below {limit.lowest_membrane:g} thresholds"
    return None


def check_valid(kind: str, manifest: Manifest, times: np.ndarray, weights: np.ndarray) -> None:
    """Raise InputError when a stimulus lies outside the validity range of the neuron."""
    problem = problem_of(manifest, times, weights)
    if problem:
        raise InputError(
            f"plan '{kind}' leaves the validity range of {manifest.name}: {problem}. Lower its weights or spread its times; "
            "plan 'saturation' measures what lies outside."
        )
