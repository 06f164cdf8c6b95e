"""Numbers in params.yaml that ask for more images than there are or will be, and splits that a set will not have.

Known are upper bounds: how many images each split of a set, and each image store, will have at most. What nobody can
know before work starts is not in them. Every rule is a row as in workflow/params/consistency.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from dcgan.core.drawn_splits import drawn_rows, validation_rows
from dcgan.core.splits import Rows
from dcgan.data.labelled import rarest_class
from workflow.params.consistency import Rule, images_by_features, where_only_stages_write
from workflow.params.figure_rules import counts
from workflow.params.image_kinds import labelled_folders
from workflow.params.sections import Params, SvmSection
from workflow.params.unknown import rests_on_unknown

LEAST_OF_A_CLASS = 10  # images of which some are drawn for a test: fewer may all be drawn, with none to learn from
LEAST_HELD_OUT = 6  # images of which each has five nearest others, for precision and recall


class PackedRows(NamedTuple):
    """A labelled set: images of each split, at most; classes, 0 if it has no labels or nobody knows.

    labels: of the items for training, in their order, -1 for none; empty if nobody knows. names: of the classes;
    unfit: why an SVM could not be tested on its splits, or an empty text.
    """

    splits: Mapping[str, int]
    classes: int
    labels: tuple[int, ...] = ()
    names: Sequence[str] = ()
    unfit: str = ""

    @property
    def rarest(self) -> tuple[str, int] | None:
        """The class with the fewest items for training, and how many; None if nobody knows."""
        return rarest_class(np.array(self.labels, np.int64), self.names)

    def without(self, drawn: int, draw: Callable[[int, int, int], tuple[Rows, Rows]], seed: int) -> "PackedRows":
        """The same set when some items for training are drawn; which labels are left is not known without the seed."""
        n = self.splits.get("train", 0)
        known = bool(self.labels) and not rests_on_unknown(seed)
        labels = tuple(np.array(self.labels)[draw(n, drawn, seed)[0]].tolist()) if known else ()
        return self._replace(labels=labels, splits={**self.splits, "train": n - drawn})


def asks_too_much(params: Params, sets: Mapping[str, PackedRows], stores: Mapping[str, int]) -> Iterator[Rule]:
    """Every rule about numbers of images.

    sets: by their folder, with the sources' own splits. stores: by path, those of sets left out.
    """
    yield from drawn_splits(params, sets)
    packed = {folder: drawn for folder, rows in sets.items() if (drawn := after_drawing(params, folder, rows))}
    rows = {f"{folder}/{split}.h5": n for folder, known in packed.items() for split, n in known.splits.items()}
    rows |= stores
    yield from trainings(params, rows)
    yield from snapshots(params, rows)
    yield from counts(params, rows)
    yield from labelled_sets(params, packed)
    yield from searched_labels(params, packed)
    for name, svm in params.svm.items():
        if (learned := packed.get(images_of(params, svm))) is not None:
            yield from svm_rows(f"svm.{name}", svm, learned, params.run.seed)


def drawn_splits(params: Params, sets: Mapping[str, PackedRows]) -> Iterator[Rule]:
    """Images for validation and test are drawn out of those for training, unless the source has a split for them."""
    for name, section in params.pack.sets.items():
        known = sets.get(f"data/packed/{name}")
        left = 0 if known is None else known.splits.get("train", 0)
        for split, count in (("validation", section.validation), ("test", section.test)):
            if known is not None and count:
                key = f"pack.sets.{name}.{split}"
                yield split in known.splits, key, count, f"0, as the source has a {split} split"
                yield count >= left, key, count, f"fewer than the {left:,} images for training"
                left -= count
    yield from drawn_classes(params, sets)


def drawn_classes(params: Params, sets: Mapping[str, PackedRows]) -> Iterator[Rule]:
    """What classifies has images of every class to learn from, whichever are drawn for a test."""
    classified = {folder for _, folder, _ in labelled_folders(params)}
    for name, section in params.pack.sets.items():
        known = sets.get(f"data/packed/{name}")
        if f"data/packed/{name}" in classified and known is not None and known.rarest is not None:
            rarest, count = known.rarest
            yield count == 0, f"pack.sets.{name}.source", section.source, f"{rarest} has no images for training"
            for split, drawn in (("validation", section.validation), ("test", section.test)):
                allowed = f"0, or {LEAST_OF_A_CLASS} images of every class: {rarest} has {count}"
                yield drawn > 0 and count < LEAST_OF_A_CLASS, f"pack.sets.{name}.{split}", drawn, allowed


def after_drawing(params: Params, folder: str, rows: PackedRows) -> PackedRows | None:
    """The splits that the packed set will have; None if nobody knows, or no image would be left to train on."""
    if not where_only_stages_write(folder):
        return rows
    section = params.pack.sets[name := folder.rpartition("/")[2]]
    if rests_on_unknown(section):
        return None
    for split, count in (("validation", section.validation), ("test", section.test)):
        n = rows.splits.get("train", 0)
        if count >= n:
            return None
        if count:
            rows = rows.without(count, partial(drawn_rows, name=name, split=split), params.run.seed)
            rows = rows._replace(splits={split: count, **rows.splits})
    return rows


def trainings(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """A training takes one batch at least, of images that are not held out; quality is measured by those that are."""
    sections = [(f"train.{name}", one.images, one.batch_size, one.held_out) for name, one in params.train.items()]
    for name in params.guidelines.sets:
        if name in params.train:
            sweep = params.guidelines
            sections.append(("guidelines", sweep.images, sweep.batch_size, params.train[name].held_out))
    for key, path, batch, held_out in sections:
        if (n := rows.get(path)) is not None:
            most = f"at most {max(n - held_out, 0):,}: {path} has at most {n:,} images, {held_out:,} are held out"
            yield held_out + batch > n, f"{key}.batch_size", batch, most
    for name in params.quality.sets.keys() & params.train.keys():
        held_out, n = params.train[name].held_out, rows.get(params.train[name].images)
        half = "" if n is None else f" to {n // 2:,}, half of the images"
        few = held_out < LEAST_HELD_OUT or (n is not None and held_out > n // 2)
        yield few, f"train.{name}.held_out", held_out, f"{LEAST_HELD_OUT}{half or ' or more'}, to measure quality by"
    for name in params.figures.nearest.keys() & params.train.keys():
        held_out = params.train[name].held_out
        yield held_out < 2, f"train.{name}.held_out", held_out, f"2 or more, for figures.nearest.{name}"


def snapshots(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """The best of one snapshot is no choice; after the last image there is always one."""
    for name, one in params.train.items():
        if (n := rows.get(one.images)) is None or n < one.held_out + one.batch_size:
            continue
        seen = (n - one.held_out) // one.batch_size * one.batch_size * one.epochs
        chosen = one.deliver == "best" and one.keep_images is not None and one.keep_images >= seen
        fewer = f"fewer than the {seen:,} images that the training sees at most, for a best one of several"
        yield chosen, f"train.{name}.keep_images", one.keep_images, fewer


def labelled_sets(params: Params, packed: Mapping[str, PackedRows]) -> Iterator[Rule]:
    """What classifies needs a split to learn from and one to be tested on; the search one for validation, too."""
    for key, folder, needed in labelled_folders(params):
        if (known := packed.get(folder)) is not None:
            missing = [split for split in needed if not known.splits.get(split)]
            there = ", ".join(split for split, n in known.splits.items() if n)
            yield bool(missing), key, folder, f"it needs {', '.join(needed)}, and has {there}{advice(folder, missing)}"
            yield known.unfit != "", key, folder, known.unfit


def advice(folder: str, missing: Iterable[str]) -> str:
    """The parameters that draw splits out of the images for training, of a set that a stage packs."""
    missing = missing if where_only_stages_write(folder) else ()
    keys = [f"pack.sets.{folder.rpartition('/')[2]}.{split}" for split in missing if split != "train"]
    return f"; see {', '.join(keys)}" if keys else ""


def searched_labels(params: Params, packed: Mapping[str, PackedRows]) -> Iterator[Rule]:
    """The search for a supervised CNN draws labels of every class."""
    known = packed.get(params.supervised.images) if params.supervised.results else None
    if known is not None and known.classes:
        n = known.splits.get("train", 0)
        yield labels("supervised.labels_per_class", params.supervised.labels_per_class, n, known)


def images_of(params: Params, svm: SvmSection) -> str:
    """The folder of the images whose features an SVM learns."""
    return images_by_features(params).get(svm.features, "")


def svm_rows(key: str, svm: SvmSection, rows: PackedRows, seed: int) -> Iterator[Rule]:
    """Rows are held out for C if there is no validation split; each class has to have the labels that are drawn."""
    n = rows.splits.get("train", 0)
    if "validation" not in rows.splits:
        fits = 0 < svm.validation < n
        yield not fits, f"{key}.validation", svm.validation, f"1 to {n - 1:,}: no split is there for it"
        if fits:
            learned = rows.without(svm.validation, validation_rows, seed)
            rarest, left = learned.rarest or ("", 1)
            none_left = f"fewer, or another run.seed: no image of {rarest} would be learned from"
            lost = left == 0 and rows.rarest != learned.rarest
            yield lost, f"{key}.validation", svm.validation, none_left
            n, rows = n - svm.validation, learned
    if rows.classes:
        for name, count in (("labels_per_class", svm.labels_per_class), ("layer_labels", svm.layer_labels)):
            yield labels(f"{key}.{name}", count or 0, n, rows)
        yield labels(f"{key}.curve_labels", max(svm.curve_labels, default=0), n, rows)


def labels(key: str, per_class: int, n: int, rows: PackedRows) -> Rule:
    """The rarest class has at most an equal share of the images, or what the source has of it."""
    limit, why = n // rows.classes, f"{n:,} images of {rows.classes} classes are learned from"
    if rows.rarest is not None and rows.rarest[1] < limit:
        limit, why = rows.rarest[1], f"{rows.rarest[0]} has no more images"
    return per_class > limit, key, per_class, f"at most {limit:,}: {why}"
