import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from pix2pix import ResNetGenerator, UNetGenerator


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters_are_the_references() -> None:
    assert parameters(UNetGenerator()) == 54_413_955
    assert parameters(ResNetGenerator(blocks=6)) == 7_841_411
    assert parameters(ResNetGenerator(blocks=9)) == 11_383_427


@settings(max_examples=15, deadline=None)
@given(
    levels=st.integers(2, 6),
    in_channels=st.integers(1, 4),
    out_channels=st.integers(1, 4),
    norm=st.sampled_from(["batch", "instance", "none"]),
    upsampling=st.sampled_from(["transposed", "resize"]),
    rows=st.integers(1, 2),
)
def test_unet_keeps_the_size_and_stays_in_range(
    levels: int, in_channels: int, out_channels: int, norm: str, upsampling: str, rows: int
) -> None:
    network = UNetGenerator(in_channels, out_channels, 2, levels, norm, upsampling=upsampling)  # type: ignore[arg-type]
    x = torch.randn(2, in_channels, rows * 2**levels, 2 * 2**levels)
    y = network(x)
    assert y.shape == (2, out_channels, *x.shape[-2:])
    assert y.abs().max() <= 1


@pytest.mark.parametrize("skips", [True, False])
def test_without_skips_the_decoder_sees_the_innermost_features_alone(skips: bool) -> None:
    network = UNetGenerator(base_channels=4, levels=4, norm="none", skips=skips)
    network.encoder[-1].register_forward_hook(lambda *call: torch.zeros_like(call[-1]))
    one, other = network(torch.randn(2, 1, 3, 16, 16).flatten(0, 1)).unbind()
    assert torch.equal(one, other) is not skips


def test_the_encoder_decoder_has_the_papers_channels() -> None:
    """Of the U-Net's decoder levels those with a skip have twice the channels in: without, half of their weights."""
    unet, plain = UNetGenerator(), UNetGenerator(skips=False)
    assert [up[1].in_channels for up in plain.decoder] == [512, 512, 512, 512, 512, 256, 128, 64]
    with_skip = sum(up[1].weight.numel() for up in unet.decoder[1:])
    assert parameters(unet) - parameters(plain) == with_skip // 2


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_resnet_keeps_the_size(norm: str, upsampling: str) -> None:
    network = ResNetGenerator(1, 4, 4, blocks=2, norm=norm, dropout=0.5, upsampling=upsampling)  # type: ignore[arg-type]
    assert network(torch.randn(2, 1, 16, 24)).shape == (2, 4, 16, 24)


def test_a_size_that_does_not_fit_is_refused_with_the_sizes_that_do() -> None:
    with pytest.raises(ValueError, match=r"200 x 256 .* multiples of 64: take height 192 or 256 and width 256$"):
        UNetGenerator(base_channels=2, levels=6)(torch.zeros(1, 3, 200, 256))
    with pytest.raises(ValueError, match=r"take height 4 and width 8$"):
        ResNetGenerator(base_channels=2, blocks=1)(torch.zeros(1, 3, 3, 8))
    with pytest.raises(ValueError, match="pictures of 1 channels do not fit, it takes 3"):
        UNetGenerator(base_channels=2, levels=6)(torch.zeros(1, 1, 64, 64))


@pytest.mark.parametrize(
    ("levels", "widths"),
    [(8, [512, 512, 512]), (7, [512, 512]), (6, [512]), (5, [])],
)
def test_dropout_is_where_the_reference_has_it(levels: int, widths: list[int]) -> None:
    """At the levels - 5 decoder levels after the innermost, of single elements and not of whole channels."""
    network = UNetGenerator(levels=levels, dropout=0.5)
    dropped = [index for index, up in enumerate(network.decoder) if isinstance(up[-1], nn.Dropout)]
    assert dropped == list(range(1, 1 + len(widths)))
    assert not any(isinstance(module, nn.Dropout2d) for module in network.modules())
    assert not any(isinstance(module, nn.Dropout) for module in UNetGenerator(dropout=0.0).modules())


def test_dropout_drops_single_elements() -> None:
    network, seen = UNetGenerator(base_channels=4, levels=6), []
    dropout = next(module for module in network.modules() if isinstance(module, nn.Dropout))
    dropout.register_forward_hook(lambda *call: seen.append(call[-1] == 0))
    network(torch.randn(4, 3, 64, 64))
    per_channel = seen[0].float().mean((2, 3))
    assert 0.3 < per_channel.mean() < 0.7
    assert ((per_channel > 0) & (per_channel < 1)).any()


