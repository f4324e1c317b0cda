from pathlib import Path

import pytest
import torch

from pix2pix import PairedImages
from tests.training.programs import PIX2PIX, SILENCED, Program, read_config, the_run
from training.run_data import data_of_run, pictures_of_run

pytestmark = SILENCED


@pytest.mark.parametrize("program", ["pix2pix"], indirect=True)
def test_pictures_are_those_that_the_network_saw_in_validation(program: Program) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.fast_dev_run", "true"])  # leaves nothing
    assert pictures_of_run(Path("somewhere/last.ckpt"), PairedImages, "input", 2) == []

    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    run = the_run()
    data = data_of_run(run, PairedImages)
    assert (data.batch_size, data.root) == (2, Path(read_config()["data"]["init_args"]["root"]))
    first, last = pictures_of_run(run / "checkpoints" / "last.ckpt", PairedImages, "input", 2)
    dataset = data.dataset("val")
    assert torch.equal(first, dataset[0, 0]["input"])
    assert torch.equal(last, dataset[0, len(dataset) // 2]["input"])


@pytest.mark.parametrize("text", ["", "data:", "a: b", "\t", "data: {class_path: pix2pix.data.PairedImages"])
def test_what_is_no_configuration_is_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the folder of a run"):
        data_of_run(tmp_path, PairedImages)
    (tmp_path / "config.yaml").write_text(text)
    if text != "data:":
        with pytest.raises(ValueError, match=r"config\.yaml: not (a configuration with data|YAML that can be read)"):
            data_of_run(tmp_path, PairedImages)


def test_another_applications_data_are_wrong_usage(tmp_path: Path) -> None:
    assert PIX2PIX.name == "pix2pix"
    (tmp_path / "config.yaml").write_text("data: {class_path: multitask.data.SceneData}")
    with pytest.raises(SystemExit) as stopped:
        data_of_run(tmp_path, PairedImages)
    assert stopped.value.code == 2
