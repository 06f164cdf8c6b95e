"""Faces in photos, found and cut out (section 4.2).

The paper ran OpenCV's face detector over 3 million photos from the web and kept boxes of sufficiently high resolution:
about 350,000. There are two detectors: OpenCV's frontal-face Haar cascade, as in the paper, and YuNet, a small network
whose file has to be downloaded. Both search a reduced photo; the crop is cut from the full one.

In:  photos (H, W, 3) uint8 RGB. Out: boxes in pixels of the photo with a score, and per box a crop (S, S, 3) uint8 or
the reason why it is not kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.data.resizing import FINE, fit

CASCADE = "haarcascade_frontalface_default.xml"
YUNET_HOME = "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
# YuNet's own defaults: score below which, and overlap above which, a box is dropped; boxes before that.
YUNET_SCORE, YUNET_OVERLAP, YUNET_BOXES = 0.9, 0.3, 5000
NO_FACE = "no face"  # in place of a box's reason, of a photo in which none was found


class Face(NamedTuple):
    """A box in pixels of the photo; the score counts merged boxes (Haar) or is a probability (YuNet)."""

    x: int
    y: int
    width: int
    height: int
    score: float


class Finding(NamedTuple):
    """A face with its crop, or with None and the reason."""

    face: Face
    crop: Images | None
    reason: str


class Detector(Protocol):
    """Finds the faces in a photo."""

    def detect(self, photo_uint8: Images, least_side: float) -> list[Face]:
        """photo: (H, W, 3) uint8 RGB -> boxes, strongest first; boxes smaller than `least_side` may be left out."""
        ...


class HaarDetector:
    """OpenCV's cascade for frontal faces; raises InputError for a version of OpenCV without cascades."""

    def __init__(self, scale_factor: float, min_neighbours: int) -> None:
        if not hasattr(cv2, "CascadeClassifier"):
            raise InputError("this OpenCV has no cascades; opencv-python-headless of a version below 5 has them")
        self.scale_factor, self.min_neighbours = scale_factor, min_neighbours
        self.cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / CASCADE))

    def detect(self, photo_uint8: Images, least_side: float) -> list[Face]:
        """The score of a box is the number of raw boxes that were merged into it.

        The histogram is not equalized first, as in many examples: that lost 5 times as many faces in real photos.
        """
        grey = cv2.cvtColor(photo_uint8, cv2.COLOR_RGB2GRAY)
        least = max(1, round(least_side))
        boxes, counts = self.cascade.detectMultiScale2(
            grey, scaleFactor=self.scale_factor, minNeighbors=self.min_neighbours, minSize=(least, least)
        )
        faces = [Face(int(x), int(y), int(w), int(h), float(n)) for (x, y, w, h), n in zip(boxes, counts, strict=True)]
        return sorted(faces, key=strongest_first)


class YuNetDetector:
    """OpenCV's small network for faces, from an ONNX file; raises InputError if there is no such file."""

    def __init__(self, model: Path | None) -> None:
        if model is None or not Path(model).is_file():
            raise InputError(
                f"{model}: the detector yunet needs its ONNX file; download face_detection_yunet_2023mar.onnx "
                f"from {YUNET_HOME} and give its path"
            )
        try:
            self.network = cv2.FaceDetectorYN.create(
                str(model), "", (320, 320), YUNET_SCORE, YUNET_OVERLAP, YUNET_BOXES
            )
        except cv2.error as error:
            raise InputError(f"{model}: not a YuNet model ({error.err})") from error

    def detect(self, photo_uint8: Images, least_side: float) -> list[Face]:
        """The score of a box is its probability; small boxes cost no time and are reported too."""
        height, width = photo_uint8.shape[:2]
        self.network.setInputSize((width, height))
        _, rows = self.network.detect(cv2.cvtColor(photo_uint8, cv2.COLOR_RGB2BGR))
        found = [inside(row, width, height) for row in (rows if rows is not None else [])]
        return sorted(found, key=strongest_first)


