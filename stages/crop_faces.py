"""Faces in one shard of photos; section 4.2.

In:  photos: a folder, an uncompressed tar or an LMDB of encoded images; params crop_faces.*.
Out: a folder with
     crops.h5        image store (M, S, S, 3) uint8, S = crop_faces.image_size; keys `<photo>#<number of the face>`
     detections.csv  key (of the photo), x, y, width, height (pixels of the photo), score, kept, reason: a row a face,
                     and a row for each photo without any; the rows that are kept are the crops, in order
     rejects.csv     key, reason of photos that could not be read
Published: about 350,000 boxes out of 3 million photos.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dcgan.decoding import Undecodable, decode
from dcgan.encoded import Encoded, open_source, printable
from dcgan.faces import Detector, FaceRule, Images, open_detector
from dcgan.files import write_csv
from dcgan.progress import Progress
from dcgan.rejects import Rejects
from dcgan.store import StoreWriter
from workflow.stage import Params, fix_threads, load_params, run_stage, stage_parser

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
    detector = open_detector(section.detector, section.model, section.scale_factor, section.min_neighbours)
    rule = FaceRule(
        section.detection_side,
        section.min_size,
        section.max_faces,
        section.margin,
        section.resize,
        section.image_size,
    )
    rejects = Rejects(section.max_rejects, source.count, "crop_faces.max_rejects")
    rows: list[Row] = []
    attributes = {"source": printable(source_path.name), "detector": section.detector}
    with (
        rejects.recorded(out / "rejects.csv"),
        StoreWriter(out / "crops.h5", (rule.size, rule.size, 3), attributes) as writer,
        Progress(source.count // shards, f"crop faces {shard}", "photos") as progress,
    ):
        for item in source.items(shard, shards):
            for row, face_crop in examine(item, rule, detector, rejects):
                rows.append(row)
                if face_crop is not None:
                    writer.append(np.ascontiguousarray(face_crop)[None], [row["crop_key"]])
            progress.update()
        rejects.check()
    write_csv(out / "detections.csv", pd.DataFrame(rows, columns=COLUMNS))


def examine(item: Encoded, rule: FaceRule, detector: Detector, rejects: Rejects) -> Iterator[tuple[Row, Images | None]]:
    """The rows of one photo, each with its crop if it is kept."""
    try:
        if item.content is None:
            raise Undecodable(item.reason)
        photo = decode(item.content)
    except Undecodable as error:
        rejects.reject(item.key, str(error))
        yield {"key": item.key, "kept": False, "reason": str(error)}, None
        return
    rejects.accept()
    findings = rule.find(photo, detector)
    if not findings:
        yield {"key": item.key, "kept": False, "reason": "no face"}, None
    for number, (face, face_crop, reason) in enumerate(findings):
        row = {"key": item.key, **face._asdict(), "kept": face_crop is not None, "reason": reason}
        yield {**row, "crop_key": f"{item.key}#{number}"}, face_crop


if __name__ == "__main__":
    run_stage(main)
