"""Layers of a network as data, as they stand in a TOML file.

A network that is trained as an ANN and converted to spiking neurons (``ConvertibleSpec``) reads them in the rate code: a
convolution is followed by batch normalization and the activation, a hidden fully connected layer by the activation; a pool takes
the maximum in the full-precision network and the average in the quantized one and in the spiking one.
"""

from typing import Annotated, Literal

from pydantic import Field

from neuronsim.schema import Part


class Conv(Part):
    """SCNN(kernel, channels, stride) of paper 004, "same" padding."""

    kind: Literal["conv"] = "conv"
    channels: int = Field(ge=1)
    kernel: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)
    bias: bool = True


class Linear(Part):
    """FC(outputs) of paper 004."""

    kind: Literal["linear"] = "linear"
    outputs: int = Field(ge=1)
    bias: bool = True


class Pool(Part):
    """MP(size): first spike of each window; windows ``stride`` apart (default: side by side), "same" padding."""

    kind: Literal["pool"] = "pool"
    size: int = Field(default=2, ge=1)
    stride: int | None = Field(default=None, ge=1)


class Dropout(Part):
    """Silences spikes while training."""

    kind: Literal["dropout"] = "dropout"
    p: float = Field(ge=0, lt=1)


BranchSpec = Annotated[Conv | Pool, Field(discriminator="kind")]


class Inception(Part):
    """Branches of convolutions and pools that all read the same spikes; their outputs are joined along the channels."""

    kind: Literal["inception"] = "inception"
    branches: tuple[Annotated[tuple[BranchSpec, ...], Field(min_length=1)], ...] = Field(min_length=1)


LayerSpec = Annotated[Conv | Linear | Pool | Dropout | Inception, Field(discriminator="kind")]


class Residual(Part):
    """Basic block of a ResNet: two 3x3 convolutions beside a shortcut (1x1 convolution where the shape changes)."""

    kind: Literal["residual"] = "residual"
    channels: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)


class GlobalPool(Part):
    """Average over all pixels of each channel."""

    kind: Literal["global-pool"] = "global-pool"


ConvertibleSpec = Annotated[Conv | Linear | Pool | Residual | GlobalPool, Field(discriminator="kind")]
