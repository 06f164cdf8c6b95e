"""K-means features of Coates and Ng, the baseline of Table 1 that can be run.

Inputs:  a folder of image stores train.h5, test.h5 and, where there is one, validation.h5; `kmeans.<set>` of
         params.yaml.
Outputs: feature tables as `extract_features` writes them, to be judged by `evaluate_svm`: <out>/trained/<split>.h5,
         features (N, 4 K), standardised; the same under <out>/random/ with random patches for centroids.
Published: 80.6 % accuracy on CIFAR-10, 63.7 +- 0.7 % with 400 labels a class (4,800 centroids).
"""

from pathlib import Path

import torch

from dcgan.core.checkpoints import digest_of
from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator
from dcgan.data.image_store import ImageStore
from dcgan.representation.features import fill_table, move_tables
from dcgan.representation.kmeans import KmeansFeatures, draw_patches, fit_centroids, normalize, whitening
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_folder
from workflow.params.sections import Kmeans

SPLITS = ("train", "validation", "test")


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, help="which section of `kmeans` to run, e.g. cifar10")
    parser.add_argument("--images", type=Path, required=True, help="folder of image stores")
    parser.add_argument("--out", type=Path, required=True, help="folder for feature tables")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.kmeans.get(args.set)
    if section is None:
        raise InputError(f"kmeans.{args.set}: no such section; there are {', '.join(params.kmeans)}")

    device = prepare(params.run)
    stores = {name: ImageStore(args.images / f"{name}.h5") for name in SPLITS if (args.images / f"{name}.h5").exists()}
    for name in ("train", "test"):
        if name not in stores:
            raise InputError(f"{args.images}: no {name}.h5 in it")
    tables = {}
    for kind, features in fit_features(stores["train"], section, params.run.seed, device).items():
        for split, store in stores.items():
            digest = digest_of(
                kind, split, section.model_dump(), params.run.model_dump(), stores["train"].path, store.path
            )
            work = state_folder(f"fit_kmeans-{args.set}-{kind}-{split}", digest)
            fill_table(features, store, work, section.batch_size, section.dtype)
            tables[work] = args.out / kind / f"{split}.h5"
    move_tables(tables)


def fit_features(train: ImageStore, section: Kmeans, seed: int, device: torch.device) -> dict[str, KmeansFeatures]:
    """Features with fitted centroids, and with random patches as centroids, scaled on the training split."""
    random = numpy_generator(seed, "kmeans", "patches")
    patches = normalize(torch.from_numpy(draw_patches(train.images, section.patches, section.side, random)))
    mean, matrix = whitening(patches)
    # Patches were drawn in the order of their images.
    order = torch.from_numpy(numpy_generator(seed, "kmeans", "order").permutation(len(patches)))
    points = ((patches - mean) @ matrix)[order].to(device)
    centroids = {
        "trained": fit_centroids(points, section.centroids, section.iterations),
        "random": points[: section.centroids],
    }
    # Drawn, because a store may hold its classes one after the other.
    drawn = numpy_generator(seed, "kmeans", "statistics").permutation(len(train))[: section.statistics_images]
    batches = [drawn[start : start + section.batch_size] for start in range(0, len(drawn), section.batch_size)]
    made = {}
    for kind, chosen in centroids.items():
        made[kind] = KmeansFeatures(mean.to(device), matrix.to(device), chosen, section.side)
        made[kind].fit_scale(train.images[rows] for rows in batches)
    return made


if __name__ == "__main__":
    run_stage(main)
