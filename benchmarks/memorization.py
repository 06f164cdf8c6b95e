"""Power of the test for memorization: which copying generators are caught, and how often an honest one is accused.

`python -m benchmarks.memorization --images STORE [--held-out 500] [--samples 300]` takes real images of a store instead
of a generator's samples. A share of them are training images, disguised; the others are held-out images, which are no
copies. It prints CSV: the disguise, the share of copies, in which share of 20 draws the test says `memorized`, and the
claim that samples are no copies holds and fails, and the median ratio of the copies. The rows `none` have no copies:
their rates are those of false alarms.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.memorization import (
    CHANCE,
    MAX_SHIFT,
    REAL,
    Ratios,
    aligned_neighbours,
    copying_p_value,
    distance_ratios,
    marks_of,
)
from workflow.claims.judge import judge, read_registry

SHARES, DRAWS = (1.0, 0.3, 0.1, 0.05), 20
QUANTILE = 0.05  # as params.yaml has it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="image store")
    parser.add_argument("--held-out", type=int, default=500, help="real images to compare with (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=300, help="of the generator (default: %(default)s)")
    options = parser.parse_args()
    store = ImageStore(options.images)
    order = numpy_generator(0, "memorization").permutation(len(store))
    held_out, honest, training = np.split(order, [options.held_out, options.held_out + options.samples])
    training = np.sort(training)
    real, others = (
        distance_ratios(aligned_neighbours(store.images[np.sort(rows)], store.images, training))
        for rows in (held_out, honest)
    )
    print("disguise,share_of_copies,caught,claim_holds,claim_fails,median_ratio")
    print(f"none,0,{rates(others, others, real, 0.0)},{np.median(others):.3f}")
    for name, disguise in DISGUISES.items():
        copies = disguise(store.images[training[: options.samples]])
        ratios = distance_ratios(aligned_neighbours(copies, store.images, training))
        for share in SHARES:
            print(f"{name},{share},{rates(ratios, others, real, share)},{np.median(ratios):.3f}")


def rates(copies: Ratios, others: Ratios, real: Ratios, share: float) -> str:
    """Shares of draws in which the test says `memorized`, and in which the claim holds and fails.

    A draw has samples of which some copy, and the real images in another order; the test has half of these.
    """
    memorized, verdicts = [], []
    for draw in range(DRAWS):
        random = numpy_generator(draw, "draw")
        n = round(share * len(others))
        samples = np.concatenate([random.permutation(copies)[:n], random.permutation(others)[n:]])
        shuffled = random.permutation(real)
        memorized.append(copying_p_value(samples, shuffled[: len(real) // 2]) < CHANCE)
        verdicts.append(verdict(samples, shuffled))
    shares = np.mean(memorized), verdicts.count("holds") / DRAWS, verdicts.count("fails") / DRAWS
    return ",".join(f"{one:.2f}" for one in shares)


def verdict(samples: Ratios, real: Ratios) -> str:
    """Of the claim that samples are no copies, as stages.draw_nearest writes what it is judged by."""
    claim = next(claim for claim in read_registry() if claim.id == "no_memorization")
    marks = marks_of({"copied": samples, REAL: real}, QUANTILE)
    files = {"nearest_images": {name: np.asarray(values, np.float32)[None] for name, values in marks.items()}}
    return str(judge(claim, files, seed=1)[0]["verdict"])


def shifted(images: Images) -> Images:
    """Each by up to two pixels in both directions, its border repeated."""
    edge, side = MAX_SHIFT, images.shape[1]
    padded = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="edge")
    corners = numpy_generator(0, "shifts").integers(0, 2 * edge + 1, (len(images), 2))
    return np.stack([one[y : y + side, x : x + side] for one, (y, x) in zip(padded, corners, strict=True)])


def blurred(images: Images, deviation: float) -> Images:
    """By a Gaussian whose standard deviation is in pixels of an image of 32 x 32."""
    sigma = deviation * images.shape[1] / 32
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape) for image in images])


def noisy(images: Images, deviation: float) -> Images:
    """With normal noise, in grey levels."""
    return as_bytes(images + numpy_generator(0, "noise").normal(0, deviation, images.shape))


def as_bytes(images: np.ndarray) -> Images:
    """Rounded and clipped."""
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


DISGUISES: dict[str, Callable[[Images], Images]] = {
    "exact": lambda images: images,
    "shifted": shifted,
    "mirrored": lambda images: images[:, :, ::-1],
    "blur 1": lambda images: blurred(images, 1.0),
    "blur 2": lambda images: blurred(images, 2.0),
    "noise 10": lambda images: noisy(images, 10),
    "noise 25": lambda images: noisy(images, 25),
    "brightened": lambda images: as_bytes(images * 1.2 + 15),
    "shifted mirrored blur 1 noise 10": lambda images: noisy(blurred(shifted(images)[:, :, ::-1], 1.0), 10),
}

if __name__ == "__main__":
    main()
