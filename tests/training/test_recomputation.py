"""What is computed again changes nothing but memory: values, gradients, buffers and random numbers are the same."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from pix2pix import CoarseToFineGenerator, MultiScaleDiscriminator, PatchDiscriminator, ResNetGenerator, UNetGenerator
from pix2pix.discriminators import Discriminator
from pix2pix.generators import Generator
from tests.training.applications import APPLICATIONS, build_pix2pix, quiet_trainer
from tests.training.states import assert_same
from training import ExactResume
from training.callbacks import Networks
from training.recomputation import Layers, recomputed

NETWORKS: dict[str, Callable[[], Generator | Discriminator]] = {
    "unet": lambda: UNetGenerator(base_channels=4, levels=6),
    "unet without skips": lambda: UNetGenerator(base_channels=4, levels=6, skips=False, upsampling="resize"),
    "resnet": lambda: ResNetGenerator(base_channels=4, blocks=2, dropout=0.5),
    "coarse to fine": lambda: CoarseToFineGenerator(base_channels=4, blocks=1, fine_blocks=1, norm="batch"),
    "patches": lambda: PatchDiscriminator(3, 4),
    "patches, spectral norm": lambda: PatchDiscriminator(3, 4, spectral_norm=True),
    "three scales": lambda: MultiScaleDiscriminator(3, 4, layers=1),
}


def recomputing(network: nn.Module) -> nn.Module:
    for part in network.modules():
        if isinstance(part, Layers):
            part.recompute = True
    return network


def backward(network: nn.Module, half: bool = False) -> dict[str, Any]:
    """Everything that a step of training reads of a network, after two forward passes with one backward pass."""
    torch.manual_seed(1)
    pictures = torch.rand(2, 3, 64, 64, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
        outputs = [network(pictures), network(pictures.flip(0))]
        maps = [each for output in outputs for each in (output if isinstance(output, list) else [output])]
        loss = torch.stack([each.float().square().mean() for each in maps]).sum()
        loss.backward()
    return {
        "loss": loss.detach(),
        "gradients": {name: parameter.grad for name, parameter in network.named_parameters()},
        "of pictures": pictures.grad,
        "buffers": dict(network.named_buffers()),
        "random numbers": torch.get_rng_state(),
    }


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_is_the_same_to_the_bit(name: str, half: bool) -> None:
    found = []
    for change in (lambda network: network), recomputing:
        torch.manual_seed(0)
        found.append(backward(change(NETWORKS[name]()), half))
    assert_same(*found)
    assert found[0]["loss"] > 0


class Storages(TorchDispatchMode):
    """Knows what memory is still in use of all that was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else [made]:
            if isinstance(each, Tensor):
                storage = each.untyped_storage()
                self.made[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return made

    def bytes(self) -> int:
        return sum(size for reference, size in self.made.values() if not reference.expired())


@pytest.mark.parametrize(("name", "share"), [("unet", 0.75), ("resnet", 0.75), ("patches", 0.55)])
def test_less_is_kept_and_no_convolution_is_computed_twice(name: str, share: float) -> None:
    kept, operations = [], []
    for change in (lambda network: network), recomputing:
        network, pictures = change(NETWORKS[name]()), torch.rand(2, 3, 128, 128)
        with Storages() as storages:
            output = network(pictures)
            kept.append(storages.bytes())
        with FlopCounterMode(display=False) as counter:
            output.sum().backward()
        operations.append(counter.get_total_flops())
    assert kept[1] < share * kept[0]
    assert operations[0] == operations[1] > 0


def test_a_module_that_changes_its_buffers_is_run_again_from_where_it_was() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            self.count += 1
            return (x * self.count.clone()).exp()

    module, x = Counting(), torch.tensor(0.5, requires_grad=True)
    first, second = recomputed(module, x), recomputed(module, x)
    (first + second).backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(2 * torch.tensor(1.0).exp().item() + 3 * torch.tensor(1.5).exp().item())
    assert module.count == 3


def test_without_gradients_nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.recomputation.recomputed", lambda *_: pytest.fail("for no gradient"))
    with torch.no_grad():
        recomputing(NETWORKS["patches"]())(torch.rand(1, 3, 64, 64))


MODELS: dict[str, Callable[[], Any]] = {
    "pix2pix": APPLICATIONS["pix2pix"].build_model,  # with an average of G
    "pix2pix-objective": APPLICATIONS["pix2pix-objective"].build_model,  # R1, GradNorm, parts of a batch, clipping
    "wgan": lambda: build_pix2pix(gan_mode="wgan", penalties={}),
}


@pytest.mark.parametrize("name", MODELS)
def test_training_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    application = APPLICATIONS["pix2pix"]
    ends = []
    for recompute in False, True:
        torch.manual_seed(0)
        model = MODELS[name]()
        trainer = quiet_trainer(
            tmp_path,
            max_epochs=2,
            enable_checkpointing=False,
            callbacks=[ExactResume(), *application.callbacks(), Networks(recompute=recompute)],
        )
        trainer.fit(model, application.build_data(tmp_path / "data"))
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        ends.append(torch.load(tmp_path / "last.ckpt", weights_only=True))
    assert_same(*ends)
