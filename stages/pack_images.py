"""A labelled set as image stores; sections 4.3, 5.1, 5.2 and 8.1.

In:  params pack.*; the source, of the kind that pack.sets.<set>.kind names: class folders or any folder, CIFAR-10's
     batches or class folders, SVHN's .mat files, MNIST's idx files, aligned CelebA.
Out: a folder with
     <split>.h5      image store (N, S, S, C) uint8 with labels, if any: train, test if there is one,
                     extra (SVHN), validation; `validation` and `test` name how many images are drawn out of train by
                     the run's seed for a split that the source lacks
     rejects.csv     key, reason of what could not be used
     attributes.csv  CelebA's attributes, if their list is there
     contents.json   what was understood: splits with their images and classes, and what was found where
Published: CIFAR-10 50,000 and 10,000; SVHN 73,257 (10,000 of them for validation) and 26,032; MNIST 60,000 and 10,000;
ImageNet-1k.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from dcgan.core.drawn_splits import drawn_rows
from dcgan.core.files import InputError, remove_others, write_csv, write_json
from dcgan.core.progress import Progress
from dcgan.data.archives import printable
from dcgan.data.formats import open_labelled
from dcgan.data.image_store import StoreWriter
from dcgan.data.labelled import LabelledSet, Split
from dcgan.data.layouts import UnclearLayout
from dcgan.data.preprocessing import Rule
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import Resampling
from workflow.engines.options import section_named
from workflow.engines.stage import Params, fix_threads, load_params, run_stage, stage_parser
from workflow.params.sections import PackedSet

Counts = dict[str, int]  # images, and classes among their labels


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, help="one of pack.sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the set's stores")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)
    section = section_named(params.pack.sets, options.set, "pack.sets")

    labelled = open_set(section, options.set)
    splits = with_drawn(labelled, options.set, params)
    resampling = Resampling(antialias=params.pack.antialias, reducing_gap=params.pack.reducing_gap)
    rule = Rule(size=section.image_size, resampling=resampling, min_side=params.pack.min_side)
    rejects = Rejects(params.pack.max_rejects, sum(map(len, splits)), "pack.max_rejects")
    source = printable(Path(section.source).name)
    attributes = {"set": options.set, "source": source, "classes": list(labelled.classes)}
    with rejects.recorded(options.out / "rejects.csv"):
        counts = {split.name: write_split(options.out, split, rule, rejects, attributes) for split in splits}
    table = options.out / "attributes.csv"
    if labelled.attributes is not None:
        write_csv(table, labelled.attributes)
    else:
        table.unlink(missing_ok=True)  # of an earlier run
    remove_others(options.out.glob("*.h5"), [options.out / f"{split}.h5" for split in counts])
    contents = {"set": options.set, "kind": section.kind, "source": source, "splits": counts}
    write_json(options.out / "contents.json", {**contents, "found": list(labelled.notes)})
    report(options.set, counts, labelled)


def open_set(section: PackedSet, name: str) -> LabelledSet:
    """The set; folders that can be read in more than one way are refused with the parameter that names them."""
    try:
        return open_labelled(Path(section.source), section.kind, section.splits)
    except UnclearLayout as error:
        raise InputError(f"{error}; name them in pack.sets.{name}.splits, such as {{train: FOLDER}}") from error


def report(name: str, counts: Mapping[str, Counts], labelled: LabelledSet) -> None:
    """Prints what was understood."""
    for split, found in counts.items():
        labels = f"{found['classes']} classes" if found["classes"] else "no labels"
        print(f"{name}: {split} {found['images']:,} images, {labels}", file=sys.stderr)
    for note in labelled.notes:
        print(f"{name}: {note}", file=sys.stderr)


def with_drawn(labelled: LabelledSet, name: str, params: Params) -> list[Split]:
    """The splits, with as many images as `validation` and `test` name drawn out of train for these."""
    splits = {split.name: split for split in labelled.splits}
    if "train" not in splits:
        raise InputError(f"pack.sets.{name}.source: no images for training, only {', '.join(splits)}")
    section = params.pack.sets[name]
    for split, count in (("validation", section.validation), ("test", section.test)):
        if count:
            splits = draw_split(splits, split, count, name, params.run.seed)
    return list(splits.values())


def draw_split(splits: Mapping[str, Split], name: str, count: int, of: str, seed: int) -> dict[str, Split]:
    """The splits of a set and one more, drawn out of train.

    Raises InputError if it is there, or if nothing were left to train on.
    """
    key, train = f"pack.sets.{of}.{name}", splits["train"]
    if name in splits:
        raise InputError(f"{key}: {count}, but the set has a {name} split of {len(splits[name])} images; set it to 0")
    if count >= len(train):
        raise InputError(f"{key}: {count} of only {len(train)} training images")
    rest, drawn = drawn_rows(len(train), count, seed, of, name)
    others = {other: split for other, split in splits.items() if other != "train"}
    return {"train": train.select("train", rest), name: train.select(name, drawn), **others}


def write_split(out: Path, split: Split, rule: Rule, rejects: Rejects, attributes: Mapping[str, object]) -> Counts:
    """Writes one store; raises InputError if it would have no images, or images of one class only."""
    path = out / f"{split.name}.h5"
    with (
        StoreWriter(path, (rule.size, rule.size, split.channels), attributes) as writer,
        Progress(len(split), f"pack {split.name}", "images") as progress,
    ):
        for images_uint8, keys, labels in split.blocks(rule, rejects):
            writer.append(images_uint8, keys, labels)
            progress.update(len(keys))
        rejects.check()
        classes = len(set(writer.labels))
        if writer.count == 0 or classes == 1:
            found = f"all {writer.count} images are of one class" if writer.count else "none of its images can be used"
            raise InputError(f"{attributes['set']}: split {split.name}: {found}")
    return {"images": writer.count, "classes": classes}


if __name__ == "__main__":
    run_stage(main)
