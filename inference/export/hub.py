"""A network as a folder that the Hugging Face hub understands: its recipe, its weights, and a card."""

import json
from collections.abc import Sequence
from importlib import util
from pathlib import Path

from torch import Tensor, nn

from inference.export.check import Checked
from inference.export.files import Source, export
from inference.recipe import Network, build

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


def write_folder(folder: Path, source: Source, batches: Sequence[Tensor], card: str) -> Checked:
    """Write a network as a folder that ``upload_folder`` of ``huggingface_hub`` can send as it is.

    Args:
        folder: is made where it is missing.
        source: of a network whose recipe is in the metadata; these become ``config.json``.
        batches: pictures to run, as for :func:`inference.export.export`.
        card: the text of README.md.
    """
    checked = export(source, folder / WEIGHTS, "safetensors", batches)
    # The network's arguments stand at the top too, where PyTorchModelHubMixin of huggingface_hub looks for them.
    config = {**source.metadata["init_args"], **source.metadata}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    (folder / CARD).write_text(card)
    return checked


def read_folder(name: str | Path, kind: type[Network], revision: str | None = None) -> nn.Module:
    """Rebuild a network from its folder, or from a repository of the hub.

    Unlike ``PyTorchModelHubMixin`` it requires the class and all weights, and reads safetensors alone, which hold no
    code; and networks need no base class out of an extra.

    Args:
        name: the folder; where there is none of this name, the repository ``OWNER/NAME``.
        kind: what the network must be.
        revision: of the repository: a branch, a tag or a commit.

    Raises:
        ValueError: there is no such folder or repository, or it does not hold such a network.
        ModuleNotFoundError: the packages of the extra ``hub`` are not installed.
    """
    if not all(util.find_spec(package) for package in ("huggingface_hub", "safetensors")):
        raise ModuleNotFoundError("from_pretrained needs more packages: pip install 'pix2pix-multitask[hub]'")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(name) if Path(name).is_dir() else _downloaded(str(name), revision)
    try:
        recipe = json.loads((folder / CONFIG).read_text())
    except FileNotFoundError:
        raise ValueError(f"{name}: no network, as there is no file {CONFIG}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {CONFIG} is no JSON ({error})") from None
    try:
        network = build(recipe, kind)
        network.load_state_dict(load_file(folder / WEIGHTS))
    except FileNotFoundError:
        raise ValueError(f"{name}: no network, as there is no file {WEIGHTS}") from None
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{name}: not a network of this package ({str(error).splitlines()[0]})") from None
    return network.eval()


def _downloaded(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=[CONFIG, WEIGHTS]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{repository}: no such folder, and no repository that can be reached ({reason})") from None
