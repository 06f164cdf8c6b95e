"""The de-noising autoencoder whose code layer becomes a binary code; section 4.1.1.

In:  crops32.h5 of every shard, (N, 32, 32, 3) uint8; params autoencoder.*, a seeded sample of at most
     autoencoder.sample images, a tenth of it held out.
Out: autoencoder.safetensors; a CSV with a row an epoch: epoch, loss (training, noisy input), held_out_error (clean
     input); both mean squared errors of pixels, in [0, 1] or of contrast 0.25 where autoencoder.normalise is on.
Published: 3072-128-3072, ReLU, de-noising, dropout; everything else is unpublished.
"""

from pathlib import Path

import pandas as pd

from dcgan.autoencoder import Autoencoder, AutoencoderTraining
from dcgan.files import InputError, write_csv
from dcgan.progress import track
from dcgan.random import numpy_generator, torch_generator
from dcgan.shards import Images, Shards
from workflow.stage import Params, load_params, prepare, run_stage, stage_parser

HELD_OUT_SHARE = 0.1


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder with a folder of stores a shard")
    parser.add_argument("--out", type=Path, required=True, help="where to write the autoencoder")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of the errors by epoch")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    device = prepare(params.run)
    section, seed = params.autoencoder, params.run.seed

    training_images, held_out_images = draw_sample(params, options.shards)
    autoencoder = Autoencoder(training_images.shape[1:], section.code_size, section.normalise)
    autoencoder.initialize(torch_generator(seed, "autoencoder", "weights"))
    autoencoder.to(device)
    training = AutoencoderTraining(autoencoder, section.noise, section.dropout, section.learning_rate, seed)
    curve = []
    for epoch in track(range(1, section.epochs + 1), section.epochs, "fit autoencoder", "epochs"):
        loss = training.epoch(training_images, section.batch_size, epoch)
        curve.append({"epoch": epoch, "loss": loss, "held_out_error": training.error(held_out_images)})
    autoencoder.save(options.out)
    write_csv(options.curve, pd.DataFrame(curve))


def draw_sample(params: Params, folder: Path) -> tuple[Images, Images]:
    """A seeded sample of all shards' crops, for training and held out; the same for any number of shards."""
    shards = Shards(folder, params.export.shards, "crops32.h5")
    if len(shards) < 2:
        raise InputError(f"{folder}: {len(shards)} images are too few to fit an autoencoder")
    generator = numpy_generator(params.run.seed, "autoencoder", "sample")
    chosen = generator.permutation(len(shards))[: max(params.autoencoder.sample, 2)]
    held_out = max(1, int(len(chosen) * HELD_OUT_SHARE))
    return shards.gather(chosen[held_out:]), shards.gather(chosen[:held_out])


if __name__ == "__main__":
    run_stage(main)
