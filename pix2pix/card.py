"""The model card of a generator, of what its checkpoint and its run tell."""

import shutil
from pathlib import Path

from inference.configuration import read_yaml
from inference.export.card import model_card
from pix2pix.trained import Loaded
from training.metrics_file import FILE, Metrics

SAMPLES = "samples.png"


def card(trained: Loaded, run: Path | None, license: str, folder: Path) -> str:
    """Return the card, and put the last sample pictures of the run beside it.

    Args:
        trained: the model.
        run: the folder of its run, or None where it is not there.
        license: as the hub names it.
        folder: of the card.
    """
    data, metrics, samples = [], {}, None
    if run is not None:
        options = read_yaml(run / "config.yaml")["data"]["init_args"]
        data = [f"root: {Path(options['root']).name}", f"layout: {options['layout']['class_path']}"]
        metrics = Metrics(run / FILE).last("test/") if (run / FILE).is_file() else {}
        if pictures := sorted((run / "samples").glob("epoch_*.png")):
            folder.mkdir(parents=True, exist_ok=True)
            samples = SAMPLES
            shutil.copy(pictures[-1], folder / samples)
    sides = ("input", trained.formats.input), ("output", trained.formats.target)
    network = type(trained.generator)
    return model_card(
        f"pix2pix: {folder.name}",
        license=license,
        task="image-to-image",
        use=(
            "It translates pictures of the kind that it was trained on, and nothing else can be expected of it: what "
            "it has not seen, it makes up. Its input are tensors N x channels x height x width in [-1, 1], whose sides "
            f"are multiples of {trained.generator.stride}; config.json says how the numbers of files become these."
        ),
        code=(
            f"from pix2pix import {network.__name__}\n\n"
            f'generator = {network.__name__}.from_pretrained("{folder.name}")  # or OWNER/{folder.name}\n'
            "output = generator(input)"
        ),
        data=[*data, *(f"{side}: {format.describe()}" for side, format in sides)],
        metrics=metrics,
        samples=samples,
    )