def strongest_first(face: Face) -> tuple[float, int, int, int, int]:
    """An order that does not depend on the order in which threads found the boxes."""
    return -face.score, -face.width, -face.height, face.y, face.x


def inside(row: npt.NDArray[np.float32], width: int, height: int) -> Face:
    """YuNet's row as a box cut off at the edges of the photo."""
    left, top = max(0, round(float(row[0]))), max(0, round(float(row[1])))
    right, bottom = min(width, round(float(row[0] + row[2]))), min(height, round(float(row[1] + row[3])))
    return Face(left, top, right - left, bottom - top, float(row[-1]))


def open_detector(
    name: Literal["haar", "yunet"], model: str | None, scale_factor: float, min_neighbours: int
) -> Detector:
    """The detector of that name; raises InputError if its file is missing or is another model."""
    if name == "yunet":
        return YuNetDetector(Path(model) if model else None)
    return HaarDetector(scale_factor, min_neighbours)


@dataclass(frozen=True, kw_only=True)
class FaceRule:
    """Which faces are kept and how they are cut.

    detection_side: longer side, in pixels, of the reduced photo that is searched; min_size: least side of a box in
    pixels of the full photo; max_faces: how many faces per photo are kept, strongest first; margin: share of the box
    added on every side; resize: side, in pixels, of the square that a box with its margin becomes; size: side of its
    central part, which is kept. Only that part has to lie within the photo.
    """

    detection_side: int
    min_size: int
    max_faces: int
    margin: float
    resize: int
    size: int

    @property
    def kept_margin(self) -> float:
        """The margin of the part that is kept, as a share of the box; below zero if it is smaller than the box."""
        return ((1 + 2 * self.margin) * self.size / self.resize - 1) / 2

    def find(self, photo_uint8: Images, detector: Detector) -> list[Finding]:
        """All faces of a photo, (H, W, 3) uint8 RGB, strongest first, each with its crop or a reason."""
        height, width = photo_uint8.shape[:2]
        scale = min(1.0, self.detection_side / max(height, width))
        reduced = photo_uint8
        if scale < 1:
            shape = (max(1, round(width * scale)), max(1, round(height * scale)))
            reduced = np.asarray(cv2.resize(photo_uint8, shape, interpolation=cv2.INTER_AREA), np.uint8)
        faces = [enlarge_box(face, scale, width, height) for face in detector.detect(reduced, self.min_size * scale)]
        findings: list[Finding] = []
        for face in faces:
            n_kept = sum(finding.crop is not None for finding in findings)
            findings.append(self.crop(photo_uint8, face, n_kept))
        return findings

    def crop(self, photo_uint8: Images, face: Face, n_kept: int) -> Finding:
        """Cuts out one face, or gives the reason against it; `n_kept` faces of the photo are kept already."""
        if min(face.width, face.height) < self.min_size:
            return Finding(face, None, "too small")
        if n_kept >= self.max_faces:
            return Finding(face, None, "more faces than max_faces")
        crop = cut(photo_uint8, face, self.kept_margin)
        if crop is None:
            return Finding(face, None, "margin beyond the edge")
        return Finding(face, fit(crop, self.size, FINE), "")


def enlarge_box(face: Face, scale: float, width: int, height: int) -> Face:
    """A box of the reduced photo in pixels of the full one."""
    left, top = round(face.x / scale), round(face.y / scale)
    right, bottom = round((face.x + face.width) / scale), round((face.y + face.height) / scale)
    return Face(left, top, min(right, width) - left, min(bottom, height) - top, face.score)


def cut(photo_uint8: Images, face: Face, margin: float) -> Images | None:
    """The box with its margin, a share of its sides: (H, W, 3) uint8; None if it reaches beyond the photo."""
    extra_x, extra_y = round(face.width * margin), round(face.height * margin)
    top, left = face.y - extra_y, face.x - extra_x
    bottom, right = face.y + face.height + extra_y, face.x + face.width + extra_x
    if top < 0 or left < 0 or bottom > photo_uint8.shape[0] or right > photo_uint8.shape[1]:
        return None
    return photo_uint8[top:bottom, left:right]
