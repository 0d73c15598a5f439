"""From the passes of the noisy-weights study to its rows: means, intervals, convergence, differences between the sides."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np

from neuronsim.artifacts.noisy_weights_study import Architecture, ChipDifference, Row, Shorter, SnrPoint, Spread
from neuronsim.papers.paper000 import published
from neuronsim.statistics.proportions import wilson
from neuronsim.statistics.student import Interval, difference, over_draws, over_values

from .cells import Cell
from .convergence import LENGTHS, band_for, converge, near_for
from .passes import SNR_LEVEL, SnrNoise


def rows_of(
    cells: list[Cell], results: list[dict[str, Any]], curve_steps: list[int], n_images: int, as_in_paper: bool
) -> list[Row]:
    """Rows of a study of ``n_images``; the paper's values stand beside its own settings only."""
    pairs = sorted(zip(cells, results, strict=True), key=lambda pair: pair[0].row)
    rows = []
    for (architecture, side, noise, scale, level), members in groupby(pairs, key=lambda pair: pair[0].row):
        group = list(members)
        networks, passes = [cell.network for cell, _ in group], [result for _, result in group]
        n = int(passes[0]["n"])
        about: dict[str, Any] = {
            "architecture": architecture, "side": side, "noise": noise, "scale": scale, "level": level,
            "n_images": None if n == n_images else n,
            "paper": published(architecture, side, noise, scale, level) if as_in_paper else None,
        }  # fmt: skip
        if side == "ann":
            about["accuracy"] = spread([result["right"][0] / n for result in passes], networks, n)
        else:
            about |= _spiking(passes, networks, n, curve_steps)
        rows.append(Row(**about))
    return rows


def _spiking(passes: list[dict[str, Any]], networks: list[int], n: int, curve_steps: list[int]) -> dict[str, Any]:
    """What a spiking row has: accuracy and times of its passes, each converged for itself, and their mean curve."""
    curves = [np.array(result["right"]) / n for result in passes]
    ends = [converge(curve, band_for(n), near_for(n)) for curve in curves]
    mean = np.mean(curves, axis=0)
    return {
        "accuracy": spread([end.accuracy for end in ends], networks, n),
        "convergence": times([end.step for end in ends], networks),
        **{name: times([getattr(end, name) for end in ends], networks) for name in ("within_1", "within_05", "near")},
        "by_length": by_length(mean, n),
        "not_converged": sum(end.step is None for end in ends),
        "spikes": float(np.mean([result["spikes"] for result in passes])),
        "events": float(np.mean([result["events"] for result in passes])) if "events" in passes[0] else None,
        "spike_energy_j": _energy(passes, 0),
        "static_energy_j": _energy(passes, 1),
        "curve": [float(mean[step - 1]) for step in curve_steps],
    }


def by_length(curve: np.ndarray, images: int) -> list[Shorter]:
    """What runs of LENGTHS steps would have called convergence, and the whole run: the range lies around the end's mean."""
    rows = []
    for length in (*(length for length in LENGTHS if length < len(curve)), len(curve)):
        end = converge(curve[:length], band_for(images), near_for(images))
        about = {"accuracy": end.accuracy, "convergence": end.step, "near": end.near, "within_1": end.within_1}
        rows.append(Shorter(steps=length, **about))
    return rows


def spread(values: Sequence[float], networks: Sequence[int], images: int) -> Spread:
    """Accuracies of one row with the interval that their number allows (:class:`Spread`)."""
    if len(values) == 1:
        low, high = wilson(values[0], images)
        return Spread(n=1, mean=values[0], low=low, high=high, std=0.0, least=values[0], most=values[0], over="images")
    return _spread(values, networks, over_draws)


def times(steps: Sequence[int | None], networks: Sequence[int]) -> Spread | None:
    """Times of those trials that have one; the interval is not cut to fractions."""
    known = [(float(step), network) for step, network in zip(steps, networks, strict=True) if step is not None]
    return _spread([step for step, _ in known], [network for _, network in known], over_values) if known else None


def _spread(
    values: Sequence[float], networks: Sequence[int], interval: Callable[[Sequence[float]], Interval]
) -> Spread:
    each = np.asarray(values, dtype=np.float64)
    over, independent = _independent(each, networks)
    mean, low, high = interval(independent.tolist())
    std = float(each.std(ddof=1)) if len(each) > 1 else 0.0
    least, most = float(each.min()), float(each.max())
    return Spread(n=len(each), mean=mean, low=low, high=high, std=std, least=least, most=most, over=over)


def _independent(values: np.ndarray, networks: Sequence[int]) -> tuple[Literal["draws", "networks"], np.ndarray]:
    """What may be taken as independent: the trials of one network, or the means of several, whose trials share its level."""
    kinds = sorted(set(networks))
    if len(kinds) < 2:
        return "draws", values
    return "networks", np.array([values[np.array(networks) == kind].mean() for kind in kinds])


def chip_differences(cells: list[Cell], results: list[dict[str, Any]]) -> list[ChipDifference]:
    """SNN minus ANN on the same chips, for every network and level that has frozen noise on both sides."""
    values: dict[tuple[Architecture, float], dict[tuple[int, int], dict[str, float]]] = {}
    for cell, result in zip(cells, results, strict=True):
        if cell.noise == "frozen":
            curve = np.array(result["right"]) / result["n"]
            accuracy = float(curve[0]) if cell.side == "ann" else converge(curve, band_for(result["n"])).accuracy
            chips = values.setdefault((cell.architecture, cell.level), {})
            chips.setdefault((cell.network, cell.trial), {})[cell.side] = accuracy
    differences = []
    for (architecture, level), chips in values.items():
        both = sorted((key, sides) for key, sides in chips.items() if len(sides) == 2)
        if not both:
            continue
        networks = [network for (network, _), _ in both]
        (over, snn), (_, ann) = (
            _independent(np.array([sides[side] for _, sides in both]), networks) for side in ("snn", "ann")
        )
        mean, low, high = difference(snn.tolist(), ann.tolist(), paired=True)
        about = {"architecture": architecture, "level": level, "n": len(both), "over": over}
        differences.append(ChipDifference(mean=mean, low=low, high=high, **about))
    return differences


def snr_point(architecture: Architecture, kind: SnrNoise, steps: int, counts: np.ndarray) -> SnrPoint | None:
    """counts (images, repeats). Images whose count never varies have no ratio; None when no image has one.

    The logarithm of an image's ratio m/s of n normal counts has the variance 1/(2 (n - 1)) of ln s and 1/(n (m/s)^2) of ln m.
    """
    mean, std = counts.mean(axis=1), counts.std(axis=1, ddof=1)
    good = (std > 0) & (mean > 0)
    if not good.any():
        return None
    ratio, n = mean[good] / std[good], counts.shape[1]
    variance = 1 / (2 * (n - 1)) + 1 / (n * ratio**2)
    half = 1.96 * math.sqrt(variance.sum()) / len(ratio)
    center = float(np.log(ratio).mean())
    snr, low, high = (math.exp(center + shift) for shift in (0.0, -half, half))
    about = {"architecture": architecture, "noise": kind, "level": SNR_LEVEL, "steps": steps}
    return SnrPoint(spikes=float(mean[good].mean()), snr=snr, low=low, high=high, **about)


def _energy(passes: list[dict[str, Any]], part: int) -> float | None:
    """Mean of one part of the energy, where the passes have it."""
    energies = [result["energy_j"][part] for result in passes if result.get("energy_j")]
    return float(np.mean(energies)) if energies else None
