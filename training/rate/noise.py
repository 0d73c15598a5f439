"""Gaussian noise of synaptic weights (paper 000, section II-I): how large, how often redrawn, and by what it is shared."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from neuronsim.schema import Part

Law = Literal["proportional", "fixed", "sqrt"]
Kernels = Literal["unrolled", "shared"]
#: what the interval jitter of a card acts on (:mod:`training.rate.on_card`)
Jitter = Literal["membrane", "interval"]


class WeightNoise(Part):
    """w' = w + sigma(w) N(0, 1), with w_rms the root mean square of the weights of the link:

    "proportional": sigma = level |w| (the paper's experiments); "fixed": sigma = level w_rms; "sqrt": sigma = level
    sqrt(|w| w_rms). ``level`` is a fraction; the laws add the same mean square at the same level but for "sqrt", a little less.

    ``kind``: "temporal", redrawn whenever the synapse passes a spike; "frozen", one draw per chip; "inference", one draw per
    inference. ``scope`` of draws that are not frozen: per "sample" (images come one after another) or shared by the "batch".
    ``kernels``: every position of a convolution has its own synapses ("unrolled") or all use one physical kernel ("shared").
    ``sampling`` "neuron" draws the sum that reaches a neuron wherever that has the same distribution, "synapse" every weight.
    """

    level: float = Field(ge=0, description="a fraction, not percent")
    law: Law = "proportional"
    kind: Literal["temporal", "frozen", "inference"] = "temporal"
    scope: Literal["sample", "batch"] = "sample"
    kernels: Kernels = "unrolled"
    sampling: Literal["neuron", "synapse"] = "neuron"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "frozen" and self.scope == "batch":
            raise ValueError('scope "batch" contradicts kind "frozen": a chip has one draw for all its inferences')
        return self

    @property
    def per_neuron(self) -> bool:
        """Whether independent normal numbers per neuron and step have the exact distribution.

        Given the spikes a_i of a step, sum_i (w_i + sigma_i g_i) a_i ~ N(sum_i w_i a_i, sum_i sigma_i^2 a_i^2), independently
        between neurons and steps as long as no two of them use the same draw of g.
        """
        return (self.kind, self.scope, self.kernels, self.sampling) == ("temporal", "sample", "unrolled", "neuron")

    def variance(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """sigma(w)^2 of every weight, same shape."""
        if self.law == "proportional":
            return np.float32(self.level**2) * weight * weight
        rms = np.float32(np.sqrt(np.mean(np.square(weight, dtype=np.float64))))
        if self.law == "fixed":
            return np.full_like(weight, self.level**2 * rms * rms)
        return np.float32(self.level**2) * rms * np.abs(weight)
