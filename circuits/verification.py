"""Verify a card: fresh stimuli through the netlist that it was made from, against what it predicts."""

from pathlib import Path
from typing import Any, Unpack, cast

import numpy as np
import xarray as xr

from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.artifacts.verification import Stimulus, Verification
from neuronsim.calibration.acceptance import SIMULATOR, judge
from neuronsim.calibration.prediction import firing_rates, spike_time_interval, spike_times
from neuronsim.errors import InputError

from .campaign.engines import ENGINES
from .characterize import BenchOptions, characterize
from .neuron.manifest import Manifest, load_manifest, neurons
from .plans.fresh_stimuli import fresh_plan

FEWEST, DEFAULT = 8, 32


def verify(
    card: TTFSCard | RateCard | Path | str,
    *,
    netlist: str | Path | None = None,
    stimuli: int = DEFAULT,
    seed: int = 0,
    out: Path | str | None = None,
    **bench: Unpack[BenchOptions],
) -> Verification:
    """Run ``stimuli`` fresh stimuli through the card's netlist and judge its predictions
    (:mod:`neuronsim.artifacts.verification`).

    The netlist, its parameters and the engine are those of the card's provenance; ``netlist`` (a manifest, or the name of a
    neuron) and ``engine`` (of ``bench``) replace them. The stimuli are drawn from ``seed`` as the plan behind the card drew its
    own, but from a stream that no plan uses, and lie within the card's ranges. Runs are free of noise and mismatch. ``bench``
    as for :func:`.characterize`; with ``out`` the result is also written there.

    Raises InputError (no such card or manifest, a manifest of another neuron), DataError (a netlist that is missing or that
    ngspice does not take), MissingToolError, OutputError.
    """
    path = None if isinstance(card, ModelCard) else str(card)
    loaded = cast("TTFSCard | RateCard", card if isinstance(card, ModelCard) else ModelCard.load(card))
    if stimuli < FEWEST:
        raise InputError(
            f"stimuli = {stimuli} is out of range: at least {FEWEST}, with fewer a change cannot be distinguished from chance"
        )
    if not (isinstance(seed, (int, np.integer)) and seed >= 0):
        raise InputError(f"seed = {seed!r} is out of range: a whole number >= 0")
    manifest = find_manifest(loaded, netlist)
    parameters, notes = _parameters(loaded, manifest)
    origin = loaded.provenance
    engine = bench.get("engine", origin.engine)
    if engine not in ENGINES:
        raise InputError(f"the card was made with engine '{engine}', which is not here: give one of {sorted(ENGINES)}")
    plan = fresh_plan(loaded, manifest, manifest.checked(parameters)[manifest.time.unit], stimuli)
    options: BenchOptions = {**bench, "engine": engine}
    data = characterize(manifest, [plan], seed=int(seed), parameters=parameters, **options)
    version, content = str(data.attrs["engine_version"]), str(data.attrs["netlist_sha256"])
    if version != origin.engine_version:
        notes.append(f"engine version is {version}, that of the card {origin.engine_version}")
    rows, verdict = _judged(loaded, data)
    result = Verification(
        neuron=loaded.neuron,
        code="ttfs" if isinstance(loaded, TTFSCard) else "rate",
        card=path,
        card_digest=loaded.digest,
        card_edited=loaded.edited,
        manifest=manifest.where,
        netlist_sha256=content,
        netlist_changed=content != origin.netlist_sha256,
        engine=str(data.attrs["engine"]),
        engine_version=version,
        notes=notes,
        seed=int(seed),
        stimuli=rows,
        **verdict,
    ).signed()
    if out is not None:
        result.save(out)
    return result


def find_manifest(card: ModelCard, netlist: str | Path | None = None) -> Manifest:
    """The manifest of the card's netlist, or of ``netlist``.

    Raises InputError when it is not where the card says, or is of another neuron.
    """
    where = str(netlist) if netlist is not None else card.provenance.manifest
    if not where and card.neuron in neurons():
        where = card.neuron  # a card that does not say where its netlist lies
    if not where:
        raise InputError(
            f"the card of '{card.neuron}' does not say where its netlist lies: give its manifest with --netlist FILE.toml"
        )
    if netlist is None and where not in neurons() and not Path(where).is_file():
        raise InputError(
            f"the netlist of the card is gone: no manifest at {where}. "
            "If it was moved, say where with --netlist FILE.toml"
        )
    manifest = load_manifest(where)
    code = getattr(card, "code", None)
    if manifest.name != card.neuron or manifest.code != code:
        raise InputError(
            f"{manifest.where} is neuron '{manifest.name}' ({manifest.code}), the card is of '{card.neuron}' ({code}): "
            "give the manifest of that neuron with --netlist FILE.toml"
        )
    return manifest


def _parameters(card: ModelCard, manifest: Manifest) -> tuple[dict[str, float], list[str]]:
    """The card's parameters that the manifest has, and notes of the differences."""
    known, stored = manifest.all_parameters(), card.provenance.parameters
    notes = [f"the manifest no longer has the parameter {name}" for name in sorted(stored.keys() - known.keys())]
    notes += [
        f"the manifest has a parameter that the card does not know: {name} = {known[name].default:g} {known[name].unit}"
        for name in sorted(known.keys() - stored.keys())
    ]
    return {name: value for name, value in stored.items() if name in known}, notes


def _judged(card: TTFSCard | RateCard, data: xr.Dataset) -> tuple[list[Stimulus], dict[str, Any]]:
    """A row for every stimulus, and the fields of the verdict."""
    p95 = max(card.quality.p95_error, SIMULATOR)
    if isinstance(card, TTFSCard):
        times, weights, window = (data[name].values for name in ("input_time_s", "weight", "window_s"))
        simulated, silent = data["spike_time_s"].values, np.inf
        predicted = spike_times(card, times, weights, window=window)
        low, high = spike_time_interval(card, times, weights, level=0.95, temporal=False)
        with np.errstate(invalid="ignore"):
            half = np.where(np.isfinite(predicted), (high - low) / (2 * predicted), 0.0)
        allowed = np.maximum(p95, half)
        finite = np.isfinite(times)
        described = [
            f"{n} inputs, Σw = {total:.2f}"
            for n, total in zip(finite.sum(axis=1), np.where(finite, weights, 0.0).sum(axis=1), strict=True)
        ]
    else:
        simulated, silent = data["rate_hz"].values, 0.0
        predicted = firing_rates(card, data["input_current_a"].values)
        allowed = np.full(predicted.size, p95)
        described = [f"{1e6 * current:.4g} uA" for current in data["input_current_a"].values]
    verdict = judge(card.quality, simulated=simulated, predicted=predicted, allowed=allowed, silent=silent)
    errors, inside = verdict.pop("errors"), verdict.pop("inside")

    def number(value: float) -> float | None:
        return float(value) if np.isfinite(value) and value != silent else None

    rows = [
        Stimulus(
            trial=int(data["trial"].values[i]),
            description=described[i],
            simulated=number(simulated[i]),
            predicted=number(predicted[i]),
            error=None if np.isnan(errors[i]) else float(errors[i]),
            allowed=float(allowed[i]),
            inside=bool(inside[i]),
            reason=str(data["reason"].values[i]),
        )
        for i in range(simulated.size)
    ]
    return rows, verdict
