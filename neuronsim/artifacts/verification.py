"""Does a card still predict its circuit? The verdict on a few fresh runs, and its file (written by ``circuits.verification``).

The card's held-out runs and the fresh ones are draws from the same stimuli, so for a healthy card their errors are
exchangeable. Two tests follow, each with a false alarm in at most 1 of 200 verifications (both together: 1 of 100):

outside
    A fresh run is outside when its error exceeds what the card allows: the held-out 95th percentile of its relative error, or
    half the width of the predicted 95 % interval of a noise-free run (unexplained rest and sampling period), whichever is
    larger; or when one of circuit and card fires and the other does not; or when the simulation fails. The j-th smallest of m
    held-out errors is exceeded by a fresh one with a probability that is Beta(m + 1 - j, j) whatever the distribution of
    the errors, so the number outside is beta-binomial; the card fails where as many would be seen with probability < 0.005.
drift
    The mean signed relative error is compared with that of the held-out runs, by Student's t with their standard deviation s
    and m - 1 degrees of freedom: |mean - bias| <= t_{0.9975, m-1} s sqrt(1/n + 1/m). It finds shifts too small to put single
    runs outside. All errors are first clipped to +-p95, because the few runs in which the membrane grazes the threshold
    have long tails, of which Student's t knows nothing.

What is caught: a change that puts about half of the runs outside is found practically always. ``detectable_shift`` is the
common relative shift of all spike times (or rates) that drift finds with probability 0.95 at this number of runs.
A change that moves the output by less than that, such as a resistor in a comparator's pull-down, passes: the card still
predicts the circuit.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.stats import betabinom, norm, t

from ..errors import DataError, InputError
from .atomic_write import write_text
from .card_parts import Quality

FALSE_ALARM = 0.005
#: relative differences between builds of the simulator and its libraries, which no card is to be blamed for
SIMULATOR = 1e-5


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Stimulus(_Part):
    """One fresh run. Times in seconds (TTFS) or rates in hertz; null: silent, or failed where there is a ``reason``."""

    trial: int
    description: str
    simulated: float | None
    predicted: float | None
    error: float | None = Field(description="predicted / simulated - 1; null: not both fire")
    allowed: float = Field(description="largest |error| of a run inside")
    inside: bool
    reason: str = Field(default="", description="why the simulation failed")


class Verification(_Part):
    """Verdict on a card, with everything it rests on."""

    schema_version: Literal[1] = 1
    neuron: str
    code: Literal["ttfs", "rate"]
    card: str | None = Field(description="path of the card")
    card_digest: str
    card_edited: bool
    manifest: str
    netlist_sha256: str
    netlist_changed: bool = Field(description="the netlist's content is not that of the card's provenance")
    engine: str
    engine_version: str
    notes: list[str]
    seed: int
    stimuli: list[Stimulus]
    outside: int
    outside_limit: int = Field(description="most runs outside that let the card pass")
    drift: float | None = Field(description="mean clipped error less the card's held-out bias; null: < 2 errors")
    drift_limit: float | None = Field(description="null: the card does not hold bias and spread of its held-out errors")
    detectable_shift: float | None
    holds: bool

    def save(self, path: Path | str) -> Path:
        """Write as JSON, whole or not at all."""
        return write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> Verification:
        """Read and check. Raises InputError when missing, DataError when it is not a verification."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"no verification at {path}: make one with 'neuronsim verify CARD --out {path}'")
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not a verification file: {error}") from None


def outside_limit(quality: Quality, runs: int) -> int:
    """Most of ``runs`` fresh runs that a healthy card has outside, but for a false alarm of 0.005 (module docstring)."""
    compared = quality.n_compared or max(1, math.floor(0.8 * quality.n_held_out))
    wrong = round((1.0 - quality.spike_agreement) * quality.n_held_out)
    return _limit(runs, compared, wrong)


@cache
def _limit(runs: int, compared: int, wrong: int) -> int:
    rank = math.floor(0.95 * (compared - 1)) + 1  # the order statistic at or below the 95th percentile
    beyond = betabinom(runs, compared + 1 - rank + wrong, rank)
    return int((beyond.sf(np.arange(runs + 1)) <= FALSE_ALARM).argmax())


def drift_limit(quality: Quality, runs: int) -> tuple[float, float] | None:
    """(largest |drift| of a healthy card, common shift found with probability 0.95); None for a card without spread."""
    if quality.spread is None or quality.bias is None or quality.n_compared is None or runs < 2:
        return None
    quantile = float(t.ppf(1.0 - FALSE_ALARM / 2, quality.n_compared - 1))
    limit = quantile * quality.spread * math.sqrt(1.0 / runs + 1.0 / quality.n_compared) + SIMULATOR
    return limit, limit + float(norm.ppf(0.95)) * quality.spread / math.sqrt(runs)


def judge(
    quality: Quality,
    *,
    simulated: NDArray[np.float64],
    predicted: NDArray[np.float64],
    allowed: NDArray[np.float64],
    silent: float,
) -> dict[str, Any]:
    """The verdict's fields from (runs,) arrays: values in any unit, NaN = simulation failed, ``silent`` = no spike.

    ``allowed``: largest relative error of a run inside.
    """
    fires, due = np.isfinite(simulated) & (simulated != silent), predicted != silent
    both = fires & due
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(both, predicted / simulated - 1.0, np.nan)
    inside = np.where(both, np.abs(error) <= allowed, ~np.isnan(simulated) & (fires == due))
    outside, limit = int((~inside).sum()), outside_limit(quality, simulated.size)
    drift, bounds = None, drift_limit(quality, int(both.sum()))
    if both.sum() >= 2:
        drift = float(np.clip(error[both], -quality.p95_error, quality.p95_error).mean()) - (quality.bias or 0.0)
    drifts = drift is not None and bounds is not None and abs(drift) > bounds[0]
    return {
        "errors": error,
        "inside": inside,
        "outside": outside,
        "outside_limit": limit,
        "drift": drift,
        "drift_limit": None if bounds is None else bounds[0],
        "detectable_shift": None if bounds is None else bounds[1],
        "holds": outside <= limit and not drifts,
    }
