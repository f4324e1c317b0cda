"""Detection: a box around every object, and its class."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.distributed
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import batched_nms, clip_boxes_to_image
from torchvision.utils import draw_bounding_boxes

from inference.pictures import palette
from inference.sizes import Size
from losses import BCEWithLogitsLoss, BinaryFocalLoss, GIoULoss
from losses.weighting import Likelihood
from multitask.tasks.criterion import require
from multitask.tasks.fcos import FCOSHead, Places, assign, centerness
from multitask.tasks.task import Better, Task, Totals, class_legend, class_names
from multitask.tasks.writing import Place, Written, write_json

Boxes = dict[str, Tensor]

THRESHOLD = 0.05  # on the score; lower ones hardly change an average precision
CANDIDATES = 1000  # for the non-maximum suppression, per picture
OVERLAP = 0.6  # IoU above which the lower-scored of two boxes of a class is dropped
DETECTIONS = 100  # per picture, as many as COCO counts
DRAWN = 0.45  # least score that is drawn: about as many boxes as there are in the rooms


class Detection(Task):
    r"""Detection without anchors in the manner of FCOS (Tian et al. 2019); measured by COCO's average precision.

    At every place of the shared features the head predicts a logit for each class, a box around the place, and how
    central the place is in that box (center-ness). The loss is the binary focal loss of the classes, by the number of
    places that have a box, plus the GIoU loss of these places' boxes, plus the binary cross-entropy of their
    center-ness. A detection's score is :math:`\sqrt{p_\text{class}\, p_\text{center}}`.

    All tasks share features of one resolution, so there is no pyramid, which would send large boxes to coarse levels
    and small ones to fine levels. The edges of boxes far larger than the encoder's receptive field are hard to
    find; of boxes whose centers share a place only one is found.

    The target is a list with an entry for each picture: a dict with ``boxes``, M x 4 as (x1, y1, x2, y2) in pixels, and
    ``labels``, M classes in [0, classes), integer; M is 0 where there is nothing to find. None means unknown: the
    picture adds nothing to the loss and is not evaluated.

    Args:
        classes: how many, at least 1.
        target: the key of the batch that holds the boxes.
        width: channels of the head's hidden layers.
        depth: hidden layers for the classes, and as many for the boxes, at least 0.
        pool: how many shared features along each side are averaged to one place, at least 1: places at every feature
            of a small stride cost much, and find little more.
        names: of the classes, for what is written; null for their numbers.
        loss: of the classes, ``losses.BinaryFocalLoss`` with its options; null for its defaults. Its ``normalizer`` is
            the number of places that have a box.
        parts: ``together`` is one loss, the sum. With ``apart`` a weighting sees three, which are called TASK_focal,
            TASK_giou and TASK_centerness, and weighs each by itself.
    """

    likelihood = "categorical"
    better: ClassVar[Mapping[str, Better]] = {"map": "higher", "map_50": "higher", "map_75": "higher"}
    measures_pictures: ClassVar[bool] = False  # precision is an average over the confidences of many pictures

    def __init__(
        self,
        classes: int,
        target: str = "boxes",
        width: int = 64,
        depth: int = 2,
        pool: int = 1,
        names: Sequence[str] | None = None,
        loss: BinaryFocalLoss | None = None,
        parts: Literal["together", "apart"] = "together",
    ) -> None:
        super().__init__(target, width)
        for option, value, least in ("classes", classes, 1), ("depth", depth, 0), ("pool", pool, 1):
            if value < least:
                raise ValueError(f"{option} must be at least {least}; got {value}")
        self.classes = classes
        self.depth = depth
        self.pool = pool
        self.names = class_names(classes, names)
        loss = loss or BinaryFocalLoss()
        require(loss, BinaryFocalLoss, "BinaryFocalLoss")
        self.apart = parts == "apart"
        self.focal = loss.with_options(normalizer="positives", validate=False)
        self.giou = GIoULoss(reduction="none", validate=False)
        self.bce = BCEWithLogitsLoss(reduction="none", validate=False)

    @property
    def parts(self) -> Mapping[str, Likelihood]:
        """The parts of the loss that are weighted each by itself, and what each is like; none in one loss."""
        return {"focal": "categorical", "giou": "laplace", "centerness": "categorical"} if self.apart else {}

    def build_head(self, channels: int) -> nn.Module:
        """Build the two towers of FCOS."""
        return FCOSHead(channels, self.width, self.depth, self.classes, self.pool)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # it loops over pictures, with any number of boxes each
    def loss(self, prediction: Places, target: Sequence[Boxes | None]) -> Tensor | dict[str, Tensor]:
        """Compute focal loss + GIoU loss + cross-entropy of center-ness, over pictures whose boxes are known.

        With the parts ``apart`` it is these three. All places are computed with, and those without a box left out by
        ``torch.where``: to index by what was found would wait for a GPU.
        """
        known = [number for number, truth in enumerate(target) if truth is not None]
        truths = [truth for truth in target if truth is not None]
        if not truths:
            return self._of_parts(*(0 * values.sum() for values in prediction[:3]))
        logits, boxes, central = (
            values if len(known) == len(target) else torch.stack([values[number] for number in known])
            for values in prediction[:3]
        )

        assigned = [assign(truth["boxes"].to(boxes), prediction.centers, prediction.step) for truth in truths]
        found = torch.stack(assigned) >= 0  # pictures x places
        pairs = list(zip(truths, assigned, strict=True))
        true_boxes = torch.stack([_of_places(truth["boxes"].to(boxes), box) for truth, box in pairs])
        labels = torch.stack([_of_places(truth["labels"], box) for truth, box in pairs])
        classes = (labels.unsqueeze(-1) == torch.arange(self.classes, device=labels.device)) & found.unsqueeze(-1)
        true_centerness = torch.where(found, centerness(true_boxes, prediction.centers), 0)
        return self._of_parts(
            self.focal(logits, classes.to(logits)),
            _mean_where(found, self.giou(boxes, true_boxes)),
            _mean_where(found, self.bce(central, true_centerness)),
        )

    def _of_parts(self, focal: Tensor, giou: Tensor, centerness: Tensor) -> Tensor | dict[str, Tensor]:
        if self.apart:
            return {"focal": focal, "giou": giou, "centerness": centerness}
        return focal + giou + centerness

    def count(self, target: Sequence[Boxes | None]) -> Totals:
        """Count the boxes of each class."""
        labels = [truth["labels"].long().cpu() for truth in target if truth is not None]
        counts = torch.cat(labels).bincount(minlength=self.classes)[: self.classes] if labels else None
        return {} if counts is None else {"boxes": counts}

    def start_from(self, totals: Totals, head: nn.Module) -> str:
        """Tell how many boxes of each class there are."""
        counts = totals.get("boxes", torch.zeros(self.classes, dtype=torch.int64)).tolist()
        each = ", ".join(f"{name}: {count}" for name, count in zip(self.names, counts, strict=True))
        return f"{sum(counts)} boxes; {each}"

    def check(self, target: Sequence[Boxes | None], size: tuple[int, int]) -> None:
        """Require boxes inside the pictures, with classes that exist."""
        for truth in target:
            if truth is not None:
                self._check(truth, size)

    def _check(self, truth: Boxes, size: tuple[int, int]) -> None:
        boxes, labels = truth["boxes"], truth["labels"]
        if boxes.shape != (len(labels), 4) or labels.dim() != 1:
            raise ValueError(f"boxes must be M x 4 with M labels; got {tuple(boxes.shape)} and {tuple(labels.shape)}")
        wrong = (labels < 0) | (labels >= self.classes)
        if wrong.any():
            raise ValueError(f"labels must hold classes from 0 to {self.classes - 1}; got {labels[wrong][0].item()}")
        height, width = size
        fits = (boxes[:, :2] >= 0) & (boxes[:, :2] < boxes[:, 2:]) & (boxes[:, 2:] <= boxes.new_tensor([width, height]))
        if not fits.all():
            raise ValueError(
                f"boxes must have 0 <= x1 < x2 <= {width} and 0 <= y1 < y2 <= {height}; "
                f"got {boxes[~fits.all(1)][0].tolist()}"
            )

    def at_size(self, prediction: Places, inside: Size, size: Size) -> Places:
        """Return the places of pictures, of those of the pictures after they were resized and padded."""
        if inside != size:
            scale = prediction.step.new_tensor([size[1] / inside[1], size[0] / inside[0]])
            prediction = prediction._replace(
                boxes=prediction.boxes * scale.repeat(2),
                centers=prediction.centers * scale,
                step=prediction.step * scale,
            )
        return prediction._replace(size=size)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # the same
    @torch.no_grad()
    def decode(self, prediction: Places) -> list[Boxes]:
        """Return each picture's detections, the best first: ``boxes`` D x 4 in the picture, ``labels``, ``scores``.

        Places in the padding are not asked.
        """
        scores = (prediction.logits.sigmoid() * prediction.centerness.sigmoid().unsqueeze(-1)).sqrt()
        inside = (prediction.centers < prediction.centers.new_tensor(prediction.size[::-1])).all(-1)
        scores = scores * inside.unsqueeze(-1)
        detections = []
        for picture, boxes in zip(scores.flatten(1), prediction.boxes, strict=True):
            best, index = picture.topk(min(CANDIDATES, len(picture)))
            best, index = best[best > THRESHOLD], index[best > THRESHOLD]
            boxes = clip_boxes_to_image(boxes[index // self.classes], prediction.size)
            labels = index % self.classes
            some = (boxes[:, 2:] > boxes[:, :2]).all(1)  # not what lies outside, and has become a line on the border
            best, boxes, labels = best[some], boxes[some], labels[some]
            kept = batched_nms(boxes, best, labels, OVERLAP)[:DETECTIONS]
            detections.append({"boxes": boxes[kept], "labels": labels[kept], "scores": best[kept]})
        return detections

    def build_metrics(self) -> MetricCollection:
        """Build ``map``, the average precision over IoUs from 0.5 to 0.95, and ``map_50`` and ``map_75`` at these."""
        return MetricCollection({"precision": AveragePrecision()})

    def update(self, metrics: MetricCollection, values: Sequence[Boxes], target: Sequence[Boxes | None]) -> None:
        """Update the metrics with the detections of a batch."""
        known = [(ours, truth) for ours, truth in zip(values, target, strict=True) if truth is not None]
        metrics.update([ours for ours, _ in known], [truth for _, truth in known])

    def baseline(self, targets: Iterable[Sequence[Boxes | None]]) -> Boxes:
        """Return no boxes."""
        return {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64), "scores": torch.empty(0)}

    def draw(self, values: Sequence[Boxes | None], images: Tensor) -> Tensor:
        """Draw boxes in the colors of their classes: detections with a score of at least DRAWN, or true ones."""
        return torch.stack([self._draw(truth, image) for truth, image in zip(values, images, strict=True)])

    def _draw(self, truth: Boxes | None, image: Tensor) -> Tensor:
        if truth is None:
            return image
        shown = truth.get("scores", torch.ones_like(truth["labels"], dtype=torch.float32)) >= DRAWN
        boxes, labels = truth["boxes"][shown].flip(0), truth["labels"][shown].flip(0)  # the best are drawn last, on top
        if not len(boxes):
            return image
        # A box of pixels 2 to 9 ends at 10; what is drawn ends on the last pixel.
        boxes = torch.cat([boxes[:, :2], torch.maximum(boxes[:, :2], boxes[:, 2:] - 1)], 1)
        colors = (255 * palette(self.classes)).round().int().tolist()
        drawn = draw_bounding_boxes(image, boxes, colors=[tuple(colors[label]) for label in labels.tolist()])
        return drawn.to(image.device)  # it draws on the CPU, and leaves the picture there

    def legend(self) -> dict[str, Tensor]:
        """Return the colors of the classes."""
        return class_legend(self.names)

    # --- files

    def files(self, place: Place, name: str) -> list[Path]:
        """Return none: there is one file for all pictures."""
        return []

    def write(self, values: Boxes, place: Place, name: str) -> Boxes:
        """Return the detections, for that file."""
        return values

    def shared_files(self, place: Place) -> list[Path]:
        """Return KIND.json."""
        return [place.shared(".json")]

    def write_shared(self, place: Place, pictures: Sequence[Written]) -> None:
        """Write the detections of all pictures in COCO's format of instances, with their scores."""
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image, picture in enumerate(pictures):
            height, width = picture.size
            images.append({"id": image, "file_name": picture.source.name, "width": width, "height": height})
            found = [picture.kept[key].tolist() for key in ("boxes", "labels", "scores")]
            for (x1, y1, x2, y2), kind, score in zip(*found, strict=True):
                box, area = [x1, y1, x2 - x1, y2 - y1], (x2 - x1) * (y2 - y1)
                own = {"id": len(annotations) + 1, "image_id": image, "category_id": kind, "bbox": box}
                annotations.append({**own, "area": area, "iscrowd": 0, "score": score})
        categories = [{"id": number, "name": name} for number, name in enumerate(self.names)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_json(place.shared(".json"), content)


def _of_places(values: Tensor, box: Tensor) -> Tensor:
    """Return the value of each place's box; any one, or zeros, where a place has none."""
    return values[box.clamp_min(0)] if len(values) else values.new_zeros(len(box), *values.shape[1:])


def _mean_where(found: Tensor, losses: Tensor) -> Tensor:
    """Return the mean of the losses of what was found; 0 of nothing."""
    return torch.where(found, losses, 0).sum() / found.sum().clamp_min(1)


class AveragePrecision(MeanAveragePrecision):
    """COCO's average precision of boxes, without the other values that torchmetrics reports.

    Where there is no true box it is not defined: NaN.
    """

    def _sync_dist(self, dist_sync_fn: Any = None, process_group: Any = None) -> None:
        """Gather whole lists: picture by picture, as in torchmetrics, processes with more pictures wait forever."""
        for name in self._reductions:
            lists: list[Any] = [None] * torch.distributed.get_world_size(process_group)
            on_cpu = [value.cpu() for value in getattr(self, name)]  # pickled tensors would land on the sender's GPU
            torch.distributed.all_gather_object(lists, on_cpu, process_group)
            setattr(self, name, [value.to(self.device) for values in lists for value in values])

    def compute(self) -> dict[str, Tensor]:
        """Return ``map``, ``map_50`` and ``map_75``."""
        values = super().compute()
        return {name: torch.where(values[name] < 0, torch.nan, values[name]) for name in ("map", "map_50", "map_75")}
