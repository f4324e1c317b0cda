"""``multitask export``: a trained model of several tasks for other programs."""

from collections.abc import Mapping
from typing import cast, get_args

from torch import Tensor

from inference import __version__
from inference.export import Format, Graph, Source, batches_to_check, generated_pictures
from inference.export import export as write_file
from multitask.data import SceneData
from multitask.graph import Heads
from multitask.module import MultiTask
from multitask.predictor import Predictor
from training.exports import CHECKED, export_target, pictures_to_check

UNUSED = "weighting."  # of the weights, as they balance losses


def export(
    checkpoint: str, out: str, *, format: Format | None = None, pictures: str | None = None, overwrite: bool = False
) -> None:
    """Write the model of a checkpoint for other programs, and run what was written beside the model.

    It takes pictures N x 3 x height x width in [0, 1], any number of any size whose sides are multiples of the
    encoder's stride, and returns what the heads predict, each under its name: TASK for a map, N x C x height x width,
    before it is decoded (logits of classes); TASK.FIELD for what has several parts, as the boxes of a detection, which
    are decoded to corners in pixels, without non-maximum suppression. The metadata in the file hold the tasks with
    their options and the stride. The largest difference to the model's own outputs is printed; if it is above 1e-4,
    nothing is written. Needs the extra `export`.

    Args:
        checkpoint: of a run, such as runs/NAME/TIME/checkpoints/best.ckpt.
        out: the file to write.
        format: onnx, batch norm folded into convolutions; pt2, the same as a program of torch; or safetensors, the
            weights. By default what the ending of OUT names.
        pictures: a picture or a folder to check with; by default validation pictures of the checkpoint's run, and where
            they are not there smooth noise.
        overwrite: replace what exists.

    Raises:
        ValueError: the checkpoint cannot be read or exported, OUT is there already, or the outputs differ.
        WrongUsage: the format is not known.
    """
    target, named = export_target(out, format, get_args(Format), overwrite)
    predictor = Predictor(checkpoint, device="cpu")
    source = source_of(predictor.model)
    found = pictures_to_check(predictor, checkpoint, pictures, SceneData, "image")
    found = found or [each / 2 + 0.5 for each in generated_pictures(source.graph, CHECKED)]
    checked = write_file(source, target, cast(Format, named), batches_to_check(source.graph, found))
    print(f"written to {target}; {checked}")


def source_of(model: MultiTask) -> Source:
    """Return what an export of a model is made of.

    Raises:
        ValueError: one of its tasks predicts what cannot be exported.
    """
    options = {name: model.hparams[name] for name in ("encoder", "tasks", "channels", "stride", "attention")}

    def rebuild(weights: Mapping[str, Tensor]) -> Graph:
        parts = MultiTask.build_parts({**model.hparams})
        again = MultiTask(**{**options, **parts})
        again.load_state_dict({**again.state_dict(), **weights})
        return Heads(again.eval()).graph()

    heads = Heads(model)
    metadata = {
        **options,
        "made_by": f"pix2pix-multitask {__version__}",
        "pictures": "batch x 3 x height x width, float32 in [0, 1], RGB",
        "multiple_of": model.encoder.stride,
        "outputs": heads.names,
        "resize": model.resize,
    }
    weights = {name: value for name, value in model.state_dict().items() if not name.startswith(UNUSED)}
    return Source(heads.graph(), weights, rebuild, metadata)
