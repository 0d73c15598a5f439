"""``neuronsim list plans NAME`` and ``list studies NAME``: the fields of a plan, read off its class, as a TOML file has them."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from neuronsim.errors import InputError, suggest

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_WORDS: dict[Any, str] = {bool: "true or false", int: "integer", float: "number", str: "text"}
_NUMBERS = ("integer", "number")
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


Fields = tuple[str, str, list[tuple[str, str, str, str]]]


def fields_of(name: str) -> list[Fields]:
    """(plan, summary, rows of (field, default, type and limits, meaning)) of plan ``name``, or of each plan of group ``name``.

    A group's defaults are those that it gives. Raises InputError for an unknown name, naming the nearest.
    """
    from neuronsim.circuits import GROUPS, KINDS

    if name not in KINDS and name not in GROUPS:
        raise InputError(f"unknown plan '{name}'.{suggest(name, [*KINDS, *GROUPS])}")
    plans = GROUPS.get(name, {name: {}}).items()
    return [(kind, KINDS[kind].summary, _rows(KINDS[kind], given)) for kind, given in plans]


def fields_of_study(name: str) -> Fields:
    """The same of the plan of study ``name``."""
    from neuronsim.training.studies import PLANS

    if name not in PLANS:
        raise InputError(f"unknown study '{name}'.{suggest(name, PLANS)}")
    return name, PLANS[name].summary(), _rows(PLANS[name], {})


def _rows(plan: type[BaseModel], given: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    own = plan.model_fields
    # what every plan of a circuit has ("fine") comes last
    return [
        (field, _toml(given.get(field, own[field].default)), _kind_of(own[field]), own[field].description or "")
        for field in sorted(own, key=lambda field: field == "fine")
    ]


def _toml(value: Any) -> str:
    return "–" if value is None else json.dumps(round(value, 4) if isinstance(value, float) else value)


def limits(info: FieldInfo) -> dict[str, float]:
    """Limits of a field, or of each value of a list: {"ge": 1}."""
    items = [
        field for item in get_args(info.annotation) if get_origin(item) is Annotated for field in get_args(item)[1:]
    ]
    parts = [part for field in (info, *items) for part in field.metadata]
    bounds = [(name, getattr(part, name, None)) for part in parts for name in _BOUNDS]
    return {name: bound for name, bound in bounds if bound is not None}


def _kind_of(info: FieldInfo) -> str:
    """Type and limits in words: "integer, at least 4, at most 10000"."""
    return ", ".join([_words(info.annotation), *(f"{_BOUNDS[name]} {bound:g}" for name, bound in limits(info).items())])


def _words(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_words(part) for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Annotated:
        return _words(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(get_args(annotation))
    if get_origin(annotation) is tuple:
        parts: Sequence[Any] = get_args(annotation)
        inner = _words(parts[0])
        several = inner.replace("list ", "lists ", 1) if inner.startswith("list") else inner + "s" * (inner in _NUMBERS)
        return f"list of {several}" if parts[-1] is Ellipsis else f"list of {len(parts)} {several}"
    return _WORDS.get(annotation, "table")
