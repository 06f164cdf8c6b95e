"""Feature vectors of labelled images: all convolutional layers of a discriminator (sections 5.1 and 5.2 of the paper).

Inputs:  a discriminator (trained or imported), a folder of image stores train.h5, test.h5 and, if there is one,
         validation.h5; `features.<set>` of params.yaml.
Outputs: <out>/discriminator.safetensors, the network with its batch-norm statistics estimated on the training split;
         <out>/trained/<split>.h5, features (N, D) float32 or float16, labels (N,) int64, keys (N,) str; the same under
         <out>/random/ for the same architecture with untrained weights, which any claim has to beat.
         D is 28,672 for imagenet32 and 7,168 for svhn32. A killed run resumes.
`features.<set>.processes` above 1: as many processes share the images, started by torchrun; the result is the same.
"""

from datetime import timedelta
from pathlib import Path

from dcgan.core.distributed import join_group, leave_group
from dcgan.core.files import InputError, remove_others
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.data.packed_sets import SPLITS, open_splits
from dcgan.models.networks import Discriminator
from dcgan.representation.extraction import fill_table, move_tables
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images
from workflow.engines.launch import share_work
from workflow.engines.options import section_named
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_of
from workflow.params.sections import FeatureSet, Run

# After a kill one process may have everything, and another most of its rows still to compute.
PATIENCE = timedelta(days=7)
KINDS = ("trained", "random")


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, help="which section of `features` to run, e.g. cifar10")
    parser.add_argument("--discriminator", type=Path, required=True, help="network file")
    parser.add_argument("--images", type=Path, required=True, help="folder of image stores")
    parser.add_argument("--out", type=Path, required=True, help="folder for network and feature tables")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.features, args.set, "features")

    size, local_rank = share_work("stages.extract_features", section.processes, arguments)
    group, device = join_group(size, local_rank, prepare(params.run), PATIENCE)
    trained = Discriminator.from_file(args.discriminator, device)
    random = Discriminator(trained.architecture)
    random.initialize(torch_generator(params.run.seed, "features", args.set)).to(device)
    stores = fitting_splits(args.images, trained)
    # In random order: class folders are packed class by class, and a batch of one class varies too little.
    order = numpy_generator(params.run.seed, "statistics", args.set).permutation(len(stores["train"]))
    statistics_images = stores["train"].images[order[: section.statistics_images]]
    determining, tables = determining_of(section), {}
    for kind, network in zip(KINDS, (trained, random), strict=True):
        estimate_on_images(network, statistics_images, section.statistics_batch, group)
        for split, store in stores.items():
            name, inputs = f"extract_features-{args.set}-{kind}-{split}", [stores["train"].path, store.path]
            work = state_of(name, determining, [args.discriminator, *inputs], params.run, device.type).folder
            fill_table(DiscriminatorFeatures(network), store, work, section.batch_size, section.dtype, group)
            tables[work] = args.out / kind / f"{split}.h5"
    move_tables(tables, group)
    if group.is_first:
        remove_others((args.out / kind / f"{split}.h5" for kind in KINDS for split in SPLITS), tables.values())
        trained.save(args.out / "discriminator.safetensors", metadata(section, params.run))
    leave_group(group)


def fitting_splits(folder: Path, discriminator: Discriminator) -> dict[str, ImageStore]:
    """The stores of a packed set; raises InputError if one does not fit the network."""
    stores, a = open_splits(folder), discriminator.architecture
    expected = (a.image_size, a.image_size, a.channels)
    for store in stores.values():
        if store.shape[1:] != expected:
            raise InputError(f"{store.path}: images are {store.shape[1:]}, network {a.name} needs {expected}")
    return stores


def determining_of(section: FeatureSet) -> dict[str, object]:
    """The parameters that rows depend on: not how many processes share them, nor where the inputs lie."""
    return section.model_dump(exclude={"processes", "discriminator", "images"})


def metadata(section: FeatureSet, run: Run) -> dict[str, object]:
    """What the network's file records about its statistics."""
    return {"features": section.model_dump(exclude={"processes"}), "run": run.model_dump()}


if __name__ == "__main__":
    run_stage(main)
