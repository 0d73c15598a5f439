"""The settled state of a neuron that must lock before time zero, simulated once and shared by all runs that start there.

The lead-in does not know of the stimulus: its end is the same for all runs with the same circuit, parameters, operating
point and accuracy. Capacitors, and the charges of transistors, follow from the node voltages, so these are the whole state.
XSPICE models, inductors, switches and transmission lines hold more than that; with one of them every run does its own lead-in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

from ..deck.deck import IDLE_WEIGHTS, build_lead_in
from ..deck.run import Run
from ..deck.transistors import Transistor
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from .scheduler import Flow, Task, Urgency

_HOLDS_MORE = re.compile(r"^\s*[AKLOSTUWYZ]\w*\s", re.IGNORECASE | re.MULTILINE)

Key = tuple


def shares_lead_in(manifest: Manifest, netlist: Netlist) -> bool:
    """Whether the node voltages are all that a run needs to go on from the end of the lead-in."""
    return manifest.time.lead_in > 0 and not _HOLDS_MORE.search(netlist.text)


def key_of(run: Run) -> Key:
    """Runs that agree in this share their lead-in."""
    return tuple(sorted(run.parameters.items())), run.operating, run.fine


def lead_in_run(manifest: Manifest, run: Run) -> Run:
    """The run of the lead-in that ``run`` needs: an idle synapse of either sign.

    What is inside an idle synapse settles to a voltage that depends on the sign of its weight: its switch holds another
    potential, and started from that of the other sign it would act as an input at time zero.
    """
    idle = ((), ()) if manifest.synapse is None else ((math.inf,) * 2, IDLE_WEIGHTS)
    return replace(run, times_s=idle[0], weights=idle[1], weight_errors=(), noise_seed=-1, again_s=math.nan)


def settle(
    manifest: Manifest, netlist: Netlist, run: Run, transistors: Callable[[Run], tuple[Transistor, ...]]
) -> Flow[dict[str, float]]:
    """Node voltages (V) at the end of the lead-in of ``run``; none where it fails: runs then do the lead-in themselves."""
    idle = lead_in_run(manifest, run)
    job = build_lead_in(manifest, netlist, idle, transistors=transistors(idle))
    (result,) = yield [Task(job=job, safer=lambda: job, urgency=Urgency.LEAD_IN)]
    return result.outcome.final
