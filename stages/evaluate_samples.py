"""Measures samples of a generator against real images it has never seen (no figure of the paper; see below).

Inputs:  a generator; the store it was trained on, of which `train.<name>.held_out` rows were not trained on; the
         de-duplication's autoencoder, whose 128 code units are the feature space.
Outputs: a JSON of precision, recall, density, coverage (in the feature space), sliced_wasserstein (of pixels in [0, 1])
         and, if `quality.inception` names weights, fid and kid; each also for other real images in the place of
         samples (`..._real`): what a perfect generator gets.
Published: none; the paper judges samples by eye and networks by their features. Experiments need a number.
"""

from pathlib import Path

import numpy as np

from dcgan.core.files import InputError, write_json
from dcgan.core.seeding import derived_seed, numpy_generator
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.metrics.inception import inception_scores
from dcgan.metrics.sample_quality import compare
from dcgan.models.networks import Generator
from workflow.engines.options import naming, section_named
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `train` the generator is of, e.g. bedrooms")
    parser.add_argument("--generator", type=Path, required=True, help="a generator's network file")
    parser.add_argument("--images", type=Path, required=True, help="image store it was trained on")
    parser.add_argument("--autoencoder", type=Path, required=True, help="the de-duplication's autoencoder")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    seed, held_out = params.run.seed, section_named(params.train, args.name, "train").held_out

    device = prepare(params.run)
    store, autoencoder = ImageStore(args.images), Autoencoder.from_file(args.autoencoder)
    seen, unseen = training_rows(len(store), held_out, seed)
    if not 0 < 2 * len(unseen) <= len(store):
        raise InputError(f"train.{args.name}.held_out: {held_out} of {len(store)} images leave nothing to measure by")
    others = np.sort(numpy_generator(seed, "quality").choice(seen, len(unseen), replace=False))
    samples = Generator.from_file(args.generator, device).sample(len(unseen), derived_seed(seed, "quality"))
    real = store.images[unseen]
    scores, ceiling = (compare(real, images, autoencoder, seed) for images in (samples, store.images[others]))
    if params.quality.inception is not None:
        for figures, images in ((scores, samples), (ceiling, store.images[others])):
            with naming("quality.inception", advice="set it to null"):
                weights = Path(params.quality.inception)
                figures |= inception_scores(images, real, weights, seed=seed, cuda=device.type == "cuda")
    write_json(args.metrics, {"n": len(unseen)} | scores | {f"{name}_real": value for name, value in ceiling.items()})


if __name__ == "__main__":
    run_stage(main)
