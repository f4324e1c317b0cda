"""Every loss of the package with inputs for it: what the tests of the convention run over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import losses

Inputs = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """A loss, its options, and valid inputs for it, floating-point ones in float64."""

    name: str
    module: Callable[..., nn.Module]
    inputs: Callable[[], Inputs]
    function: Callable[..., Any] | None
    options: dict[str, Any] = field(default_factory=dict)
    predictions: tuple[int, ...] = (0,)  # positions of the inputs that are trained
    extreme: Callable[[Inputs], list[Inputs]] | None = None  # None: predictions of 1e4, -1e4 and both
    nothing: Callable[[Inputs], tuple[Inputs, dict[str, Any]]] | None = None  # inputs of which no element counts
    sum_of_none: bool = True  # whether reduction sum is the sum of reduction none
    exact_gradient: bool = True  # whether it is that of the value: not where a part of the value takes none

    def build(self, **options: Any) -> nn.Module:
        return self.module(**{**self.options, **options})

    def call(self, *inputs: Any, **options: Any) -> Tensor:
        assert self.function is not None
        return loss_of(self.function(*inputs, **{**self.tensor_options(), **options}))

    def tensor_options(self) -> dict[str, Any]:
        """The options as the function takes them: weights as tensors."""
        weights = ("weight", "alpha", "pos_weight")
        return {
            name: torch.tensor(value) if name in weights and isinstance(value, list) else value
            for name, value in self.options.items()
        }


def loss_of(result: Any) -> Tensor:
    return result.loss if isinstance(result, losses.VAETerms) else result


def seeded(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape) + sum(shape)))


def classes(*shape: int, below: int) -> Tensor:
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(sum(shape)))


def masked(inputs: Inputs) -> tuple[Inputs, dict[str, Any]]:
    return inputs, {"mask": torch.zeros(inputs[0].shape, dtype=torch.bool)}


def masked_vectors(inputs: Inputs) -> tuple[Inputs, dict[str, Any]]:
    return inputs, {"mask": torch.zeros(inputs[0][:, 0].shape, dtype=torch.bool)}


def ignored(inputs: Inputs) -> tuple[Inputs, dict[str, Any]]:
    return (inputs[0], torch.full_like(inputs[1], -100)), {}


def all_different(inputs: Inputs) -> tuple[Inputs, dict[str, Any]]:
    """No two embeddings of one class: no positive pair."""
    return (inputs[0], torch.arange(len(inputs[0]))), {}


def regression() -> Inputs:
    return seeded(4, 3), seeded(4, 3).flip(0) * 2


def depths() -> Inputs:
    return seeded(2, 1, 4, 5).exp(), seeded(2, 1, 4, 5).flip(0).exp()


def logits_and_classes() -> Inputs:
    return seeded(4, 5, 3), classes(4, 3, below=5)


def logits_and_labels() -> Inputs:
    return seeded(4, 3), classes(4, 3, below=2).double()


def regions() -> Inputs:
    return seeded(2, 3, 4, 4), classes(2, 3, 4, 4, below=2).double()


def two_embeddings() -> Inputs:
    return seeded(4, 3), seeded(4, 3).flip(1)


def labeled_embeddings() -> Inputs:
    return seeded(8, 3), torch.tensor([0, 0, 1, 1, 2, 2, 2, 3])


def boxes() -> Inputs:
    corner, size = seeded(5, 2), seeded(5, 2).flip(0).abs() + 0.5
    target = torch.cat([corner, corner + size], 1)
    return target + 0.3 * seeded(5, 4), target


def case(name: str, inputs: Callable[[], Inputs], *, note: str = "", **of_case: Any) -> Case:
    """The case of ``losses.<name>``, a class whose function has the same name in snake case."""
    module = getattr(losses, name)
    function = getattr(losses, SNAKE_CASE[name])
    return Case(name + note, module, inputs, function, **of_case)


SNAKE_CASE = {
    "AsymmetricMSELoss": "asymmetric_mse_loss",
    "BCEFromProbs": "bce_from_probs",
    "BCEWithLogitsLoss": "bce_with_logits_loss",
    "BerHuLoss": "berhu_loss",
    "BinaryFocalLoss": "binary_focal_loss",
    "CharbonnierLoss": "charbonnier_loss",
    "ContrastiveLoss": "contrastive_loss",
    "CosineLoss": "cosine_loss",
    "CrossEntropyDiceLoss": "cross_entropy_dice_loss",
    "CrossEntropyLoss": "cross_entropy_loss",
    "CurriculumLoss": "curriculum_loss",
    "DiceLoss": "dice_loss",
    "FeatureMatchingLoss": "feature_matching_loss",
    "FocalFrequencyLoss": "focal_frequency_loss",
    "FocalLoss": "focal_loss",
    "GANLoss": "gan_loss",
    "GIoULoss": "giou_loss",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "GeneralizedDiceLoss": "generalized_dice_loss",
    "GradientMatchingLoss": "gradient_matching_loss",
    "HuberLoss": "huber_loss",
    "InfoNCELoss": "info_nce_loss",
    "IoULoss": "iou_loss",
    "KLDivWithLogitsLoss": "kl_div_with_logits_loss",
    "L1Loss": "l1_loss",
    "LeCamPenalty": "lecam_penalty",
    "LogCoshLoss": "log_cosh_loss",
    "LovaszLoss": "lovasz_loss",
    "MSELoss": "mse_loss",
    "MSSSIMLoss": "ms_ssim_loss",
    "MultiLabelLoss": "multi_label_loss",
    "NTXentLoss": "nt_xent_loss",
    "OnlineTripletLoss": "online_triplet_loss",
    "PerceptualLoss": "perceptual_loss",
    "ProbabilityL1Loss": "probability_l1_loss",
    "RMSELoss": "rmse_loss",
    "RelativisticGANLoss": "relativistic_gan_loss",
    "SILogLoss": "silog_loss",
    "SSIMLoss": "ssim_loss",
    "ShiftTolerantL1Loss": "shift_tolerant_l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "SumLoss": "sum_loss",
    "TotalVariationLoss": "total_variation_loss",
    "TripletLoss": "triplet_loss",
    "TverskyLoss": "tversky_loss",
    "VAELoss": "vae_loss",
}


def probabilities_at_the_ends(inputs: Inputs) -> list[Inputs]:
    return [(torch.zeros_like(inputs[0]), inputs[1]), (torch.ones_like(inputs[0]), inputs[1])]


def pictures(size: int) -> Inputs:
    """In [-1, 1], the target nearer to the input than to another picture."""
    shape = (2, 1, size, size)
    return seeded(*shape).tanh(), (seeded(*shape) + seeded(*shape).flip(0)).tanh()


def images_for_perception() -> Inputs:
    return seeded(2, 3, 4, 4).tanh(), seeded(2, 3, 4, 4).flip(0).tanh()


def perceptual(**options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of the VGG's weights
        return losses.PerceptualLoss(**options)


def vae() -> Inputs:
    return seeded(4, 3, 2), classes(4, 3, 2, below=2).double(), seeded(4, 2), seeded(4, 2).flip(0)


class FeatureMatchingOfOneLayer(nn.Module):
    """The loss of one map of features for each picture, and scores that do not count."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.loss = losses.FeatureMatchingLoss(**options)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self.loss([[input, input]], [[target, target]])


