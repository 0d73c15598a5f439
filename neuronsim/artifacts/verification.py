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

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError, InputError
from .atomic_write import write_text


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
