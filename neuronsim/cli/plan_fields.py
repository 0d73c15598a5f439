"""``neuronsim list plans NAME``: the fields of a plan, read off its class, as one writes them in a TOML file."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from neuronsim.errors import InputError, suggest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_WORDS: dict[Any, str] = {bool: "true or false", int: "integer", float: "number", str: "text"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def fields_of(name: str) -> list[tuple[str, str, list[tuple[str, str, str, str]]]]:
    """(plan, summary, rows of (field, default, type and limits, meaning)) of plan ``name``, or of each plan of group ``name``.

    A group's defaults are those that it gives. Raises InputError for an unknown name, naming the nearest.
    """
    from neuronsim.circuits import GROUPS, KINDS

    if name not in KINDS and name not in GROUPS:
        raise InputError(f"unknown plan '{name}'.{suggest(name, [*KINDS, *GROUPS])}")
    plans = []
    for kind, given in GROUPS.get(name, {name: {}}).items():
        own = KINDS[kind].model_fields
        # what every plan has ("fine") comes last
        order = [*(field for field in own if field != "fine"), "fine"]
        rows = [
            (field, _toml(given.get(field, own[field].default)), _kind_of(own[field]), own[field].description or "")
            for field in order
        ]
        plans.append((kind, KINDS[kind].summary, rows))
    return plans


def _toml(value: Any) -> str:
    return "–" if value is None else json.dumps(round(value, 4) if isinstance(value, float) else value)


def _kind_of(info: FieldInfo) -> str:
    """Type and limits in words: "integer, at least 4, at most 10000"."""
    limits = [
        f"{word} {bound:g}"
        for part in info.metadata
        for attribute, word in _BOUNDS.items()
        if (bound := getattr(part, attribute, None)) is not None
    ]
    return ", ".join([_words(info.annotation), *limits])


def _words(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return _words(next(part for part in get_args(annotation) if part is not type(None)))
    if get_origin(annotation) is tuple:
        parts: Sequence[Any] = get_args(annotation)
        inner = _words(parts[0])
        several = inner.replace("list ", "lists ", 1) if inner.startswith("list") else inner + "s" * (inner != "text")
        return f"list of {several}" if parts[-1] is Ellipsis else f"list of {len(parts)} {several}"
    return _WORDS[annotation]
