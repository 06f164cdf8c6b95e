"""What the face detectors find in real photos whose face is known to lie in the middle, and how fast.

    python -m benchmarks.faces --source <folder of photos> [--preset small] [--photos 3000]
        [--try scale_factor=1.05 min_neighbours=8]... [--model YUNET.onnx] [--elsewhere boxes.png]

The photos are to be those of Labeled Faces in the Wild or cut like them: a detector's box, enlarged 2.2 times about its
centre (Huang et al. 2007, section 2), so the face is the central 1 / 2.2 of the width. A box is right when it overlaps
that square by half (intersection over union). Rows: the parameters as they stand, then with each --try's changes, and
YuNet where there is its file. Columns, in % of the photos:

    one right    exactly one crop, of the face in the middle
    right        a crop of the face in the middle, whatever else there is
    none         no crop at all, or a photo that cannot be read
    elsewhere    crops that are not of the face in the middle, for 100 photos: other people's faces, and false boxes,
                 which only the eye tells apart: --elsewhere writes them as a sheet
    edge         right boxes that are lost because their crop would reach beyond the photo
    photos/s     of one core's processor time, decoding and cutting included

The photos were chosen by a detector of the same family as the cascade: what that one misses is missing here too.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dcgan.core.pixels import tile, write_png
from dcgan.data.archives import open_source
from dcgan.data.decoding import Undecodable, decode
from dcgan.data.face_detection import Detector, Face, FaceRule, Finding, Images, open_detector
from workflow.params.sections import CropFaces
from workflow.presets.merge import preset_params

ENLARGED_BY, LEAST_OVERLAP = 2.2, 0.5
SHEET_COLUMNS, SHEET_BOXES = 20, 200
COLUMNS = ("one right", "right", "none", "elsewhere", "edge", "photos/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder, tar or LMDB of photos")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--photos", type=int, default=3000, help="at most; spread evenly over the source")
    parser.add_argument("--try", dest="tries", nargs="+", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--model", type=Path, help="YuNet's ONNX file")
    parser.add_argument("--elsewhere", type=Path, help="PNG of what the first row cut out elsewhere")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    section = preset_params(options.preset).crop_faces
    photos = spread([item.content for item in open_source(options.source).items(0, 1) if item.content], options.photos)
    print(f"{len(photos)} photos; {describe(section)}\n{'':40}{''.join(f'{name:>11}' for name in COLUMNS)}")
    elsewhere = measure("as it stands", section, photos)
    for changes in options.tries:
        measure(" ".join(changes), section.model_copy(update=dict(map(parse_change, changes))), photos)
    if options.model:
        measure("yunet", section.model_copy(update={"detector": "yunet", "model": str(options.model)}), photos)
    if options.elsewhere and elsewhere:
        write_png(options.elsewhere, tile(np.stack(spread(elsewhere, SHEET_BOXES)), SHEET_COLUMNS))


def spread(items: list[Any], count: int) -> list[Any]:
    """At most `count` of the items, evenly spread over all."""
    return [items[number] for number in np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)]


def parse_change(text: str) -> tuple[str, float | int]:
    """KEY=VALUE with a number."""
    key, _, value = text.partition("=")
    return key, float(value) if "." in value else int(value)


def describe(section: CropFaces) -> str:
    """The parameters that matter."""
    names = ("scale_factor", "min_neighbours", "detection_side", "min_size", "max_faces", "margin", "resize")
    return ", ".join(f"{name} {getattr(section, name)}" for name in (*names, "image_size"))


def measure(name: str, section: CropFaces, photos: Sequence[bytes]) -> list[Images]:
    """Prints one row; returns the crops that are not of the face in the middle."""
    detector = open_detector(section.detector, section.model, section.scale_factor, section.min_neighbours)
    rule = FaceRule(
        detection_side=section.detection_side,
        min_size=section.min_size,
        max_faces=section.max_faces,
        margin=section.margin,
        resize=section.resize,
        size=section.image_size,
    )
    started = time.process_time()
    found = [find(encoded, rule, detector) for encoded in photos]
    seconds = time.process_time() - started
    n_right = np.array([sum(right for finding, right in faces if finding.crop is not None) for faces in found])
    n_crops = np.array([sum(finding.crop is not None for finding, _ in faces) for faces in found])
    edge = [any(right and finding.reason == "margin beyond the edge" for finding, right in faces) for faces in found]
    elsewhere = [finding.crop for faces in found for finding, right in faces if finding.crop is not None and not right]
    shares = (
        ((n_crops == 1) & (n_right == 1)).mean(),
        (n_right > 0).mean(),
        (n_crops == 0).mean(),
        len(elsewhere) / len(photos),
        np.mean(edge),
    )
    row = "".join(f"{100 * share:11.1f}" for share in shares)
    print(f"{name:40}{row}{len(photos) / seconds:11.1f}", flush=True)
    return elsewhere


def find(encoded: bytes, rule: FaceRule, detector: Detector) -> list[tuple[Finding, bool]]:
    """All findings of a photo, each with whether its box is that of the face in the middle."""
    try:
        photo = decode(encoded)
    except Undecodable:
        return []
    return [(finding, is_in_the_middle(finding.face, photo)) for finding in rule.find(photo, detector)]


def is_in_the_middle(face: Face, photo_uint8: Images) -> bool:
    """Whether a box overlaps the square that the photo was cut around."""
    height, width = photo_uint8.shape[:2]
    side = min(height, width) / ENLARGED_BY
    left, top = (width - side) / 2, (height - side) / 2
    common_x = min(face.x + face.width, left + side) - max(face.x, left)
    common_y = min(face.y + face.height, top + side) - max(face.y, top)
    common = max(common_x, 0) * max(common_y, 0)
    return common >= LEAST_OVERLAP * (face.width * face.height + side * side - common)


if __name__ == "__main__":
    main()
