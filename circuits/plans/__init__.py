"""Plans by name: experiments as data. A plan is one of the classes here with its fields, or a TOML file that says so."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from neuronsim.errors import DataError, InputError, suggest

from .base import Plan
from .fi import FICurve
from .jitter import Jitter
from .membrane_noise import MembraneNoise
from .mismatch import Mismatch
from .phase_noise import PhaseNoise
from .quantization import Quantization
from .ramp import Ramp
from .saturation import Saturation
from .transfer import Transfer

KINDS: dict[str, type[Plan]] = {
    plan.kind: plan for plan in (Transfer, Jitter, Quantization, Saturation, Ramp, PhaseNoise, Mismatch, FICurve)
}
KINDS[MembraneNoise.kind] = MembraneNoise
GROUPS = {
    "table3": ("jitter", "quantization"),
    "card": ("transfer", "saturation", "phase_noise", "mismatch"),
    "rate_card": ("fi", "membrane_noise", "mismatch"),
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


def load_plans(wanted: str | Path | Sequence[str | Plan]) -> list[Plan]:
    """Plans by name, group name, comma-separated list of these, or path of a TOML file with one table per plan.

    Plan objects in a list stay as they are.

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
            plans += [make_plan(kind, {}) for kind in GROUPS.get(name, (name,))]
    if not plans:
        raise InputError("no plan given")
    twice = [plan.kind for i, plan in enumerate(plans) if plan.kind in [p.kind for p in plans[:i]]]
    if twice:
        raise InputError(f"plan '{twice[0]}' is asked for twice")
    return plans
