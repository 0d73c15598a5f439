"""Layers of a network that is trained as an ANN and converted to spiking neurons, as data.

Convolutions, fully connected layers and pools are those of :mod:`training.layer_specs`, read in the rate code: a convolution is
followed by batch normalization and the activation, a hidden fully connected layer by the activation; a pool takes the maximum
in the full-precision network and the average in the quantized one and in the spiking one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..layer_specs import Conv, Linear, Pool


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Residual(_Spec):
    """Basic block of a ResNet: two 3x3 convolutions beside a shortcut (1x1 convolution where the shape changes)."""

    kind: Literal["residual"] = "residual"
    channels: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)


class GlobalPool(_Spec):
    """Average over all pixels of each channel."""

    kind: Literal["global-pool"] = "global-pool"


ConvertibleSpec = Annotated[Conv | Linear | Pool | Residual | GlobalPool, Field(discriminator="kind")]
