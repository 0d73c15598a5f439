"""A run resolved: everything that its decks, its trimming and its row in the dataset need, worked out once."""

from dataclasses import dataclass

from ..neuron.manifest import Manifest
from .operating_point import NOMINAL_C
from .run import Run

ACCURATE = {"reltol": "1e-6", "abstol": "1e-15", "vntol": "1e-9", "chgtol": "1e-18"}
SAFER = {"reltol": "1e-4", "method": "gear", "itl1": "500", "itl4": "200", "gmin": "1e-11"}
DIGITAL = {"reltol": "1e-4"}
TRANSISTOR = {"reltol": "1e-3", "method": "trap"}
TRANSISTOR_FINE = {"reltol": "1e-4", "method": "trap"}


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """``run`` on the neuron of ``manifest``, in SI units.

    ``values``: every parameter, the supplies as the operating point sets them; ``supplies_v``: voltage of each supply port;
    ``high_v``, ``width_s``: height and length of an input (``width_s`` 0 for a step); ``unit_s``: the neuron's time unit;
    ``lead_in_s``: simulated before time zero; ``max_step_s``: largest time step; ``options``: those of ngspice.
    """

    manifest: Manifest
    run: Run
    values: dict[str, float]
    supplies_v: dict[str, float]
    high_v: float
    width_s: float
    unit_s: float
    lead_in_s: float
    max_step_s: float
    options: dict[str, str]

    @property
    def supply_v(self) -> float | None:
        """Voltage of the first supply, if any."""
        return next(iter(self.supplies_v.values()), None)


def resolve(manifest: Manifest, run: Run, *, safer: bool = False) -> Resolved:
    """Work out ``run``. ``safer``: options that converge more easily, and half the largest time step.

    Raises InputError for a parameter or a supply that the manifest does not allow.
    """
    values = run.operating.supply_values(manifest, manifest.checked(run.parameters))
    time, stimulus = manifest.time, manifest.stimulus
    unit_s = values[time.unit]
    max_step_s = unit_s / time.steps_per_unit
    if time.carrier and time.steps_per_cycle:
        max_step_s = min(max_step_s, 1.0 / (values[time.carrier] * time.steps_per_cycle))
    supplies = manifest.energy.supplies if manifest.energy else {}
    return Resolved(
        manifest=manifest,
        run=run,
        values=values,
        supplies_v={port: values[parameter] for port, parameter in supplies.items()},
        high_v=values[stimulus.high_v] if isinstance(stimulus.high_v, str) else stimulus.high_v,
        width_s=values[stimulus.width] if stimulus.width else 0.0,
        unit_s=unit_s,
        lead_in_s=time.lead_in * unit_s,
        max_step_s=max_step_s * (0.5 if safer or run.fine else 1.0),
        options=_options(manifest, run, safer),
    )


def _options(manifest: Manifest, run: Run, safer: bool) -> dict[str, str]:
    if safer:
        chosen = SAFER
    elif manifest.level == "transistor":
        chosen = TRANSISTOR_FINE if run.fine else TRANSISTOR
        if not manifest.time.carrier:
            # a spike is some fC: ngspice's own chgtol of 10 fC would let half of it go; at reltol = 1e-3 intervals scatter by
            # 4 to 8 % and are 5 to 15 % short, at 1e-4 by less than 0.1 %, for a third more time
            chosen = {**chosen, "reltol": "1e-5" if run.fine else "1e-4", "chgtol": "1e-17"}
        # with a carrier the largest step rules: steps chosen by the charge differ from cycle to cycle, which jitters the
        # phases more, at twice the cost; bypass=1 would save 15 % and shift spike times by 1 %
    else:
        chosen = DIGITAL if manifest.level == "switching" else ACCURATE
        chosen = {**chosen, "reltol": f"{float(chosen['reltol']) / 10:g}"} if run.fine else chosen
    if run.operating.temperature_c != NOMINAL_C:
        chosen = {**chosen, "temp": f"{run.operating.temperature_c:g}"}
    return chosen
