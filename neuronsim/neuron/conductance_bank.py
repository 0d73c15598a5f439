"""The conductance bank: b-bit signed synaptic weights as a switched-resistor array realizes them.

    w_k = w_max (2k + 1 - 2^b) / (2^b - 1),   k = 0 .. 2^b - 1        (uniform, mid-rise, symmetric: no zero level)

so that 2 bits give +-w_max/3 and +-w_max. The step is 2 w_max / (2^b - 1), the quantization error of a weight inside the
range is at most half of it, and its variance over uniform weights step^2 / 12.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Array
from ..errors import InputError

#: what the full scale of a bank is taken from: each neuron's largest weight, the layer's, or each neuron's spread
FullScale = Literal["neuron", "layer", "neuron-rms"]


@dataclass(frozen=True, kw_only=True)
class ConductanceBank:
    """A bank of ``bits`` bits and full scale ``w_max`` (in units of the unit weight).

    Raises InputError for bits outside 1..32 or a w_max that is not a positive number.

    >>> bank = ConductanceBank(bits=2, w_max=1.5)
    >>> bank.levels()
    array([-1.5, -0.5,  0.5,  1.5])
    >>> bank.quantize([-0.9, 0.1, 7.0])
    array([-0.5,  0.5,  1.5])
    """

    bits: int
    w_max: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.bits, (int, np.integer)) and 1 <= self.bits <= 32):
            raise InputError(f"bits = {self.bits!r} is out of range: a conductance bank has 1 to 32 bits")
        if not (np.isfinite(self.w_max) and self.w_max > 0):
            raise InputError(f"w_max = {self.w_max!r} is out of range: full scale must be a positive finite weight")

    @property
    def step(self) -> float:
        """Distance between neighbouring levels."""
        return 2.0 * self.w_max / (2**self.bits - 1)

    def codes(self, weights: ArrayLike) -> NDArray[np.int64]:
        """Nearest code 0 .. 2^bits - 1 of each weight; weights beyond full scale get the end codes."""
        w = np.asarray(weights, dtype=np.float64)
        if np.isnan(w).any():
            raise InputError("weights contain NaN")
        return np.clip(np.rint((w / self.w_max + 1.0) * (2**self.bits - 1) / 2.0), 0, 2**self.bits - 1).astype(np.int64)

    def levels(self) -> Array:
        """All levels in rising order; only for bits <= 16."""
        if self.bits > 16:
            raise InputError(f"{self.bits} bits have too many levels to list; use value(codes)")
        return self.value(np.arange(2**self.bits))

    def value(self, codes: ArrayLike) -> Array:
        """Weight of each code."""
        return self.w_max * (2.0 * np.asarray(codes, dtype=np.float64) + 1.0 - 2.0**self.bits) / (2.0**self.bits - 1.0)

    def quantize(self, weights: ArrayLike) -> Array:
        """Nearest level of each weight."""
        return self.value(self.codes(weights))


@cache
def normal_full_scale(bits: int) -> float:
    """Full scale, in standard deviations, at which a bank errs least on normally distributed weights of mean 0.

    The squared error of :class:`ConductanceBank` is least at 1.49 for 2 bits, 2.51 for 4, 3.94 for 8 (J. Max, *Quantizing for
    minimum distortion*, IRE Trans. Inf. Theory 6, 1960, table II: steps .9957, .3352). inf above 10 bits, where clipping gains
    nothing. Raises InputError for bits outside 1..32.
    """
    ConductanceBank(bits=bits)
    if bits > 10:
        return math.inf

    from scipy.optimize import minimize_scalar  # half a second to load, and plans need banks without it
    from scipy.stats import norm

    def error(w_max: float) -> float:
        levels = ConductanceBank(bits=bits, w_max=w_max).levels()
        edges = np.concatenate(([-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]))
        density = norm.pdf(edges)
        moment = np.where(np.isinf(edges), 0.0, edges) * density
        mass = np.diff(norm.cdf(edges))  # and first and second moments of each cell
        return float(np.sum(mass - np.diff(moment) + 2 * levels * np.diff(density) + levels**2 * mass))

    least: Any = minimize_scalar(error, bounds=(0.5, 6.0), method="bounded", options={"xatol": 1e-9})
    return float(least.x)
