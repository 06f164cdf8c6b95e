"""Renders one set of the demo world: raw sources in the original formats, with recorded truth.

Paper: stands in for LSUN (4.1), web photos of people (4.2), Imagenet-1k (4.3), CIFAR-10 (5.1), SVHN (5.2), MNIST (8.1).
Inputs:  sections `run` and `demo` of params.yaml; what scikit-learn ships (handwritten digits, two photographs).
Outputs, in the folder --out, the same bytes for the same parameters:
    bedrooms  bedroom_train_lmdb/, truth.csv, windows.csv          (demo/bedrooms.py)
    faces     photos/<person>/*.jpg, attributes.csv                (demo/faces.py)
    digits    mnist/*-ubyte.gz, svhn/*_32x32.mat                   (demo/digits.py)
    objects   cifar-10-batches-bin/, imagenet/<synset>/*.JPEG      (demo/objects.py)
Published: none.
"""

from pathlib import Path

from demo.bedrooms import write_bedrooms
from demo.digits import write_digits
from demo.faces import write_faces
from demo.formats import folder_when_done
from demo.objects import write_objects
from workflow.engines.stage import Params, fix_threads, load_params, run_stage, stage_parser

SETS = ["bedrooms", "faces", "digits", "objects"]


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--set", required=True, choices=SETS, dest="name", help="which set to render")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    params = load_params(options.params)
    fix_threads(params.run)
    with folder_when_done(options.out) as folder:
        write_set(folder, options.name, params)


def write_set(folder: Path, name: str, params: Params) -> None:
    """Writes the named set into an existing folder."""
    seed, demo, processes = params.run.seed, params.demo, params.run.threads
    if name == "bedrooms":
        write_bedrooms(folder, seed, demo.bedrooms, demo.duplicates, processes)
    elif name == "faces":
        write_faces(folder, seed, demo.photos, processes)
    elif name == "digits":
        write_digits(folder, seed, demo.digits, processes)
    else:
        write_objects(folder, seed, demo.objects, demo.pictures, processes)


if __name__ == "__main__":
    run_stage(main)
