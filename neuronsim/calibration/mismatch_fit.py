"""Frozen spread from chip to chip (plan 'mismatch'): a random-effects model, fitted by maximum likelihood.

Every chip c is one draw of a relative gain error a, a ramp error b and a relative error e_i of each synapse; the same
stimuli s are run on every chip. At the measured spike time t the calibrated membrane misses the threshold by

    y_cs = v(t) - 1 - ramp t/tau = -a_c V_cs + b_c t_cs/tau - sum_i e_ci x_csi + rest
    x_csi = gain w_i g((t - t_i)/tau),  V = sum_i x_i

(the nominal chip's residual, the kernel's own error, is subtracted). The covariance over a chip's stimuli,

    C = s_a^2 V V' + s_b^2 t t' + s_e^2 sum_i x_i x_i' + s_0^2 1,

separates gain, ramp, synapses and estimation noise by their different patterns. All four are Gaussian, as in the
card.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..arrays import Array, Mask
from ..errors import DataError
from ..neuron.kernel import kernel as g
from ..statistics.bootstrap import newton_replicates, sigma_estimate, spread
from ..statistics.estimate import Estimate
from .kernel_fit import KernelFit
from .stimuli import StimulusRows

FIELDS = ("frozen.gain_sigma", "frozen.ramp_sigma_per_tau", "weights.mismatch_sigma")
MIN_CHIPS = 8
MIN_STIMULI = 4


def _residual(rows: StimulusRows, kernel: KernelFit) -> tuple[Array, Array, Array]:
    """(y, late, x) at the measured times: x has one column per synapse."""
    at = rows.out - kernel.delay
    with np.errstate(invalid="ignore"):
        age = (at[:, None] - rows.times) / kernel.tau
    x = kernel.gain * rows.weights * g(np.where(np.isnan(age), -np.inf, age), kernel.ratio)
    late = at / kernel.tau
    return x.sum(axis=1) - 1.0 - kernel.ramp * late, late, x


def _table(rows: StimulusRows, kernel: KernelFit) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Per chip and stimulus: y, late (chips, stimuli), x (chips, stimuli, inputs), and which entries exist."""
    quiet = rows[rows.noise_seed == -1]
    # A stimulus that fires on some chips only shows just those with a high gain: it would bias every variance.
    noise_free = quiet[~np.isin(quiet.trial, quiet.trial[~quiet.fired])]
    y, late, x = _residual(noise_free, kernel)
    chips = np.unique(noise_free.chip[noise_free.chip >= 0])
    trials = np.unique(noise_free.trial)
    shape = (chips.size, trials.size)
    ys, lates, xs = np.zeros(shape), np.zeros(shape), np.zeros((*shape, x.shape[1]))
    present = np.zeros(shape, dtype=bool)
    drawn = noise_free.chip >= 0
    row, column = np.searchsorted(chips, noise_free.chip[drawn]), np.searchsorted(trials, noise_free.trial[drawn])
    ys[row, column], lates[row, column], xs[row, column], present[row, column] = y[drawn], late[drawn], x[drawn], True
    base = np.full(trials.size, np.nan)
    base[np.searchsorted(trials, noise_free.trial[~drawn])] = y[~drawn]
    # The mean over chips replaces a missing nominal run of a stimulus.
    mean = np.divide(
        (ys * present).sum(axis=0), present.sum(axis=0), out=np.zeros(trials.size), where=present.any(axis=0)
    )
    ys = np.where(present, ys - np.where(np.isnan(base), mean, base), 0.0)
    keep = present.sum(axis=1) >= 2
    return ys[keep], lates[keep], xs[keep], present[keep]


def _likelihood(theta: Array, y: Array, parts: Array, present: Mask) -> tuple[float, NDArray, NDArray]:
    """Negative log likelihood, C^-1 and dL/dC = (C^-1 - C^-1 y y' C^-1)/2, per chip (chips, stimuli, stimuli)."""
    covariance = np.tensordot(theta, parts, axes=1)
    diagonal = np.arange(present.shape[1])
    covariance[:, diagonal, diagonal] += ~present  # an absent run contributes nothing
    inverse = np.linalg.inv(covariance)
    solved = (inverse @ y[:, :, None])[:, :, 0]
    value = 0.5 * float((np.linalg.slogdet(covariance)[1] + (y * solved).sum(axis=1)).sum())
    return value, inverse, 0.5 * (inverse - solved[:, :, None] * solved[:, None, :])


