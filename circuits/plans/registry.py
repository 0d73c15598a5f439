"""Plans by name: from a name, a group or a TOML file to plan objects."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuronsim.errors import InputError, suggest
from neuronsim.schema import read_toml, rejected_field

from ..neuron.manifest import Manifest
from . import KINDS
from .base import Plan
from .groups import GROUPS


def make_plan(kind: str, fields: dict, where: str = "") -> Plan:
    """A plan of ``kind`` with ``fields``. Raises InputError naming the field that is unknown, contradictory or out of range."""
    if kind not in KINDS:
        raise InputError(f"{where}unknown plan '{kind}'.{suggest(kind, [*KINDS, *GROUPS])}")
    try:
        return KINDS[kind](**fields)
    except ValidationError as error:
        raise InputError(f"{where}plan '{kind}': {rejected_field(error, KINDS[kind])}") from None


def _affordable(fields: dict[str, Any], manifest: Manifest | None) -> dict[str, Any]:
    """``fields`` of a group's plan for the neuron of ``manifest``: without ``fine`` for transistors with a carrier.

    Their steps are already far below an edge of the carrier; half of them cost 2.3 times as much and move the membrane of
    pll_nlif_transistor by 0.3 % rms (its error budget), against an output that is sampled.
    """
    if manifest is None or manifest.level != "transistor" or manifest.time.carrier is None:
        return fields
    return {name: value for name, value in fields.items() if name != "fine"}


def _from_file(path: Path) -> list[Plan]:
    tables = read_toml(path, "plan")
    if not tables or not all(isinstance(table, dict) for table in tables.values()):
        raise InputError(f"{path}: a plan file has one table per plan, such as [transfer]")
    return [make_plan(kind, table, f"{path}: ") for kind, table in tables.items()]


def load_plans(
    wanted: str | Path | Sequence[str | Plan],
    manifest: Manifest | None = None,
    *,
    on_skip: Callable[[str, str], Any] = lambda kind, why: None,
) -> list[Plan]:
    """Plans by name, group name, comma-separated list of these, or path of a TOML file with one table per plan.

    Plan objects in a list stay as they are. With a ``manifest``, a group gives only the plans that its neuron can do;
    ``on_skip(kind, why)`` is called for each of the others.

    Raises InputError for an unknown name (naming the nearest), DataError for a file that is not valid TOML.
    """
    plans: list[Plan] = []
    for item in str(wanted).split(",") if isinstance(wanted, (str, Path)) else wanted:
        if isinstance(item, Plan):
            plans.append(item)
            continue
        name = item.strip()
        if name.endswith(".toml"):
            plans += _from_file(Path(name))
            continue
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
