"""Serves the page on which a person boxes windows and chooses exemplars: `make annotate`, for data without truth.

Paper: sections 6.3.1 and 6.3.2, where both was done by hand.
Input: params.yaml, whose figures name a file of annotations as their `classifier`; the generators that have been
trained. Output: these files (workflow/annotation/file.py), written at every change. The page is on the loopback
interface only. From another machine: `ssh -L 8765:127.0.0.1:8765 HOST`, then http://127.0.0.1:8765/ in the browser.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from dcgan.core.files import InputError
from workflow.annotation.file import Annotations, OtherGenerator, empty_annotations, read_annotations
from workflow.annotation.server import AnnotationApp, Desk
from workflow.annotation.tasks import Wanted, wanted
from workflow.engines.stage import prepare, run_stage
from workflow.params.load import load_params

if TYPE_CHECKING:
    import torch

ADDRESS, PORT = "127.0.0.1", 8765
NETWORKS = Path("data/networks")


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: %(default)s)")
    parser.add_argument("--networks", type=Path, default=NETWORKS, help="folder of networks (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="0 for any that is free (default: %(default)s)")
    parser.add_argument("--anew", action="store_true", help="put aside what was said of another generator's samples")
    args = parser.parse_args(arguments)
    server = listen(AnnotationApp(open_desks(args.params, args.networks, args.anew)), args.port)
    print(f"Annotate at http://{ADDRESS}:{server.port}/ - every change is saved at once; Ctrl-C ends.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


class QuietHandler(WSGIRequestHandler):
    """No line a request: there are hundreds, one a sample; errors are still told."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def listen(app: AnnotationApp, port: int) -> BaseWSGIServer:
    """A server of the page; raises InputError where the port is taken."""
    try:
        return make_server(ADDRESS, port, app, threaded=True, request_handler=QuietHandler)
    except (OSError, OverflowError, SystemExit) as error:  # werkzeug exits where an address is in use
        raise InputError(
            f"--port {port}: cannot be listened on ({ADDRESS}); --port 0 takes one that is free"
        ) from error


def open_desks(params_path: Path, networks: Path, anew: bool) -> list[Desk]:
    """A desk for every file of annotations whose generator has been trained; InputError where there is none."""
    params = load_params(params_path)
    tasks = wanted(params)
    if not tasks:
        raise InputError(
            f"{params_path}: no figure rests on a person: none of figures.windows, figures.arithmetic and figures.turn "
            "has a `classifier` that ends in .json"
        )
    trained = [(task, path) for task in tasks if (path := generator_file(networks, task)).is_file()]
    for task in tasks:
        if task not in [one for one, _ in trained]:
            print(f"{task.path}: its generator, {generator_file(networks, task)}, has not been trained yet")
    if not trained:
        raise InputError("nothing to annotate yet: first train the networks (`make repro`)")
    device = prepare(params.run)
    return [open_desk(task, path, device, anew) for task, path in trained]


def generator_file(networks: Path, task: Wanted) -> Path:
    """Where the generator of a task is once it is trained."""
    return networks / task.network / "generator.safetensors"


def open_desk(task: Wanted, path: Path, device: "torch.device", anew: bool) -> Desk:
    """Draws the samples that are, or will be, annotated."""
    from dcgan.internals.figure_layout import draw_candidates
    from dcgan.models.networks import Generator

    generator = Generator.from_file(path, device)
    nothing = empty_annotations(path, generator.architecture.image_size, task.drawing)
    said = fitting(task.path, nothing, anew)
    _, images = draw_candidates(generator, said.drawing.samples, said.drawing.statistics_batches, said.drawing.seed)
    return Desk(task, nothing.changed(drawing=said.drawing.model_dump()), images)


def fitting(path: Path, nothing: Annotations, anew: bool) -> Annotations:
    """What has been said of a generator's samples; what was said of another's is put aside if that is wanted."""
    try:
        return read_annotations(path, nothing)
    except OtherGenerator as error:
        if not anew:
            raise InputError(f"{error}; `make annotate OPTIONS=--anew` puts it aside and begins again") from error
    aside = unused_name(path)
    path.rename(aside)
    print(f"{path} was of another generator; it is {aside} now")
    return nothing


def unused_name(path: Path) -> Path:
    """bedrooms.1.json, or the first such name that is free."""
    number = 1
    while (found := path.with_suffix(f".{number}{path.suffix}")).exists():
        number += 1
    return found


if __name__ == "__main__":
    run_stage(main)
