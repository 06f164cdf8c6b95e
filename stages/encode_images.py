"""One shard's images as binary codes; section 4.1.1.

In:  crops32.h5 of a shard, (N, 32, 32, 3) uint8; the autoencoder.
Out: HDF5: codes (N, 16) uint8, 128 bits per image (a unit above zero is 1, the first unit in the highest bit of the
     first byte), keys (N,). The codes depend neither on the shard nor on how many images are encoded at once.
"""

from pathlib import Path

import numpy as np

from dcgan.core.files import InputError
from dcgan.core.progress import Progress
from dcgan.data.image_store import ImageStore
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.dedup.hash_codes import write_codes
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser

BLOCK_IMAGES = 8192


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--images", type=Path, required=True, help="store of 32 x 32 crops")
    parser.add_argument("--autoencoder", type=Path, required=True, help="the autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="HDF5 of codes")
    options = parser.parse_args(arguments)
    device = prepare(load_params(options.params).run)

    store = ImageStore(options.images)
    autoencoder = Autoencoder.from_file(options.autoencoder).to(device)
    if store.shape[1:] != autoencoder.image_shape:
        raise InputError(f"{options.images}: images {store.shape[1:]}, the autoencoder takes {autoencoder.image_shape}")
    codes = np.empty((len(store), autoencoder.code_size // 8), np.uint8)
    with Progress(len(store), "encode", "images") as progress:
        for start in range(0, len(store), BLOCK_IMAGES):
            block = np.array(store.images[start : start + BLOCK_IMAGES])
            codes[start : start + len(block)] = autoencoder.encode(block)
            progress.update(len(block))
    write_codes(options.out, codes, store.keys)


if __name__ == "__main__":
    run_stage(main)
