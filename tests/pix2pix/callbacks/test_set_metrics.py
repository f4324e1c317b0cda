"""The metrics are torchmetrics' own, over all batches and processes, and leave the training's random numbers alone."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
from torchvision.models import alexnet

from pix2pix import Pix2Pix
from pix2pix.callbacks import SetMetrics, set_metrics
from pix2pix.callbacks.set_metrics import Name
from pix2pix.lpips import ALEXNET
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model

FEW = "ignore:fid_tiny of 3 pictures is larger"
MEMORY = "ignore:Metric `Kernel Inception Distance` will save all extracted features"


class Tiny(nn.Module):
    """Eight features of a seeded convolution."""

    suffix = "_tiny"
    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(8, 3, 5, 5, generator=random), requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return nn.functional.conv2d(pictures, self.weight, stride=3).relu().mean((2, 3))


def measure(folder: Path, names: list[Name], model: Pix2Pix, **options: Any) -> dict[str, float]:
    """Return what is logged of a test, of three pictures in batches of two and one."""
    metrics = SetMetrics(names, **{key: options.pop(key) for key in ("score",) if key in options})
    metrics.network = Tiny()
    trainer = quiet_trainer(callbacks=[metrics], default_root_dir=folder, limit_val_batches=1.0, **options)
    data = small_data(folder / "data", batch_size=2)
    trainer.test(model, datamodule=data, verbose=False)
    logged = {key.removeprefix("test/"): value.item() for key, value in trainer.callback_metrics.items()}
    return {key: value for key, value in logged.items() if key not in ("l1", "mae_units", "psnr", "ssim")}


def pictures_of(folder: Path, model: Pix2Pix) -> tuple[Tensor, Tensor]:
    """Return outputs and targets of the test split in [0, 1]."""
    dataset = small_data(folder / "data").dataset("test")
    pairs = [dataset[0, index] for index in range(len(dataset))]
    with torch.no_grad():
        outputs = [model(pair["input"][None]) for pair in pairs]
    return tuple(torch.cat(each) / 2 + 0.5 for each in (outputs, [pair["target"][None] for pair in pairs]))  # type: ignore[return-value]


@pytest.mark.filterwarnings(FEW)
@pytest.mark.filterwarnings(MEMORY)
def test_fid_and_kid_are_torchmetrics_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_metrics, "SUBSET", 2)  # of the three
    model = small_model()
    before = torch.get_rng_state()
    found = measure(tmp_path, ["fid", "kid"], model)
    assert torch.equal(torch.get_rng_state(), before)

    output, target = pictures_of(tmp_path, model)
    fid = FrechetInceptionDistance(Tiny())
    kid = KernelInceptionDistance(Tiny().double(), subsets=100, subset_size=2)
    for metric, dtype in (fid, torch.float32), (kid, torch.float64):
        metric.update(target.to(dtype), real=True)
        metric.update(output.to(dtype), real=False)
    torch.manual_seed(0)
    mean, deviation = kid.compute()
    expected = {"fid_tiny": fid.compute(), "kid_tiny": mean, "kid_tiny_deviation": deviation}
    assert found == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-4, abs=1e-7)
    assert abs(found["kid_tiny"]) > found["kid_tiny_deviation"] / 10 > 1e-3


@pytest.mark.filterwarnings(FEW)
def test_two_processes_measure_as_one(tmp_path: Path) -> None:
    model, score = small_model(), "tests.pix2pix.callbacks.test_set_metrics:brighter"
    again = copy.deepcopy(model)
    one = measure(tmp_path, ["fid", "kid"], model, score=score)
    assert one.keys() == {"fid_tiny", "kid_tiny", "kid_tiny_deviation", "score"}
    processes = {"devices": 2, "strategy": "ddp_fork", "use_distributed_sampler": False}
    assert measure(tmp_path, ["fid", "kid"], again, score=score, **processes) == pytest.approx(one, rel=1e-4, abs=1e-9)


def brighter(output: Tensor, target: Tensor) -> Tensor:
    """A score: how much brighter each output is than its target."""
    assert output.shape == target.shape
    assert 0 <= output.min() <= output.max() <= 1
    return (output - target).mean((1, 2, 3))


def test_a_score_of_ones_own_is_the_mean_over_pictures(tmp_path: Path) -> None:
    model = small_model()
    found = measure(tmp_path, [], model, score="tests.pix2pix.callbacks.test_set_metrics:brighter")
    output, target = pictures_of(tmp_path, model)
    assert found == {"score": pytest.approx((output - target).mean().item(), abs=1e-6)}


@pytest.mark.parametrize("given", [False, True])
def test_lpips_is_torchmetrics_own(given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an AlexNet of random weights: where torch looks for the downloaded one, or in a file that is given."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    network = alexnet()
    state = {name: torch.randn(value.shape) * 0.1 for name, value in network.state_dict().items() if "features" in name}
    zeros = {name: torch.zeros(1).expand(value.shape) for name, value in network.state_dict().items()}  # small on disk
    file = tmp_path / "hub" / "checkpoints" / ALEXNET
    file.parent.mkdir(parents=True)
    torch.save(zeros | state, file)

    model = small_model()
    data = small_data(tmp_path / "data", batch_size=2, load_size=64, crop_size=64)
    elsewhere = file.rename(tmp_path / "alexnet.pth") if given else None
    metrics = SetMetrics(["lpips"], alexnet=str(elsewhere) if elsewhere else None)
    trainer = quiet_trainer(callbacks=[metrics], default_root_dir=tmp_path)
    trainer.test(model, datamodule=data, verbose=False)

    pairs = [data.dataset("test")[0, index] for index in range(3)]
    with torch.no_grad():
        output = torch.cat([model(pair["input"][None]) for pair in pairs]) / 2 + 0.5
    target = torch.stack([pair["target"] for pair in pairs]) / 2 + 0.5
    if elsewhere:
        assert torch.hub.get_dir() == str(tmp_path / "hub")
        elsewhere.rename(file)
    expected = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
    expected.update(output, target)
    assert trainer.callback_metrics["test/lpips"].item() == pytest.approx(expected.compute().item(), rel=1e-4)
    assert expected.compute() > 0


def test_ms_ssim_is_the_mean_over_pictures_and_needs_large_ones(tmp_path: Path) -> None:
    model = small_model()
    with pytest.raises(ValueError, match=r"ms_ssim needs pictures of at least 176 x 176 .*; got 16 x 16"):
        measure(tmp_path, ["ms_ssim"], model)
    data = small_data(tmp_path / "data", batch_size=2, load_size=176, crop_size=176)
    trainer = quiet_trainer(callbacks=[SetMetrics(["ms_ssim"])], default_root_dir=tmp_path)
    trainer.test(model, datamodule=data, verbose=False)
    values = []
    for index in range(3):
        pair = data.dataset("test")[0, index]
        with torch.no_grad():
            pictures = [(each[None] / 2 + 0.5).clamp(0, 1) for each in (model(pair["input"][None])[0], pair["target"])]
        values.append(multiscale_structural_similarity_index_measure(*pictures, data_range=1.0).item())
    assert trainer.callback_metrics["test/ms_ssim"].item() == pytest.approx(sum(values) / 3, abs=1e-5)


def test_few_pictures_are_said_once(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="fid_tiny of 3 pictures is larger than that of more, .* 2048 are enough"):
        measure(tmp_path, ["fid"], small_model())


def test_what_cannot_be_measured_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown: Any = ["psnr"]
    with pytest.raises(ValueError, match=r"metrics.names must be of ms_ssim, lpips, fid, kid; got psnr"):
        SetMetrics(unknown)
    for score in "nowhere:score", "json:nothing", "sys:path":
        with pytest.raises(ValueError, match=f"metrics.score must be module:function; {score} "):
            SetMetrics(score=score)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(ValueError, match=rf"needs the weights of AlexNet.*torchvision's {ALEXNET} as metrics.alexnet"):
        quiet_trainer(callbacks=[SetMetrics(["lpips"])]).test(
            small_model(), small_data(tmp_path / "d").test_dataloader()
        )


def refuse(*args: object) -> None:
    raise OSError("no network")
