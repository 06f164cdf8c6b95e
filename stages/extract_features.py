"""Feature vectors of labelled images: all convolutional layers of a discriminator (sections 5.1 and 5.2 of the paper).

Inputs:  a discriminator (trained or imported), a folder of image stores train.h5, test.h5 and, where there is one,
         validation.h5; `features.<set>` of params.yaml.
Outputs: <out>/discriminator.safetensors, the network with its batch-norm statistics estimated on the training split;
         <out>/trained/<split>.h5, features (N, D) float32 or float16, labels (N,) int64, keys (N,) str; the same under
         <out>/random/ for the same architecture with untrained weights, which any claim has to beat.
         D is 28,672 for imagenet32 and 7,168 for svhn32. A killed run goes on where it was.
`features.<set>.processes` above 1: as many processes share the images, started by torchrun; the result is the same.
"""

import os
from datetime import timedelta
from pathlib import Path

from dcgan.core.checkpoints import digest_of
from dcgan.core.distributed import join_group, leave_group
from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.models.networks import Discriminator
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images, fill_table, move_tables
from workflow.engines.launch import start_processes
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_folder
from workflow.params.sections import FeatureSet, Run

SPLITS = ("train", "validation", "test")
# After a kill one process may have everything, and another most of its rows still to compute.
PATIENCE = timedelta(days=7)


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, help="which section of `features` to run, e.g. cifar10")
    parser.add_argument("--discriminator", type=Path, required=True, help="network file")
    parser.add_argument("--images", type=Path, required=True, help="folder of image stores")
    parser.add_argument("--out", type=Path, required=True, help="folder for network and feature tables")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.features.get(args.set)
    if section is None:
        raise InputError(f"features.{args.set}: no such section; there are {', '.join(params.features)}")

    if section.processes > 1 and "WORLD_SIZE" not in os.environ:
        start_processes("stages.extract_features", section.processes, arguments)

    group, device = join_group(section.processes, prepare(params.run), PATIENCE)
    trained = Discriminator.from_file(args.discriminator, device)
    random = Discriminator(trained.architecture)
    random.initialize(torch_generator(params.run.seed, "features", args.set)).to(device)
    stores = open_splits(args.images, trained)
    # In random order: class folders are packed class by class, and a batch of one class varies too little.
    order = numpy_generator(params.run.seed, "statistics", args.set).permutation(len(stores["train"]))
    statistics_images = stores["train"].images[order[: section.statistics_images]]
    tables = {}
    for kind, network in (("trained", trained), ("random", random)):
        estimate_on_images(network, statistics_images, section.statistics_batch, group)
        for split, store in stores.items():
            digest = digest_of(
                kind,
                split,
                section.model_dump(exclude={"processes"}),
                params.run.model_dump(),
                args.discriminator,
                stores["train"].path,
                store.path,
            )
            work = state_folder(f"extract_features-{args.set}-{kind}-{split}", digest)
            fill_table(DiscriminatorFeatures(network), store, work, section.batch_size, section.dtype, group)
            tables[work] = args.out / kind / f"{split}.h5"
    move_tables(tables, group)
    if group.is_first:
        trained.save(args.out / "discriminator.safetensors", metadata(section, params.run))
    leave_group(group)


def open_splits(folder: Path, discriminator: Discriminator) -> dict[str, ImageStore]:
    """The stores of a packed set; raises InputError where train or test is missing or does not fit the network."""
    stores = {name: ImageStore(folder / f"{name}.h5") for name in SPLITS if (folder / f"{name}.h5").exists()}
    for name in ("train", "test"):
        if name not in stores:
            raise InputError(f"{folder}: no {name}.h5 in it")
    a = discriminator.architecture
    expected = (a.image_size, a.image_size, a.channels)
    for store in stores.values():
        if store.shape[1:] != expected:
            raise InputError(f"{store.path}: images are {store.shape[1:]}, network {a.name} needs {expected}")
    return stores


def metadata(section: FeatureSet, run: Run) -> dict[str, object]:
    """What the network file says of its statistics."""
    return {"features": section.model_dump(exclude={"processes"}), "run": run.model_dump()}


if __name__ == "__main__":
    run_stage(main)
