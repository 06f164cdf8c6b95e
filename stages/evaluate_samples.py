"""Measures samples of a generator against real images it has never seen (no figure of the paper; see below).

Inputs:  a folder of networks, with weights kept during training, if any; the store that they were trained on, but for
         `train.<name>.held_out` rows; the de-duplication's autoencoder, whose 128 code units are the feature space.
Outputs: a JSON of precision, recall, density, coverage (in the feature space), sliced_wasserstein (of pixels in [0, 1])
         and, if `quality.inception` names weights, fid and kid; each also for other real images in the place of
         samples (`..._real`): what a perfect generator gets; and how many images the first of the kept generators had
         seen (first_images). Outcomes: sliced_wasserstein of `quality.draws` sets of samples, (draws, 1), of the `last`
         generator and, if weights were kept, of the `first`, with the same z and projections in the same draw.
Published: none; the paper judges samples by eye and networks by their features. Experiments need a number.
"""

from pathlib import Path

import numpy as np

from dcgan.core.files import InputError, write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import Images
from dcgan.core.seeding import derived_seed, numpy_generator, torch_generator
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.metrics.inception import inception_scores
from dcgan.metrics.sample_quality import PROJECTIONS, compare, sliced_wasserstein
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_rows
from dcgan.training.kept_weights import first_kept, images_seen
from workflow.engines.options import naming, section_named
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `train` the generator is of, e.g. bedrooms")
    parser.add_argument("--networks", type=Path, required=True, help="folder of its networks")
    parser.add_argument("--images", type=Path, required=True, help="image store it was trained on")
    parser.add_argument("--autoencoder", type=Path, required=True, help="the de-duplication's autoencoder")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of distances by draw")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    seed, held_out = params.run.seed, section_named(params.train, args.name, "train").held_out

    device = prepare(params.run)
    store, autoencoder = ImageStore(args.images), Autoencoder.from_file(args.autoencoder)
    seen, unseen = training_rows(len(store), held_out, seed)
    if not 0 < 2 * len(unseen) <= len(store):
        raise InputError(f"train.{args.name}.held_out: {held_out} of {len(store)} images leave nothing to measure by")
    others = np.sort(numpy_generator(seed, "quality").choice(seen, len(unseen), replace=False))
    generator, first = Generator.from_file(args.networks / "generator.safetensors", device), first_kept(args.networks)
    samples = generator.sample(len(unseen), derived_seed(seed, "quality"), statistics="batch")
    real = store.images[unseen]
    scores, ceiling = (compare(real, images, autoencoder, seed) for images in (samples, store.images[others]))
    if params.quality.inception is not None:
        for figures, images in ((scores, samples), (ceiling, store.images[others])):
            with naming("quality.inception", advice="set it to null"):
                weights = Path(params.quality.inception)
                figures |= inception_scores(images, real, weights, seed=seed, cuda=device.type == "cuda")
    scores |= {f"{name}_real": value for name, value in ceiling.items()}
    measured = {"last": generator} | ({"first": Generator.from_file(first, device)} if first else {})
    distances = {name: distances_by_draw(one, real, params.quality.draws, seed) for name, one in measured.items()}
    write_json(args.metrics, {"n": len(unseen)} | scores | ({"first_images": images_seen(first)} if first else {}))
    write_outcomes(args.outcomes, distances)


def distances_by_draw(generator: Generator, real: Images, draws: int, seed: int) -> list[list[float]]:
    """Sliced Wasserstein distance of as many samples as there are real images: (draws, 1), other z in each draw."""
    rows, found = to_rows(real), []
    for draw in range(draws):
        samples = to_rows(generator.sample(len(real), derived_seed(seed, "quality", draw), statistics="batch"))
        random = torch_generator(seed, "quality", "projections", draw)
        found.append([sliced_wasserstein(rows, samples, PROJECTIONS, random)])
    return found


if __name__ == "__main__":
    run_stage(main)
