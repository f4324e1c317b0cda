"""What the project promises about itself: its imports point down, and its wheel works without a clone."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "losses": {"losses"},
    "inference": {"inference"},
    "training": {"training", "inference"},
    "pix2pix": {"pix2pix", "losses", "inference", "training"},
    "multitask": {"multitask", "losses", "inference", "training"},
}
LIGHTNING = {"lightning", "jsonargparse", "torchmetrics"}  # what losses and inference do without


def imports_of(file: Path) -> set[str]:
    """The packages at the top that a file imports from, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package: str) -> None:
    """No circle between packages, and no arrow upward."""
    for file in (ROOT / package).rglob("*.py"):
        ours = imports_of(file) & MAY_IMPORT.keys()
        assert ours <= MAY_IMPORT[package], f"{file} imports {ours}"
        if package in ("losses", "inference"):
            assert not imports_of(file) & LIGHTNING, file


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_knows_its_version(package: str) -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert importlib.import_module(package).__version__ == stated
    assert f"version: {stated}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("package", ["training", "pix2pix", "multitask"])
def test_names_that_are_imported_when_used_are_all_there(package: str) -> None:
    module = importlib.import_module(package)
    stub = ast.parse((ROOT / package / "__init__.pyi").read_text())
    imported = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(module.__all__) == sorted(stub_all(stub))
    for name in module.__all__:
        assert getattr(module, name).__module__.startswith(f"{package}.")


def stub_all(stub: ast.Module) -> list[str]:
    (names,) = (ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    return list(names)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_is_typed_and_introduces_itself(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))


@pytest.mark.slow
def test_the_wheel_works_without_a_clone(tmp_path: Path) -> None:
    """Built, installed without dependencies into an empty folder, it prints a configuration that travelled inside."""
    source = tmp_path / "source"  # a copy: building leaves files behind
    for name in (*MAY_IMPORT, "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} <= {*MAY_IMPORT, "bin"}
    assert all((site / package / "py.typed").is_file() for package in MAY_IMPORT)
    for file in (ROOT / "inference" / "page").glob("page.*"):
        assert (site / "inference" / "page" / file.name).is_file()

    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = [sys.executable, "-c", "import pix2pix; print(pix2pix.__file__)"]
    found = subprocess.run(where, cwd=empty, env=environment, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(site))  # not the clone
    command = [sys.executable, "-m", "pix2pix", "fit", "--config", "facades", "--print_config"]
    result = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=True)
    assert yaml.safe_load(result.stdout)["data"]["init_args"]["direction"] == "BtoA"


TESTED_ELSEWHERE = {  # files that have no mirror, and where their tests are
    "losses/figures/style.py": "losses/figures/test_curves.py",
    "losses/weighting/last_layer.py": "losses/weighting/test_tap.py",
    "losses/pretrained.py": "losses/test_perceptual.py",
    "losses/regions.py": "losses/test_segmentation.py",
    "multitask/checks.py": "multitask/test_module.py",
    "multitask/command_line.py": "training/test_command_line.py",
    "multitask/comparison/command_line.py": "multitask/comparison/test_compare.py",
    "multitask/data/coco.py": "multitask/data/test_folders.py",
    "multitask/data/files.py": "multitask/data/test_folders.py",
    "multitask/data/scenes.py": "multitask/data/test_batches.py",
    "multitask/encoders/encoder.py": "multitask/encoders/test_small.py",
    "multitask/maps.py": "multitask/test_predictor.py",
    "multitask/metrics.py": "multitask/test_module.py",
    "multitask/tasks/class_task.py": "multitask/tasks/test_tasks.py",
    "multitask/tasks/classification.py": "multitask/tasks/test_tasks.py",
    "multitask/tasks/depth.py": "multitask/tasks/test_tasks.py",
    "multitask/tasks/normals.py": "multitask/tasks/test_tasks.py",
    "multitask/tasks/segmentation.py": "multitask/tasks/test_tasks.py",
    "multitask/export.py": "training/test_exports.py",
    "multitask/predict.py": "multitask/test_main.py",
    "multitask/tasks/task.py": "multitask/tasks/test_tasks.py",
    "multitask/tasks/writing.py": "multitask/test_predictor.py",
    "pix2pix/ablation/command_line.py": "pix2pix/ablation/test_ablate.py",
    "pix2pix/card.py": "pix2pix/test_export.py",
    "pix2pix/command_line.py": "training/test_command_line.py",
    "pix2pix/data/inputs.py": "pix2pix/test_translator.py",
    "pix2pix/data/parquet.py": "pix2pix/data/test_pairs.py",
    "inference/page/service.py": "inference/page/test_application.py",
    "inference/pipeline.py": "inference/test_predictor.py",
    "pix2pix/trained.py": "pix2pix/test_translator.py",
    "pix2pix/translate.py": "pix2pix/test_odd_pictures.py",
    "training/callbacks/checkpoint_artifact.py": "training/test_loggers.py",
    "training/callbacks/curves.py": "training/test_command_line.py",
    "training/callbacks/data_summary.py": "training/test_command_line.py",
    "training/callbacks/exact_resume.py": "training/test_resume.py",
    "training/callbacks/glance.py": "multitask/test_doctor.py",
    "training/callbacks/last_checkpoint.py": "training/test_resume.py",
    "training/callbacks/progress.py": "training/test_command_line.py",
    "training/callbacks/sign.py": "training/callbacks/test_health.py",
    "training/commands.py": "training/test_usage.py",
    "training/configurations.py": "training/test_usage.py",
    "training/data/counted.py": "training/doctor/test_examination.py",
    "training/data/dataset.py": "training/callbacks/test_bad_samples.py",
    "training/data/filling.py": "training/data/test_cache.py",
    "training/data/layout.py": "multitask/data/test_layouts.py",
    "training/data/loader.py": "training/test_resume.py",
    "training/doctor/page.py": "pix2pix/test_doctor.py",
    "training/failures.py": "training/test_usage.py",
    "training/run_command.py": "training/test_command_line.py",
}


def test_every_file_has_its_tests_where_a_reader_looks_for_them() -> None:
    files = {str(file.relative_to(ROOT)) for package in MAY_IMPORT for file in (ROOT / package).rglob("[!_]*.py")}
    mirrored = {file for file in files if (ROOT / "tests" / file).with_name(f"test_{Path(file).name}").is_file()}
    assert files - mirrored == TESTED_ELSEWHERE.keys()
    assert all((ROOT / "tests" / file).is_file() for file in TESTED_ELSEWHERE.values())
