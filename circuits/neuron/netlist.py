"""Reading a netlist: check that it is what its manifest says, that it is only a netlist, and flatten its includes."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from neuronsim.atomic_write import sha256_of
from neuronsim.errors import DataError, InputError

from . import foundry_library as library
from .manifest import Manifest, netlist_folder

_UNITS = {
    "t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18,
}  # fmt: skip
_NUMBER = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|[tgkmunpfa])?[a-z]*$", re.IGNORECASE)
_LIBRARY = re.compile(rf"^\.lib ({library.PREFIX}\S+) (\S+)$", re.MULTILINE)
_INCLUDE = re.compile(r"^\s*\.(include|inc|lib)\s+(\"[^\"]+\"|'[^']+'|\S+)\s*(\S+)?\s*$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """Text of a neuron's netlist with its includes in place and without comments, a digest of it with comments, and (ports,
    parameters) of each subcircuit.

    Ports are in the order of the ``.subckt`` line; names are in lower case, as SPICE ignores case. Sections of model
    libraries in installed packages (see neuronsim.circuits.neuron.foundry_library) stand in ``text`` as the lines that name them.
    """

    text: str
    sha256: str
    subcircuits: dict[str, tuple[list[str], set[str]]] = field(repr=False, compare=False)

    @property
    def packages(self) -> dict[str, str]:
        """Installed packages that models come from, with their versions."""
        return library.versions(match[1] for match in _LIBRARY.finditer(self.text))


def with_models(text: str, sections: Mapping[str, str]) -> str:
    """A netlist's text with the sections of model libraries in place; ``sections``: those that replace others (a corner)."""

    def models(line: re.Match[str]) -> str:
        return "\n".join(library.section(line[1], sections.get(line[2].lower(), line[2])))

    return _LIBRARY.sub(models, text)


def model_text(path: Path, sections: Mapping[str, str]) -> str:
    """A model file of netlists/models with its includes and sections in place, as :func:`with_models`."""
    return with_models("\n".join(_without_comments(_read(path, path.resolve().parent, False, (), set()))), sections)


def _without_comments(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.lstrip().startswith("*")]


def number(text: str) -> float | None:
    """Value of a SPICE literal such as ``1k`` or ``2.5n``; None when it is not a plain number."""
    if text.lower() in ("nan", "inf", "-inf", "+inf"):
        return float(text)
    match = _NUMBER.match(text)
    return float(match[1]) * _UNITS.get((match[2] or "").lower(), 1.0) if match else None


def _copy_hint(path: Path, root: Path) -> str:
    """What helps when the missing file is one that comes with neuronsim."""
    own = netlist_folder()
    wanted = path.resolve()
    folder = root.resolve()
    if not wanted.is_relative_to(folder) or not (own / wanted.relative_to(folder)).is_file():
        return ""
    part = wanted.relative_to(folder).parts[0]
    return f". It comes with neuronsim: copy {own / part} to {folder}"


def _read(path: Path, root: Path, trust: bool, open_files: tuple[Path, ...], done: set[Path]) -> list[str]:
    """Lines of a file with its includes in place; a file that several others include comes in once."""
    if path.resolve() in open_files:
        raise DataError(f"{path}: includes are nested in a circle: this file includes itself, perhaps through another")
    open_files = (*open_files, path.resolve())
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(
            f"netlist {path} does not exist: correct 'netlist' in the manifest or the .include line"
            + _copy_hint(path, root)
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"netlist {path} cannot be read as text: {error}") from None
    flat: list[str] = []
    for position, line in enumerate(lines, start=1):
        where = f"{path}, line {position}"
        if library.COMMANDS.match(line) and not trust:
            raise InputError(
                f"{where}: '{line.strip()}' runs commands on this computer; a netlist from somebody else must not. "
                "Remove it, or give --trust if you wrote it."
            )
        include = _INCLUDE.match(line)
        if not include:
            flat.append(line)
            continue
        name = include[2].strip("\"'")
        if name.startswith(library.PREFIX):
            flat.append(_library_line(name, include[3], where))
            continue
        target = Path(name)
        full = (target if target.is_absolute() else path.parent / target).resolve()
        if root not in full.parents and not trust:
            raise InputError(
                f"{where}: includes {target}, outside the netlist's folder {root}. Copy it there, or give --trust."
            )
        if include[1].lower() == "lib" and include[3]:
            flat.append(f".lib '{full}' {include[3]}")
        elif full not in done:
            flat += [f"* from {target}", *_read(full, root, trust, open_files, done)]
    done.add(path.resolve())
    return flat


