"""Find the configuration of a command."""

from importlib import util
from pathlib import Path

from inference import run_of
from inference.configuration import read_yaml


def with_configuration(options: list[str], program: str, demo: str) -> list[str]:
    """Fill in the configuration of a command that names none, and find those shipped with the package by name.

    Without ``--config``, a command takes the one of the run whose checkpoint it is given, and ``fit`` without a
    checkpoint the demo's.

    Args:
        options: the words of the command line after the command.
        program: the application's package.
        demo: the name of its demo configuration.
    """
    options = [part for word in options for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    given = [index for index, word in enumerate(options) if word in ("-c", "--config")]
    for index in given:
        shipped = configurations_of(program) / f"{''.join(options[index + 1 : index + 2])}.yaml"
        if shipped.is_file():
            options[index + 1] = str(shipped)
    if not given:
        checkpoint = checkpoint_in(options)
        run = run_of(checkpoint) if checkpoint else None
        configuration = run / "config.yaml" if run else configurations_of(program) / f"{demo}.yaml"
        options = ["--config", str(configuration), *options]
    check_configurations(options)
    return options


def check_configurations(words: list[str]) -> None:
    """Require that the YAML files among the words of a command line can be read as configurations.

    Raises:
        ValueError: one cannot; the line names it.
    """
    for word in words:
        file = Path(word.partition("=")[2] if word.startswith("--") else word)
        if file.suffix in (".yaml", ".yml") and file.is_file() and not isinstance(found := read_yaml(file), dict):
            what = "is empty" if found is None else f"holds a {type(found).__name__}"
            raise ValueError(f"{file}: {what}; a configuration must have keys such as model: and data:")


def configurations_of(program: str) -> Path:
    """Return the folder of an application's configurations: inside the installed package, or at the top of a clone."""
    specification = util.find_spec(program)
    assert specification is not None and specification.origin is not None, f"{program} is a package of files"
    package = Path(specification.origin).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs" / program


def configuration_at(place: str, program: str) -> Path | None:
    """Return the configuration that a word names: that of a run's folder, a file, or one shipped with the package.

    Args:
        place: the word.
        program: the application's package.
    """
    files = Path(place) / "config.yaml", Path(place), configurations_of(program) / f"{place}.yaml"
    return next((file for file in files if file.is_file()), None)


def checkpoint_in(options: list[str]) -> str | None:
    """Return the checkpoint that options name, if any."""
    for index, word in enumerate(options):
        option, equals, value = word.partition("=")
        if option == "--ckpt_path":
            return value if equals else "".join(options[index + 1 : index + 2])
    return None
