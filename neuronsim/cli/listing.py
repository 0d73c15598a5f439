"""``neuronsim list``: neurons, plans, experiments, networks and data sets by name."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from neuronsim.errors import InputError

from .common import console, plain_table
from .plan_fields import fields_of, fields_of_study

Rows = Iterable[Sequence[str]]


def _neurons() -> Rows:
    from neuronsim.circuits import load_manifest, neurons

    return [(name, (one := load_manifest(name)).code, one.level, one.summary) for name in neurons()]


def _plans() -> Rows:
    from neuronsim.circuits import GROUPS, KINDS

    kinds = [(name, plan.code, plan.summary) for name, plan in KINDS.items()]
    return [*kinds, *((name, "", f"group: {', '.join(members)}") for name, members in GROUPS.items())]


def _experiments() -> Rows:
    from neuronsim.training import load_experiment, shipped_experiments

    return [(name, (one := load_experiment(name)).data, one.description) for name in shipped_experiments()]


def _networks() -> Rows:
    from neuronsim.training.ttfs.network_library import declared_network, declared_networks

    for name in declared_networks():
        network = declared_network(name)
        yield name, " x ".join(map(str, network.input_shape)), network.description


def _conversions() -> Rows:
    from neuronsim.training.low_latency.experiment import conversion_experiment, conversion_experiments

    return [(name, (one := conversion_experiment(name)).data, one.description) for name in conversion_experiments()]


def _studies() -> Rows:
    from neuronsim.training.studies import PLANS

    return [(name, plan.summary()) for name, plan in PLANS.items()]


def data_rows(data_dir: Path | None = None) -> Rows:
    """The data sets (DATA_COLUMNS), and where they lie or how to get them."""
    from neuronsim.training import data_status

    for name, available, where, advice in data_status(data_dir):
        yield name, "[green]ok[/]" if available else "[yellow]not here[/]", where if available else advice


class What(StrEnum):
    """What can be listed."""

    all = "all"
    neurons = "neurons"
    plans = "plans"
    experiments = "experiments"
    networks = "networks"
    conversions = "conversions"
    studies = "studies"
    data = "data"


DATA_COLUMNS = ("name", "", "where, or what to do")
#: of what can be listed: columns, rows, what to say below
_LISTS: dict[What, tuple[Sequence[str], Callable[[], Rows], str]] = {
    What.neurons: (("name", "code", "level", "summary"), _neurons, ""),
    What.plans: (("name", "for", "what it measures"), _plans, "'neuronsim list plans NAME' has the fields of each"),
    What.experiments: (("name", "data", "description"), _experiments, ""),
    What.networks: (("name", "input", "description"), _networks, "in an experiment: network = NAME"),
    What.conversions: (
        ("name", "data", "description"),
        _conversions,
        "'neuronsim reproduce noise-adaptor --data DATA'",
    ),
    What.studies: (("name", "what it measures"), _studies, "'neuronsim list studies NAME' has the fields of each plan"),
    What.data: (DATA_COLUMNS, data_rows, ""),
}


def list_command(
    what: Annotated[
        What, typer.Argument(help="neurons, plans, experiments, networks, conversions, studies, data or all.")
    ] = What.all,
    name: Annotated[
        str | None,
        typer.Argument(
            help="With 'plans': a plan or group; with 'studies': a study. Its fields are listed.", show_default=False
        ),
    ] = None,
) -> None:
    """List neurons, plans, experiments ('neuronsim train') and their networks, experiments of conversion ('neuronsim
    reproduce') and data sets.

    'neuronsim list plans NAME' and 'neuronsim list studies NAME' list fields: what a TOML file for --plan may set.
    """
    if name is None:
        for kind, (columns, rows, below) in _LISTS.items():
            if what in (What.all, kind):
                console.print(plain_table(columns, rows(), title="data sets" if kind is What.data else kind.value))
                if below:
                    console.print(below, markup=False)
        return
    if what not in (What.plans, What.studies):
        raise InputError(
            f"only plans and studies have fields to list: neuronsim list plans {name}, or list studies {name}"
        )
    for kind, summary, rows in [fields_of_study(name)] if what is What.studies else fields_of(name):
        cells = [tuple(map(escape, row)) for row in rows]
        console.print(plain_table(("field", "default", "type", "meaning"), cells, title=f"\\[{kind}]  # {summary}"))
