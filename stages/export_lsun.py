"""One shard of an LSUN archive (or of a folder or tar of images) as image stores.

Section 4.1: bedrooms, shorter side resized, centre cropped.
In:  params export.*; the source is an LMDB, a folder or an uncompressed tar.
Out: a folder with
     images.h5    image store (N, S, S, 3) uint8, S = export.image_size, in key order
     crops32.h5   image store (N, 32, 32, 3) uint8, the same images and keys, for de-duplication
     rejects.csv  key, reason of what could not be used
     inventory.csv  how many images have which width, height, format, and no colour
Published: 3,033,042 images (section 4.1.1).
"""

from pathlib import Path

from dcgan.core.files import write_csv
from dcgan.core.progress import Progress
from dcgan.data.archives import open_source, printable
from dcgan.data.image_store import StoreWriter
from dcgan.data.inventory import Inventory
from dcgan.data.preprocessing import CROP_SIDE, Rule, export_images
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import Resampling
from dcgan.data.whole_sources import tell_of_splits
from workflow.engines.stage import Params, fix_threads, load_params, run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="LMDB, folder or tar of encoded images")
    parser.add_argument("--shard", type=int, required=True, help="one of export.shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shard's stores")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)
    export(params, options.source, options.shard, options.out)


def export(params: Params, source_path: Path, shard: int, out: Path) -> None:
    """Exports a shard into a folder."""
    section, shards = params.export, len(params.export.shards)
    source = open_source(source_path)
    tell_of_splits(source_path, source)
    size = section.image_size
    rule = Rule(
        size=size,
        resampling=Resampling(antialias=section.antialias, reducing_gap=section.reducing_gap),
        min_side=section.min_side,
    )
    inventory = Inventory()
    rejects = Rejects(section.max_rejects, source.count, "export.max_rejects")
    attributes = {
        "source": printable(source_path.name),
        "antialias": section.antialias,
        "reducing_gap": section.reducing_gap or 0.0,
    }
    with (
        rejects.recorded(out / "rejects.csv"),
        StoreWriter(out / "images.h5", (size, size, 3), attributes) as images,
        StoreWriter(out / "crops32.h5", (CROP_SIDE, CROP_SIDE, 3), attributes) as crops,
        Progress(source.count // shards, f"export shard {shard}", "images") as progress,
    ):
        for block in export_images(source.items(shard, shards), rule, rejects, inventory):
            images.append(block.images_uint8, block.keys)
            crops.append(block.crops_uint8, block.keys)
            progress.update(len(block.keys))
    write_csv(out / "inventory.csv", inventory.table())


if __name__ == "__main__":
    run_stage(main)
