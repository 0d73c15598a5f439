"""Rate card of an IF/LIF neuron from its f-I curve (plan 'fi'), its interval jitter ('membrane_noise') and chips ('mismatch').

The inter-spike interval T = t_ref + (Q/I) L(I_rh/I) (:mod:`neuronsim.neuron.firing_rate`) is fitted by least squares of
the relative
error T_model/T - 1 over Q, I_rh and t_ref. L is smooth through I_rh = 0, so a neuron without leak is fitted without a
boundary; an estimate that comes out negative is set to 0 and the others are fitted again.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ..artifacts.card_parts import Provenance, Quality, Range
from ..artifacts.dataset import as_drawn, plans, select, silence
from ..artifacts.rate_card import RateCard
from ..errors import DataError
from ..neuron.firing_rate import leak_factor, rate
from ..statistics.bootstrap import bias_and_spread, half_width, newton_replicates, sigma_estimate, spread
from ..statistics.estimate import Estimate
from .energy_fit import fit_energy, lost_field
from .isi_jitter_fit import fit_isi_jitter

MIN_FIRING = 10
MIN_CHIPS = 8
_NAMES = ("charge_per_spike_c", "rheobase_a", "refractory_s")


def calibrate_rate(
    dataset: xr.Dataset, *, held_out: float, seed: int, confidence: float, provenance: Provenance
) -> RateCard:
    """The card of a checked rate ``dataset``. Raises DataError where the data cannot support the f-I curve."""
    current, hertz = _curve(dataset)
    fit, test = _split(current, hertz, held_out, np.random.default_rng(seed))
    firing = fit & (hertz > 0)
    values, errors = _fit(current[firing], 1.0 / hertz[firing], seed)
    estimates = {}
    for name, value, error in zip(_NAMES, values, errors, strict=True):
        half = half_width(error / max(abs(value), 1e-300), int(firing.sum()) - 3, confidence) * max(abs(value), 1e-300)
        if name == "charge_per_spike_c" and not half < 0.5 * value:
            raise DataError(
                f"{name} cannot be fitted: {int(firing.sum())} firing runs leave it open by "
                f"+-{100 * half / value:.3g} %; sweep the current "
                "over at least a decade above the rheobase (plan 'fi')"
            )
        estimates[name] = Estimate(value=max(value, 0.0), low=max(value - half, 0.0), high=max(value + half, 0.0))
    not_fitted: dict[str, str] = {}
    quality = _quality(current[test], hertz[test], int(fit.sum()), estimates)
    q, i_rh, t_ref = (estimates[name].value for name in _NAMES)
    valid = (float(current.min()), float(current.max()))
    noise = fit_isi_jitter(
        dataset,
        charge=q,
        rheobase=i_rh,
        refractory=t_ref,
        valid=valid,
        held_out=held_out,
        rng=np.random.default_rng(seed + 2),
        confidence=confidence,
        not_fitted=not_fitted,
    )
    mismatch, mismatch_error = _mismatch(dataset, estimates, not_fitted, confidence)
    quality = quality.model_copy(
        update={
            "isi_jitter_error": noise.error,
            "n_isi_jitter": noise.n_held_out,
            "isi_jitter_floor": noise.floor,
            "threshold_mismatch_error": mismatch_error,
        }
    )
    good = (dataset["status"].values == "ok") & as_drawn(dataset)
    count = np.isfinite(dataset["spike_times_s"].values).sum(axis=1).astype(np.float64)
    energy, reason = fit_energy(
        dataset["energy_j"].values[good].astype(np.float64),
        count[good],
        dataset["window_s"].values[good].astype(np.float64),
        seed=seed,
        confidence=confidence,
    )
    if reason:
        not_fitted[lost_field(energy)] = reason
    return RateCard(
        neuron=str(dataset.attrs["neuron"]),
        not_fitted=not_fitted,
        quality=quality,
        provenance=provenance,
        isi_jitter=noise.jitter,
        threshold_mismatch=mismatch,
        energy=energy,
        valid_current_a=Range(low=valid[0], high=valid[1]),
        **estimates,
    ).signed()


def _curve(dataset: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Current and rate of the noise-free nominal runs of plan 'fi'."""
    if not (dataset["plan"].values == "fi").any():
        raise DataError(
            f"plan 'fi' is not in the dataset (it has {sorted(plans(dataset))}): characterize with --plan fi"
        )
    rows = select(dataset, "fi")
    keep = (rows["noise_seed"].values == -1) & (rows["chip"].values == -1) & np.isfinite(rows["rate_hz"].values)
    current = rows["input_current_a"].values[keep].astype(np.float64)
    hertz = rows["rate_hz"].values[keep].astype(np.float64)
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
            f"the currents of plan 'fi' span only {current[hertz > 0].min():.3g} to {current.max():.3g} A: no "
            "spread to fit an f-I curve to"
        )
    return current, hertz


