"""A labelled set as image stores; sections 4.3, 5.1, 5.2 and 8.1.

In:  params pack.*; the source, of the kind that pack.sets.<set>.kind names: class folders or any folder, CIFAR-10's
     batches or class folders, SVHN's .mat files, MNIST's idx files, aligned CelebA.
Out: a folder with
     <split>.h5      image store (N, S, S, C) uint8 with labels, if any: train, test if there is one,
                     extra (SVHN), validation (SVHN: `validation` images drawn out of train by the run's seed)
     rejects.csv     key, reason of what could not be used
     attributes.csv  CelebA's attributes, if their list is there
Published: CIFAR-10 50,000 and 10,000; SVHN 73,257 (10,000 of them for validation) and 26,032; MNIST 60,000 and 10,000;
ImageNet-1k.
"""

from pathlib import Path

from dcgan.core.files import InputError, write_csv
from dcgan.core.progress import Progress
from dcgan.core.seeding import numpy_generator
from dcgan.core.splits import hold_out
from dcgan.data.formats import open_labelled
from dcgan.data.image_store import StoreWriter
from dcgan.data.labelled import LabelledSet, Split
from dcgan.data.preprocessing import Rule
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import Resampling
from workflow.engines.options import section_named
from workflow.engines.stage import Params, fix_threads, load_params, run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, help="one of pack.sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the set's stores")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)
    section = section_named(params.pack.sets, options.set, "pack.sets")

    resampling = Resampling(antialias=params.pack.antialias, reducing_gap=params.pack.reducing_gap)
    labelled = open_labelled(Path(section.source), section.kind)
    splits = with_validation(labelled, options.set, params)
    rule = Rule(size=section.image_size, resampling=resampling, min_side=params.pack.min_side)
    rejects = Rejects(params.pack.max_rejects, sum(map(len, splits)), "pack.max_rejects")
    with rejects.recorded(options.out / "rejects.csv"):
        for split in splits:
            attributes = {"set": options.set, "source": Path(section.source).name, "classes": list(labelled.classes)}
            write_split(options.out / f"{split.name}.h5", split, rule, rejects, attributes)
    if labelled.attributes is not None:
        write_csv(options.out / "attributes.csv", labelled.attributes)


def with_validation(labelled: LabelledSet, name: str, params: Params) -> list[Split]:
    """The splits, with as many images as `validation` names drawn out of train for validation."""
    count = params.pack.sets[name].validation
    if count == 0:
        return labelled.splits
    train = next(split for split in labelled.splits if split.name == "train")
    if count >= len(train):
        raise InputError(f"pack.sets.{name}.validation: {count} of only {len(train)} training images")
    rest, drawn = hold_out(len(train), count, numpy_generator(params.run.seed, "pack", name))
    made = [train.select("train", rest), train.select("validation", drawn)]
    return [*made, *(split for split in labelled.splits if split.name not in ("train", "validation"))]


def write_split(path: Path, split: Split, rule: Rule, rejects: Rejects, attributes: dict[str, object]) -> None:
    """Writes one store."""
    with (
        StoreWriter(path, (rule.size, rule.size, split.channels), attributes) as writer,
        Progress(len(split), f"pack {split.name}", "images") as progress,
    ):
        for images_uint8, keys, labels in split.blocks(rule, rejects):
            writer.append(images_uint8, keys, labels)
            progress.update(len(keys))
        rejects.check()


if __name__ == "__main__":
    run_stage(main)
