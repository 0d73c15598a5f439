"""Max-pooling of spikes: the first spike of a window."""

from torch import Tensor, inf, nn

from neuronsim.errors import InputError

from .geometry import Geometry


class TTFSMaxPool2d(nn.Module):
    """The first spike of each ``size`` x ``size`` window: min over z, gradient to the earliest input (paper 004, section 3.2).

    ``z`` (batch, height, width, channels) -> (batch, ceil(height/stride), ceil(width/stride), channels); windows lie ``stride``
    apart (default ``size``: side by side). "same" padding with silence. No neuron, no noise; works on t = ln z alike.
    """

    def __init__(self, size: int = 2, stride: int | None = None) -> None:
        super().__init__()
        stride = size if stride is None else stride
        if min(size, stride) < 1:
            raise InputError(f"TTFSMaxPool2d({size}, {stride}): size and stride must be at least 1")
        self.size, self.stride = size, stride

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(height, width, channels) of the pooled image."""
        height, width, channels = shape
        return -(-height // self.stride), -(-width // self.stride), channels

    def forward(self, z: Tensor) -> Tensor:
        _, height, width, channels = z.shape
        size, stride = self.size, self.stride
        windows = Geometry(height=height, width=width, channels=channels, kernel=(size, size), stride=stride)
        padded = nn.functional.pad(z, (0, 0, *windows.sides), value=inf)
        # -z of silence is -inf, which torch's pooling takes for the lowest value.
        first = nn.functional.max_pool2d(-padded.permute(0, 3, 1, 2), size, stride)
        return -first.permute(0, 2, 3, 1)
