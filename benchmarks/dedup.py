"""What de-duplication finds of planted copies of real photos, beside perceptual hashing on the same images.

    python -m benchmarks.dedup --source <LSUN LMDB> [--presets paper small]
        [--radii 0 8 10 14] [--copies 600]

Planted, one copy of each kind of `--copies` images: stored again as JPEG of quality 50; shrunk to 0.7 and enlarged;
cut by up to 4 % of width and height; brighter or darker by 10 %; noise of standard deviation 5. All but the first are
stored at quality 90. Images and copies go through the export, get random keys, and are what the autoencoder is fitted
to. Rows: the codes of each file's autoencoder at its `deduplicate.radius` and at other radii (0: the paper's rule);
perceptual hashes of 64 and 256 bits (imagehash.phash) with, for each, the largest threshold at which precision stays
0.99.

Recall: a copy counts as found when it and its original are represented by the same kept image. Precision: removed
images whose kept one shows the same photo; by kind, in the second row of each, of those where either is such a copy.
Photos that are in the set twice to begin with are no mistakes: pairs whose 64 x 64 pictures correlate above 0.95 count
as the same photo. Look-alikes: of the 1,000 most similar pairs of different photos, how many are taken for the same.

Promises at the radius: recall 0.95 of re-encoded, resized and noisy, 0.9 of cut and brightened copies; precision 0.99.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.archives import open_source
from dcgan.data.decoding import decode
from dcgan.data.preprocessing import Rule, export_images
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import Resampling
from dcgan.data.source import Encoded
from dcgan.dedup.autoencoder import Autoencoder, AutoencoderTraining, passes
from dcgan.dedup.hamming_search import find_duplicates
from dcgan.dedup.hash_codes import Codes, Duplicates
from workflow.params.sections import Params
from workflow.presets.merge import preset_params

SAME_PHOTO, LOOK_ALIKES, LEAST_PRECISION = 0.95, 1000, 0.99
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="LMDB, folder or tar of photos")
    parser.add_argument("--presets", nargs="+", default=["paper", "small"])
    parser.add_argument("--radii", type=int, nargs="*", default=[0, 8, 10, 14], help="besides `deduplicate.radius`")
    parser.add_argument("--copies", type=int, default=600, help="copies of each kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    presets = {name: preset_params(name) for name in options.presets}
    planted = Planted(options.source, options.copies, next(iter(presets.values())))
    print(f"{planted.n_photos} photos, {len(planted.group) - planted.n_photos} copies")
    print(f"{'':26}{''.join(f'{kind:>12}' for kind in KINDS)}   precision  look-alikes")
    for name, params in presets.items():
        print(f"{name}: {describe(params)}")
        codes = fitted_codes(planted.crops_uint8, params)
        for radius in sorted({*options.radii, params.deduplicate.radius}):
            planted.report(f"codes, radius {radius}", find_duplicates(codes, radius))
    for bits in (64, 256):
        hashes = perceptual_hashes(planted.encoded, bits)
        threshold, found = largest_precise(hashes, planted)
        planted.report(f"phash {bits}, threshold {threshold}", found)


def describe(params: Params) -> str:
    """The parameters that matter."""
    section = params.autoencoder
    return (
        f"noise {section.noise}, dropout {section.dropout}, {section.minibatches} minibatches, "
        f"{'' if section.normalise else 'not '}normalised"
    )


def reencoded(photo: Pixels, _: np.random.Generator) -> bytes:
    return as_jpeg(photo, 50)


def resized(photo: Pixels, _: np.random.Generator) -> bytes:
    height, width = photo.shape[:2]
    small = cv2.resize(photo, (round(0.7 * width), round(0.7 * height)), interpolation=cv2.INTER_AREA)
    return as_jpeg(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def cut(photo: Pixels, generator: np.random.Generator) -> bytes:
    height, width = photo.shape[:2]
    total = generator.uniform(0, 0.04, 2)
    before = total * generator.uniform(0, 1, 2)
    top, left = round(before[0] * height), round(before[1] * width)
    bottom, right = round((total[0] - before[0]) * height), round((total[1] - before[1]) * width)
    return as_jpeg(photo[top : height - bottom, left : width - right])


def brightened(photo: Pixels, generator: np.random.Generator) -> bytes:
    return as_jpeg(np.clip(np.rint(photo * generator.choice([0.9, 1.1])), 0, 255).astype(np.uint8))


def noisy(photo: Pixels, generator: np.random.Generator) -> bytes:
    return as_jpeg(np.clip(np.rint(photo + generator.normal(0, 5, photo.shape)), 0, 255).astype(np.uint8))


KINDS: dict[str, Callable[[Pixels, np.random.Generator], bytes]] = {
    "re-encoded": reencoded,
    "resized": resized,
    "cut": cut,
    "brightened": brightened,
    "noisy": noisy,
}


def as_jpeg(photo: Any, quality: int = 90) -> bytes:
    """Encodes RGB pixels."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return bytes(encoded.tobytes())


