"""Closed forms that the tests hold the solvers against: gradients of the spike time, Lambert's W, the inverse f-I curve."""

from __future__ import annotations

import numpy as np
from scipy.special import lambertw, wrightomega

from neuronsim.neuron.closed_form import spike_time
from neuronsim.neuron.kernel import Membrane, kernel, kernel_slope


def spike_time_gradient(times, weights, *, tau=1.0, threshold=1.0):
    """Gradient of spike_time: (dt_out/dt_i, dt_out/dw_i), both of shape (..., n).

    With D = sum_C w_j e^{-(t_out - t_j)/tau} > 0:  dt_out/dt_i = w_i e^{-(t_out - t_i)/tau} / D  and
    dt_out/dw_i = -tau (1 - e^{-(t_out - t_i)/tau}) / D  for causal inputs (t_i < t_out), 0 for all others and for rows
    that stay silent. The first sums to 1 over the inputs: delaying every input delays the output as much.
    """
    t, w = np.broadcast_arrays(np.asarray(times, dtype=np.float64), np.asarray(weights, dtype=np.float64))
    out = spike_time(t, w, tau=tau, threshold=threshold)[..., None]
    causal = (t < out) & np.isfinite(out)
    with np.errstate(invalid="ignore"):
        age = np.where(causal, (out - t) / tau, 0.0)
    current = np.where(causal, w * np.exp(-age), 0.0)
    total = current.sum(axis=-1, keepdims=True)
    total = np.where(total > 0, total, 1.0)
    return current / total, np.where(causal, tau * np.expm1(-age), 0.0) / total


def sensitivity(times, weights, crossing, *, tau=1.0, second_pole_ratio=None, ramp=0.0, gain=1.0):
    """(dt_out/dt_i, dt_out/dw_i), shape (..., n), of the second-order loop at its ``crossing`` (spike times less the delay).

    dt_out/dt_i = gain w_i g'(t_out - t_i) / v',  dt_out/dw_i = -gain g(t_out - t_i) / v';  zero for inputs after the
    crossing and for silent rows.
    """
    loop = {"tau": tau, "second_pole_ratio": second_pole_ratio, "ramp": ramp, "gain": gain}
    rate = Membrane(times, weights, crossing, **loop).slope[..., None]
    gain = np.asarray(gain)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        age = (crossing[..., None] - times) / tau
        causal = (age > 0) & np.isfinite(crossing)[..., None]
        by_time = np.where(causal, gain * weights * kernel_slope(age, second_pole_ratio) / tau / rate, 0.0)
        by_weight = np.where(causal, -gain * kernel(age, second_pole_ratio) / rate, 0.0)
    return by_time, by_weight


def current_for(rate_hz, *, charge_per_spike, rheobase=0.0, refractory=0.0):
    """Current in amperes that gives ``rate_hz``: I = I_rh / (1 - e^{-(1/f - t_ref) I_rh / Q}); the rheobase at f = 0."""
    with np.errstate(divide="ignore"):
        charging = 1.0 / np.asarray(rate_hz, dtype=np.float64) - refractory
    x = charging * rheobase / charge_per_spike
    with np.errstate(divide="ignore", invalid="ignore"):
        # I = (Q/T) x / (1 - e^{-x}), whose limit at x -> 0 is Q/T (no leak).
        leaky = rheobase / -np.expm1(-x)
        ideal = charge_per_spike / charging * (1.0 + x / 2.0)
    return np.where(x < 1e-8, np.where(np.isinf(charging), 0.0, ideal), leaky)


def ramp_crossing(asymptote, amplitude, *, ramp=0.0):
    """First t with A - B e^{-t} = 1 + ramp t, starting below (A - B < 1), B > 0; t in tau, inf if never.

    With c = (A - 1)/ramp:  t = c + W(-(B/ramp) e^{-c}),  branch -1 for ramp > 0 and 0 for ramp < 0 (Lambert W); for
    ramp = 0, t = ln(B/(A - 1)). Evaluated through Wright's omega, W(e^x) = omega(x), so that e^{-c} cannot overflow; the
    absolute accuracy is that of c, about 1e-16 |c|.
    """
    a, b = np.asarray(asymptote, dtype=np.float64), np.asarray(amplitude, dtype=np.float64)
    if ramp == 0:
        return np.log(b / (a - 1))
    with np.errstate(all="ignore"):
        c = (a - 1) / ramp
        x = np.log(np.abs(b / ramp)) - c
        if ramp < 0:
            return c + wrightomega(x + 0j).real
        # W_{-1}, real for x <= -1. Omega loses the branch close to x = -1, where Lambert W itself is at its best.
        lower = np.where(x > -600, lambertw(-np.exp(x), -1).real, wrightomega(x - 1j * np.pi).real)
    return np.where(x <= -1, c + lower, np.inf)


def output_jitter(times, weights, input_sigma):
    """First-order output jitter of the ideal neuron, sqrt(sum_i (dt_out/dt_i sigma_i)^2), in units of tau.

    Since the derivatives sum to 1, the neuron is a low-pass: equal weights at equal slopes give sigma/sqrt(n).
    """
    by_time, _ = spike_time_gradient(times, weights)
    return np.sqrt(((by_time * np.asarray(input_sigma)) ** 2).sum(axis=-1))
