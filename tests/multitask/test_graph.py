"""A model of several tasks in another runtime: the same predictions, decoded the same way."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from inference.export.runtimes import OpenVino
from multitask import Classification, Depth, Detection, MultiTask, Predictor, Segmentation, SmallEncoder
from multitask.encoders.small import OutputStride
from multitask.graph import Heads
from multitask.module import Upsampling


def make(upsampling: Upsampling = "bilinear", output_stride: OutputStride = 4) -> MultiTask:
    tasks: Any = {
        "seg": Segmentation(3, width=4),
        "depth": Depth(width=4),
        "room": Classification(4, target="room", width=4),
        "boxes": Detection(2, width=4, depth=1),
    }
    encoder = SmallEncoder(width=4, blocks=2 if output_stride == 16 else 0, output_stride=output_stride)
    model = MultiTask(encoder, tasks, channels=4, upsampling=upsampling)
    nn.init.normal_(model.heads["boxes"].classify[-1].bias)  # so that something is found
    return model.eval()


def test_heads_are_tensors_with_names_and_come_back_as_predictions() -> None:
    model, pictures = make(), torch.rand(2, 3, 16, 24)
    heads = Heads(model)
    assert heads.names == (
        *("seg", "depth", "room"),
        *(f"boxes.{field}" for field in ("logits", "boxes", "centerness", "centers", "step")),
    )
    outputs = heads(pictures)
    again = model.at_size(heads.predictions(outputs), (16, 24), (16, 24))
    for name, expected in model(pictures).items():
        assert_close(again[name], expected)


@pytest.mark.parametrize("upsampling", ["bilinear", "guided"])
def test_a_captured_graph_takes_any_batch_and_size(upsampling: Upsampling) -> None:
    heads = Heads(make(upsampling, output_stride=16))
    run = heads.graph().capture().module()
    for count, height, width in (1, 16, 16), (1, 32, 16), (3, 16, 48):
        pictures = torch.rand(count, 3, height, width)
        for found, expected in zip(run(pictures), heads(pictures), strict=True):
            assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_prediction_of_another_kind_is_refused() -> None:
    model = make()
    model.heads["seg"].forward = lambda features, size: [features]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="task seg predicts list, which no graph can return"):
        Heads(model)


@pytest.mark.slow
@pytest.mark.parametrize("upsampling", ["bilinear", "guided"])
def test_a_predictor_in_another_runtime_predicts_the_same(upsampling: Upsampling) -> None:
    model = make(upsampling)
    torch_alone, other = (Predictor(model, device="cpu", backend=backend) for backend in ("torch", "openvino"))
    assert isinstance(other.runtime, OpenVino)
    for count, height, width in (1, 16, 24), (2, 19, 30):
        pictures = torch.rand(count, 3, height, width)
        with torch.no_grad():
            expected, found = torch_alone.run(pictures), other.run(pictures)
        assert_close(found["depth"], expected["depth"], rtol=0, atol=1e-4)
        assert (found["seg"] == expected["seg"]).float().mean() > 0.999
        assert torch.equal(found["room"], expected["room"])
        for ours, theirs in zip(found["boxes"], expected["boxes"], strict=True):
            assert len(theirs["boxes"]) > 0
            assert_close(ours["scores"], theirs["scores"], rtol=0, atol=1e-4)
            assert_close(ours["boxes"], theirs["boxes"], rtol=0, atol=1e-2)


def test_bfloat16_is_torchs() -> None:
    with pytest.raises(ValueError, match="precision bf16 is torch's"):
        Predictor(make(), device="cpu", precision="bf16", backend="onnxruntime")
