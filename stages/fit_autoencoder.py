"""The de-noising autoencoder whose code layer becomes a binary code; section 4.1.1.

In:  crops32.h5 of every shard, (N, 32, 32, 3) uint8, or any store of colour images, which are brought to 32 x 32;
     params autoencoder.*, a seeded sample of at most autoencoder.sample images, a tenth of it (at most 10,000 images)
     held out.
Out: the autoencoder; a CSV with a row per pass over the images: epoch, loss (training, noisy input),
     held_out_error (clean input); both mean squared errors of pixels, in [0, 1] or of contrast 0.25 if
     autoencoder.normalise is on.
Published: 3072-128-3072, ReLU, de-noising, dropout; everything else is unpublished.
"""

from pathlib import Path

import pandas as pd

from dcgan.core.files import InputError, write_csv
from dcgan.core.progress import track
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.data.preprocessing import CROP_SIDE
from dcgan.data.sharded_store import Indices, ReducedStore, Shards
from dcgan.dedup.autoencoder import Autoencoder, AutoencoderTraining, passes
from workflow.engines.stage import Params, load_params, prepare, run_stage, stage_parser

HELD_OUT_SHARE, HELD_OUT_AT_MOST = 0.1, 10_000


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--images", type=Path, required=True, help="image store, or folder with one of stores per shard"
    )
    parser.add_argument("--out", type=Path, required=True, help="where to write the autoencoder")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of the errors by epoch")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    device = prepare(params.run)
    section, seed = params.autoencoder, params.run.seed

    images = open_crops(options.images, params)
    chosen, held_out = draw_sample(params, len(images))
    autoencoder = Autoencoder((CROP_SIDE, CROP_SIDE, 3), code_size=section.code_size, normalise=section.normalise)
    autoencoder.initialize(torch_generator(seed, "autoencoder", "weights"))
    autoencoder.to(device)
    training = AutoencoderTraining(
        autoencoder,
        noise=section.noise,
        dropout=section.dropout,
        learning_rate=section.learning_rate,
        seed=seed,
    )
    held_out_images = images.gather(held_out)
    curve = []
    lengths = list(passes(len(chosen), section.minibatches, section.batch_size))
    for epoch, length in track(enumerate(lengths, 1), len(lengths), "fit autoencoder", "epochs"):
        loss = training.epoch(images.gather, chosen, section.batch_size, epoch, length)
        curve.append({"epoch": epoch, "loss": loss, "held_out_error": training.error(held_out_images)})
    autoencoder.save(options.out)
    write_csv(options.curve, pd.DataFrame(curve))


def open_crops(path: Path, params: Params) -> Shards | ReducedStore:
    """The images of a set's shards, or of one store, at 32 x 32."""
    return (
        Shards(path, params.export.shards, "crops32.h5") if path.is_dir() else ReducedStore(ImageStore(path), CROP_SIDE)
    )


def draw_sample(params: Params, count: int) -> tuple[Indices, Indices]:
    """Seeded numbers of images for training and held out; the same for any number of shards."""
    if count < 2:
        raise InputError(f"{count} images are too few to fit an autoencoder")
    generator = numpy_generator(params.run.seed, "autoencoder", "sample")
    chosen = generator.permutation(count)[: max(params.autoencoder.sample, 2)]
    held_out = max(1, min(int(len(chosen) * HELD_OUT_SHARE), HELD_OUT_AT_MOST))
    return chosen[held_out:], chosen[:held_out]


if __name__ == "__main__":
    run_stage(main)