class Planted:
    """Photos and copies in the order of random keys: encoded, as 32 x 32 crops, with the number of the photo shown."""

    def __init__(self, source: Path, copies: int, params: Params) -> None:
        photos = [item.content for item in open_source(source).items(0, 1) if item.content]
        generator = numpy_generator(params.run.seed, "benchmark", "dedup")
        chosen = generator.permutation(len(photos))[:copies].tolist()
        entries = [(value, number, "") for number, value in enumerate(photos)]
        entries += [(KINDS[k](decode(photos[n]), generator), n, k) for k in KINDS for n in chosen]
        order = sorted(range(len(entries)), key=lambda at: hashlib.sha1(str(at).encode()).hexdigest())
        self.encoded = [entries[at][0] for at in order]
        self.group = np.array([entries[at][1] for at in order])
        self.kind = np.array([entries[at][2] for at in order])
        self.n_photos = len(photos)
        self.crops_uint8, images = self.export(params)
        self.alike = self.correlate(images)

    def export(self, params: Params) -> tuple[Pixels, Pixels]:
        """All of them through the export's own code: 32 x 32 crops, and the stored images."""
        section = params.export
        rule = Rule(
            size=64,
            resampling=Resampling(antialias=section.antialias, reducing_gap=section.reducing_gap),
            min_side=section.min_side,
        )
        items = (Encoded(str(number), value) for number, value in enumerate(self.encoded))
        blocks = [
            (block.crops_uint8.copy(), block.images_uint8.copy())
            for block in export_images(items, rule, Rejects(0.0, len(self.encoded), ""))
        ]
        return np.concatenate([crops for crops, _ in blocks]), np.concatenate([images for _, images in blocks])

    def correlate(self, images_uint8: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Correlation of every two photos' grey pictures: (photos, photos), in the order of their numbers."""
        at = np.flatnonzero(self.kind == "")
        grey = images_uint8[at].astype(np.float32).mean(axis=3).reshape(len(at), -1)
        grey -= grey.mean(axis=1, keepdims=True)
        grey /= np.linalg.norm(grey, axis=1, keepdims=True) + 1e-9
        by_number = grey[np.argsort(self.group[at])]
        return np.asarray(by_number @ by_number.T, np.float32)

    def recall(self, found: Duplicates, kind: str) -> float:
        """Share of the copies of one kind whose original is represented by the same image."""
        kept_for_photo = found.kept[np.flatnonzero(self.kind == "")][np.argsort(self.group[self.kind == ""])]
        copies = np.flatnonzero(self.kind == kind)
        return float((found.kept[copies] == kept_for_photo[self.group[copies]]).mean())

    def precision(self, found: Duplicates, kind: str | None = None) -> float:
        """Share of the removed images, or of those that are copies of a kind or are removed for one, that show the same
        photo as the image kept for them; 1 where there are none.
        """
        removed, kept = found.removed, found.kept[found.removed]
        if kind is not None:
            of_kind = (self.kind[removed] == kind) | (self.kind[kept] == kind)
            removed, kept = removed[of_kind], kept[of_kind]
        one, other = self.group[removed], self.group[kept]
        return float(((one == other) | (self.alike[one, other] > SAME_PHOTO)).mean()) if len(removed) else 1.0

    def confused(self, found: Duplicates) -> int:
        """How many of the most similar pairs of different photos are represented by the same image."""
        kept_for_photo = found.kept[np.flatnonzero(self.kind == "")][np.argsort(self.group[self.kind == ""])]
        first, second = np.triu_indices(self.n_photos, 1)
        similarity = self.alike[first, second]
        similarity[similarity > SAME_PHOTO] = -1
        top = np.argsort(-similarity, kind="stable")[:LOOK_ALIKES]
        return int((kept_for_photo[first[top]] == kept_for_photo[second[top]]).sum())

    def report(self, name: str, found: Duplicates) -> None:
        """Prints a row of recalls and one of precisions."""
        recalls = "".join(f"{self.recall(found, kind):12.3f}" for kind in KINDS)
        precisions = "".join(f"{self.precision(found, kind):12.4f}" for kind in KINDS)
        print(f"{name:26}{recalls}{self.precision(found):12.4f}{self.confused(found):13}")
        print(f"{'  precision by kind':26}{precisions}", flush=True)


def fitted_codes(crops_uint8: Pixels, params: Params) -> Codes:
    """Fits the autoencoder as the stage does and encodes the same images."""
    section, seed = params.autoencoder, params.run.seed
    autoencoder = Autoencoder(crops_uint8.shape[1:], section.code_size, section.normalise)
    autoencoder.initialize(torch_generator(seed, "autoencoder", "weights"))
    training = AutoencoderTraining(
        autoencoder, noise=section.noise, dropout=section.dropout, learning_rate=section.learning_rate, seed=seed
    )
    indices = numpy_generator(seed, "sample").permutation(len(crops_uint8))[: section.sample]
    started = time.process_time()
    for epoch, length in enumerate(passes(len(indices), section.minibatches, section.batch_size)):
        training.epoch(lambda numbers: crops_uint8[numbers], indices, section.batch_size, epoch, length)
    print(f"autoencoder fitted in {time.process_time() - started:.0f} s of processor time")
    return autoencoder.encode(crops_uint8)


def perceptual_hashes(encoded: list[bytes], bits: int) -> Codes:
    """imagehash's phash of every image: (N, bits / 8) uint8."""
    import io

    import imagehash

    size = round(bits**0.5)
    hashes = [imagehash.phash(Image.open(io.BytesIO(value)), hash_size=size).hash.ravel() for value in encoded]
    return np.packbits(np.array(hashes), axis=1)


def largest_precise(hashes: Codes, planted: Planted) -> tuple[int, Duplicates]:
    """The largest threshold at which precision is still high enough, and what is found with it."""
    threshold, found = 0, find_duplicates(hashes, 0)
    for larger in range(2, hashes.shape[1] * 8 // 3, 2):
        candidate = find_duplicates(hashes, larger)
        if planted.precision(candidate) < LEAST_PRECISION:
            break
        threshold, found = larger, candidate
    return threshold, found


if __name__ == "__main__":
    main()