def _library_line(reference: str, section: str | None, where: str) -> str:
    """The line that stands for a section of a package's model library, which must be there."""
    if section is None:
        raise InputError(f"{where}: {reference} needs the name of a section: .lib {reference} SECTION")
    try:
        library.section(reference, section)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return f".lib {reference} {section}"


def _digest(lines: list[str]) -> str:
    """Hash of the netlist and of the model libraries that it uses."""
    used = sorted({match[1] for line in lines if (match := _LIBRARY.match(line))})
    return sha256_of("\n".join([*lines, *(f"* {reference} {library.digest(reference)}" for reference in used)]))


def _check_resistors(lines: list[str], path: Path) -> None:
    for line in lines:
        fields = line.split()
        if len(fields) >= 4 and fields[0][0].lower() == "r":
            literal = fields[3].split("=")[-1].strip("{}")
            value = number(literal)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise DataError(
                    f"{path}: resistor '{line.strip()}' has resistance {literal}: it must be a positive number of ohms"
                )


def _subcircuits(lines: list[str], path: Path) -> dict[str, tuple[list[str], set[str]]]:
    """Name -> (ports, parameters) of every subcircuit, with continuation lines joined."""
    joined: list[str] = []
    for line in lines:
        if line.startswith("+") and joined:
            joined[-1] += " " + line[1:]
        else:
            joined.append(line)
    subcircuits: dict[str, tuple[list[str], set[str]]] = {}
    open_names: list[str] = []
    for line in joined:
        words = re.sub(r"\s*=\s*", "=", line).split()
        if not words:
            continue
        card = words[0].lower()
        if card == ".subckt":
            if len(words) < 3:
                raise DataError(f"{path}: does not parse: '{line.strip()}' has no name or no ports")
            ports = [word.lower() for word in words[2:] if "=" not in word and word.lower() != "params:"]
            parameters = {word.split("=")[0].lower() for word in words[2:] if "=" in word}
            subcircuits[words[1].lower()] = (ports, parameters)
            open_names.append(words[1].lower())
        elif card == ".ends":
            if not open_names:
                raise DataError(f"{path}: does not parse: '.ends' without '.subckt'")
            open_names.pop()
    if open_names:
        raise DataError(f"{path}: does not parse: subcircuit '{open_names[-1]}' is never closed with .ends")
    return subcircuits


def read_netlist(manifest: Manifest, *, trust: bool = False) -> Netlist:
    """Read, check and flatten the netlist of ``manifest``.

    Raises InputError for commands and for includes outside its folder (unless ``trust``), DataError when it does not
    parse, lacks the subcircuit, a port or a parameter of the manifest, or has a resistor that is not positive.
    """
    path = manifest.netlist_path
    lines = _read(path, manifest.folder.resolve(), trust, (), set())
    _check_resistors(lines, path)
    subcircuits = _subcircuits(lines, path)

    def require(name: str, ports: list[str], parameters: set[str]) -> None:
        if name.lower() not in subcircuits:
            raise DataError(f"{path} has no subcircuit '{name}'; it has {sorted(subcircuits) or 'none'}")
        has_ports, has_parameters = subcircuits[name.lower()]
        missing = [port for port in ports if port.lower() not in has_ports]
        if missing:
            raise DataError(f"{path}: subcircuit '{name}' has no port '{missing[0]}'; its ports are {has_ports}")
        surplus = [port for port in has_ports if port not in [p.lower() for p in ports]]
        if surplus:
            raise DataError(f"{path}: port '{surplus[0]}' of subcircuit '{name}' is not in the manifest's [ports]")
        unknown = sorted(p for p in parameters if p.lower() not in has_parameters)
        if unknown:
            raise DataError(
                f"{path}: subcircuit '{name}' has no parameter '{unknown[0]}'; it has {sorted(has_parameters)}"
            )

    own = set(manifest.parameters) - _synapse_only(manifest, subcircuits)
    require(manifest.subcircuit, list(manifest.ports), own)
    if manifest.synapse:
        synapse = manifest.synapse
        require(synapse.subcircuit, [synapse.input, synapse.output], {synapse.weight, *synapse.shares})
    # comments are no part of a deck: a finished run stays finished when only they change
    return Netlist(text="\n".join(_without_comments(lines)), sha256=_digest(lines), subcircuits=subcircuits)


def _synapse_only(manifest: Manifest, subcircuits: dict[str, tuple[list[str], set[str]]]) -> set[str]:
    """Shared parameters that the synapse has and the neuron itself does not."""
    if manifest.synapse is None or manifest.subcircuit.lower() not in subcircuits:
        return set()
    return {name for name in manifest.synapse.shares if name.lower() not in subcircuits[manifest.subcircuit.lower()][1]}
