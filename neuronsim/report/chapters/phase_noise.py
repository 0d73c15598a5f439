"""Sections about the sweeps of the bench: detector saturation, threshold ramp, phase noise, energy."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import xarray as xr

from neuronsim.analysis.expected_spikes import equation_4, relative_error, slope_at, tau_s
from neuronsim.artifacts.dataset import select
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.statistics.summary import Array
from neuronsim.units import percent, quantity, trimmed

from ..page.elements import Block, Note, Picture, Section, Table
from .phase_noise_plots import phase_noise

_NO_TAU = "The netlist has no parameter tau, so equation 4 cannot be compared with these runs."


def phase_noise_section(dataset: xr.Dataset, source: str, card: TTFSCard | None) -> Section | None:
    """Spread of the spike time over repeated runs of one stimulus, referred to the threshold through the slope."""
    rows = select(dataset, "phase_noise")
    if rows.sizes["run"] == 0:
        return None
    title, anchor = "Phase noise", "phase_noise"
    tau = tau_s(rows)
    if tau is None:
        return Section(title=title, anchor=anchor, blocks=[Note(text=_NO_TAU, warning=True)])
    groups: dict[tuple[float, int, bytes], list[int]] = defaultdict(list)
    quiet = rows["noise_seed"].values < 0
    for row in np.flatnonzero(np.isfinite(rows["spike_time_s"].values) & ~quiet):
        stimulus = rows["input_time_s"].values[row].tobytes() + rows["weight"].values[row].tobytes()
        groups[float(rows["level"].values[row]), int(rows["chip"].values[row]), stimulus].append(int(row))
    repeated = [members for members in groups.values() if len(members) >= 5]
    if not repeated:
        text = "No stimulus was repeated at least five times with noise, so the spread of the spike time is unknown."
        return Section(title=title, anchor=anchor, blocks=[Note(text=text, warning=True)])
    spikes = rows["spike_time_s"].values
    first = np.array([members[0] for members in repeated])
    mean = np.array([spikes[members].mean() for members in repeated])
    sigma = np.array([spikes[members].std(ddof=1) for members in repeated]) / tau[first]
    slope = slope_at(rows.isel(run=first), mean)
    rising = slope > 0
    first, mean, sigma, slope = first[rising], mean[rising], sigma[rising], slope[rising]
    when, level = mean / tau[first], rows["level"].values[first]
    level = np.where(np.isfinite(level), level, 0.0)
    predicted = card_sigma_tau(card, when, slope) if card is not None else None
    caption = (
        "Left: spread of the spike time of repeated runs; additive noise at the threshold gives a line of slope one. "
        "Right: the same referred to the threshold; accumulated phase noise of free oscillators grows with time as σ² ∝ t, "
        "that inside the loop as σ² ∝ t − 1 + e⁻ᵗ."
    )
    law = None
    if card is not None and when.size:
        at = np.linspace(0.0, float(when.max()), 100)
        law = at, card.timing_noise.variance_v(at)
    floors = _noise_free_repeat(rows, quiet)
    rows_out = []
    for at in np.unique(level):
        here = level == at
        referred = (sigma * slope)[here]
        rows_out.append(
            (
                trimmed(at, 3),
                str(int(here.sum())),
                str(sum(len(repeated[i]) for i in np.flatnonzero(rising)[here])),
                quantity(float(np.median(sigma[here] * tau[first[here]])), "s", 3),
                percent(float(np.sqrt(np.mean(referred**2)))),
            )
        )
    blocks: list[Block] = [
        Picture(svg=phase_noise(sigma, slope, when, level, predicted, law), caption=caption, source=source),
        Table(
            caption="Spike-time spread by noise level.",
            source=source,
            rows=rows_out,
            header=("noise level", "stimuli", "runs", "median σ of the spike time", "rms noise at the threshold"),
        ),
        Note(text=floors),
    ]
    silent = int((np.isinf(rows["spike_time_s"].values) & ~quiet).sum())
    if silent:
        text = (
            f"{silent} of {int((~quiet).sum())} noisy runs stayed silent: σ is that of the others, which is too small where the "
            "membrane is flat. The card's noise counts them."
        )
        blocks.append(Note(text=text, warning=True))
    return Section(title=title, anchor=anchor, blocks=blocks)


def card_sigma_tau(card: TTFSCard, when_tau: Array, slope: Array) -> Array:
    """sigma_t in tau that the card predicts at ``when_tau`` and ``slope`` (thresholds per tau)."""
    noise, floor = card.timing_noise, card.timing_noise.floor_s.value / card.kernel.tau_s.value
    return np.sqrt(noise.variance_v(when_tau) / slope**2 + floor**2)


def _noise_free_repeat(rows: xr.Dataset, quiet: np.ndarray) -> str:
    calm = rows.isel(run=np.flatnonzero(quiet))
    error = relative_error(calm["spike_time_s"].values, equation_4(calm))
    if error.size == 0:
        return "The dataset has no noise-free run of this plan: the numerical floor of the deck is unknown."
    mean = percent(float(error.mean()))
    return f"Numerical floor: {error.size} noise-free runs of this deck differ from equation 4 by {mean} in the mean."


def energy_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Energy of the successful runs by plan; None when the netlist draws none."""
    rows_out = []
    for plan in dict.fromkeys(str(name) for name in dataset["plan"].values):
        rows = select(dataset, plan)
        energy = rows["energy_j"].values
        energy = energy[np.isfinite(energy)]
        if energy.size:
            p10, p50, p90 = np.percentile(energy, [10, 50, 90])
            rows_out.append(
                (plan, str(energy.size), quantity(p50, "J"), f"{quantity(p10, 'J')} … {quantity(p90, 'J')}")
            )
    if not rows_out:
        return None
    table = Table(
        caption="Energy from the supplies over the whole window of a run.",
        rows=rows_out,
        source=source,
        header=("plan", "runs", "median", "10–90 %"),
    )
    return Section(title="Energy of the runs", short="Energy of runs", anchor="energy_runs", blocks=[table])
