"""Numbers as an engineer reads them: engineering prefixes, percent, and the unit of a stored name."""

import math

import numpy as np

_PREFIXES = {
    -24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m",
    0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P",
}  # fmt: skip
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUFFIX_UNITS = {
    "s": "s", "v": "V", "a": "A", "j": "J", "w": "W", "hz": "Hz", "ohm": "Ω", "f": "F", "c": "C", "rad": "rad",
}  # fmt: skip
_PREFIXABLE = {"s", "V", "A", "J", "W", "Hz", "Ω", "F", "C", "S", "H"}
_SPELLED = {"s^0.5": "√s", "ohm": "Ω", "ohms": "Ω", "1": "", "-": "", "none": "", "dimensionless": "", "u": "µ"}


def significant(value: float, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits, without exponent between 1e-4 and 1e6, else as m×10ⁿ."""
    value = float(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 6:
        return f"{rounded:.{max(digits - 1 - exponent, 0)}f}"
    return f"{rounded / 10**exponent:.{digits - 1}f}×10{str(exponent).translate(_SUPERSCRIPT)}"


def trimmed(value: float, digits: int = 4) -> str:
    """:func:`significant` without trailing zeros, for design values such as 50, 0.3 or 10⁻⁵."""
    mantissa, times, power = significant(value, digits).partition("×")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return power if times and mantissa == "1" else f"{mantissa}{times}{power}"


def quantity(value: float, unit: str = "", digits: int = 4) -> str:
    """``value`` in ``unit`` with an engineering prefix: 5e-8, "s" -> "50 ns". Without unit: the plain number."""
    value, unit = float(value), unit_symbol(unit)
    if not math.isfinite(value):
        return f"{significant(value)} {unit}".strip()
    if unit not in _PREFIXABLE or value == 0:
        return f"{trimmed(value, digits)} {unit}".strip()
    rounded = float(f"{value:.{digits - 1}e}")
    power = 3 * math.floor(math.log10(abs(rounded)) / 3)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    return f"{trimmed(rounded / 10.0**power, digits)} {_PREFIXES[power]}{unit}"


def percent(fraction: float, digits: int = 3) -> str:
    """A fraction as percent with ``digits`` significant digits: 0.00397 -> "0.397 %"."""
    text = significant(100.0 * float(fraction), digits)
    return text if text == "–" else f"{text} %"


def percents(low: float, high: float, digits: int = 3) -> str:
    """Two fractions as one percent range: "0.0341 … 0.427 %"."""
    (first, second), power = _common_power((100.0 * low, 100.0 * high), high)
    return f"{significant(first, digits)} … {significant(second, digits)}{power} %"


def mean_with_interval(mean: float, low: float, high: float, digits: int = 3) -> str:
    """A mean and its interval, all fractions, in percent: "0.0633 [0.0563, 0.0718] %"."""
    if not math.isfinite(mean):
        return "–"
    values, power = _common_power((100.0 * mean, 100.0 * low, 100.0 * high), mean)
    middle, first, second = (significant(value, digits) for value in values)
    return f"{middle} [{first}, {second}]{power} %"


def _common_power(values: tuple[float, ...], leading: float) -> tuple[tuple[float, ...], str]:
    """``values`` divided by the power of ten of 100 * ``leading`` where that is below 1e-4, and the power as text."""
    if not math.isfinite(leading) or leading == 0 or abs(100 * leading) >= 1e-4:
        return values, ""
    exponent = math.floor(math.log10(abs(100 * leading)))
    return tuple(value / 10.0**exponent for value in values), f"×10{str(exponent).translate(_SUPERSCRIPT)}"


def accuracy(fraction: float) -> str:
    """An accuracy as percent with two decimals, as networks are compared."""
    return "–" if not math.isfinite(fraction) else f"{100.0 * fraction:.2f} %"


def accuracies(low: float | None, high: float | None) -> str:
    """The interval of an accuracy as percent with two decimals; "–" where there is none (a single chip)."""
    return "–" if low is None or high is None else f"{100.0 * low:.2f} … {accuracy(high)}"


def percent_points(mean: float, low: float | None, high: float | None) -> str:
    """A difference of accuracies and its interval, in percent points: "+1.20 [+0.95, +1.45]"; without interval the difference."""
    return f"{100 * mean:+.2f}" + ("" if low is None or high is None else f" [{100 * low:+.2f}, {100 * high:+.2f}]")


def prefix_for(values: np.ndarray, unit: str) -> tuple[float, str]:
    """Common divisor and prefixed unit for an axis that shows ``values``: (1e-9, "ns")."""
    unit = unit_symbol(unit)
    finite = np.abs(np.asarray(values, dtype=float))
    finite = finite[np.isfinite(finite) & (finite > 0)]
    if unit not in _PREFIXABLE or finite.size == 0:
        return 1.0, unit
    power = 3 * math.floor(math.log10(finite.max()) / 3)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    return 10.0**power, f"{_PREFIXES[power]}{unit}"


def unit_symbol(unit: str) -> str:
    """Short form of a unit as written in manifests: "ohm" -> "Ω", "1" -> ""."""
    return _SPELLED.get(unit.strip().lower(), unit.strip())


def unit_of(name: str) -> str:
    """Unit that the suffix of a stored name promises: ``energy_per_spike_j`` -> "J", ``refractory_s`` -> "s"."""
    return _SUFFIX_UNITS.get(name.rpartition("_")[2], "") if "_" in name else ""


def pretty(name: str) -> str:
    """A stored name as words: ``ramp_sigma_per_tau`` -> "ramp sigma per tau" (a unit suffix is dropped)."""
    head, _, tail = name.rpartition("_")
    return (head if head and tail in _SUFFIX_UNITS else name).replace("_", " ")
