"""Serves the page on which a person boxes windows and chooses exemplars: `make annotate`, for data without truth.

Paper: sections 6.3.1 and 6.3.2, where both was done by hand.
Input: params.yaml, whose figures name a file of annotations as their `annotator`; the generators that have been
trained. Output: these files (workflow/annotation/file.py), written at every change. The page is that of
stages/explore_networks.py, on the loopback interface only. From another machine:
`ssh -L 8765:127.0.0.1:8765 HOST`, then http://127.0.0.1:8765/ in the browser.
"""

import logging
from dataclasses import replace
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, make_server

from dcgan.core.files import InputError
from workflow.annotation.file import (
    AnnotationTask,
    OtherGenerator,
    annotation_tasks,
    empty_annotations,
    read_annotations,
)
from workflow.annotation.page import draw_sheet, explorer_page, origin_of
from workflow.annotation.server import AnnotationApp, Desk
from workflow.engines.stage import command_parser, prepare, run_stage
from workflow.params.load import load_params

ADDRESS, PORT = "127.0.0.1", 8765
NETWORKS = Path("data/networks")


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is interrupted."""
    parser = command_parser(__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="0 for any that is free (default: %(default)s)")
    server = listen(open_app(Path("params.yaml"), NETWORKS), parser.parse_args(arguments).port)
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


def open_app(params_path: Path, networks: Path) -> AnnotationApp:
    """The page, with a desk per file of annotations whose generator has been trained; InputError if there is none."""
    params = load_params(params_path)
    tasks = annotation_tasks(params)
    if not tasks:
        raise InputError(
            f"{params_path}: no figure rests on a person: none of figures.windows, figures.arithmetic and figures.turn "
            "has an `annotator` that ends in .json"
        )
    names = dict.fromkeys([*(task.network for task in tasks), *params.explore.networks])
    files = {name: networks / name / "generator.safetensors" for name in names}
    for task in tasks:
        if not files[task.network].is_file():
            print(f"{task.path}: its generator, {files[task.network]}, has not been trained yet")
    tasks = [task for task in tasks if files[task.network].is_file()]
    if not tasks:
        raise InputError("there are no samples to annotate yet: first train the networks (`make repro`)")

    from dcgan.models.networks import Generator

    device = prepare(params.run)
    generators = {name: Generator.from_file(path, device) for name, path in files.items() if path.is_file()}
    sizes = {name: generator.architecture.image_size for name, generator in generators.items()}
    begun = [as_begun(task, files[task.network], sizes[task.network]) for task in tasks]
    sheets = [draw_sheet(task, files[task.network], generators[task.network]) for task in begun]
    origin = origin_of({name: files[name] for name in generators})
    page = explorer_page(generators, sheets, params.explore, params.run.seed, served=True, origin=origin)
    return AnnotationApp([Desk(sheet.task, sheet.empty, sheet.samples.images) for sheet in sheets], page)


def as_begun(task: AnnotationTask, generator: Path, image_size: int) -> AnnotationTask:
    """The task on the samples that its file is of, if any; InputError if that is of another generator's samples."""
    try:
        found = read_annotations(task.path, empty_annotations(generator, image_size, task.drawing))
    except OtherGenerator as error:
        raise InputError(f"{error}; rename the file, and `make annotate` begins again") from error
    return replace(task, drawing=found.drawing)


if __name__ == "__main__":
    run_stage(main)
