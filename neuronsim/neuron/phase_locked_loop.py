"""Theory of the type-I phase-locked loop that makes the synaptic kernel, in sympy (paper 004, equations 1 to 3).

    open loop    G(s) = K / (s (1 + s/w_lf))                         K = k_pd k_vco
    closed loop  H(s) = G/(1 + G) = K / (s^2/w_lf + s + K)           equation 2
    error        E(s) = 1/(1 + G);  k(t) = L^-1{E(s)/s}              the kernel: answer of the phase error to a unit
    phase step membrane     g(t) = K int_0^t k                                  g(inf) = 1

The numerics (:mod:`neuronsim.neuron.kernel`, :mod:`neuronsim.neuron.event_solver`) are written by hand for speed; the
tests hold them against what is derived here.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from ..errors import InputError

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
