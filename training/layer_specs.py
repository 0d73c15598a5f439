"""Layers of a network as data, as they stand in a TOML file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Conv(_Spec):
    """SCNN(kernel, channels, stride) of paper 004, "same" padding."""

    kind: Literal["conv"] = "conv"
    channels: int = Field(ge=1)
    kernel: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)
    bias: bool = True


class Linear(_Spec):
    """FC(outputs) of paper 004."""

    kind: Literal["linear"] = "linear"
    outputs: int = Field(ge=1)
    bias: bool = True


class Pool(_Spec):
    """MP(size): first spike of each window; windows ``stride`` apart (default: side by side), "same" padding."""

    kind: Literal["pool"] = "pool"
    size: int = Field(default=2, ge=1)
    stride: int | None = Field(default=None, ge=1)


class Dropout(_Spec):
    """Silences spikes while training."""

    kind: Literal["dropout"] = "dropout"
    p: float = Field(ge=0, lt=1)


BranchSpec = Annotated[Conv | Pool, Field(discriminator="kind")]


class Inception(_Spec):
    """Branches of convolutions and pools that all read the same spikes; their outputs are joined along the channels."""

    kind: Literal["inception"] = "inception"
    branches: tuple[Annotated[tuple[BranchSpec, ...], Field(min_length=1)], ...] = Field(min_length=1)


LayerSpec = Annotated[Conv | Linear | Pool | Dropout | Inception, Field(discriminator="kind")]
