"""The f-I curve of an IF/LIF neuron (plan 'fi'): charge per spike Q, rheobase I_rh and refractory time t_ref.

The inter-spike interval T = t_ref + (Q/I) L(I_rh/I) (:mod:`neuronsim.neuron.firing_rate`) is fitted by least squares of the
relative error T_model/T - 1 over the three. L is smooth through I_rh = 0, so a neuron without leak is fitted without a
boundary; an estimate that comes out negative is set to 0 and the others are fitted again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import least_squares

from ..arrays import Array
from ..artifacts.dataset import plans, select, silence
from ..errors import DataError
from ..neuron.firing_rate import leak_factor
from ..statistics.bootstrap import half_width, newton_replicates, spread
from ..statistics.estimate import Estimate

MIN_FIRING = 10
_NAMES = ("charge_per_spike_c", "rheobase_a", "refractory_s")


@dataclass(frozen=True, kw_only=True)
class FIFit:
    """The curve's ``estimates``, named as the fields of the card."""

    estimates: dict[str, Any]

    @property
    def neuron(self) -> dict[str, float]:
        """The curve, as :mod:`neuronsim.neuron.firing_rate` takes it."""
        return {name.rpartition("_")[0]: estimate.value for name, estimate in self.estimates.items()}

    @property
    def leaky(self) -> dict[str, float]:
        """Charge and rheobase, as :mod:`neuronsim.neuron.interval_noise` takes them."""
        return {name: value for name, value in self.neuron.items() if name != "refractory"}


def fi_runs(dataset: xr.Dataset) -> tuple[Array, Array]:
    """Current and rate of the noise-free nominal runs of plan 'fi'. Raises DataError where no curve could be fitted to them."""
    if not (dataset["plan"].values == "fi").any():
        raise DataError(
            f"plan 'fi' is not in the dataset (it has {sorted(plans(dataset))}): characterize with --plan fi"
        )
    rows = select(dataset, "fi")
    keep = (rows["noise_seed"].values == -1) & (rows["chip"].values == -1) & np.isfinite(rows["rate_hz"].values)
    current, hertz = (rows[name].values[keep].astype(np.float64) for name in ("input_current_a", "rate_hz"))
    firing = int((hertz > 0).sum())
    if current.size and not firing:
        raise DataError(
            f"the neuron stayed silent at all {current.size} currents of plan 'fi' (up to {current.max():.3g} A): "
            "raise the current or the window, or correct [spike] of the manifest"
            + (f" ({said})" if (said := silence(dataset)) else "")
        )
    if firing < MIN_FIRING:
        meant = int((dataset["plan"].values == "fi").sum())
        silent = current[hertz == 0]
        quiet = f" {silent.size} were silent, at currents up to {silent.max():.3g} A." if silent.size else ""
        more = ", or the lower end of current_a in the manifest" if silent.size else ""
        raise DataError(
            f"plan 'fi' has {firing} runs with a rate (of {meant}): at least {MIN_FIRING} are needed.{quiet} Raise "
            f"'points' of plan 'fi'{more}"
        )
    if np.ptp(current[hertz > 0]) < 0.1 * current.max():
        raise DataError(
            f"the currents of plan 'fi' span only {current[hertz > 0].min():.3g} to {current.max():.3g} A: no spread to fit "
            "an f-I curve to"
        )
    return current, hertz


def fit_fi(current: Array, hertz: Array, *, seed: int, confidence: float) -> FIFit:
    """Fit the curve to firing runs (n,). Raises DataError where they leave the charge open by more than 50 %."""
    values, errors = _fit(current, 1.0 / hertz, seed)
    estimates = {}
    for name, value, error in zip(_NAMES, values, errors, strict=True):
        half = half_width(error / max(abs(value), 1e-300), current.size - 3, confidence) * max(abs(value), 1e-300)
        if name == "charge_per_spike_c" and not half < 0.5 * value:
            raise DataError(
                f"{name} cannot be fitted: {current.size} firing runs leave it open by +-{100 * half / value:.3g} %; sweep "
                "the current over at least a decade above the rheobase (plan 'fi')"
            )
        estimates[name] = Estimate(value=max(value, 0.0), low=max(value - half, 0.0), high=max(value + half, 0.0))
    return FIFit(estimates=estimates)


def _fit(current: Array, isi: Array, seed: int) -> tuple[Array, Array]:
    """(Q, I_rh, t_ref) and their standard errors; errors of clipped entries come from the unconstrained fit."""
    slope, offset = np.polyfit(1.0 / current, isi, 1, w=1.0 / isi)
    scale = np.array([abs(slope), float(current.min()), float(isi.min())])

    def residual(x: Array) -> Array:
        q, i_rh, t_ref = x * scale
        return (t_ref + q / current * leak_factor(np.minimum(i_rh / current, 1 - 1e-12))) / isi - 1.0

    def solve(free: list[int]) -> Array:
        def full(z: Array) -> Array:
            x = np.zeros(3)
            x[free] = z
            return x

        # The rheobase lies below every current that made the neuron fire.
        lower, upper = np.array([1e-6, -np.inf, -np.inf])[free], np.array([np.inf, 1.0 - 1e-9, np.inf])[free]
        fits = [
            least_squares(
                lambda z: residual(full(z)),
                np.array([1.0, guess, max(offset, 0.0) / scale[2]])[free],
                bounds=(lower, upper),
                x_scale="jac",
                jac="3-point",
                xtol=1e-15,
                ftol=1e-15,
                gtol=1e-15,
            )
            for guess in (0.3, 0.9, 0.99, 0.0)
        ]
        return full(min(fits, key=lambda fit: fit.cost).x)

    x = solve([0, 1, 2])
    jacobian = _jacobian(residual, x)
    e = residual(x)
    leverage = np.einsum("ij,jk,ik->i", jacobian, np.linalg.pinv(jacobian.T @ jacobian), jacobian)
    e = e / np.sqrt(np.maximum(1 - leverage, 0.05))
    information = jacobian[:, :, None] * jacobian[:, None, :]
    error = spread(newton_replicates(information, -e[:, None] * jacobian, np.random.default_rng(seed + 1)))
    negative = [i for i in (1, 2) if x[i] < 0]
    if negative:
        x = solve([i for i in range(3) if i not in negative])
        if (x < 0).any():
            x = solve([0])
    return x * scale, error * scale


def _jacobian(function, x: Array) -> Array:
    step = 1e-6
    return np.stack([(function(x + d) - function(x - d)) / (2 * step) for d in np.eye(x.size) * step], axis=1)
