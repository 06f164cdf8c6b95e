"""Faces in one shard of photos; section 4.2.

In:  photos: a folder, an uncompressed tar or an LMDB of encoded images; params crop_faces.*.
Out: a folder with
     crops.h5        image store (M, S, S, 3) uint8, S = crop_faces.image_size; keys `<photo>#<number of the face>`
     detections.csv  key (of the photo), x, y, width, height (pixels of the photo), score, kept, reason: a row per face,
                     and a row for each photo without any; the kept rows are the crops, in order
     rejects.csv     key, reason of photos that could not be read
Published: about 350,000 boxes out of 3 million photos.
"""

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from dcgan.core.files import write_csv
from dcgan.core.progress import Progress
from dcgan.data.archives import open_source, printable
from dcgan.data.decoding import Undecodable, decode
from dcgan.data.face_detection import NO_FACE, Detector, FaceRule, Finding, open_detector
from dcgan.data.image_store import StoreWriter
from dcgan.data.prefetch import map_in_order
from dcgan.data.rejects import Rejects
from dcgan.data.source import Encoded
from dcgan.data.whole_sources import tell_of_splits
from workflow.engines.options import naming, settings_from
from workflow.engines.stage import Params, fix_threads, load_params, run_stage, stage_parser
from workflow.params.sections import CropFaces

COLUMNS = ["key", "x", "y", "width", "height", "score", "kept", "reason"]
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder, tar or LMDB of photos")
    parser.add_argument("--shard", type=int, required=True, help="one of crop_faces.shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shard's crops")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)
    crop(params, options.source, options.shard, options.out)


def crop(params: Params, source_path: Path, shard: int, out: Path) -> None:
    """Crops a shard's faces into a folder."""
    section, shards = params.crop_faces, len(params.crop_faces.shards)
    source = open_source(source_path)
    tell_of_splits(source_path, source)
    search = Search(params.crop_faces)
    size = section.image_size
    rejects = Rejects(section.max_rejects, source.count, "crop_faces.max_rejects")
    rows: list[Row] = []
    attributes = {"source": printable(source_path.name), "detector": section.detector}
    cv2.setNumThreads(1)  # a photo is searched by one thread, and several photos at once
    with (
        rejects.recorded(out / "rejects.csv"),
        StoreWriter(out / "crops.h5", (size, size, 3), attributes) as writer,
        Progress(source.count // shards, f"crop faces {shard}", "photos") as progress,
    ):
        for key, findings, error in map_in_order(search, source.items(shard, shards), params.run.threads):
            if error:
                rejects.reject(key, error)
            else:
                rejects.accept()
            rows += rows_of(key, findings, error)
            for number, finding in enumerate(findings):
                if finding.crop is not None:
                    writer.append(np.ascontiguousarray(finding.crop)[None], [f"{key}#{number}"])
            progress.update()
    write_csv(out / "detections.csv", pd.DataFrame(rows, columns=COLUMNS))


class Search:
    """Finds the faces of a photo: key, findings, and why the photo could not be read, if so.

    Every thread has a detector of its own, because OpenCV's are not made to be shared.
    """

    def __init__(self, section: CropFaces) -> None:
        self.section, self.threads = section, threading.local()
        self.rule = settings_from(section, FaceRule, size=section.image_size)
        self.detector()  # a missing file is told before the first photo

    def detector(self) -> Detector:
        """The detector of this thread."""
        if not hasattr(self.threads, "detector"):
            section = self.section
            key = "crop_faces.model" if section.detector == "yunet" else "crop_faces.detector"
            with naming(key):
                self.threads.detector = open_detector(
                    section.detector,
                    section.model,
                    scale_factor=section.scale_factor,
                    min_neighbours=section.min_neighbours,
                )
        detector: Detector = self.threads.detector
        return detector

    def __call__(self, item: Encoded) -> tuple[str, list[Finding], str]:
        """Searches one photo."""
        if item.content is None:
            return item.key, [], item.reason or "cannot be read"
        try:
            photo = decode(item.content)
        except Undecodable as error:
            return item.key, [], str(error)
        return item.key, self.rule.find(photo, self.detector()), ""


def rows_of(key: str, findings: list[Finding], error: str) -> list[Row]:
    """The rows of one photo."""
    if not findings:
        return [{"key": key, "kept": False, "reason": error or NO_FACE}]
    return [{"key": key, **face._asdict(), "kept": crop is not None, "reason": why} for face, crop, why in findings]


if __name__ == "__main__":
    run_stage(main)
