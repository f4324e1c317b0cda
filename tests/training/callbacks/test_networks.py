"""Compiled networks, and those with channels last, compute the same, and leave checkpoints as they are."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.devices import trainer_options
from tests.training.applications import APPLICATIONS, quiet_trainer
from training.callbacks import Networks

CPU = torch.device("cpu")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """What was compiled; without a compiler of C++, which a machine may lack."""
    found: list[nn.Module] = []
    compile_ = nn.Module.compile

    def note(module: nn.Module) -> None:
        found.append(module)
        compile_(module, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", note)
    return found


def train(name: str, folder: Path, *callbacks: Any, device: torch.device = CPU) -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    application = APPLICATIONS[name]
    model = application.build_model()
    options = {"enable_checkpointing": False, "log_every_n_steps": 100, **trainer_options(device)}
    trainer = quiet_trainer(folder, max_steps=1, callbacks=list(callbacks), **options)
    trainer.fit(model, application.build_data(folder / "data"))
    return model, model.step_values


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # by the compiler
@pytest.mark.parametrize("name", ["pix2pix", "gradnorm"])
def test_both_change_no_more_than_rounding(name: str, tmp_path: Path, compiled: list[nn.Module]) -> None:
    plain = train(name, tmp_path)[1]
    assert not compiled
    for options in {"channels_last": True}, {"compile": True}:
        model, losses = train(name, tmp_path, Networks(**options))
        assert losses.keys() == plain.keys()
        for key, value in losses.items():
            torch.testing.assert_close(value, plain[key], rtol=1e-3, atol=1e-4, equal_nan=True)
        assert not any("_orig_mod" in key for key in model.state_dict())
        if "compile" in options:
            assert compiled == model.networks
        else:
            weights = [each for each in model.networks[0].parameters() if each.dim() == 4 and min(each.shape[1:]) > 1]
            assert all(each.is_contiguous(memory_format=torch.channels_last) for each in weights)


@pytest.mark.parametrize("name", ["pix2pix", "gradnorm"])
def test_a_gpu_computes_what_the_cpu_does(
    name: str, tmp_path: Path, gpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With channels last and recomputation, and compiled, where there is a GPU to compile for."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    several = [{"channels_last": True}, *([{"channels_last": True, "recompute": True}] if name == "pix2pix" else [])]
    if torch.cuda.is_available():
        several.append({"channels_last": True, "compile": True})
    plain = train(name, tmp_path)[1]
    for options in several:
        found = train(name, tmp_path, Networks(**options), device=gpu)[1]
        for key in ("train/D_real",) if name == "pix2pix" else ("train/seg", "train/boxes"):  # without dropout's noise
            torch.testing.assert_close(found[key].cpu(), plain[key], rtol=1e-2, atol=1e-3)


def test_by_default_nothing_is_done(compiled: list[nn.Module]) -> None:
    model = APPLICATIONS["pix2pix"].build_model()
    Networks().on_fit_start(quiet_trainer(Path()), model)
    assert not compiled
    assert all(parameter.is_contiguous() for parameter in model.parameters())


def test_what_cannot_compute_again_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"networks\.recompute: these networks cannot; it is for those of pix2pix"):
        train("gradnorm", tmp_path, Networks(recompute=True))
    with pytest.raises(ValueError, match=r"networks\.recompute goes without networks\.compile"):
        Networks(compile=True, recompute=True)
