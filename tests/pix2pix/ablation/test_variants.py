from typing import Any

import pytest

from pix2pix.ablation.variants import check_names, with_changes

BASE: dict[str, Any] = {
    "model": {"lambda_l1": 100.0, "generator": {"class_path": "UNet", "init_args": {"levels": 3, "norm": "batch"}}},
    "name": "base",
}


def test_changes_reach_into_nested_options_and_leave_the_others() -> None:
    changed = with_changes(BASE, {"model": {"generator": {"init_args": {"norm": "none"}}, "weights": {"gan": 0}}})
    unet = {"class_path": "UNet", "init_args": {"levels": 3, "norm": "none"}}
    assert changed == {"model": {"lambda_l1": 100.0, "generator": unet, "weights": {"gan": 0}}, "name": "base"}
    assert BASE["model"]["generator"]["init_args"]["norm"] == "batch"
    assert "weights" not in BASE["model"]
    assert with_changes(BASE, {}) == BASE


def test_another_class_comes_with_its_own_options_alone() -> None:
    resnet = {"class_path": "ResNet", "init_args": {"blocks": 6}}
    assert with_changes(BASE, {"model": {"generator": resnet}})["model"]["generator"] == resnet
    same = {"class_path": "UNet", "init_args": {"levels": 2}}
    changed = with_changes(BASE, {"model": {"generator": same}})["model"]["generator"]["init_args"]
    assert changed == {"levels": 2, "norm": "batch"}
    assert with_changes(BASE, {"model": {"generator": None}})["model"]["generator"] is None


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({}, r"^variants must be at least one, such as \{L1: "),
        ({"a/b": {}}, r"^variants: a name must begin with a letter or digit, .* these and _ \+ \. -; got 'a/b'$"),
        ({"..": {}}, r"^variants: a name must begin with a letter or digit, .* got '\.\.'$"),  # a folder above
        ({"a": 3}, r"^variants: a must be options that change; got 3$"),
    ],
)
def test_what_is_no_table_of_variants_is_refused(variants: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_names(variants)
    check_names({"L1+cGAN": None, "patch-16": {"model": {}}})
