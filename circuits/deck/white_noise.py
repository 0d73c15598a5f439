"""Device noise made outside ngspice from seeded generators, because its own transient noise cannot be seeded reproducibly.

An oscillator whose accumulated jitter is sigma_t = kappa sqrt(t) has white frequency noise; in radians its phase
diffuses as 2 pi f0 kappa sqrt(t). VCO3 and VCO4 are independent, and the threshold is a phase ``lead``, so the
membrane potential, in thresholds, diffuses with

    sigma_v(t) = D sqrt(t),    D = sqrt(2) 2 pi f0 kappa / lead          [thresholds / sqrt(s)]

(Abidi, Phase noise and jitter in CMOS ring oscillators, JSSC 2006, for kappa). The source is white up to 1/(2 dt):
independent Gaussian samples of variance D^2/dt, joined linearly. For an integrating neuron with membrane charge
C V_th, a white current noise of one-sided density S gives a coefficient of variation sqrt(S T / 2)/(C V_th).
"""

import numpy as np
from numpy.typing import NDArray


def diffusion(*, carrier_hz: float, kappa: float, lead_rad: float) -> float:
    """D of the module's equation, in thresholds per square root of a second."""
    return float(np.sqrt(2.0) * 2.0 * np.pi * carrier_hz * kappa / lead_rad)


def white_samples(
    rng: np.random.Generator, *, density: float, window_s: float, step_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and values of white noise whose integral diffuses as density * sqrt(t). Shapes (n,), (n,)."""
    times = np.arange(0.0, window_s + step_s, step_s)
    # Linear interpolation of independent samples smooths them; the integral over many steps keeps variance D^2 t.
    return times, rng.standard_normal(times.size) * density / np.sqrt(step_s)
