"""Downloads what torchvision can fetch into `data/raw/`, and prints how to get the rest by hand.

CIFAR-10 (5.1), SVHN (5.2) and MNIST (8.1) come through torchvision's own lists of addresses and digests. What is
already there and right is not fetched again. By hand: LSUN (4.1) is 43 GB from its authors' own tool, face photos (4.2)
have to be gathered, ImageNet-1k (4.3) needs an account.
Exit status 2 if a set could not be downloaded; the others are fetched all the same.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.stage import run_stage

INSTRUCTIONS = """\
What has to be put there by hand (paths that the presets `small` and `paper` name):

  data/raw/bedroom_train_lmdb/   LSUN bedrooms, a folder with data.mdb (43 GB). With the tool of the data set's
                                 authors, github.com/fyu/lsun:
                                   python3 download.py -c bedroom
                                   unzip bedroom_train_lmdb.zip -d data/raw
                                 For `small` some tens of thousands of rooms are enough: a folder or a tar of images
                                 serves as well, named by export.source; with all of LSUN take deduplicate.radius: 8.
  data/raw/photos/               Photos with faces, any folders beneath, JPEG, PNG or WebP. The paper took photos of
                                 10,000 people by name; photos of your own, or CelebA's img_celeba folder, serve.
  data/raw/imagenet/             ImageNet-1k's training images, a folder for each class (n01440764/*.JPEG). From
                                 image-net.org with an account: ILSVRC2012_img_train.tar, then
                                   mkdir -p data/raw/imagenet && tar -xf ILSVRC2012_img_train.tar -C data/raw/imagenet
                                   cd data/raw/imagenet && for f in *.tar; do mkdir "${f%.tar}" &&
                                     tar -xf "$f" -C "${f%.tar}" && rm "$f"; done
                                 For `small` some tens of these archives are enough.

Then: make preset PRESET=small && make repro"""


def main(arguments: list[str] | None = None) -> None:
    """Fetches the named sets one after another, and prints what is left to a person."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("data/raw"), help="folder (default: %(default)s)")
    parser.add_argument("--sets", nargs="*", choices=list(FETCHERS), default=list(FETCHERS), help="default: all")
    args = parser.parse_args(arguments)
    failed = [name for name in args.sets if not fetched(name, args.into)]
    print(INSTRUCTIONS)
    if failed:
        raise InputError(f"could not be downloaded: {', '.join(failed)}; see above, and try again")


def fetched(name: str, folder: Path) -> bool:
    """Whether a set is there now; prints in one line what happened."""
    try:
        where = FETCHERS[name](folder)
    except (OSError, RuntimeError) as error:
        print(f"{name}: not downloaded ({' '.join(str(error).split())})")
        return False
    print(f"{name}: in {where}")
    return True


def fetch_cifar10(folder: Path) -> Path:
    """CIFAR-10 as <folder>/cifar-10-batches-py."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import download_and_extract_archive

    # Not by its constructor, which reads the batches by pickle.
    download_and_extract_archive(CIFAR10.url, str(folder), filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
    return folder / "cifar-10-batches-py"


def fetch_svhn(folder: Path) -> Path:
    """SVHN's cropped digits as <folder>/svhn/{train,test,extra}_32x32.mat."""
    from torchvision.datasets import SVHN
    from torchvision.datasets.utils import download_url

    for address, name, digest in SVHN.split_list.values():
        download_url(address, str(folder / "svhn"), name, digest)
    return folder / "svhn"


def fetch_mnist(folder: Path) -> Path:
    """MNIST as <folder>/mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz."""
    from torchvision.datasets import MNIST

    for name, digest in MNIST.resources:
        fetch_from_any(MNIST.mirrors, name, digest, folder / "mnist")
    return folder / "mnist"


def fetch_from_any(mirrors: list[str], name: str, digest: str, folder: Path) -> None:
    """Downloads a file from the first mirror that has it; raises the last mirror's error if none has."""
    from torchvision.datasets.utils import download_url

    failures: list[Exception] = []
    for mirror in mirrors:
        try:
            download_url(f"{mirror}{name}", str(folder), name, digest)
        except (OSError, RuntimeError) as error:
            failures.append(error)
        else:
            return
    raise failures[-1]


FETCHERS: dict[str, Callable[[Path], Path]] = {"cifar10": fetch_cifar10, "svhn": fetch_svhn, "mnist": fetch_mnist}

if __name__ == "__main__":
    run_stage(main)
