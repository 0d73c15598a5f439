"""Groups of plans: several plans under one name, with the fields that this purpose wants."""

from typing import Any

_ROOM: dict[str, Any] = {"temperatures_c": (27.0,), "supplies": (1.0,)}
_FINE: dict[str, Any] = {"fine": True}
#: nothing of interest happens long after the ideal spike, and it takes most of the time of a run
_BRIEF: dict[str, Any] = {"settle": 3.0, "beyond": 1.0}
#: weights that fire every neuron, and as plan 'quantization' has them
_VARIED: dict[str, Any] = {"weight": (0.6, 1.0)}


# group -> plan -> its fields. A group leaves out the plans that the neuron cannot do.
GROUPS: dict[str, dict[str, dict[str, Any]]] = {
    "table3": {"jitter": {}, "quantization": {}},
    "card": {"transfer": {}, "saturation": {}, "phase_noise": {}, "mismatch": {}},
    "rate_card": {"fi": {}, "membrane_noise": {}, "mismatch": {}},
    "quick": {
        "transfer": {"trials": 12, **_BRIEF},
        "jitter": {"trials": 3, "levels": (0.03, 0.07), "beyond": 1.0, **_VARIED},
        "quantization": {"trials": 2, "levels": (4, 8), "beyond": 1.0},
        "fi": {"points": 12},
        "corners": {"corners": ("tt", "ss", "ff"), **_ROOM},
        "reset": {"corners": ("tt",), **_ROOM},
        "mismatch": {"chips": 3, "trials": 1, **_BRIEF},
        "energy": {},
        "oscillator": {"corners": ("tt", "ss", "ff"), **_ROOM},
        "synapse": {"corners": ("tt",), **_ROOM},
        "thermal": {"oscillators": 3, "cycles": 20, "repeats": 1, "powers": (), "temperatures_c": ()},
    },
    "datasheet": {
        # half of them held out: at least 60 to judge the card by
        "transfer": {"trials": 140, **_BRIEF, **_FINE},
        # differences from the same run undisturbed: the error of the time step is in both
        "jitter": {"trials": 30, "beyond": 1.0, **_VARIED},
        "quantization": {"trials": 30, "levels": (4, 8, 16), "beyond": 1.0},
        # up to twice the range of a detector whose unit weight steps the phase by 0.3 rad
        "saturation": {"levels": (1.5, 3.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0), **_FINE},
        "phase_noise": {"trials": 10, "repeats": 12, **_BRIEF, **_FINE},
        "fi": _FINE,
        "corners": {"settle": 2.5, **_FINE},
        "reset": _FINE,
        # four stimuli that fire on all of eight chips are the least that a spread is fitted to
        "mismatch": {"chips": 16, "trials": 6, **_BRIEF, "beyond": 2.0, **_FINE},
        "energy": _FINE,
        "oscillator": _FINE,
        "synapse": _FINE,
        "thermal": {"cycles": 150, **_FINE},
    },
}
