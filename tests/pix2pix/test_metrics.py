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


def test_what_lies_outside_of_the_range_counts_as_its_end() -> None:
    assert unit_range(torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]