def _split(
    current: NDArray[np.float64], hertz: NDArray[np.float64], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(fit, held out): an even share along the current axis with a random phase; the end points stay in the fit."""
    order = np.argsort(current, kind="stable")
    position = (np.arange(order.size) + rng.random()) * fraction
    taken = np.diff(np.floor(position), prepend=np.floor(position[0])) > 0
    taken[0] = taken[-1] = False
    test = np.zeros(order.size, dtype=bool)
    test[order[taken]] = True
    if not (test & (hertz > 0)).any():
        raise DataError(f"no firing run could be held out of {order.size}: sweep more currents in plan 'fi'")
    return ~test, test


def _fit(
    current: NDArray[np.float64], isi: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(Q, I_rh, t_ref) and their standard errors; errors of clipped entries come from the unconstrained fit."""
    slope, offset = np.polyfit(1.0 / current, isi, 1, w=1.0 / isi)
    scale = np.array([abs(slope), float(current.min()), float(isi.min())])

    def residual(x: NDArray[np.float64]) -> NDArray[np.float64]:
        q, i_rh, t_ref = x * scale
        return (t_ref + q / current * leak_factor(np.minimum(i_rh / current, 1 - 1e-12))) / isi - 1.0

    def solve(free: list[int]) -> NDArray[np.float64]:
        base = np.zeros(3)
        start = np.array([1.0, 0.3, max(offset, 0.0) / scale[2]])
        # The rheobase lies below every current that made the neuron fire.
        upper = np.array([np.inf, 1.0 - 1e-9, np.inf])
        lower = np.array([1e-6, -np.inf, -np.inf])

        def full(z: NDArray[np.float64]) -> NDArray[np.float64]:
            x = base.copy()
            x[free] = z
            return x

        best = None
        for guess in (0.3, 0.9, 0.99, 0.0):
            start[1] = guess
            found = least_squares(
                lambda z: residual(full(z)),
                start[free],
                bounds=(lower[free], upper[free]),
                x_scale="jac",
                jac="3-point",
                xtol=1e-15,
                ftol=1e-15,
                gtol=1e-15,
            )
            if best is None or found.cost < best.cost:
                best = found
        return full(best.x) if best is not None else base

    x = solve([0, 1, 2])
    jacobian = _jacobian(residual, x)
    e = residual(x)
    leverage = np.einsum("ij,jk,ik->i", jacobian, np.linalg.pinv(jacobian.T @ jacobian), jacobian)
    e = e / np.sqrt(np.maximum(1 - leverage, 0.05))
    replicates = newton_replicates(
        jacobian[:, :, None] * jacobian[:, None, :], -e[:, None] * jacobian, np.random.default_rng(seed + 1)
    )
    error = spread(replicates)
    negative = [i for i in (1, 2) if x[i] < 0]
    if negative:
        x = solve([i for i in range(3) if i not in negative])
        if (x < 0).any():
            x = solve([0])
    return x * scale, error * scale


def _jacobian(function, x: NDArray[np.float64]) -> NDArray[np.float64]:
    step = 1e-6
    return np.stack([(function(x + d) - function(x - d)) / (2 * step) for d in np.eye(x.size) * step], axis=1)


def _quality(current: NDArray, hertz: NDArray, n_fit: int, estimates: dict[str, Estimate]) -> Quality:
    q, i_rh, t_ref = (estimates[name].value for name in _NAMES)
    predicted = rate(current, charge_per_spike=q, rheobase=i_rh, refractory=t_ref)
    firing = (hertz > 0) & (predicted > 0)
    signed = predicted[firing] / hertz[firing] - 1.0
    error = np.abs(signed)
    if not error.size:
        raise DataError(
            "no held-out run fires in both circuit and card: the neuron does not follow an IF/LIF f-I curve"
        )
    p95 = float(np.quantile(error, 0.95))
    bias, spread = bias_and_spread(signed, p95)
    return Quality(
        n_fit=n_fit,
        n_held_out=current.size,
        median_error=float(np.median(error)),
        p95_error=p95,
        spike_agreement=float(((hertz > 0) == (predicted > 0)).mean()),
        n_compared=error.size,
        bias=bias,
        spread=spread,
    )


def _mismatch(
    dataset: xr.Dataset, estimates: dict[str, Estimate], not_fitted: dict[str, str], confidence: float
) -> tuple[Estimate, float | None]:
    """Relative spread over chips of the charge per spike, and the median error of held-out rates.

    V_th scales Q and I_rh alike, so each inter-spike interval gives the chip's scale in closed form. A capacitor scales Q
    alone: without leak that is the same, with leak it looks like a threshold that is a little less far off, the less the
    current exceeds the rheobase. The error is |f_card / f_circuit - 1| of every chip at every other current, from that
    chip's scale at the currents between.
    """
    rows = select(dataset, "mismatch")
    chips = rows["chip"].values
    if not (chips >= 0).any():
        not_fitted["threshold_mismatch"] = "the dataset has no chips drawn with mismatch (plan 'mismatch')"
        return Estimate.exact(0.0), None
    q, i_rh, t_ref = (estimates[name].value for name in _NAMES)
    hertz, current = rows["rate_hz"].values.astype(np.float64), rows["input_current_a"].values.astype(np.float64)
    with np.errstate(divide="ignore"):
        charging = np.where(hertz > 0, 1.0 / hertz - t_ref, np.nan)
    scale = current * charging / q if i_rh == 0 else -np.expm1(-charging * i_rh / q) * current / i_rh
    # Divided by the nominal chip's own value at each current, where it was run: takes out what the f-I curve leaves
    # unexplained.
    nominal = {
        float(i): float(s) for i, s, chip in zip(current, scale, chips, strict=True) if chip == -1 and np.isfinite(s)
    }
    scale = scale / np.array([nominal.get(float(i), 1.0) for i in current])
    amps = np.unique(current[chips >= 0])
    test = np.isin(current, amps[1::2])  # every other current, where there is more than one
    drawn = np.unique(chips[chips >= 0])
    per_chip = [scale[(chips == chip) & ~test & np.isfinite(scale)] for chip in drawn]
    means = np.array([values.mean() for values in per_chip if values.size])
    if means.size < MIN_CHIPS:
        raise DataError(f"plan 'mismatch' left {means.size} firing chips: at least {MIN_CHIPS} are needed")
    variance = float(means.var(ddof=1))
    estimate = sigma_estimate(variance, variance * np.sqrt(2.0 / (means.size - 1)), means.size - 1, confidence)
    own = {chip: float(values.mean()) for chip, values in zip(drawn, per_chip, strict=True) if values.size}
    rows = np.flatnonzero(test & (hertz > 0) & np.isin(chips, list(own)))
    factor = np.array([own[chip] for chip in chips[rows]])
    if not rows.size:
        return estimate, None
    predicted = rate(current[rows], charge_per_spike=q * factor, rheobase=i_rh * factor, refractory=t_ref)
    return estimate, float(np.median(np.abs(predicted / hertz[rows] - 1.0)))
