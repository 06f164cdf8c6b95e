"""K-means features of Coates and Ng, the baseline of Table 1 that can be run.

Inputs:  a folder of image stores train.h5, test.h5 and, if there is one, validation.h5; `kmeans.<set>` of
         params.yaml.
Outputs: feature tables as `extract_features` writes them, for `evaluate_svm`: <out>/trained/<split>.h5,
         features (N, 4 K), standardised; the same under <out>/random/ with random patches for centroids.
Published: 80.6 % accuracy on CIFAR-10, 63.7 +- 0.7 % with 400 labels per class (4,800 centroids).
"""

from pathlib import Path

from dcgan.core.files import remove_others
from dcgan.data.packed_sets import SPLITS, open_splits
from dcgan.representation.extraction import fill_table, move_tables
from dcgan.representation.kmeans import KmeansSettings, fit_features
from workflow.engines.options import naming, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_of


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, help="which section of `kmeans` to run, e.g. cifar10")
    parser.add_argument("--images", type=Path, required=True, help="folder of image stores")
    parser.add_argument("--out", type=Path, required=True, help="folder for feature tables")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.kmeans, args.set, "kmeans")

    device = prepare(params.run)
    stores = open_splits(args.images)
    settings = settings_from(section, KmeansSettings, seed=params.run.seed)
    determining, tables = section.model_dump(exclude={"images"}), {}
    with naming(f"kmeans.{args.set}"):
        fitted = fit_features(stores["train"].images, settings, device)
    for kind, features in fitted.items():
        for split, store in stores.items():
            name, inputs = f"fit_kmeans-{args.set}-{kind}-{split}", [stores["train"].path, store.path]
            work = state_of(name, determining, inputs, params.run, device.type).folder
            fill_table(features, store, work, section.batch_size, section.dtype)
            tables[work] = args.out / kind / f"{split}.h5"
    move_tables(tables)
    remove_others((args.out / kind / f"{split}.h5" for kind in fitted for split in SPLITS), tables.values())


if __name__ == "__main__":
    run_stage(main)
