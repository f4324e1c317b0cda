"""``pix2pix export``: a trained generator for other programs."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal, cast, get_args

from torch import Tensor

from inference import InferenceMode, Preset, __version__, as_mode, build, run_of
from inference.export import Format, Graph, Source, batches_to_check, generated_pictures
from inference.export import export as write_file
from inference.export.hub import write_folder
from pix2pix.card import card
from pix2pix.data import PairedImages
from pix2pix.generators import Generator
from pix2pix.graph import graph_of
from pix2pix.trained import Loaded, load, require_recalibrated
from pix2pix.translator import Translator
from training.exports import CHECKED, export_target, pictures_to_check
from training.failures import WrongUsage

ExportFormat = Literal["onnx", "pt2", "safetensors", "hub"]


def export(
    checkpoint: str,
    out: str,
    *,
    format: ExportFormat | None = None,
    inference: Preset | InferenceMode | None = None,
    pictures: str | None = None,
    license: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write the generator of a checkpoint for other programs, and compare what was written with the generator.

    The exported network takes any number of pictures, N x channels x height x width in [-1, 1], whose sides are
    multiples of the generator's stride, and returns as many. The metadata of the file say how the values of picture
    files become these numbers: they hold the formats of input and output, the mode, the stride and the least size. The
    largest difference to the generator's own outputs is printed; if it is above 1e-4, nothing is written. Needs the
    extra `export`.

    Args:
        checkpoint: of a run, such as runs/NAME/TIME/checkpoints/best.ckpt.
        out: the file to write; or the folder, for `hub`.
        format: onnx, batch norm folded into convolutions; pt2, the same as a program of torch; safetensors, the
            weights; or hub, a folder with weights, recipe and model card that `huggingface_hub` can upload. By default
            the ending of OUT decides.
        inference: the inference mode, a preset or an InferenceMode; by default the model's own. Dropout's noise cannot
            be exported.
        pictures: a picture or a folder to check with; by default validation pictures of the checkpoint's run or, if
            there are none, smooth noise.
        license: of the weights, for `hub`, by the hub's names: mit, cc-by-sa-4.0.
        overwrite: replace what exists.

    Raises:
        ValueError: the checkpoint cannot be read or exported, OUT is there already, or the outputs differ.
        WrongUsage: the format is not known, or the license is missing.
    """
    if format == "hub" and license is None:
        raise WrongUsage("--format hub needs --license, as the hub names it: mit, cc-by-sa-4.0, other")
    target, named = export_target(out, format, get_args(ExportFormat), overwrite)
    trained = load(Path(checkpoint))
    if inference is not None:
        trained = trained._replace(inference=as_mode(inference))
    require_recalibrated(trained.inference, trained.recalibrated)

    source = source_of(trained)
    translator = Translator(trained, device="cpu")
    found = pictures_to_check(translator, checkpoint, pictures, PairedImages, "input")
    batches = batches_to_check(source.graph, found or generated_pictures(source.graph, CHECKED))
    if named == "hub":
        checked = write_folder(target, source, batches, card(trained, run_of(checkpoint), str(license), target))
    else:
        checked = write_file(source, target, cast(Format, named), batches)
    print(f"written to {target}; {checked}")


def source_of(trained: Loaded) -> Source:
    """Return what an export of a generator is made of.

    Raises:
        ValueError: its mode cannot be exported.
    """
    graph = graph_of(trained.generator, trained.inference)
    recipe = trained.generator.recipe()

    def rebuild(weights: Mapping[str, Tensor]) -> Graph:
        generator = build(recipe, Generator)
        generator.load_state_dict(weights)
        return graph_of(generator.eval(), trained.inference)

    metadata = {
        **recipe,
        "made_by": f"pix2pix-multitask {__version__}",
        "pictures": "batch x channels x height x width, float32 in [-1, 1], channels of colors in RGB order",
        "stride": graph.stride,
        "least": graph.least,
        "data": trained.formats.as_dict(),
        "inference": asdict(trained.inference),
    }
    return Source(graph, trained.generator.state_dict(), rebuild, metadata)
