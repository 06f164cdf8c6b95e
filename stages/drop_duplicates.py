"""Finds groups of duplicates, and keeps one image of each; section 4.1.1.

In:  the shards' stores, lists of rejects and inventories; codes/<shard>.h5, (N, 16) uint8 with the stores' keys in
     their order; params deduplicate.*, export.shards, export.max_rejects.
Out: unique.h5       image store without the duplicates, or, unless deduplicate.drop, with them, in key order
     duplicates.csv  key, kept, distance: a row per duplicate, of which image it is one, how many bits differ
     a contact sheet of 100 pairs (kept left, duplicate right), spread evenly over all of them
     a JSON of counts, also of rejects by reason, and of the sizes and formats of the source's images
If more than deduplicate.max_dropped of the images would go, only the contact sheet is written, to --refused: an
autoencoder that was hardly trained takes different rooms for one.
Published: about 275,000 of 3,033,042 removed, a share of 0.0907.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dcgan.core.files import InputError, read_csv, write_csv, write_json
from dcgan.core.pixels import Images, ground, tile, write_png
from dcgan.core.progress import Progress
from dcgan.data.image_store import StoreWriter
from dcgan.data.inventory import COLUMNS, at_a_glance
from dcgan.data.rejects import Rejects
from dcgan.data.sharded_store import Indices, Shards
from dcgan.dedup.hamming_search import find_duplicates
from dcgan.dedup.hash_codes import Codes, Duplicates, read_codes
from workflow.engines.stage import Params, fix_threads, load_params, run_stage, stage_parser
from workflow.params.sections import Deduplicate

SHEET_PAIRS, SHEET_COLUMNS = 100, 10


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder with a folder of stores per shard")
    parser.add_argument("--codes", type=Path, required=True, help="folder with an HDF5 of codes per shard")
    parser.add_argument("--out", type=Path, required=True, help="store of the images that stay")
    parser.add_argument("--duplicates", type=Path, required=True, help="CSV of the images that go")
    parser.add_argument("--figure", type=Path, required=True, help="PNG of pairs")
    parser.add_argument("--refused", type=Path, required=True, help="PNG of pairs, if too many images would go")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of counts")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)

    shards = Shards(options.shards, params.export.shards, f"{params.deduplicate.filtered}.h5")
    folders = [options.shards / str(shard) for shard in params.export.shards]
    tables = [folder / "rejects.csv" for folder in folders]
    rejects = Rejects.joined(tables, params.export.max_rejects, "export.max_rejects")
    rejects.accept(len(shards))
    rejects.check()
    duplicates = find_duplicates(load_codes(params, options.codes, shards), params.deduplicate.radius)
    if params.deduplicate.drop:
        check_share(duplicates, shards, params.deduplicate.max_dropped, options.refused)
    write_csv(options.duplicates, describe(duplicates, shards))
    write_png(options.figure, contact_sheet(duplicates, shards))
    staying = duplicates.survivors if params.deduplicate.drop else np.arange(len(shards))
    write_images(options.out, staying, shards, params.deduplicate.radius)
    inventory = pd.concat([read_csv(folder / "inventory.csv", COLUMNS) for folder in folders])
    counts = {"n_images": len(shards), "n_rejected": len(rejects.rows), **rejects.by_reason()}
    found = duplicates_found(duplicates, len(shards), params.deduplicate)
    write_json(options.metrics, counts | found | at_a_glance(inventory, shards.image_shape[0]))


def duplicates_found(duplicates: Duplicates, n_images: int, section: Deduplicate) -> dict[str, Any]:
    """How many images are duplicates, which are removed if the parameters say so."""
    found, count = "removed" if section.drop else "duplicates", len(duplicates.removed)
    return {
        f"n_{found}": count,
        f"share_{found}": count / n_images,
        "published_share": section.published_share,
        "radius": section.radius,
    }


def load_codes(params: Params, folder: Path, shards: Shards) -> Codes:
    """All shards' codes, one under the other; raises InputError if they are not those of the images."""
    codes = []
    for shard, store in zip(params.export.shards, shards.stores, strict=True):
        path = folder / f"{shard}.h5"
        part, keys = read_codes(path)
        if len(part) != len(store):
            raise InputError(f"{path}: {len(part)} codes for {len(store)} images")
        other = np.flatnonzero(keys != store.keys)
        if len(other):
            first = f"{keys[other[0]]} for {store.keys[other[0]]}"
            raise InputError(f"{path}: {len(other)} of {len(store)} codes are of other images, the first is {first}")
        codes.append(part)
    return np.concatenate(codes)


def check_share(duplicates: Duplicates, shards: Shards, largest: float, sheet: Path) -> None:
    """Raises InputError if too many images would go; the contact sheet is then at a path that no engine cleans up."""
    n_removed = len(duplicates.removed)
    if n_removed <= largest * len(shards):
        return
    write_png(sheet, contact_sheet(duplicates, shards))
    share = f"{n_removed:,} of {len(shards):,} images ({n_removed / len(shards):.1%}) would be dropped as duplicates"
    raise InputError(
        f"{share}, deduplicate.max_dropped allows {largest:.1%}: look at {sheet}; if its pairs show different scenes, "
        "train the autoencoder longer (autoencoder.minibatches) or lower deduplicate.radius"
    )


def describe(duplicates: Duplicates, shards: Shards) -> pd.DataFrame:
    """A row per duplicate."""
    removed = duplicates.removed
    return pd.DataFrame(
        {
            "key": shards.keys(removed),
            "kept": shards.keys(duplicates.kept[removed]),
            "distance": duplicates.distance[removed],
        }
    )


def contact_sheet(duplicates: Duplicates, shards: Shards) -> Images:
    """Pairs side by side; one empty pair if there are none."""
    removed = duplicates.removed
    if len(removed) == 0:
        height, width, _ = shards.image_shape
        return tile(ground(height, 2 * width)[None], 1)
    shown = removed[np.linspace(0, len(removed) - 1, min(SHEET_PAIRS, len(removed))).round().astype(np.int64)]
    pairs = np.concatenate([shards.gather(duplicates.kept[shown]), shards.gather(shown)], axis=2)
    return tile(pairs, SHEET_COLUMNS, padding=4)


def write_images(path: Path, staying: Indices, shards: Shards, radius: int) -> None:
    """Writes the store of the images that stay."""
    height, width, channels = shards.image_shape
    with (
        StoreWriter(path, (height, width, channels), {**shards.stores[0].attributes, "radius": radius}) as writer,
        Progress(len(staying), "write unique images", "images") as progress,
    ):
        for images_uint8, keys in shards.blocks(staying):
            writer.append(images_uint8, keys)
            progress.update(len(keys))


if __name__ == "__main__":
    run_stage(main)
