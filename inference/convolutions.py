"""Convolutions of 4 x 4, as a U-Net and a PatchGAN have them, computed in other ways where these are faster on a CPU.

Where there are many weights and few pixels, a convolution is bound by the weights, which oneDNN lays out anew at each
call, in the forward and in the backward pass. A matrix product reads them as they are. Where there are many pixels,
too, and the stride is 1, minimal filtering needs a quarter of the multiplications. And a convolution to a single
channel computes at a tenth of the rate of others, where a product of all its taps does not.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference import winograd

KERNEL, STRIDE, PADDING = 4, 2, 1
LARGE = 2**20  # weights, at least; fewer stay in a cache
SMALL = 256  # pixels of the smaller feature maps of a batch, at most: with more a product is slower, filtering faster
DEEP = 512  # input channels of a convolution to a single one, at least, for its taps to be a product


class DownConv2d(nn.Conv2d):
    """Half the sides: a 4 x 4 convolution with stride 2, N x C_in x 2H x 2W -> N x C_out x H x W.

    Args:
        in_channels: of its input.
        out_channels: of its output.
        bias: whether it adds one.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve."""
        height, width = (side // STRIDE for side in input.shape[-2:])
        if not is_product(input, self.weight, input.shape[0] * height * width):
            return super().forward(input)
        seen = F.unfold(input, KERNEL, padding=PADDING, stride=STRIDE)  # N x 16 C_in x HW
        made = F.linear(seen.mT, self.weight.flatten(1), self.bias)  # N x HW x C_out
        # Copied: of one picture with transposed strides, torch 2.14's batch norm computes wrong gradients on a CPU.
        return made.mT.contiguous().unflatten(2, (height, width))


class UpConv2d(nn.ConvTranspose2d):
    """Twice the sides: a transposed 4 x 4 convolution with stride 2, N x C_in x H x W -> N x C_out x 2H x 2W.

    Args:
        in_channels: of its input.
        out_channels: of its output.
        bias: whether it adds one.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve."""
        height, width = input.shape[-2:]
        if output_size is not None or not is_product(input, self.weight, input.shape[0] * height * width):
            return super().forward(input, output_size)
        spread = F.linear(input.flatten(2).mT, self.weight.flatten(1).T)  # N x HW x 16 C_out
        made = F.fold(spread.mT, (STRIDE * height, STRIDE * width), KERNEL, padding=PADDING, stride=STRIDE)
        return made if self.bias is None else made + self.bias.to(made.dtype)[:, None, None]


class PatchConv2d(nn.Conv2d):
    """Convolve each patch of 4 x 4, with stride 1 and padding 1: N x C_in x H x W -> N x C_out x (H - 1) x (W - 1).

    Args:
        in_channels: of its input.
        out_channels: of its output.
        bias: whether it adds one.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, KERNEL, 1, PADDING, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve."""
        height, width = (side - 1 for side in input.shape[-2:])
        if is_filtering(input, self.weight, input.shape[0] * height * width):
            made = winograd.convolve(input, self.weight)
        elif is_sum_of_taps(input, self.weight):
            taps = self.weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2) @ input.flatten(2)  # N x 16 x HW
            made = F.fold(taps, (height, width), KERNEL, padding=KERNEL - 1 - PADDING)
        else:
            return super().forward(input)
        return made if self.bias is None else made + self.bias[:, None, None]


def is_product(input: Tensor, weight: Tensor, pixels: int) -> bool:
    """Return whether a matrix product is faster: on a CPU, with many weights as they are stored, and few pixels."""
    return _is_heavy(input, weight) and pixels <= SMALL


def is_filtering(input: Tensor, weight: Tensor, pixels: int) -> bool:
    """Return whether minimal filtering is faster: on a CPU with wide vectors, with many weights, and not few pixels.

    In half precision it would lose digits.
    """
    return (
        _is_heavy(input, weight)
        and pixels > SMALL
        and _is_in_full_precision(input)
        and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")  # where it was measured
    )


def is_sum_of_taps(input: Tensor, weight: Tensor) -> bool:
    """Return whether one product for all taps, and their sum, is faster: on a CPU, from many channels to a single one.

    In half precision the sum would lose digits.
    """
    return (
        _is_run()
        and weight.shape[0] == 1
        and weight.shape[1] >= DEEP
        and input.device.type == "cpu"
        and _is_in_full_precision(input)
    )


def _is_heavy(input: Tensor, weight: Tensor) -> bool:
    """Return whether there are many weights, as they are stored, on a CPU.

    Graphs for other programs have convolutions, which these fuse with what comes before and after.
    """
    return _is_run() and weight.numel() >= LARGE and input.device.type == "cpu" and weight.is_contiguous()


def _is_run() -> bool:
    """Return whether a network is computed, and not captured for other programs, where sizes are no numbers."""
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing())  # type: ignore[attr-defined]


def _is_in_full_precision(input: Tensor) -> bool:
    return input.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
