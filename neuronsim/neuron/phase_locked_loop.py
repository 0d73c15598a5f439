"""Theory of the type-I phase-locked loop that makes the synaptic kernel, in sympy (paper 004, equations 1 to 3).

    open loop    G(s) = K / (s (1 + s/w_lf))                         K = k_pd k_vco
    closed loop  H(s) = G/(1 + G) = K / (s^2/w_lf + s + K)           equation 2
    error        E(s) = 1/(1 + G);  k(t) = L^-1{E(s)/s}              the kernel: answer of the phase error to a unit
    phase step membrane     g(t) = K int_0^t k                                  g(inf) = 1

The numerics (:mod:`neuronsim.neuron.kernel`, :mod:`neuronsim.neuron.event_solver`) are written by hand for speed; the
tests hold them
against what is derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from scipy.special import lambertw, wrightomega

from ..arrays import Array
from ..errors import InputError
from . import array_checks
from .closed_form import spike_time_gradient

s = sp.Symbol("s")
t, tau, w_lf, K = sp.symbols("t tau w_lf K", positive=True)
r = sp.Symbol("r", positive=True)  # w_lf tau


def open_loop() -> sp.Expr:
    """G(s) = K / (s (1 + s/w_lf))."""
    return K / (s * (1 + s / w_lf))


def closed_loop() -> sp.Expr:
    """H(s) = K / (s^2/w_lf + s + K), equation 2."""
    return sp.cancel(open_loop() / (1 + open_loop()))


def error_transfer() -> sp.Expr:
    """E(s) = 1 - H(s), from the input phase to the phase error."""
    return sp.cancel(1 / (1 + open_loop()))


def characteristic() -> sp.Expr:
    """Polynomial in s whose roots are the poles: s^2 + w_lf s + w_lf K."""
    return sp.expand(sp.denom(sp.together(closed_loop())) / sp.LC(sp.denom(sp.together(closed_loop())), s))


def poles() -> list[sp.Expr]:
    """Both poles of the closed loop, in rad/s."""
    return sp.solve(characteristic(), s)


def ringing_condition() -> sp.Expr:
    """Largest w_lf at which the loop still rings (complex poles): 4 K, so r < 4 for K = 1/tau."""
    return sp.solve(sp.discriminant(characteristic(), s), w_lf)[0]


def pole_calibrated_gain() -> sp.Expr:
    """K(r, tau) that puts a pole exactly at -1/tau for w_lf = r/tau: (1 - 1/r)/tau, in rad/s."""
    condition = characteristic().subs({s: -1 / tau, w_lf: r / tau})
    return sp.simplify(sp.solve(condition, K)[0])


def _calibrated(expression: sp.Expr) -> sp.Expr:
    return sp.factor(sp.simplify(expression.subs(w_lf, r / tau).subs(K, pole_calibrated_gain())))


@cache
def _residues() -> list[tuple[sp.Expr, sp.Expr]]:
    """(residue, pole) pairs of E(s)/s, pole-calibrated: k(t) = sum residue e^{pole t}."""
    transform = sp.cancel(_calibrated(error_transfer()) / s)
    numerator, denominator = sp.fraction(transform)
    roots = [-1 / tau, -(r - 1) / tau]
    if any(sp.simplify(denominator.subs(s, root)) != 0 for root in roots):
        raise ArithmeticError("the pole-calibrated loop has lost its poles at -1/tau and -(r-1)/tau")
    return [(sp.factor((numerator / sp.diff(denominator, s)).subs(s, root)), root) for root in roots]


@cache
def error_kernel() -> sp.Expr:
    """k(t; r, tau) for t > 0: inverse Laplace transform of E(s)/s by residues, pole-calibrated."""
    # Kept as a plain sum: sympy's "simplified" form multiplies growing exponentials and overflows in floating point.
    return sp.Add(*(residue * sp.exp(pole * t) for residue, pole in _residues()))


@cache
def membrane_kernel() -> sp.Expr:
    """g(t; r, tau) = K int_0^t k, pole-calibrated."""
    terms = (
        sp.factor(pole_calibrated_gain() * residue / pole) * (sp.exp(pole * t) - 1) for residue, pole in _residues()
    )
    return sp.Add(*terms)


@cache
def numeric(which: str) -> Callable[..., Any]:
    """numpy function of (t, r, tau) for "error_kernel" or "membrane_kernel".

    Raises InputError for another name.
    """
    known = {"error_kernel": error_kernel, "membrane_kernel": membrane_kernel}
    if which not in known:
        raise InputError(f"no numeric form of '{which}': choose from {sorted(known)}")
    return sp.lambdify((t, r, tau), known[which](), "numpy")


def equivalent_loop(gain: float, corner: float) -> tuple[float, float]:
    """(tau, r) of the pole-calibrated loop that equals the loop of ``gain`` K and ``corner`` w_lf (both in 1/s).

    Raises InputError when that loop rings (w_lf < 4 K), since then no real pole exists.
    """
    if not (gain > 0 and corner > 4 * gain):
        raise InputError(f"K = {gain:g}, w_lf = {corner:g}: the loop rings; it needs w_lf > 4 K = {4 * gain:g}")
    slow = 2 * gain / (1 + np.sqrt(1 - 4 * gain / corner))
    return 1 / slow, corner / slow


def ramp_crossing(
    asymptote: ArrayLike, amplitude: ArrayLike, *, threshold: ArrayLike = 1.0, ramp: ArrayLike = 0.0
) -> Array:
    """First t with A - B e^{-t} = threshold + ramp t, starting below (A - B < threshold); t in tau, inf if never.

    With c = (A - threshold)/ramp:  t = c + W(-(B/ramp) e^{-c}),  branch -1 for ramp > 0 and 0 for ramp < 0 (Lambert
    W); for ramp = 0, t = ln(B/(A - threshold)). Evaluated through Wright's omega, W(e^x) = omega(x), so that e^{-c}
    cannot overflow; the absolute accuracy is that of c, about 1e-16 |c|.
    """
    a, b = np.asarray(asymptote, dtype=np.float64), np.asarray(amplitude, dtype=np.float64)
    theta, rho = np.asarray(threshold, dtype=np.float64), np.asarray(ramp, dtype=np.float64)
    a, b, theta, rho = np.broadcast_arrays(a, b, theta, rho)
    with np.errstate(all="ignore"):
        flat = np.where((a > theta) & (b > 0), np.log(b / (a - theta)), np.inf)
        c = (a - theta) / np.where(rho == 0, 1.0, rho)
        x = np.log(np.abs(b / np.where(rho == 0, 1.0, rho))) - c
        # W_{-1}, real for x <= -1. Omega loses the branch close to x = -1, where Lambert W itself is at its best.
        lower = np.where(x > -600, lambertw(-np.exp(x), -1).real, wrightomega(x - 1j * np.pi).real)
        rising = np.where(x <= -1, c + lower, np.inf)
        falling = c + wrightomega(x + 0j).real
    # B <= 0 starts above its asymptote and falls: it meets a falling threshold on the branch W_0(-...) or W_{-1}; not
    # a first crossing of this form, so it is left to the event solver.
    if np.any((b <= 0) & (rho < 0)):
        raise InputError(
            "amplitude must be positive where the threshold falls: use neuronsim.neuron.event_solver.first_crossing"
        )
    rising = np.where(b > 0, rising, np.inf)
    return np.where(rho == 0, flat, np.where(rho > 0, rising, falling))


def output_jitter(
    times: ArrayLike, weights: ArrayLike, input_sigma: ArrayLike, *, tau: float = 1.0, threshold: float = 1.0
) -> Array:
    """First-order output jitter of the ideal neuron, sqrt(sum_i (dt_out/dt_i sigma_i)^2), in the unit of tau.

    ``input_sigma`` broadcasts with ``times`` (..., n) and is independent from input to input. Since the derivatives
    sum to 1, the neuron is a low-pass: equal weights at equal slopes give sigma/sqrt(n).
    """
    sigma = np.asarray(input_sigma, dtype=np.float64)
    if not np.all(sigma >= 0):
        raise InputError("input_sigma must be >= 0 everywhere")
    array_checks.finite("input_sigma", sigma, "the unit of tau")
    by_time, _ = spike_time_gradient(times, weights, tau=tau, threshold=threshold)
    return np.sqrt(((by_time * sigma) ** 2).sum(axis=-1))
