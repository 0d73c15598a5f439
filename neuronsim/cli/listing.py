"""``neuronsim list``: neurons, plans, experiments, networks and data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from neuronsim.errors import InputError

from .common import console
from .plan_fields import fields_of
from .tables import plain_table


def _neurons() -> Table:
    from neuronsim.circuits import load_manifest, neurons

    table = plain_table("name", "code", "level", "summary", title="neurons")
    for name in neurons():
        manifest = load_manifest(name)
        table.add_row(name, manifest.code, manifest.level, manifest.summary)
    return table


def _plans() -> RenderableType:
    from neuronsim.circuits import GROUPS, KINDS

    table = plain_table("name", "for", "what it measures", title="plans")
    for name, plan in KINDS.items():
        table.add_row(name, plan.code, plan.summary)
    for name, members in GROUPS.items():
        table.add_row(name, "", f"group: {', '.join(members)}")
    return Group(table, Text("'neuronsim list plans NAME' has the fields of each"))


def _experiments() -> Table:
    from neuronsim.training import load_experiment, shipped_experiments

    table = plain_table("name", "data", "description", title="experiments")
    for name in shipped_experiments():
        experiment = load_experiment(name)
        table.add_row(name, experiment.data, experiment.description)
    return table


def _networks() -> Table:
    from neuronsim.training.ttfs.network_library import declared_network, declared_networks

    table = plain_table("name", "input", "description", title="networks (in an experiment: network = NAME)")
    for name in declared_networks():
        network = declared_network(name)
        table.add_row(name, " x ".join(map(str, network.input_shape)), network.description)
    return table


def _conversions() -> Table:
    from neuronsim.training.low_latency.experiment import conversion_experiment, conversion_experiments

    title = "conversions ('neuronsim reproduce noise-adaptor --data DATA')"
    table = plain_table("name", "data", "description", title=title)
    for name in conversion_experiments():
        conversion = conversion_experiment(name)
        table.add_row(name, conversion.data, conversion.description)
    return table


def data_table(data_dir: Path | None = None) -> Table:
    """The data sets, and where they lie or how to get them."""
    from neuronsim.training import data_status

    table = plain_table("name", "", "where, or what to do", title="data sets")
    for name, available, where, advice in data_status(data_dir):
        table.add_row(name, "[green]ok[/]" if available else "[yellow]not here[/]", where if available else advice)
    return table


class What(StrEnum):
    """What can be listed."""

    all = "all"
    neurons = "neurons"
    plans = "plans"
    experiments = "experiments"
    networks = "networks"
    conversions = "conversions"
    data = "data"


_TABLES: dict[What, Callable[[], RenderableType]] = {
    What.neurons: _neurons,
    What.plans: _plans,
    What.experiments: _experiments,
    What.networks: _networks,
    What.conversions: _conversions,
    What.data: data_table,
}


def list_command(
    what: Annotated[
        What, typer.Argument(help="neurons, plans, experiments, networks, conversions, data or all.")
    ] = What.all,
    name: Annotated[
        str | None, typer.Argument(help="With 'plans': a plan or group, whose fields are listed.", show_default=False)
    ] = None,
) -> None:
    """List neurons, plans, experiments ('neuronsim train') and their networks, experiments of conversion ('neuronsim
    reproduce') and data sets.

    'neuronsim list plans NAME' lists the fields of a plan: what a TOML file for --plan may set.
    """
    if name is None:
        for kind, table in _TABLES.items():
            if what in (What.all, kind):
                console.print(table())
        return
    if what is not What.plans:
        raise InputError(f"only plans have fields to list: neuronsim list plans {name}")
    for kind, summary, rows in fields_of(name):
        table = plain_table("field", "default", "type", "meaning", title=f"\\[{kind}]  # {summary}")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
