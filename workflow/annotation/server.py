"""What a browser asks while a person annotates: a WSGI application for one person, on this machine only.

It serves the page (workflow/annotation/templates/), samples as PNG, and JSON. Each change is one PUT, and is on the
disk before it is answered; the answer holds all annotations, so that two windows of the page agree. Other pages that
are open in the same browser are kept out: the Host has to be this machine's own name, which a foreign name that was
made to point here is not; a write has to come from this page (Origin) and to be JSON; no other page may frame or read
this one. Paths are looked up, never opened by what the browser sent.
"""

import json
import mimetypes
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from werkzeug.exceptions import BadRequest, Conflict, Forbidden, HTTPException, NotFound, ServiceUnavailable
from werkzeug.routing import Map, Rule
from werkzeug.sansio.utils import host_is_trusted
from werkzeug.wrappers import Request, Response

from dcgan.core.files import InputError
from dcgan.core.pixels import Images, png_bytes
from workflow.annotation.file import Annotations, AnnotationTask, read_annotations

TEMPLATES = Path(__file__).parent / "templates"
ROUTES = Map(
    [
        Rule("/", endpoint="file", methods=["GET"], defaults={"file": "annotate.html"}),
        Rule("/<any('annotate.js', 'annotate_input.js', 'annotate.css'):file>", endpoint="file", methods=["GET"]),
        Rule("/desks", endpoint="desks", methods=["GET"]),
        Rule("/desks/<int:desk>", endpoint="annotations", methods=["GET"]),
        Rule("/desks/<int:desk>/samples/<int:number>.png", endpoint="sample", methods=["GET"]),
        Rule("/desks/<int:desk>/boxes/<int:number>", endpoint="boxes", methods=["PUT"]),
        Rule("/desks/<int:desk>/concepts", endpoint="concept", methods=["PUT"]),
    ],
)
HERE = ["127.0.0.1", "localhost"]
MAX_BODY_BYTES = 1_000_000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Desk:
    """The samples of one generator, and the file of their annotations.

    The file is read anew for every request, so what another program writes in between (git, a second server) counts.
    """

    def __init__(self, task: AnnotationTask, empty: Annotations, images: Images) -> None:
        self.task, self.empty, self.images = task, empty, images
        self.lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """What does not change while the page is open."""
        return {
            "network": self.task.network,
            "file": self.task.path.as_posix(),
            "samples": len(self.images),
            "image_size": self.empty.image_size,
            "boxes": self.task.boxes,
            "concepts": self.task.concepts,
        }

    def read(self) -> Annotations:
        """The annotations in the file now; InputError if they are of other samples than those on the page."""
        found = read_annotations(self.task.path, self.empty)
        if found.drawing != self.empty.drawing:
            raise InputError(f"{self.task.path} is of other samples now: end `make annotate` and start it again")
        return found

    def answer(self, annotations: Annotations) -> dict[str, Any]:
        """Annotations as the page shows them, and what is missing."""
        return {**annotations.model_dump(include={"boxes", "concepts"}), "missing": self.task.missing(annotations)}

    def change(self, part: Callable[[Annotations], dict[str, Any]]) -> dict[str, Any]:
        """Replaces what `part` names, writes the file, and returns all annotations.

        Raises ServiceUnavailable, upon which the page tries again, if the disk does not take the file.
        """
        with self.lock:
            before = self.read()
            changed = before.changed(**part(before))
            try:
                changed.save(self.task.path)
            except (InputError, OSError) as error:
                raise ServiceUnavailable(str(error)) from error
        return self.answer(changed)

    def set_boxes(self, number: int, boxes: Any) -> dict[str, Any]:
        """The boxes of one sample become these: a list of x, y, width, height."""
        if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
            raise BadRequest("boxes: a list of objects is expected")
        new = [{**box, "image": number} for box in boxes]
        return self.change(
            lambda before: {"boxes": [box.model_dump() for box in before.boxes if box.image != number] + new}
        )

    def set_concept(self, concept: Any, samples: Any) -> dict[str, Any]:
        """The samples that show a concept become these; BadRequest for a concept that no figure needs."""
        if not isinstance(concept, str) or concept not in self.task.concepts:
            raise BadRequest(f"no figure needs samples of {concept!r}")
        return self.change(lambda before: {"concepts": {**before.concepts, concept: samples}})


class AnnotationApp:
    """The WSGI application for some desks."""

    def __init__(self, desks: Sequence[Desk]) -> None:
        self.desks = desks

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request, whatever is wrong with it."""
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            response = self.respond(request)
        except HTTPException as error:
            response = as_json({"error": error.description or error.name}, error.code or 500)
        except InputError as error:
            response = as_json({"error": str(error)}, Conflict.code)
        response.headers.update(HEADERS)
        return response(environ, start_response)

    def respond(self, request: Request) -> Response:
        """The answer to a request; raises HTTPException or InputError."""
        check_caller(request)
        endpoint, values = ROUTES.bind("localhost", path_info=request.path).match(method=request.method)
        body = json_object(request) if request.method == "PUT" else {}
        desk = numbered(self.desks, values.get("desk"), "desks")
        image: Any = numbered(desk.images, values.get("number"), "samples") if desk else None
        match endpoint:
            case "file":
                name = values["file"]
                return Response((TEMPLATES / name).read_bytes(), mimetype=mimetypes.guess_type(name)[0])
            case "sample":
                return Response(png_bytes(image), mimetype="image/png")
            case "boxes":
                return as_json(desk.set_boxes(values["number"], body.get("boxes")))
            case "concept":
                return as_json(desk.set_concept(body.get("concept"), body.get("samples")))
        return as_json(desk.answer(desk.read()) if desk else [one.about() for one in self.desks])


def numbered(things: Any, number: int | None, name: str) -> Any:
    """The thing of that number, if any was asked for; raises NotFound if there are not so many."""
    if number is not None and number >= len(things):
        raise NotFound(f"there are {len(things)} {name}")
    return None if number is None else things[number]


def check_caller(request: Request) -> None:
    """Raises Forbidden for a request by another name than this machine's, or for a write from another page."""
    host = request.headers.get("Host", "")
    if not host_is_trusted(host, HERE):
        raise Forbidden("this page answers to 127.0.0.1 and localhost only")
    if request.method not in {"GET", "HEAD"} and request.headers.get("Origin") != f"http://{host}":
        raise Forbidden("changes are taken from this page only")


def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body; raises HTTPException if there is none."""
    body = request.get_json()
    if not isinstance(body, dict):
        raise BadRequest("a JSON object is expected")
    return body


def as_json(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(content), status, mimetype="application/json")
