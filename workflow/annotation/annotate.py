"""Serves the page on which a person boxes windows and chooses exemplars: `make annotate`, for data without truth.

Paper: sections 6.3.1 and 6.3.2, where both was done by hand.
Input: params.yaml, whose figures name a file of annotations as their `annotator`; the generators that have been
trained. Output: these files (workflow/annotation/file.py), written at every change. The page is on the loopback
interface only. From another machine: `ssh -L 8765:127.0.0.1:8765 HOST`, then http://127.0.0.1:8765/ in the browser.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, make_server

from dcgan.core.files import InputError
from workflow.annotation.file import (
    AnnotationTask,
    OtherGenerator,
    annotation_tasks,
    empty_annotations,
    read_annotations,
)
from workflow.annotation.server import AnnotationApp, Desk
from workflow.engines.stage import command_parser, prepare, run_stage
from workflow.params.load import load_params

if TYPE_CHECKING:
    import torch

ADDRESS, PORT = "127.0.0.1", 8765
NETWORKS = Path("data/networks")


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is interrupted."""
    parser = command_parser(__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="0 for any that is free (default: %(default)s)")
    server = listen(AnnotationApp(open_desks(Path("params.yaml"), NETWORKS)), parser.parse_args(arguments).port)
    print(f"Annotate at http://{ADDRESS}:{server.port}/ - every change is saved at once; Ctrl-C ends.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


def listen(app: AnnotationApp, port: int) -> BaseWSGIServer:
    """A server of the page; raises InputError if the port is taken."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line per request: there are hundreds, one per sample
    try:
        return make_server(ADDRESS, port, app, threaded=True)
    except (OSError, OverflowError, SystemExit) as error:  # werkzeug exits if an address is in use
        raise InputError(f"--port {port}: cannot be listened on ({ADDRESS}); --port 0 takes a free one") from error


def open_desks(params_path: Path, networks: Path) -> list[Desk]:
    """A desk per file of annotations whose generator has been trained; InputError if there is none."""
    params = load_params(params_path)
    tasks = annotation_tasks(params)
    if not tasks:
        raise InputError(
            f"{params_path}: no figure rests on a person: none of figures.windows, figures.arithmetic and figures.turn "
            "has an `annotator` that ends in .json"
        )
    generators = [(task, networks / task.network / "generator.safetensors") for task in tasks]
    for task, path in generators:
        if not path.is_file():
            print(f"{task.path}: its generator, {path}, has not been trained yet")
    if not any(path.is_file() for _, path in generators):
        raise InputError("there are no samples to annotate yet: first train the networks (`make repro`)")
    device = prepare(params.run)
    return [open_desk(task, path, device) for task, path in generators if path.is_file()]


def open_desk(task: AnnotationTask, path: Path, device: "torch.device") -> Desk:
    """Draws the samples that are, or will be, annotated; InputError for annotations of another generator's samples."""
    from dcgan.internals.figure_layout import draw_candidates
    from dcgan.models.networks import Generator

    generator = Generator.from_file(path, device)
    empty = empty_annotations(path, generator.architecture.image_size, task.drawing)
    try:
        drawing = read_annotations(task.path, empty).drawing
    except OtherGenerator as error:
        raise InputError(f"{error}; rename the file, and `make annotate` begins again") from error
    _, images = draw_candidates(generator, **drawing.model_dump())
    return Desk(task, empty.changed(drawing=drawing.model_dump()), images)


if __name__ == "__main__":
    run_stage(main)
