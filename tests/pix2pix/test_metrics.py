import pytest
import torch
from torch.testing import assert_close
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image import StructuralSimilarityIndexMeasure

from pix2pix.metrics import ImageMetrics, unit_range


def test_l1_and_psnr_by_hand_over_two_batches() -> None:
    metrics = ImageMetrics("val/")
    target = torch.zeros(1, 3, 16, 16)
    metrics.update(target + 0.2, target)  # a tenth of the range [0, 1]
    metrics.update(target + 0.6, target)
    found = metrics.compute()
    assert found["val/l1"].item() == pytest.approx((0.1 + 0.3) / 2)
    assert found["val/psnr"].item() == pytest.approx(-10 * torch.tensor((0.01 + 0.09) / 2).log10().item(), rel=1e-5)


def test_ssim_is_of_float32_under_autocast() -> None:
    output, target = torch.rand(2, 2, 3, 24, 24) * 2 - 1
    expected = structural_similarity_index_measure(unit_range(output), unit_range(target), data_range=1.0)
    metrics = ImageMetrics("")
    with torch.autocast("cpu", torch.bfloat16):
        metrics.update(output, target)
    assert_close(metrics.compute()["ssim"], expected)


def test_ssim_is_not_computed_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU torch allows TF32 in convolutions by default, which costs SSIM its first digit on smooth pictures."""
    allowed: list[bool] = []
    update = StructuralSimilarityIndexMeasure.update

    def observed(self: StructuralSimilarityIndexMeasure, *pictures: torch.Tensor) -> None:
        allowed.append(torch.backends.cudnn.allow_tf32)
        update(self, *pictures)

    monkeypatch.setattr(StructuralSimilarityIndexMeasure, "update", observed)
    before = torch.backends.cudnn.allow_tf32
    metrics = ImageMetrics("")
    with pytest.raises(RuntimeError):
        metrics.update(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))
    metrics.update(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    assert allowed == [False]
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_gpu_measures_what_the_cpu_does(channels: int, layout: torch.memory_format, gpu: torch.device) -> None:
    """Of smooth and bright pictures, whose SSIM falls by a tenth in TF32."""
    target = 0.6 + 0.04 * torch.nn.functional.interpolate(torch.rand(4, channels, 8, 8), size=64, mode="bicubic")
    pictures = target + 0.02 * torch.randn_like(target), target
    found = []
    for device in torch.device("cpu"), gpu:
        metrics = ImageMetrics("").to(device)
        metrics.update(*(each.to(device).contiguous(memory_format=layout) for each in pictures))
        found.append({name: value.cpu() for name, value in metrics.compute().items()})
    assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_what_lies_outside_of_the_range_counts_as_its_end() -> None:
    assert unit_range(torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]


def test_the_error_in_the_units_of_the_files() -> None:
    metrics, target = ImageMetrics(""), torch.zeros(1, 1, 16, 16)
    metrics.update(target + 0.2, target, window=(-1000.0, 3000.0))
    assert metrics.compute()["mae_units"].item() == pytest.approx(400)


def test_pixels_that_are_unknown_do_not_count() -> None:
    """Whatever the output is there, the metrics are those of the pictures that agree there."""
    torch.manual_seed(0)
    output, target = torch.rand(2, 2, 3, 32, 32) * 2 - 1
    known = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    known[0, :, :10, :10] = False
    found = []
    for filling in (-1.0, 1.0):
        metrics = ImageMetrics("")
        metrics.update(torch.where(known, output, filling), target, known=known)
        found.append(metrics.compute())
    assert found[0] == found[1]
    everywhere = known.expand_as(target)
    error = (output - target)[everywhere].abs().mean() / 2
    assert_close(found[0]["l1"], error)
    whole, some = ImageMetrics(""), ImageMetrics("")
    whole.update(output, target)
    some.update(output, target, known=torch.ones_like(known))
    for name in ("l1", "psnr"):
        assert_close(some.compute()[name], whole.compute()[name])
    assert abs(some.compute()["ssim"] - whole.compute()["ssim"]) < 0.02  # torchmetrics leaves out the border


def test_a_batch_of_which_nothing_is_known_is_no_measurement() -> None:
    metrics, picture = ImageMetrics(""), torch.zeros(1, 3, 16, 16)
    metrics.update(picture + 1, picture, known=torch.zeros(1, 1, 16, 16, dtype=torch.bool))
    metrics.update(picture + 0.2, picture)
    assert metrics.compute()["l1"].item() == pytest.approx(0.1)