def fit_mismatch(rows: StimulusRows, kernel: KernelFit, *, seed: int, confidence: float = 0.95) -> list[Estimate]:
    """Standard deviations over chips, in the order of ``FIELDS``.

    Raises DataError when fewer than 8 chips with 4 different stimuli are left, or most chips do not work at all.
    """
    _working(rows[(rows.chip >= 0) & (rows.noise_seed == -1)])
    y, late, x, present = _table(rows, kernel)
    chips, stimuli = y.shape if y.size else (0, 0)
    if chips < MIN_CHIPS or stimuli < MIN_STIMULI:
        raise DataError(
            f"plan 'mismatch' left {chips} chips and {stimuli} stimuli that fire on all of them; at least {MIN_CHIPS} chips "
            f"and {MIN_STIMULI} stimuli are needed to tell gain, ramp and synapses apart"
        )
    total = x.sum(axis=2)
    parts = np.stack(
        [
            total[:, :, None] * total[:, None, :],
            late[:, :, None] * late[:, None, :],
            np.einsum("csi,cui->csu", x, x),
            np.broadcast_to(np.eye(stimuli), (chips, stimuli, stimuli)),
        ]
    )
    parts = parts * (present[:, :, None] & present[:, None, :])
    scale = max(float((y**2).sum() / present.sum()), 1e-24)
    variance, error = _variances(y / np.sqrt(scale), parts, present, seed)
    synapses = int((np.abs(x).max(axis=1) > 0).sum())
    freedom = (chips - 1, chips - 1, synapses - 1)
    return [sigma_estimate(variance[k] * scale, error[k] * scale, freedom[k], confidence) for k in range(3)]


def _working(drawn: StimulusRows) -> None:
    broken = ~drawn.fired | (drawn.out < drawn.times.min(axis=1))
    if len(drawn) and broken.mean() > 0.5:
        raise DataError(
            f"in {int(broken.sum())} of {len(drawn)} runs of plan 'mismatch' the chip fires before its first input or not at "
            "all: chips that do not work have no spread of gain, ramp and synapses; enlarge the transistors that must match, or "
            "trim them"
        )


def _variances(y: Array, parts: Array, present: Mask, seed: int) -> tuple[Array, Array]:
    """(s_a^2, s_b^2, s_e^2, s_0^2) of largest likelihood, in units of the mean square of y, and their standard errors."""

    def objective(theta: Array) -> tuple[float, Array]:
        value, _, by_covariance = _likelihood(theta, y, parts, present)
        return value, np.tensordot(parts, by_covariance, axes=3)

    best = minimize(
        objective,
        [0.2, 0.2, 0.2, 0.2],
        jac=True,
        bounds=[(0.0, None), (0.0, None), (0.0, None), (1e-6, None)],
        method="L-BFGS-B",
        options={"ftol": 1e-11, "maxiter": 300},
    )
    _, inverse, by_covariance = _likelihood(best.x, y, parts, present)
    gradient = np.einsum("cij,kcij->ck", by_covariance, parts)
    scaled = inverse @ parts
    information = 0.5 * np.einsum("kcij,lcji->ckl", scaled, scaled)
    boot = spread(newton_replicates(information, -gradient, np.random.default_rng(seed)))
    total = information.sum(axis=0)
    unit = np.sqrt(np.maximum(np.diagonal(total), 1e-300))
    theory = np.diagonal(np.linalg.pinv(total / np.outer(unit, unit), hermitian=True)) / unit**2
    # Gaussian theory is the floor: with few chips a bootstrap misses the tails it never saw.
    return best.x, np.maximum(np.where(np.isfinite(boot), boot, 0.0), np.sqrt(np.maximum(theory, 0.0)))