def gan_loss_with_labels(x: Tensor, real: bool, **options: Any) -> Tensor:
    label = options.pop("real_label", 1.0)
    return losses.gan_loss(x, torch.full_like(x, torch.tensor(label).item()), real, **options)


CASES = [
    *(
        case(name, regression, nothing=masked, sum_of_none=name != "RMSELoss", options=options)
        for name, options in {
            "MSELoss": {},
            "L1Loss": {},
            "RMSELoss": {},
            "HuberLoss": {"delta": 0.7},
            "SmoothL1Loss": {"beta": 0.7},
            "LogCoshLoss": {},
            "CharbonnierLoss": {"eps": 0.7},
            "AsymmetricMSELoss": {"over_penalty": 3.0, "under_penalty": 0.5},
        }.items()
    ),
    case("SILogLoss", depths, nothing=masked),
    case("SILogLoss", depths, note=" of ratios", nothing=masked, options={"variance_focus": 1.0}),
    case("BerHuLoss", regression, nothing=masked, exact_gradient=False),
    case("BerHuLoss", regression, note=" by threshold", nothing=masked, options={"threshold": 0.7}),
    case("GradientMatchingLoss", depths, nothing=masked, options={"scales": 2}),
    Case(
        "SumLoss",
        lambda **options: losses.SumLoss(
            {"l1": losses.L1Loss(), "mse": losses.MSELoss()}, weights={"mse": 0.5}, **options
        ),
        regression,
        None,
        nothing=masked,
    ),
    case(
        "GaussianNLLLoss",
        lambda: (*regression(), seeded(4, 3).exp()),
        predictions=(0, 2),
        options={"full": True},
        nothing=masked,
        extreme=lambda inputs: [(1e4 * inputs[0], inputs[1], variance * inputs[2]) for variance in (0, 1e-4, 1e4)],
    ),
    case("CosineLoss", lambda: (seeded(4, 3, 2), seeded(4, 3, 2).flip(1)), nothing=masked_vectors),
    case("CrossEntropyLoss", logits_and_classes, nothing=ignored),
    case(
        "CrossEntropyLoss",
        logits_and_classes,
        note=" weighted",
        options={"weight": [0.1, 1.0, 2.0, 0.0, 3.0], "label_smoothing": 0.1},
        nothing=ignored,
    ),
    case("CrossEntropyLoss", lambda: (seeded(4, 5, 3), seeded(4, 5, 3).flip(0).softmax(1)), note=" of probabilities"),
    case("FocalLoss", logits_and_classes, options={"alpha": [0.1, 1.0, 2.0, 0.0, 3.0]}, nothing=ignored),
    case("FocalLoss", logits_and_classes, note=" below one", options={"gamma": 0.5}, nothing=ignored),
    case("KLDivWithLogitsLoss", lambda: (seeded(4, 5, 3), seeded(4, 5, 3).flip(0)), options={"temperature": 2.0}),
    case("ProbabilityL1Loss", logits_and_classes, nothing=ignored),
    case("BCEWithLogitsLoss", logits_and_labels, options={"pos_weight": [0.1, 2.0, 3.0]}, nothing=masked),
    case(
        "BCEFromProbs",
        lambda: (seeded(4, 3).sigmoid(), classes(4, 3, below=2).double()),
        nothing=masked,
        extreme=probabilities_at_the_ends,
    ),
    case("BinaryFocalLoss", logits_and_labels, nothing=masked),
    case(
        "BinaryFocalLoss",
        logits_and_labels,
        note=" of positives",
        options={"gamma": 0.5, "alpha": None, "normalizer": "positives"},
        nothing=masked,
    ),
    case("MultiLabelLoss", logits_and_labels, nothing=masked),
    case("MultiLabelLoss", logits_and_labels, note=" summed", options={"labels": "sum"}, nothing=masked),
    case(
        "ContrastiveLoss",
        lambda: (*two_embeddings(), torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)),
        predictions=(0, 1),
        options={"margin": 5.0},
    ),
    case("TripletLoss", lambda: (seeded(4, 3).roll(1, 0), *two_embeddings()), predictions=(0, 1, 2)),
    case(
        "TripletLoss",
        lambda: (seeded(4, 3).roll(1, 0), *two_embeddings()),
        note=" squared",
        predictions=(0, 1, 2),
        options={"squared": True, "swap": True, "soft_margin": True},
    ),
    *(
        case("OnlineTripletLoss", labeled_embeddings, note=f" {note}", options=options, nothing=all_different)
        for note, options in {
            "batch_hard": {"mining": "batch_hard", "soft_margin": True},
            "semi_hard": {"mining": "semi_hard"},
            "semi_hard_all": {"mining": "semi_hard_all", "squared": True},
            "batch_all": {"mining": "batch_all"},
            "batch_all of all": {"mining": "batch_all", "only_active": False},
        }.items()
    ),
    case("InfoNCELoss", two_embeddings, predictions=(0, 1), options={"symmetric": True, "temperature": 0.5}),
    case("NTXentLoss", two_embeddings, predictions=(0, 1), options={"temperature": 0.5}),
    case("DiceLoss", logits_and_classes, nothing=ignored, options={"weight": [0.1, 1.0, 2.0, 0.0, 3.0]}),
    case("DiceLoss", regions, note=" of regions", nothing=ignored, options={"smooth": 0.0, "absent": "skip"}),
    case(
        "DiceLoss",
        logits_and_classes,
        note=" of a batch",
        nothing=ignored,
        options={"per_sample": False, "smooth": 0.0},
    ),
    case("TverskyLoss", logits_and_classes, nothing=ignored, options={"gamma": 0.75, "absent": "zero"}),
    case("TverskyLoss", regions, note=" of regions", nothing=ignored, options={"include_background": False}),
    case("CrossEntropyDiceLoss", logits_and_classes, nothing=ignored),
    case("CrossEntropyDiceLoss", regions, note=" of regions", nothing=ignored),
    case("LovaszLoss", logits_and_classes, nothing=ignored),
    case("LovaszLoss", regions, note=" of regions", nothing=ignored, options={"absent": "keep"}),
    case("LovaszLoss", logits_and_classes, note=" of a batch", nothing=ignored, options={"per_sample": False}),
    case("GeneralizedDiceLoss", logits_and_classes, nothing=ignored, options={"smooth": 0.1}),
    case(
        "GeneralizedDiceLoss",
        regions,
        note=" of regions",
        nothing=ignored,
        options={"absent": "skip", "include_background": False, "per_sample": False},
    ),
    case("IoULoss", boxes),
    case("IoULoss", boxes, note=" log", options={"mode": "log"}),
    case("GIoULoss", boxes),
    *(
        Case(
            f"GANLoss {mode}",
            losses.GANLoss,
            lambda: (seeded(4, 1, 3), True),
            gan_loss_with_labels,
            options={"mode": mode} | ({"real_label": 0.9} if mode in ("vanilla", "lsgan") else {}),
        )
        for mode in ("vanilla", "lsgan", "wgan", "hinge")
    ),
    case("RelativisticGANLoss", lambda: (seeded(4, 1, 3), seeded(4, 1, 3).flip(0)), predictions=(0, 1)),
    Case(
        "LeCamPenalty",
        losses.LeCamPenalty,
        lambda: (seeded(4, 1, 3), seeded(4, 1, 3).flip(0)),
        lambda x, y, **options: losses.lecam_penalty(x, y, x.mean(), y.mean(), **options),
        predictions=(0, 1),
        exact_gradient=False,
    ),
    Case(
        "FeatureMatchingLoss",
        FeatureMatchingOfOneLayer,
        lambda: (seeded(4, 3, 2), seeded(4, 3, 2).flip(0)),
        lambda x, y, **options: losses.feature_matching_loss([[x, x]], [[y, y]], **options),
    ),
    *(
        case("VAELoss", vae, note=f" {likelihood}", predictions=(0, 2, 3), options={"likelihood": likelihood, **more})
        for likelihood, more in {
            "bernoulli": {},
            "gaussian": {"beta": 4.0},
            "mse": {"free_bits": 0.4},
        }.items()
    ),
    *(
        Case(
            f"PerceptualLoss{note}",
            perceptual,
            images_for_perception,
            None,
            options={"weights": None, "layers": ["relu1_1", "relu1_2"], "distance": "mse", **more},
        )
        for note, more in {"": {}, " learned": {"layer_weights": "learned"}}.items()
    ),
    case("TotalVariationLoss", lambda: (seeded(2, 3, 4, 5),)),
    case("FocalFrequencyLoss", lambda: pictures(4), nothing=masked, exact_gradient=False),
    case("ShiftTolerantL1Loss", lambda: pictures(5), nothing=masked),
    case("SSIMLoss", lambda: pictures(12)),
    case("MSSSIMLoss", lambda: pictures(22), options={"scale_weights": [0.3, 0.7]}),
    Case(
        "CurriculumLoss",
        lambda **options: losses.CurriculumLoss(losses.MSELoss(reduction="none"), epochs=10, start=0.2, **options),
        lambda: (seeded(10, 3), seeded(10, 3).flip(0)),
        None,
    ),
]
