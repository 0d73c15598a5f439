"""The settled state of a neuron that must lock before time zero, simulated once and shared by all runs that start there.

The lead-in does not know of the stimulus: its end is the same for all runs with the same circuit, parameters, operating
point and accuracy. Capacitors, and the charges of transistors, follow from the node voltages, so these are the whole state.
XSPICE models, inductors, switches and transmission lines hold more than that; with one of them every run does its own lead-in.
"""

import math
import re
from dataclasses import replace

from ..deck.deck import build_lead_in
from ..deck.initial_conditions import IDLE_WEIGHTS
from ..deck.resolved import resolve
from ..deck.run import Run, SpikeStimulus
from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from .tasks import Flow, Simulation, TransistorsOf, Urgency

_HOLDS_MORE = re.compile(r"^\s*[AKLOSTUWYZ]\w*\s", re.IGNORECASE | re.MULTILINE)


def shares_lead_in(manifest: Manifest, netlist: Netlist) -> bool:
    """Whether the node voltages are all that a run needs to resume from the end of the lead-in."""
    return manifest.time.lead_in > 0 and not _HOLDS_MORE.search(netlist.text)


def key_of(run: Run) -> tuple:
    """Runs that agree in this share their lead-in."""
    return tuple(sorted(run.parameters.items())), run.operating, run.fine


def lead_in_run(run: Run) -> Run:
    """The run of the lead-in that ``run`` needs: an idle synapse of either sign.

    What is inside an idle synapse settles to a voltage that depends on the sign of its weight: its switch holds another
    potential, and started from that of the other sign it would act as an input at time zero.
    """
    idle = run.stimulus
    if isinstance(idle, SpikeStimulus):
        idle = SpikeStimulus(times_s=(math.inf,) * len(IDLE_WEIGHTS), weights=IDLE_WEIGHTS)
    return replace(run, stimulus=idle, noise=None, again=None)


def settle(manifest: Manifest, netlist: Netlist, run: Run, transistors: TransistorsOf) -> Flow[dict[str, float]]:
    """Node voltages (V) at the end of the lead-in of ``run``; none where it fails: runs then do the lead-in themselves."""
    idle = lead_in_run(run)
    job = build_lead_in(resolve(manifest, idle), netlist, transistors=transistors(idle))
    (result,) = yield [Simulation(job=job, safer=lambda: job, urgency=Urgency.LEAD_IN)]
    return result.outcome.final
