"""Artifacts in netCDF files (format 4, which is HDF5): tables and arrays, read whole, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..atomic_write import write_atomically
from ..errors import DataError
from .base import KINDS, Artifact, check_kind, check_version

if TYPE_CHECKING:
    import xarray as xr  # loaded when a file is read: half a second that a command's help would wait for

_ENGINE = "h5netcdf"
_ENVELOPE = ("kind", "schema_version", "digest")


class NetcdfArtifact(Artifact):
    """A dataset of one kind, in ``data``. A concrete kind has the class attributes ``kind``, ``noun``, ``made_by``
    and, where they do not depend on the content, the ``variables`` that it must have.

    Kind, schema version and digest are attributes of the file; in memory the dataset goes without them.
    """

    suffix: ClassVar[str] = ".nc"
    kind: ClassVar[str]
    schema_version: ClassVar[int] = 1
    variables: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: xr.Dataset, digest: str = "", where: str = "") -> None:
        """Raises DataError when ``data`` does not follow the schema, naming ``where`` it came from."""
        self.data = self.check(data, where)
        self.digest = digest

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        KINDS[cls.kind] = cls

    @classmethod
    def check(cls, data: xr.Dataset, where: str = "") -> xr.Dataset:
        """Return ``data`` if it follows the schema. Raises DataError naming what is missing ``where``."""
        for name in cls.variables:
            if name not in data:
                raise DataError(
                    f"{where or cls.noun}: variable '{name}' is missing: make it again with '{cls.made_by}'"
                )
        return data

    def content_digest(self) -> str:
        """SHA-256 over kind, schema version, attributes, and names, dimensions, types, attributes and values of all variables."""
        attributes = {name: str(value) for name, value in self.data.attrs.items()}
        head = [self.kind, self.schema_version, attributes]
        digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        for name in sorted(str(variable) for variable in self.data.variables):
            variable = self.data[name]
            values = np.asarray(variable.values)
            text = values.dtype.kind in "OUST"
            units = {key: str(value) for key, value in sorted(variable.attrs.items())}
            digest.update(f"{name}{variable.dims}{values.shape}{'text' if text else values.dtype}{units}".encode())
            content = "\0".join(map(str, values.ravel())).encode() if text else np.ascontiguousarray(values).tobytes()
            digest.update(content)
        return digest.hexdigest()

    def save(self, path: Path | str) -> Path:
        """Write as netCDF with its digest, whole or not at all; equal artifacts give equal bytes. Raises OutputError."""
        digest = self.digest if self.edited else self.content_digest()
        signed = self.data.assign_attrs(kind=self.kind, schema_version=self.schema_version, digest=digest)
        content = signed.to_netcdf(engine=_ENGINE)  # in memory: HDF5 itself crashes on a full disk
        return write_atomically(path, lambda temporary: temporary.write_bytes(content))

    @classmethod
    def _parse(cls, path: Path) -> Self:
        data = _read(path, cls.made_by)
        kind = check_kind(cls, data.attrs.get("kind"), path)
        check_version(data.attrs.get("schema_version"), kind.schema_version, kind, path)
        digest = str(data.attrs.get("digest", ""))
        data.attrs = {name: value for name, value in data.attrs.items() if name not in _ENVELOPE}
        return kind(data, digest, str(path))


def _read(path: Path, made_by: str) -> xr.Dataset:
    import xarray as xr

    try:
        with xr.open_dataset(path, engine=_ENGINE) as stored:
            return stored.load()
    # damage anywhere in a file comes out of h5py, h5netcdf or xarray as whatever the place makes of it: OSError, KeyError,
    # RuntimeError, ValueError, UnicodeDecodeError ...; there is no list of them, and for a person they are one
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is corrupt or not netCDF ({what}): make it again with '{made_by}'") from error


def stored_attribute(path: Path, name: str) -> str | None:
    """Text attribute of a netCDF file, without reading the rest; None: it has none, or the file is unreadable."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            value = file.attrs.get(name)
    except OSError:
        return None
    value = value.decode() if isinstance(value, bytes) else value
    return value if isinstance(value, str) else None
