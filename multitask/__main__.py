"""The command line: ``python -m multitask COMMAND``."""

import sys
from collections.abc import Sequence

try:
    from training.commands import Command, run_commands
except ImportError as error:  # the user's own `training` is found before ours
    sys.exit(f"multitask: error: {error}; rename your own `training`, or start the command in another folder")

DESCRIPTION = "Several tasks on one encoder, balanced by learned weights."
RUNS = "multitask.command_line:MultiTaskCommands"
COMMANDS = {
    "fit": Command("Train a model and test its best checkpoint; without --config, on the demo's rooms.", RUNS),
    "validate": Command("Evaluate a checkpoint on the validation scenes.", RUNS),
    "test": Command("Evaluate a checkpoint on the test scenes, beside baselines.", RUNS),
    "predict": Command(
        "Predict all tasks for pictures and folders of pictures with a checkpoint.", "multitask.predict:predict"
    ),
    "export": Command(
        "Write the model of a checkpoint for other programs: ONNX, a program of torch or safetensors.",
        "multitask.export:export",
    ),
    "gallery": Command("Show the predictions for every test scene on one page.", "multitask.gallery:gallery"),
    "serve": Command("Serve a page that shows all tasks of a picture, also over HTTP.", "multitask.serve:serve"),
    "doctor": Command(
        "Examine scenes before training: what cannot be read, fits no task or leaks into the test.",
        "multitask.doctor:doctor",
    ),
    "compare": Command(
        "Train one configuration with several weightings and seeds, and compare them.",
        "multitask.comparison.command_line:CompareCommand",
    ),
    "toy": Command("Run the toy example of the GradNorm paper.", "multitask.toy:toy"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` name; by default those of the process."""
    run_commands("multitask", DESCRIPTION, COMMANDS, arguments)


if __name__ == "__main__":
    main()
