"""Options of a command from the fields of a study's plan: type, default, range and help are declared once, in the plan."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer

from neuronsim.errors import InputError

from .common import DataDir, Jobs, Quiet, Seed
from .plan_fields import limits

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from neuronsim.training.studies.plan import StudyPlan

_PERCENT = 100
_BOUNDS = {"ge": "min", "le": "max"}


def with_plan(
    plan: type[StudyPlan], names: Mapping[str, tuple[str, ...]] | None = None, *, percent: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the command's parameter ``plan`` becomes --plan FILE, --quick (of a plan that has one) and one option a field;
    its parameter ``call`` becomes --data-dir, --seed, --jobs and --quiet, as arguments of the function that runs the plan.

    ``names``: options of fields that are not called as their field is; ``percent``: lists of fractions that are typed in percent.
    Options that are given replace fields of the file, or of the quick plan. The help begins with the plan's docstring.
    """
    names, quick = names or {}, getattr(plan, "quick", None)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            file, shortened = given.pop("plan"), given.pop("quick", False)
            if file and shortened:
                raise InputError("--quick and --plan contradict each other: give one of them")
            base = plan.load(file) if file else quick() if quick and shortened else plan()
            typed = {name: _plain(given.pop(name)) for name in plan.model_fields}
            fields = {name: value for name, value in typed.items() if value is not None and value != []}
            for name in fields.keys() & percent:
                fields[name] = [value / _PERCENT for value in fields[name]]
            call = {
                "progress": not given.pop("quiet"),
                **{name: given.pop(name) for name in ("data_dir", "seed", "jobs")},
            }
            command(plan=base.changed(**fields), call=call, **given)

        words = (
            f"TOML file of a plan ('neuronsim list studies {plan.study}' has its fields); options replace fields of it."
        )
        options = [_parameter("plan", Path | None, None, help=words)]
        if quick:
            options.append(_parameter("quick", bool, False, "--quick", help=quick.__doc__))
        for name, field in plan.model_fields.items():
            options.append(_option(name, field, names.get(name, ()), _PERCENT if name in percent else 1))
        parts = {"plan": options, "call": list(inspect.signature(_call, eval_str=True).parameters.values())}
        own = inspect.signature(command, eval_str=True).parameters
        parameters = [part for name, parameter in own.items() for part in parts.get(name, [parameter])]
        keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        run.__signature__ = inspect.Signature(keyword_only)  # pyright: ignore[reportFunctionMemberAccess]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = "\n\n".join(inspect.cleandoc(documented.__doc__ or "") for documented in (plan, command))
        return run

    return decorate


def _call(data_dir: DataDir = None, seed: Seed = 0, jobs: Jobs = None, quiet: Quiet = False) -> None:
    """The options of every study besides its plan."""


def _option(name: str, field: FieldInfo, declared: tuple[str, ...], factor: int) -> inspect.Parameter:
    """The option of one field, None where it is not given; values are typed ``factor`` times as large as the field is."""
    annotation, default = _typed(field.annotation), field.default
    about = {_BOUNDS[limit]: factor * bound for limit, bound in limits(field).items() if limit in _BOUNDS}
    several = get_origin(annotation) is list
    help_ = f"{(field.description or '')[:1].upper()}{(field.description or '')[1:]}"
    help_ += (", in percent" if factor == _PERCENT else "") + (" (may be given several times)" if several else "") + "."
    if default not in (None, ()):
        values = default if several else (default,)
        help_ += f" Default: {' '.join(_word(value if factor == 1 else factor * value) for value in values)}."
    return _parameter(name, annotation | None, None, *declared, help=help_, **about)


def _parameter(name: str, annotation: Any, default: Any, *declared: str, **about: Any) -> inspect.Parameter:
    option: Any = typer.Option(default, *declared, show_default=False, **about)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _typed(annotation: Any) -> Any:
    """What is typed for a field of this annotation: a choice, a number, a text, or a list of these."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _typed(next(part for part in reversed(parts) if part is not type(None)))
    if origin is tuple:
        return list[_typed(parts[0])]
    if origin is Literal:
        return StrEnum("Choice", {choice: choice for choice in parts})
    return parts[0] if origin is Annotated else annotation


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list) else getattr(value, "value", value)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