def test_every_skip_carries_the_picture_also_the_outermost() -> None:
    """With all ways through the deeper levels cut, each skip alone still brings the input to the output."""
    for kept in range(3):
        network = UNetGenerator(base_channels=4, levels=3, norm="none", dropout=0.0).double()
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0, 0.3)
        if kept < 2:  # cut the way below level `kept`: the rest of the way up has only its skip
            network.decoder[1 - kept][1].weight.data.zero_()
        x = torch.randn(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(x).sum(), x)
        assert gradient.abs().sum() > 0


def test_the_decoder_has_its_relus_and_the_encoder_its_leaky_ones() -> None:
    network = UNetGenerator(base_channels=2, levels=4)
    assert all(isinstance(up[0], nn.ReLU) for up in network.decoder)
    assert not isinstance(network.encoder[0][0], nn.LeakyReLU)
    assert all(down[0].negative_slope == 0.2 for down in network.encoder[1:])
    seen: list[Tensor] = []
    network.decoder[1][1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(torch.randn(2, 3, 16, 16))
    assert seen[0].min() == 0  # what reaches the transposed convolution is rectified, skip and all


def test_the_first_the_innermost_and_the_last_convolution_have_no_norm() -> None:
    network = UNetGenerator(base_channels=2, levels=4)
    assert [sum(isinstance(m, nn.BatchNorm2d) for m in down) for down in network.encoder] == [0, 1, 1, 0]
    assert [sum(isinstance(m, nn.BatchNorm2d) for m in up) for up in network.decoder] == [1, 1, 1, 0]


@pytest.mark.parametrize("network", [UNetGenerator(levels=6), ResNetGenerator(blocks=6)], ids=["unet", "resnet"])
def test_weights_begin_as_in_the_paper(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            error = 6 * 0.02 / math.sqrt(module.weight.numel())
            assert abs(module.weight.mean()) < error
            assert abs(module.weight.std() - 0.02) < error
        elif isinstance(module, nn.BatchNorm2d):
            assert abs(module.weight.mean() - 1) < 6 * 0.02 / math.sqrt(len(module.weight))
            assert 0.01 < module.weight.std() < 0.03
        if getattr(module, "bias", None) is not None:
            assert (module.bias == 0).all()


def test_resized_upsampling_shows_no_checkerboard() -> None:
    """A constant picture: away from the borders every second pixel is as its neighbor, which 4 x 4 kernels break."""

    def checkerboard(upsampling: str) -> float:
        torch.manual_seed(0)
        network = UNetGenerator(base_channels=4, levels=2, norm="none", dropout=0.0, upsampling=upsampling)  # type: ignore[arg-type]
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0, 0.3)
        y = network(torch.ones(1, 3, 64, 64))[..., 24:40, 24:40]
        return (y[..., 1:] - y[..., :-1]).abs().max().item()

    assert checkerboard("resize") < 1e-5 < 0.01 < checkerboard("transposed")


def test_runs_at_twice_the_size_it_was_made_for() -> None:
    network = UNetGenerator(base_channels=4, levels=4, norm="none", dropout=0.0)
    x = torch.randn(1, 3, 16, 16)
    assert_close(network(x.repeat(2, 1, 1, 1))[1:], network(x))
    assert network(torch.randn(1, 3, 32, 48)).shape == (1, 3, 32, 48)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNetGenerator(levels=1), "levels must be at least 2; got 1"),
        (lambda: UNetGenerator(norm="layer"), "norm must be batch, instance or none; got 'layer'"),  # type: ignore[arg-type]
        (lambda: UNetGenerator(upsampling="shuffle"), "upsampling must be transposed or resize"),  # type: ignore[arg-type]
        (lambda: ResNetGenerator(blocks=0), "blocks must be at least 1; got 0"),
    ],
)
def test_bad_options_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_a_recipe_makes_the_same_network_again() -> None:
    class Narrow(UNetGenerator):
        def __init__(self, levels: int = 3) -> None:
            super().__init__(base_channels=2, levels=levels)

    recipe = UNetGenerator(1, 2, 4, levels=3, norm="instance").recipe()
    assert recipe["class_path"] == "pix2pix.generators.UNetGenerator"
    again = UNetGenerator(**recipe["init_args"])
    assert (again.in_channels, again.out_channels, again.stride, again.recipe()) == (1, 2, 8, recipe)
    assert Narrow(levels=4).recipe()["init_args"] == {"levels": 4}  # what it takes, not what it passes on
