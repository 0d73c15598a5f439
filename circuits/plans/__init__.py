"""Plans by name: experiments as data. A plan is one of the classes here with its fields, or a TOML file that says so."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuronsim.errors import DataError, InputError, suggest

from ..neuron.manifest import Manifest
from .base import Plan
from .cell import CellPlan
from .corners import Corners
from .energy import Energy
from .fi import FICurve
from .jitter import Jitter
from .membrane_noise import MembraneNoise
from .mismatch import Mismatch
from .oscillator import Oscillator
from .phase_noise import PhaseNoise
from .quantization import Quantization
from .ramp import Ramp
from .reset import Reset
from .saturation import Saturation
from .synapse import Synapse
from .thermal import Thermal
from .transfer import Transfer

_OF_NEURONS = (
    Transfer,
    Jitter,
    Quantization,
    Saturation,
    Ramp,
    PhaseNoise,
    Mismatch,
    FICurve,
    MembraneNoise,
    Corners,
    Reset,
    Energy,
)
_OF_CELLS = (Oscillator, Synapse, Thermal)
KINDS: dict[str, type[Plan]] = {plan.kind: plan for plan in (*_OF_NEURONS, *_OF_CELLS)}
__all__ = ["GROUPS", "KINDS", "CellPlan", "Plan", "load_plans", "make_plan"]
_ROOM: dict[str, Any] = {"temperatures_c": (27.0,), "supplies": (1.0,)}
_FINE: dict[str, Any] = {"fine": True}
#: what comes long after the ideal spike costs most of a run and tells nothing
_BRIEF: dict[str, Any] = {"settle": 3.0, "beyond": 1.0}
#: weights that fire every neuron, and as plan 'quantization' has them
_VARIED: dict[str, Any] = {"weight": (0.6, 1.0)}
# group -> plan -> its fields. A group leaves out the plans that the neuron cannot do.
GROUPS: dict[str, dict[str, dict[str, Any]]] = {
    "table3": {"jitter": {}, "quantization": {}},
    "card": {"transfer": {}, "saturation": {}, "phase_noise": {}, "mismatch": {}},
    "rate_card": {"fi": {}, "membrane_noise": {}, "mismatch": {}},
    "quick": {
        "transfer": {"trials": 12, **_BRIEF},
        "jitter": {"trials": 3, "levels": (0.03, 0.07), "beyond": 1.0, **_VARIED},
        "quantization": {"trials": 2, "levels": (4, 8), "beyond": 1.0},
        "fi": {"points": 12},
        "corners": {"corners": ("tt", "ss", "ff"), **_ROOM},
        "reset": {"corners": ("tt",), **_ROOM},
        "mismatch": {"chips": 3, "trials": 1, **_BRIEF},
        "energy": {},
        "oscillator": {"corners": ("tt", "ss", "ff"), **_ROOM},
        "synapse": {"corners": ("tt",), **_ROOM},
        "thermal": {"oscillators": 3, "cycles": 20, "repeats": 1, "powers": (), "temperatures_c": ()},
    },
    "datasheet": {
        # half of them held out: at least 60 to judge the card by
        "transfer": {"trials": 140, **_BRIEF, **_FINE},
        # differences from the same run undisturbed: the error of the time step is in both
        "jitter": {"trials": 30, "beyond": 1.0, **_VARIED},
        "quantization": {"trials": 30, "levels": (4, 8, 16), "beyond": 1.0},
        # up to twice the range of a detector whose unit weight steps the phase by 0.3 rad
        "saturation": {"levels": (1.5, 3.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0), **_FINE},
        "phase_noise": {"trials": 10, "repeats": 12, **_BRIEF, **_FINE},
        "fi": _FINE,
        "corners": {"settle": 2.5, **_FINE},
        "reset": _FINE,
        # four stimuli that fire on all of eight chips are the least that a spread is fitted to
        "mismatch": {"chips": 16, "trials": 6, **_BRIEF, "beyond": 2.0, **_FINE},
        "energy": _FINE,
        "oscillator": _FINE,
        "synapse": _FINE,
        "thermal": {"cycles": 150, **_FINE},
    },
}


def make_plan(kind: str, fields: dict, where: str = "") -> Plan:
    """A plan of ``kind`` with ``fields``. Raises InputError naming the field that is unknown, contradictory or out of range."""
    if kind not in KINDS:
        raise InputError(f"{where}unknown plan '{kind}'.{suggest(kind, [*KINDS, *GROUPS])}")
    try:
        return KINDS[kind](**fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        hint = suggest(field, KINDS[kind].model_fields) if first["type"] == "extra_forbidden" else ""
        raise InputError(f"{where}plan '{kind}'{': ' + field if field else ''}: {first['msg']}.{hint}") from None


def _affordable(fields: dict[str, Any], manifest: Manifest | None) -> dict[str, Any]:
    """``fields`` of a group's plan for the neuron of ``manifest``: without ``fine`` for transistors with a carrier.

    Their steps are already far below an edge of the carrier; half of them cost 2.3 times as much and move the membrane of
    pll_nlif_transistor by 0.3 % rms (its error budget), against an output that is sampled.
    """
    if manifest is None or manifest.level != "transistor" or manifest.time.carrier is None:
        return fields
    return {name: value for name, value in fields.items() if name != "fine"}


def load_plans(
    wanted: str | Path | Sequence[str | Plan],
    manifest: Manifest | None = None,
    *,
    on_skip: Callable[[str, str], Any] = lambda kind, why: None,
) -> list[Plan]:
    """Plans by name, group name, comma-separated list of these, or path of a TOML file with one table per plan.

    Plan objects in a list stay as they are. With a ``manifest``, a group gives only the plans that its neuron can do;
    ``on_skip(kind, why)`` is told of the others.

    Raises InputError for an unknown name (naming the nearest), DataError for a file that is not valid TOML.
    """
    plans: list[Plan] = []
    for item in str(wanted).split(",") if isinstance(wanted, (str, Path)) else wanted:
        if isinstance(item, Plan):
            plans.append(item)
            continue
        name = item.strip()
        if name.endswith(".toml"):
            path = Path(name)
            if not path.is_file():
                raise InputError(f"no plan file at {path}")
            try:
                tables = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise DataError(f"{path}: not valid TOML: {error}") from None
            if not tables or not all(isinstance(table, dict) for table in tables.values()):
                raise InputError(f"{path}: a plan file has one table per plan, such as [transfer]")
            plans += [make_plan(kind, table, f"{path}: ") for kind, table in tables.items()]
        else:
            for kind, fields in GROUPS.get(name, {name: {}}).items():
                plan = make_plan(kind, _affordable(fields, manifest))
                why = plan.obstacle(manifest) if manifest is not None and name in GROUPS else None
                if why:
                    on_skip(kind, why)
                else:
                    plans.append(plan)
    if not plans:
        raise InputError("no plan given")
    twice = [plan.kind for i, plan in enumerate(plans) if plan.kind in [p.kind for p in plans[:i]]]
    if twice:
        raise InputError(f"plan '{twice[0]}' is asked for twice")
    return plans
