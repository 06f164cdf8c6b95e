"""Numbers of classifiers and figures that ask for more than there is: images, samples, feature maps.

Rules as in workflow/params/consistency.py; `rows` is how many images each store will have at most, as far as it is
known. workflow/params/rows.py asks them.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from dcgan.models.architectures import ARCHITECTURES
from workflow.params.consistency import Rule
from workflow.params.figures import by_hand
from workflow.params.sections import Params

NEIGHBOURS = 20  # training images that dcgan/internals/memorization.py finds for each sample


def counts(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """Every rule of this module."""
    with_rows = (rule(params, rows) for rule in (classifiers, samples, guided, nearest))
    return chain(arithmetic(params), turn(params), *with_rows)


def at_most(key: str, value: int, limit: int, why: str) -> Rule:
    """A number that has a largest value."""
    return value > limit, key, value, f"at most {limit:,}: {why}"


def classifiers(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """A classifier learns from one batch at least, and is measured on an image at least."""
    for kind, sections in params.classifiers:
        for name, one in sections.items():
            if (n := rows.get(one.images)) is not None:
                key, held_out = f"classifiers.{kind}.{name}", round(n * one.held_out)
                share = f"a share that leaves some of at most {n:,} images to learn from and some to measure by"
                yield not 0 < held_out < n, f"{key}.held_out", one.held_out, share
                if not 0 < held_out < n:
                    continue
                of = f"{one.images} has at most {n:,} images, {held_out:,} are held out"
                yield at_most(f"{key}.batch_size", one.batch_size, n - held_out, of)


def samples(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """As many real images as samples are shown."""
    for name, one in params.figures.samples.items():
        if (n := rows.get(one.images)) is not None:
            yield at_most(f"figures.samples.{name}.count", one.count, n, f"{one.images} has no more images")


def arithmetic(params: Params) -> Iterator[Rule]:
    """Exemplars are drawn from the pool, and that from the candidates; a person needs no pool."""
    for name, one in params.figures.arithmetic.items():
        key, chosen = f"figures.arithmetic.{name}", by_hand(one.annotator)
        if not chosen:
            yield at_most(f"{key}.pool", one.pool, one.candidates, f"it is among {key}.candidates")
        limit, among = (one.candidates, "candidates") if chosen else (one.pool, "pool")
        yield at_most(f"{key}.exemplars", one.exemplars, limit, f"they are among {key}.{among}")


def turn(params: Params) -> Iterator[Rule]:
    """No face looks left and right."""
    for name, one in params.figures.turn.items():
        key = f"figures.turn.{name}"
        half = f"half of {key}.candidates, as many look left as right"
        yield at_most(f"{key}.exemplars", one.exemplars, one.candidates // 2, half)


def guided(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """The strongest images are among those searched, and a layer has so many maps."""
    for name, one in params.figures.guided.items():
        key = f"figures.guided.{name}"
        yield at_most(f"{key}.strongest", one.strongest, one.searched, f"they are among {key}.searched")
        if (n := rows.get(one.images)) is not None:
            yield at_most(f"{key}.strongest", one.strongest, n, f"{one.images} has no more images")
        network = params.train[name].network if name in params.train else ""
        layers = ARCHITECTURES[network].discriminator_layers if network in ARCHITECTURES else ()
        if -len(layers) <= one.layer < len(layers):
            maps = f"layer {one.layer} of the discriminator of {network} has no more maps"
            yield at_most(f"{key}.features", one.features, layers[one.layer][0], maps)


def nearest(params: Params, rows: Mapping[str, int]) -> Iterator[Rule]:
    """Samples that are shown are drawn; each has so many training images beside it."""
    for name, one in params.figures.nearest.items():
        key = f"figures.nearest.{name}"
        yield at_most(f"{key}.shown", one.shown, one.samples, f"they are among {key}.samples")
        yield at_most(f"{key}.neighbours", one.neighbours, NEIGHBOURS, "so many are looked up")
        n, section = rows.get(one.images), params.train.get(name)
        if n is not None and section is not None:
            left = max(n - section.held_out, 0)
            few = f"it needs {NEIGHBOURS} images to train on, and has at most {left:,} that are not held out"
            yield left < NEIGHBOURS, f"{key}.images", one.images, few
