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

from typing import ClassVar, Literal

from pydantic import Field

from ..schema import Part
from .base import JsonArtifact


class Stimulus(Part):
    """One fresh run. Times in seconds (TTFS) or rates in hertz; null: silent, or failed where there is a ``reason``."""

    trial: int
    description: str
    simulated: float | None
    predicted: float | None
    error: float | None = Field(description="predicted / simulated - 1; null: not both fire")
    allowed: float = Field(description="largest |error| of a run inside")
    inside: bool
    reason: str = Field(default="", description="why the simulation failed")


class Verification(JsonArtifact):
    """Verdict on a card, with everything it rests on."""

    noun: ClassVar[str] = "verification"
    made_by: ClassVar[str] = "neuronsim verify CARD"

    kind: Literal["verification"] = "verification"
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

    def made_from(self) -> list[tuple[str, str]]:
        """See the base class."""
        return [("model card", self.card_digest)]

    def names(self) -> dict[str, list[str]]:
        """See the base class."""
        return {"neurons": [self.neuron]}
