"""The same stimuli through every level of a neuron: closed form, event solver, and its netlists."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Unpack

import numpy as np
import xarray as xr

from neuronsim.artifacts.abstraction_levels import RANK, AbstractionLevels
from neuronsim.errors import InputError, suggest
from neuronsim.neuron.closed_form import spike_time
from neuronsim.neuron.event_solver import first_crossing

from .characterize import BenchOptions, characterize
from .neuron.manifest import Manifest, load_manifest, neurons
from .neuron.manifest_sections import Validity
from .plans.transfer import Transfer

FEWEST, DEFAULT, TIMEOUT_S = 2, 60, 120.0
#: parameters with these units set the time scale: each level keeps its own
_SCALES = ("s", "Hz", "A", "V", "Ohm", "F")


class SharedStimuli(Transfer):
    """Plan 'transfer' whose draws depend on the seed alone, given one validity for all levels."""

    kind: ClassVar[str] = "levels"
    summary: ClassVar[str] = "the same random stimuli at every level of a neuron"


def family(name: str) -> list[Manifest]:
    """Spike-time neurons whose name starts with ``name`` and an underscore, the most abstract first, without variants."""
    members = [load_manifest(known) for known in neurons() if known.startswith(f"{name}_")]
    return sorted((m for m in members if m.code == "ttfs" and not m.variant_of), key=lambda m: RANK.index(m.level))


def families() -> list[str]:
    """Every name of which :func:`family` finds two or more."""
    stems = {"_".join(parts[:n]) for parts in (name.split("_") for name in neurons()) for n in range(1, len(parts))}
    return sorted(stem for stem in stems if len(family(stem)) > 1)


def _manifests(wanted: str | Path | Sequence[str | Path]) -> list[Manifest]:
    manifests: list[Manifest] = []
    for item in [wanted] if isinstance(wanted, (str, Path)) else wanted:
        text = str(item)
        if text in neurons() or text.endswith(".toml"):
            manifests.append(load_manifest(item))
        elif members := family(text):
            manifests += members
        else:
            raise InputError(f"unknown neuron or family '{text}'.{suggest(text, [*families(), *neurons()])}")
    for manifest in manifests:
        if manifest.code != "ttfs":
            raise InputError(f"{manifest.name} codes by its rate: levels are compared by their spike times")
    names = [manifest.where for manifest in manifests]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise InputError(f"'{twice[0]}' is given twice")
    return sorted(manifests, key=lambda m: RANK.index(m.level))


def _common_validity(manifests: list[Manifest]) -> Validity:
    """What lies within the validity of all."""
    summed = [m.validity.summed_weight for m in manifests if m.validity.summed_weight is not None]
    lowest = [m.validity.lowest_membrane for m in manifests if m.validity.lowest_membrane is not None]
    return Validity(summed_weight=min(summed, default=None), lowest_membrane=max(lowest, default=None))


def _aligned(manifests: list[Manifest], given: dict[str, float]) -> list[dict[str, float]]:
    """Parameters of each level: dimensionless ones that several have take the value of the most detailed of these, so that a
    step from level to level changes the level and nothing else."""
    common: dict[str, float] = {}
    for manifest in manifests:
        common |= {n: p.default for n, p in manifest.parameters.items() if p.unit not in _SCALES}
    known = {name for manifest in manifests for name in manifest.all_parameters()}
    for name in given:
        if name not in known:
            raise InputError(f"no level has the parameter '{name}'.{suggest(name, known)}")
    common |= given
    return [{n: v for n, v in common.items() if n in m.all_parameters()} for m in manifests]


def compare(
    neuron: str | Path | Sequence[str | Path],
    *,
    stimuli: int = DEFAULT,
    seed: int = 0,
    parameters: dict[str, float] | None = None,
    out: Path | str | None = None,
    **bench: Unpack[BenchOptions],
) -> xr.Dataset:
    """Run the same ``stimuli`` (plan 'transfer', in units of each level's tau) through every level and return the levels file
    (schema: :mod:`neuronsim.artifacts.abstraction_levels`); write it to ``out``.

    ``neuron``: a family ("pll_nlif": every neuron of that prefix), or neurons and manifests. ``parameters`` in SI units
    replace defaults at every level that has them. ``bench`` as for :func:`.characterize`; a run may take 120 s.

    Raises InputError, DataError, MissingToolError, OutputError as :func:`.characterize`.
    """
    manifests = _manifests(neuron)
    if stimuli < FEWEST:
        raise InputError(f"stimuli = {stimuli} is out of range: at least {FEWEST}")
    names = [m.name for m in manifests]
    names = [m.where if names.count(m.name) > 1 else m.name for m in manifests]
    validity, settings = _common_validity(manifests), _aligned(manifests, parameters or {})
    plan = SharedStimuli(trials=stimuli, settle=3.0, beyond=1.0)  # nothing of interest happens later
    progress = bench.get("progress")
    measured: list[xr.Dataset] = []
    for number, (manifest, values) in enumerate(zip(manifests, settings, strict=True)):

        def moved(done: int, total: int, number: int = number) -> None:
            if progress:
                progress(number * total + done, len(manifests) * total)

        shared = manifest.model_copy(update={"validity": validity})
        options: BenchOptions = {"timeout_s": TIMEOUT_S, **bench, "progress": moved}
        measured.append(characterize(shared, [plan], seed=seed, parameters=values, **options))
    data = _assemble(manifests, names, settings, measured, plan, seed)
    if out is not None:
        AbstractionLevels(data).save(out)
    return data


def _assemble(
    manifests: list[Manifest],
    names: list[str],
    settings: list[dict[str, float]],
    measured: list[xr.Dataset],
    plan: SharedStimuli,
    seed: int,
) -> xr.Dataset:
    units = [m.checked(values)[m.time.unit] for m, values in zip(manifests, settings, strict=True)]
    times = measured[0]["input_time_s"].values / units[0]
    weights, window = measured[0]["weight"].values, measured[0]["window_s"].values / units[0]
    first = manifests[0].checked(settings[0])
    theta = first.get("theta", 1.0)
    equations = {"equation 4": spike_time(times, weights / theta)}
    if "r" in first:
        equations["second-order loop"] = first_crossing(
            times, weights, second_pole_ratio=first["r"], ramp=first.get("ramp", 0.0), threshold=theta
        )
    theory = [np.where(out <= window, out, np.inf) for out in equations.values()]
    simulated = [data["spike_time_s"].values / unit for data, unit in zip(measured, units, strict=True)]
    blank = [np.full(window.size, "", dtype=object)] * len(theory)
    abstraction = [*RANK[: len(theory)], *(m.level for m in manifests)]
    none = [""] * len(theory)
    return AbstractionLevels.check(
        xr.Dataset(
            {
                "abstraction": ("level", np.array(abstraction, dtype=object)),
                "tau_s": ("level", np.array([*[np.nan] * len(theory), *units]), {"units": "s"}),
                "netlist_sha256": (
                    "level",
                    np.array([*none, *(str(data.attrs["netlist_sha256"]) for data in measured)], dtype=object),
                ),
                "spike_time_tau": (("level", "run"), np.stack([*theory, *simulated]), {"units": "tau"}),
                "reason": (("level", "run"), np.stack([*blank, *(data["reason"].values for data in measured)])),
                "input_time_tau": (("run", "input"), times, {"units": "tau"}),
                "weight": (("run", "input"), weights),
                "window_tau": ("run", window, {"units": "tau"}),
            },
            coords={"level": np.array([*equations, *names], dtype=object)},
            attrs={
                "seed": seed,
                "plan": json.dumps(plan.model_dump(mode="json"), sort_keys=True),
                "parameters": json.dumps(dict(zip(names, settings, strict=True)), sort_keys=True),
                "engine": measured[0].attrs["engine"],
                "engine_version": measured[0].attrs["engine_version"],
                "versions": measured[0].attrs["versions"],
            },
        )
    )
