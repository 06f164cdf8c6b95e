"""Downloads what torchvision can fetch into `data/raw/`, and prints how to get the rest by hand.

CIFAR-10 (5.1), SVHN (5.2) and MNIST (8.1) come through torchvision's own lists of addresses and digests. What is
already there and right is not fetched again. By hand: LSUN (4.1) is 43 GB from its authors' own tool, face photos (4.2)
have to be gathered, ImageNet-1k (4.3) needs an account.
Exit status 2 if a set could not be downloaded; the others are fetched all the same.
"""

from collections.abc import Callable
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.stage import command_parser, run_stage

BY_HAND = Path(__file__).with_name("fetch_by_hand.txt")


def main(arguments: list[str] | None = None) -> None:
    """Fetches one set after another, and prints what is left to a person."""
    parser = command_parser(__doc__)
    parser.add_argument("--into", type=Path, default=Path("data/raw"), help="folder (default: %(default)s)")
    into, failed = parser.parse_args(arguments).into, []
    for name, fetch in FETCHERS.items():
        try:
            print(f"{name}: in {fetch(into)}")
        except (OSError, RuntimeError) as error:
            print(f"{name}: not downloaded ({' '.join(str(error).split())})")
            failed.append(name)
    print(BY_HAND.read_text(encoding="utf-8"), end="")
    if failed:
        raise InputError(f"could not be downloaded: {', '.join(failed)}; see above, and try again")


def fetch_cifar10(folder: Path) -> Path:
    """CIFAR-10 as <folder>/cifar-10-batches-py."""
    from torchvision.datasets import CIFAR10, utils

    # Not by its constructor, which reads the batches by pickle.
    utils.download_and_extract_archive(CIFAR10.url, str(folder), filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
    return folder / "cifar-10-batches-py"


def fetch_svhn(folder: Path) -> Path:
    """SVHN's cropped digits as <folder>/svhn/{train,test,extra}_32x32.mat."""
    from torchvision.datasets import SVHN, utils

    for address, name, digest in SVHN.split_list.values():
        utils.download_url(address, str(folder / "svhn"), name, digest)
    return folder / "svhn"


def fetch_mnist(folder: Path) -> Path:
    """MNIST as <folder>/mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz."""
    from torchvision.datasets import MNIST, utils

    for name, digest in MNIST.resources:
        utils.download_url(f"{MNIST.mirrors[0]}{name}", str(folder / "mnist"), name, digest)
    return folder / "mnist"


FETCHERS: dict[str, Callable[[Path], Path]] = {"cifar10": fetch_cifar10, "svhn": fetch_svhn, "mnist": fetch_mnist}

if __name__ == "__main__":
    run_stage(main)
