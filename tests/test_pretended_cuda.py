"""What the pretended device refuses and notes, and that it computes what the CPU does."""

import copy
import io
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.pretended_cuda import pretended_cuda, waits_of_pretended_cuda


@pytest.fixture
def cuda() -> Iterator[None]:
    with pretended_cuda():
        yield


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))


def trained(device: str) -> dict[str, Tensor]:
    """Two steps with a scaler."""
    model = network().to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    scaler = torch.amp.GradScaler(device, init_scale=8.0)
    picture = torch.rand(2, 3, 8, 8).to(device)
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale(model(picture).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert all(parameter.grad.device.type == device for parameter in model.parameters() if parameter.grad is not None)
    return {name: value.cpu() for name, value in copy.deepcopy(model).state_dict().items()}


def test_it_computes_what_the_cpu_does(cuda: None) -> None:
    ours, expected = trained("cuda"), trained("cpu")
    assert all(torch.equal(ours[name], value) for name, value in expected.items())


def test_in_inference_mode_too(cuda: None) -> None:
    model, picture = network().eval(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        expected = model(picture)
        found = model.to("cuda")(picture.to("cuda"))
        assert found.device.type == "cuda"
        assert torch.equal(found.cpu(), expected)
        with pytest.raises(RuntimeError, match="device"):
            model(picture)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.cat([x, torch.ones(3)]),
        lambda x: torch.ones(3)[x.long()],
        lambda x: torch.stack([x, torch.ones(3)]),
        lambda x: F.conv1d(x.view(1, 1, 3), torch.ones(1, 1, 2)),
        lambda x: network()(x.new_ones(1, 3, 8, 8)),
        lambda x: x.numpy(),
    ],
)
def test_mistakes_of_place_are_refused(mistake: Any, cuda: None) -> None:
    with pytest.raises((RuntimeError, TypeError), match="device"):
        mistake(torch.ones(3, device="cuda"))


def test_what_a_gpu_takes_from_the_cpu_is_taken(cuda: None) -> None:
    x = torch.arange(3.0, device="cuda")
    for taken in x + torch.tensor(1.0), x[torch.tensor([0, 1])], torch.zeros(3, device="cuda").copy_(torch.ones(3)):
        assert taken.device == torch.device("cuda:0")
    x[1] = 5
    x[2:].add_(1)
    assert x.tolist() == [0, 5, 3]
    assert torch.zeros(3).copy_(x).device.type == "cpu"


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
        lambda x: torch.tensor([1.0, 2.0], device="cuda"),
        lambda x: torch.arange(3).to(x),
        lambda x: x.copy_(torch.ones(3)),
    ],
)
def test_what_waits_is_noted(wait: Any, cuda: None) -> None:
    x = torch.ones(3, device="cuda")
    with waits_of_pretended_cuda() as found:
        torch.where(x > 0, x, 0).sum()
        x.copy_(torch.ones(3), non_blocking=True)
        assert found == []
        wait(x)
    assert len(found) >= 1
    assert "test_pretended_cuda.py" in found[0]


def test_what_has_no_deterministic_algorithm_is_refused_where_that_counts(cuda: None) -> None:
    logits, target = torch.zeros(1, 2, 4, 4, device="cuda"), torch.zeros(1, 4, 4, dtype=torch.int64, device="cuda")
    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        F.cross_entropy(logits, target)
    torch.use_deterministic_algorithms(False)
    assert F.cross_entropy(logits, target).item() == pytest.approx(0.6931, abs=1e-4)


def test_files_have_its_tensors_as_those_of_the_cpu(cuda: None) -> None:
    file = io.BytesIO()
    torch.save({"x": torch.ones(3, device="cuda")}, file)
    file.seek(0)
    assert type(torch.load(file, weights_only=True)["x"]) is Tensor


def test_it_is_gone_afterwards() -> None:
    with pretended_cuda():
        torch.ones(3, device="cuda")
    assert not torch.cuda.is_available()
    assert type(nn.Linear(2, 2).double().weight) is nn.Parameter
