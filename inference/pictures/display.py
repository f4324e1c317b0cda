"""Pictures for display: of 8 bits and in colors."""

import colorsys

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image


def to_picture(tensor: Tensor) -> Image.Image:
    """Convert a tensor C x H x W in [0, 1], with 1, 3 or 4 channels, to a picture of 8 bits a channel, rounded."""
    return to_pil_image(tensor.clamp(0, 1).mul(255).round().byte())


def as_rgb(picture: Tensor) -> Tensor:
    """Convert a picture in [0, 1] to RGB for display, on white where transparent.

    Of 2 channels the first is shown, in gray, and of 5 and more the first three, as red, green and blue.
    """
    if len(picture) == 4:
        alpha = picture[3:]
        return picture[:3] * alpha + 1 - alpha
    return picture[:3] if len(picture) > 2 else picture[:1].expand(3, -1, -1)


HEAT = torch.tensor([[0.0, 0.0, 0.02], [0.34, 0.06, 0.43], [0.73, 0.21, 0.33], [0.98, 0.55, 0.04], [0.99, 1.0, 0.64]])


def heat(values: Tensor) -> Tensor:
    """Draw values N x H x W as colors N x 3 x H x W: 0 is black, 1 and more a light yellow."""
    return shade(values, HEAT)


def shade(values: Tensor, shades: Tensor) -> Tensor:
    """Draw values N x H x W by a scale of colors: N x 3 x H x W in [0, 1].

    Args:
        values: 0 is the first color, 1 the last; what is beyond is clipped, and NaN is the first.
        shades: red, green and blue of each color, S x 3 in [0, 1].
    """
    place = values.float().clamp(0, 1).nan_to_num() * (len(shades) - 1)
    low = place.floor().long().clamp(max=len(shades) - 2)
    shades = shades.to(values.device)
    return torch.lerp(shades[low], shades[low + 1], (place - low).unsqueeze(-1)).movedim(-1, 1)


def palette(classes: int) -> Tensor:
    """Return a color for each class, classes x 3 in [0, 1]: steps of the golden ratio keep neighbors far apart."""
    colors = [
        colorsys.hsv_to_rgb(0.618 * c % 1, 0.55 + 0.4 * (c % 2), 0.95 - 0.25 * (c % 3 == 2)) for c in range(classes)
    ]
    return torch.tensor(colors)


def paint(values: Tensor, classes: int) -> Tensor:
    """Paint classes N x H x W with the colors of the palette; classes outside [0, classes) become black."""
    known = (values >= 0) & (values < classes)
    pictures = palette(classes).to(values.device)[torch.where(known, values, 0)] * known.unsqueeze(-1)
    return pictures.movedim(-1, 1)
