"""How near a picture is to real ones: one picture, or several over each other.

Paper: section 6.3.2, Figure 7: the same arithmetic in pixels gives "noisy overlap due to misalignment", in latents one
clean face. Attributes alone do not show that: three faces over each other have glasses, too. Nor does the distance to
the nearest real image, because an average lies amid real images, nearer than most samples. So a detector learns what is
meant, from real images alone: single ones, and several over each other, means of two or three and sums
plus - minus + other of one or three each. Both come with any contrast, brightness, blur and noise, so doubled shapes
tell them apart and not smoothness. Nearness is the probability of a single one. No sample is ever learned from.

Measured on the demo's faces, as the area under the ROC curve that separates single images from means of three, from
sums plus - minus + other of means of three, and from such sums of three concepts: held-out real faces 0.99, 0.98, 0.97;
samples of a generator that saw 58,000 images 0.87, 0.80, 0.75, one that saw 230,000 0.95, 0.93, 0.91. Of the latter the
results of mean z and the same sums of pixels are separated by 0.96. What was tried in its place failed on means or on
samples (of the second generator): the nearest real face by the attribute classifier's last features 0.49, 0.82, 0.77
and 0.30, 0.74, 0.66, by their direction 0.81, 0.92, 0.84 and 0.55, 0.76, 0.59; by code units of the de-duplication
0.45, 0.68, 0.67 and 0.27, 0.53, 0.52; by the direction of the discriminator's last features 0.94, 0.99, 0.98 and 0.74,
0.96, 0.89, but 0.38, 0.62, 0.55 for samples of the first generator; energy of gradients 0.79, 0.48, 0.40 and 0.69,
0.33, 0.24.

Inputs: images (N, S, S, 3) uint8. Outputs: nearness (N,) float32 in [0, 1]. Published number: none.
"""

from typing import Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.core.splits import hold_out
from dcgan.internals.attribute_classifiers import TOP_SIDE, AttributeClassifier, ClassifierSettings, train_classifier
from dcgan.internals.concepts import Floats

MOST_IMAGES, HELD_OUT_SHARE = 10_000, 0.2
WIDTH = 16
TRAINING = ClassifierSettings(epochs=6, batch_size=64, learning_rate=0.004, noise=0.05)
MOST_BLUR, MOST_NOISE = 1.0, 30.0  # standard deviations: pixels of an image of 32 x 32, grey levels
CONTRAST, BRIGHTNESS = (0.6, 1.4), (-30.0, 30.0)  # factors; grey levels


class OverlayDetector(AttributeClassifier):
    """Tells single images from several over each other: answers (N, 1), the probability of a single one."""

    kind = "overlays"

    def __init__(self, image_size: int, width: int) -> None:
        super().__init__(image_size, width, TOP_SIDE)
        self.head = nn.Linear(self.maps * TOP_SIDE * TOP_SIDE, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 3, H, W) -> logits (N, 1)."""
        logits: Tensor = self.head(self.trunk(x).flatten(1))
        return logits

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """targets: (N, 1) float32, 1 for a single image."""
        return F.binary_cross_entropy_with_logits(self(x), targets)

    @classmethod
    def fitted(cls, images_uint8: Images, learned: int, seed: int, device: torch.device | str = "cpu") -> Self:
        """A detector that learned from so many pictures made of images_uint8: one half single, the other overlaid."""
        random = numpy_generator(seed, "overlays")
        single = images_uint8[random.integers(0, len(images_uint8), learned // 2)]
        both = disguised(np.concatenate([single, overlaid(images_uint8, len(single), random)]), random)
        targets = np.repeat(np.array([1, 0], np.float32), len(single))[:, None]
        detector = cls(images_uint8.shape[1], WIDTH).initialize(torch_generator(seed, "overlays", "weights")).to(device)
        train_classifier(detector, both, targets, TRAINING, torch_generator(seed, "overlays", "order"))
        return detector

    def nearness(self, images_uint8: Images) -> Floats:
        """How surely each image is a single one: (N,) in [0, 1]."""
        return self.predict(images_uint8)[:, 0]


def fit_detector(
    images_uint8: Images, learned: int, seed: int, device: torch.device | str = "cpu"
) -> tuple[OverlayDetector, dict[str, float]]:
    """A detector of overlays of real images, and how well it does on images that it did not learn from.

    images_uint8: an array or a memory map of 2 images or more, of which at most 10,000 are read. The figures: mean
    nearness of real images and of overlays of them, and the area under the ROC curve between the two.
    """
    random = numpy_generator(seed, "overlays", "images")
    chosen = np.sort(random.permutation(len(images_uint8))[:MOST_IMAGES])
    own, others = hold_out(len(chosen), max(1, round(HELD_OUT_SHARE * len(chosen))), random)
    detector = OverlayDetector.fitted(images_uint8[chosen[own]], learned, seed, device)
    real = images_uint8[chosen[others]]
    near, near_overlaid = detector.nearness(real), detector.nearness(overlaid(real, len(real), random))
    figures = {
        "real_nearness": near.mean(dtype=np.float64),
        "overlaid_nearness": near_overlaid.mean(dtype=np.float64),
        "nearness_auc": area_under_roc(near, near_overlaid),
    }
    return detector, {name: float(value) for name, value in figures.items()}


def area_under_roc(positive: Floats, negative: Floats) -> float:
    """The share of pairs in which the positive has the higher score; half of those with equal scores count."""
    higher, equal = positive[:, None] > negative, positive[:, None] == negative
    return float(higher.mean() + equal.mean() / 2)


def overlaid(images_uint8: Images, n: int, random: np.random.Generator) -> Images:
    """n pictures of several images each: means of two, of three, and sums of single images and of means of three."""
    kinds = [(1 / 2, 1 / 2), (1 / 3, 1 / 3, 1 / 3), (1, -1, 1), tuple(np.repeat([1, -1, 1], 3) / 3)]
    parts = []
    for number, weights in enumerate(kinds):
        count = n * (number + 1) // len(kinds) - n * number // len(kinds)
        chosen = random.integers(0, len(images_uint8), (len(weights), count))
        mixed = sum(
            weight * images_uint8[rows].astype(np.float32) for weight, rows in zip(weights, chosen, strict=True)
        )
        parts.append(as_bytes(np.asarray(mixed)))
    return np.concatenate(parts)


def disguised(images_uint8: Images, random: np.random.Generator) -> Images:
    """Each image with a contrast, a brightness, a blur and a noise of its own."""
    changed = np.empty_like(images_uint8)
    scale = images_uint8.shape[1] / 32
    for image, out in zip(images_uint8, changed, strict=True):
        pixels = cv2.GaussianBlur(image.astype(np.float32), (0, 0), scale * random.uniform(0.01, MOST_BLUR))
        pixels = (pixels - pixels.mean()) * random.uniform(*CONTRAST) + pixels.mean() + random.uniform(*BRIGHTNESS)
        noise = random.uniform(0, MOST_NOISE) * random.standard_normal(image.shape, np.float32)
        out[:] = as_bytes(pixels + noise)
    return changed


def as_bytes(pixels: Floats) -> Images:
    """Grey levels as they can be shown: rounded, cut to 0 and 255."""
    whole: Images = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return whole
