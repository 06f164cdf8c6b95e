"""Ground truth of real images, brought to the pixels of a store: window boxes, face attributes.

Paper: none; boxes and exemplars were chosen by hand (sections 6.3.1 and 6.3.2).
Inputs: tables. Windows: key, x, y, width, height, image_width, image_height, in pixels of the source image. Faces: key
of the photo, x, y, width, height of the face in it, attributes (0 or 1), pose in degrees. Detections: the same boxes as
a detector found them, in the order of the store of crops.
Outputs: targets of dcgan/internals/attribute_classifiers.py: (N, G, G) and (N, attributes + 1) float32.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from dcgan.core.files import InputError
from dcgan.internals.boxes import Box, positions_inside

Floats = npt.NDArray[np.float32]
BOX = ["x", "y", "width", "height"]


def windows_on_crops(windows: pd.DataFrame, keys: Sequence[str], image_size: int) -> list[Box]:
    """The windows of the images with the given keys, in pixels of their central square crops at `image_size`."""
    require(windows, ["key", *BOX, "image_width", "image_height"], "windows")
    numbers = pd.Series(range(len(keys)), index=list(keys))
    rows = windows[windows["key"].isin(numbers.index)]
    return [crop_box(row, int(numbers[row["key"]]), image_size) for row in rows.to_dict("records")]


def crop_box(row: dict[str, float], image: int, image_size: int) -> Box:
    """A box of the source image in pixels of the central square crop whose shorter side became `image_size`."""
    short = min(row["image_width"], row["image_height"])
    scale = image_size / short
    left, top = (row["image_width"] - short) / 2, (row["image_height"] - short) / 2
    x, y = (row["x"] - left) * scale, (row["y"] - top) * scale
    return Box(image, x, y, row["width"] * scale, row["height"] * scale)


def window_targets(boxes: Sequence[Box], n_images: int, image_size: int, grid: int) -> Floats:
    """1 at each position whose centre lies on a window: (N, grid, grid) float32."""
    return positions_inside(boxes, n_images, image_size, grid).astype(np.float32)


def match_faces(detections: pd.DataFrame, faces: pd.DataFrame, overlap: float) -> npt.NDArray[np.int64]:
    """The row of `faces` that each detection shows, by the best overlap of boxes in the same photo; -1 for none.

    overlap: least intersection over union that counts.
    """
    require(detections, ["key", *BOX], "detections")
    require(faces, ["key", *BOX], "faces")
    by_photo = faces.groupby("key").indices
    matches = np.full(len(detections), -1, np.int64)
    boxes = faces[BOX].to_numpy(np.float64)
    for number, (key, box) in enumerate(zip(detections["key"], detections[BOX].to_numpy(np.float64), strict=True)):
        candidates = by_photo.get(key)
        if candidates is not None:
            shares = intersection_over_union(box, boxes[candidates])
            if shares.max() >= overlap:
                matches[number] = candidates[shares.argmax()]
    return matches


def intersection_over_union(box: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """box: (4,) and others: (M, 4) as x, y, width, height -> (M,) shares."""
    start = np.maximum(box[:2], others[:, :2])
    end = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    common = np.maximum(end - start, 0).prod(axis=1)
    share: npt.NDArray[np.float64] = common / (box[2:].prod() + others[:, 2:].prod(axis=1) - common)
    return share


def faces_with_truth(
    detections: pd.DataFrame, faces: pd.DataFrame, attributes: Sequence[str], overlap: float
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Numbers of the detections that show a face of known attributes, and the targets of these: (M,), (M, A + 1)."""
    matches = match_faces(detections, faces, overlap)
    numbers = np.flatnonzero(matches >= 0)
    return numbers, face_targets(faces.iloc[matches[numbers]], attributes)


def face_targets(faces: pd.DataFrame, attributes: Sequence[str]) -> Floats:
    """The attributes as 0 or 1 and the pose in degrees: (N, attributes + 1) float32."""
    require(faces, [*attributes, "pose"], "faces")
    targets: Floats = faces[[*attributes, "pose"]].to_numpy(np.float32)
    return targets


def require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raises InputError if a table of truth lacks a column."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"table of {name}: no column {', '.join(missing)}; there are {', '.join(table.columns)}")
