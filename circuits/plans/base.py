"""What every plan is: a frozen, keyword-only object that can be written as TOML and lists the runs of one experiment."""

import zlib
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar

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

    def unit_s(self, manifest: Manifest, parameters: dict[str, float]) -> float:
        """Time unit of the neuron in seconds."""
        return manifest.checked(parameters)[manifest.time.unit]


class TTFSPlan(Plan):
    """A plan for a neuron that fires once. Times are in units of the neuron's time constant."""

    code: ClassVar[str] = "ttfs"
    settle: float = Field(default=5.0, gt=0, le=100, description="how long to watch after the last input, in tau")
    beyond: Beyond = None

    def watched(self, times: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray, last: float) -> float:
        """How long a run is watched, in tau: until ``last`` + settle, or where the ideal neuron fires ``beyond`` after that
        if it is earlier: a neuron that fires once does nothing of interest later."""
        longest = last + self.settle
        if self.beyond is None:
            return longest
        return min(longest, float(spike_time(times, weights)) + self.beyond)

    def run(
        self,
        unit_s: float,
        times: Sequence[float] | np.ndarray,
        weights: Sequence[float] | np.ndarray,
        *,
        trial: int,
        last_time: float,
        parameters: dict[str, float],
        level: float | None = None,
        nominal_times: Sequence[float] | np.ndarray | None = None,
        nominal_weights: Sequence[float] | np.ndarray | None = None,
    ) -> Run:
        """One run, from times in tau; nominal stimulus as given where none is named; watched as :meth:`watched` says."""
        stimulus = SpikeStimulus(
            times_s=tuple(float(t) * unit_s for t in times),
            weights=tuple(float(w) for w in weights),
            nominal_times_s=tuple(float(t) * unit_s for t in (times if nominal_times is None else nominal_times)),
            nominal_weights=tuple(float(w) for w in (weights if nominal_weights is None else nominal_weights)),
        )
        return Run(
            plan=self.kind,
            trial=trial,
            level=level,
            window_s=self.watched(times, weights, last_time) * unit_s,
            stimulus=stimulus,
            parameters=parameters,
        )


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
