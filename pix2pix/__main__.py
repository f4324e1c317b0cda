"""The command line: ``python -m pix2pix COMMAND``."""

import sys
from collections.abc import Sequence

try:
    from training.commands import Command, run_commands
except ImportError as error:  # the user's own `training` is found before ours
    sys.exit(f"pix2pix: error: {error}; rename your own `training`, or start the command in another folder")

DESCRIPTION = "Paired image-to-image translation."
RUNS = "pix2pix.command_line:Pix2PixCommands"
COMMANDS = {
    "fit": Command("Train a model and test its best checkpoint; without --config, on the demo's drawings.", RUNS),
    "validate": Command("Evaluate a checkpoint on the validation pairs.", RUNS),
    "test": Command("Evaluate a checkpoint on the test pairs, beside baselines.", RUNS),
    "predict": Command("Translate the test inputs with a checkpoint and write the pictures.", RUNS),
    "import": Command(
        "Make a checkpoint from weights that pytorch-CycleGAN-and-pix2pix saved.",
        "pix2pix.import_weights:import_weights",
    ),
    "translate": Command(
        "Translate pictures and folders of pictures with a checkpoint.", "pix2pix.translate:translate"
    ),
    "export": Command(
        "Write the generator of a checkpoint for other programs: ONNX, a program of torch, safetensors, the hub.",
        "pix2pix.export:export",
    ),
    "gallery": Command("Show every test pair, or the pictures of a folder, on one page.", "pix2pix.gallery:gallery"),
    "serve": Command(
        "Serve a page to draw on, which translates with a checkpoint, also over HTTP.", "pix2pix.serve:serve"
    ),
    "modes": Command(
        "Measure a checkpoint on the validation pairs in each mode of inference, and draw samples.",
        "pix2pix.modes:ModesCommand",
    ),
    "ablate": Command(
        "Train variants of one configuration with several seeds, score them, and write a page.",
        "pix2pix.ablation.command_line:AblateCommand",
    ),
    "doctor": Command(
        "Examine pairs before training: what cannot be read, leaks into the test, or is shifted.",
        "pix2pix.doctor:doctor",
    ),
    "pair": Command(
        "Join the pictures of two folders, side by side, into a data set of pairs.", "pix2pix.data.pairing:pair"
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` name; by default those of the process."""
    run_commands("pix2pix", DESCRIPTION, COMMANDS, arguments)


if __name__ == "__main__":
    main()
