"""All shards' faces as one store; section 4.2.

In:  crops.h5, detections.csv and rejects.csv of every shard; params crop_faces.shards, crop_faces.max_rejects,
     crop_faces.published_boxes.
Out: crops.h5 (M, S, S, 3) uint8 in key order; detections.csv of all shards; a sheet of 64 crops spread over the set; a
     JSON of counts.
Published: about 350,000 boxes (the file's name says 364,293) out of 3 million photos.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from dcgan.core.files import InputError, read_csv, write_csv, write_json
from dcgan.core.pixels import Images, tile, write_png
from dcgan.data.face_detection import NO_FACE
from dcgan.data.image_store import StoreWriter
from dcgan.data.rejects import Rejects
from dcgan.data.sharded_store import Shards
from workflow.engines.stage import fix_threads, load_params, run_stage, stage_parser

SHEET_CROPS, SHEET_COLUMNS = 64, 16
# A box is of whole numbers, but empty if a photo has no face.
TYPES = {"key": str, "reason": str, "kept": bool, **dict.fromkeys(["x", "y", "width", "height"], "Int64")}


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder with a folder of crops per shard")
    parser.add_argument("--out", type=Path, required=True, help="store of all crops")
    parser.add_argument("--detections", type=Path, required=True, help="CSV of all detections")
    parser.add_argument("--figure", type=Path, required=True, help="PNG of crops")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of counts")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)
    numbers = params.crop_faces.shards

    shards = Shards(options.shards, numbers, "crops.h5")
    tables = [options.shards / str(number) / "rejects.csv" for number in numbers]
    detections = pd.concat([read_csv(options.shards / f"{number}/detections.csv", TYPES) for number in numbers])
    photos = [key.rpartition("#")[0] for key in shards.keys(np.arange(len(shards)))]
    if photos != detections.loc[detections["kept"], "key"].tolist():
        raise InputError(f"{options.shards}: the {len(shards)} crops are not those of the kept detections, in order")
    rejects = Rejects.joined(tables, params.crop_faces.max_rejects, "crop_faces.max_rejects")
    # Photos whose key an earlier one has are rejected, but that one was searched.
    searched = detections["x"].notna() | (detections["reason"] == NO_FACE)
    rejects.accept(detections.loc[searched, "key"].nunique())
    rejects.check()
    write_store(options.out, shards)
    write_csv(options.detections, detections)
    write_png(options.figure, contact_sheet(shards))
    write_json(
        options.metrics, count(detections, params.crop_faces.published_boxes) | {"n_rejected": len(rejects.rows)}
    )


def write_store(path: Path, shards: Shards) -> None:
    """Writes all crops into one store."""
    height, width, channels = shards.image_shape
    with StoreWriter(path, (height, width, channels), shards.stores[0].attributes) as writer:
        for images_uint8, keys in shards.blocks(np.arange(len(shards))):
            writer.append(images_uint8, keys)


def contact_sheet(shards: Shards) -> Images:
    """Crops spread evenly over the set."""
    shown = np.linspace(0, len(shards) - 1, min(SHEET_CROPS, len(shards))).round().astype(np.int64)
    return tile(shards.gather(shown), SHEET_COLUMNS)


def count(detections: pd.DataFrame, published_boxes: int | None) -> dict[str, float | None]:
    """Photos, boxes and kept crops, and the share of photos with exactly one crop."""
    crops_by_photo = detections.groupby("key")["kept"].sum()
    return {
        "n_photos": len(crops_by_photo),
        "n_detections": int(detections["x"].notna().sum()),
        "n_kept": int(detections["kept"].sum()),
        "share_photos_with_one_face": float((crops_by_photo == 1).mean()),
        "published_boxes": published_boxes,
    }


if __name__ == "__main__":
    run_stage(main)
