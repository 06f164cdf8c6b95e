"""Reads the authors' published weights (Newmu/dcgan_code, `models/`) and writes them as network files.

Inputs:  a folder of their .npy arrays (`200_discrim_params.jl_01.npy`, ...); the joblib index beside them is not read,
         nothing is unpickled. --architecture names what the arrays must be: svhn32 or imagenet32.
Outputs: <out>/arrays.csv: network, number, tensor, shape, present; <out>/discriminator.safetensors; and
         <out>/generator.safetensors and samples.png, 128 samples of it, if all its arrays are there. If arrays of the
         discriminator are missing, the file holds its leading whole layers: their features are right, it has no
         logits.
In the DAG, one node an entry of `published` in params.yaml; name its result under `features.<set>.discriminator`.
Published: svhn32 22.48 % error on SVHN with 1,000 labels, imagenet32 82.8 % accuracy on CIFAR-10.
"""

from pathlib import Path

import pandas as pd

from dcgan.core.files import InputError, write_csv
from dcgan.core.pixels import enlarge, tile, write_png
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.published_weights import PublishedArray, catalogue, load_discriminator, load_generator
from workflow.engines.stage import load_params, run_stage, stage_parser

SAMPLES, GRID_COLUMNS = 128, 16  # one batch of the published size


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--arrays", type=Path, required=True, help="folder of published .npy arrays")
    parser.add_argument("--architecture", required=True, help="svhn32 or imagenet32")
    parser.add_argument("--out", type=Path, required=True, help="folder for the network files")
    args = parser.parse_args(arguments)
    if args.architecture not in ARCHITECTURES:
        raise InputError(f"--architecture {args.architecture}: one of {', '.join(ARCHITECTURES)}")

    architecture, seed = ARCHITECTURES[args.architecture], load_params(args.params).run.seed
    arrays = catalogue(args.arrays, architecture)
    discriminator = load_discriminator(arrays, architecture)
    generator = load_generator(arrays, architecture)
    metadata = {"published": args.architecture, "missing": names(missing(arrays))}
    write_csv(args.out / "arrays.csv", table_of(arrays))
    discriminator.save(args.out / "discriminator.safetensors", metadata)
    if generator is not None:
        generator.save(args.out / "generator.safetensors", metadata)
        write_png(args.out / "samples.png", enlarge(tile(generator.sample(SAMPLES, seed), GRID_COLUMNS), 2))
    else:
        for name in ("generator.safetensors", "samples.png"):
            (args.out / name).unlink(missing_ok=True)  # of an earlier import
    print(f"discriminator: {len(discriminator.convolutions)} of {len(architecture.discriminator_layers)} layers")
    print(f"generator: {'complete' if generator is not None else 'not written'}")
    for name in names(missing(arrays)):
        print(f"missing: {name}")


def missing(arrays: list[PublishedArray]) -> list[PublishedArray]:
    """The arrays that have no file."""
    return [array for array in arrays if array.path is None]


def names(arrays: list[PublishedArray]) -> list[str]:
    """Names of arrays in the authors' repository and in the network."""
    return [f"{array.role} array {array.number:02d} ({array.tensor})" for array in arrays]


def table_of(arrays: list[PublishedArray]) -> pd.DataFrame:
    """One row per array."""
    rows = [(a.role, a.number, a.tensor, "x".join(map(str, a.shape)), a.path is not None) for a in arrays]
    return pd.DataFrame(rows, columns=["network", "number", "tensor", "shape", "present"])


if __name__ == "__main__":
    run_stage(main)
