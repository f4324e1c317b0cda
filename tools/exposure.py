"""From the light that paths bring to a picture: less noise, an exposure, sRGB."""

import math

import numpy as np


def smooth(
    light: np.ndarray, albedo: np.ndarray, normal: np.ndarray, depth: np.ndarray, emits: np.ndarray, radius: int = 3
) -> np.ndarray:
    """Average light over the neighbors on the same surface, of the same color and in the same light.

    Args:
        light: radiance, (height, width, 3).
        albedo: in the middle of each pixel, (height, width, 3).
        normal: the same, (height, width, 3).
        depth: the same, (height, width).
        emits: pixels that shine, which have no noise.
        radius: of the neighborhood, in pixels.
    """
    kept = np.zeros_like(emits)
    for dy, dx in np.ndindex(3, 3):  # an edge of a lamp is part lamp
        kept |= np.roll(emits, (dy - 1, dx - 1), (0, 1))
    bright = light.mean(-1)
    tame = light * np.minimum(1, 4 * median(bright) / (bright + 1e-6))[..., None]  # no fireflies
    guide = np.log(median(tame.mean(-1)) + 0.01)
    total, weights = np.zeros_like(light), np.zeros_like(depth)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            y, x = (
                np.clip(np.arange(depth.shape[0]) + dy, 0, depth.shape[0] - 1),
                np.clip(np.arange(depth.shape[1]) + dx, 0, depth.shape[1] - 1),
            )
            near = np.ix_(y, x)
            reach = 0.025 * math.hypot(dy, dx) + 0.01
            unlike = (
                (dy**2 + dx**2) / 2.0**2
                + np.square((depth - depth[near]) / (depth * reach))
                + np.square((guide - guide[near]) / 0.3)
                + np.square((albedo - albedo[near]) / 0.06).sum(-1)
                + 16 * (1 - (normal * normal[near]).sum(-1))
            )
            weight = np.exp(-unlike / 2) * ~kept[near]
            total += weight[..., None] * tame[near]
            weights += weight
    return np.where((kept | (weights < 1e-3))[..., None], light, total / np.maximum(weights, 1e-9)[..., None])


def median(values: np.ndarray) -> np.ndarray:
    """Return the median of each pixel's 3 x 3 neighborhood."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(*values.shape, 9), -1)


def tone(light: np.ndarray) -> np.ndarray:
    """Expose a picture by its median as a camera does, bend what is too bright, and encode it as sRGB."""
    exposed = 0.30 / max(float(np.median(light.mean(-1))), 1e-4) * light
    bent = 1 - np.exp(-exposed)
    encoded = np.where(bent <= 0.0031308, 12.92 * bent, 1.055 * np.maximum(bent, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded.clip(0, 1)).astype(np.uint8)
