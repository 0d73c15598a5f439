"""The card of a neuron that codes by its rate."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..statistics.estimate import Estimate
from .card_base import ModelCard
from .card_parts import Energy, Range, _check


class RateCard(ModelCard):
    """The card of a neuron that codes by its rate.

        f(I) = 1 / (t_ref + (Q / I_rh) ln(I / (I - I_rh))) for I > I_rh, else 0;  I_rh -> 0 gives 1 / (t_ref + Q / I)

    with Q = C V_th the charge per spike, I_rh = V_th / R the rheobase and t_ref the refractory time.
    """

    code: ClassVar[str] = "rate"

    kind: Literal["rate_card"] = "rate_card"
    charge_per_spike_c: Estimate = Field(description="C V_th, in coulombs")
    rheobase_a: Estimate = Field(description="0 for a neuron without leak")
    refractory_s: Estimate = Field(description="dead time after a spike, in seconds")
    isi_jitter: Estimate = Field(
        description="coefficient of variation of the inter-spike interval at the reference current, the geometric mean of "
        "valid_current_a above the rheobase; white membrane noise gives that at other currents (neuronsim.neuron.interval_noise)"
    )
    threshold_mismatch: Estimate = Field(
        description="relative spread of the charge per spike (threshold and capacitor), one draw per chip"
    )
    energy: Energy | None
    valid_current_a: Range

    @property
    def curve(self) -> dict[str, float]:
        """The f-I curve, as :mod:`neuronsim.neuron.firing_rate` takes it."""
        estimates = self.charge_per_spike_c, self.rheobase_a, self.refractory_s
        return dict(zip(("charge_per_spike", "rheobase", "refractory"), (e.value for e in estimates), strict=True))

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        _check("charge_per_spike_c", self.charge_per_spike_c.value, 1e-21, 1e3, "coulombs")
        _check("rheobase_a", self.rheobase_a.value, 0, 1e3, "amperes")
        _check("refractory_s", self.refractory_s.value, 0, 1e3, "seconds")
        _check("isi_jitter", self.isi_jitter.value, 0, 1, "a fraction, not percent")
        _check("threshold_mismatch", self.threshold_mismatch.value, 0, 1, "a fraction, not percent")
        return self
