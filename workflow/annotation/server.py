"""What a browser asks while a person annotates: a WSGI application for one person, on this machine only.

It serves the page (workflow/report/templates/annotate.*), samples as PNG, and JSON. Each change is one PUT, and is on
the disk when it is answered; the answer is all that has been said so far, so that two windows of the page agree. Other
pages that are open in the same browser are kept out: the Host has to be this machine's own name, which a foreign name
that was made to point here is not; a write has to come from this page (Origin) and to be JSON; no other page may frame
it or read it. Paths are looked up, never opened by what the browser sent.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    HTTPException,
    NotFound,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from werkzeug.routing import Map, Rule
from werkzeug.sansio.utils import host_is_trusted
from werkzeug.wrappers import Request, Response

from dcgan.core.files import InputError
from dcgan.core.pixels import Images, png_bytes
from workflow.annotation.file import Annotations, read_annotations
from workflow.annotation.tasks import Wanted

TEMPLATES = Path(__file__).parent / "templates"
PAGE = {
    "page": ("annotate.html", "text/html"),
    "script": ("annotate.js", "text/javascript"),
    "input": ("annotate_input.js", "text/javascript"),
    "style": ("annotate.css", "text/css"),
}
ROUTES = Map(
    [
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/annotate.js", endpoint="script", methods=["GET"]),
        Rule("/annotate_input.js", endpoint="input", methods=["GET"]),
        Rule("/annotate.css", endpoint="style", methods=["GET"]),
        Rule("/desks", endpoint="desks", methods=["GET"]),
        Rule("/desks/<int:desk>", endpoint="said", methods=["GET"]),
        Rule("/desks/<int:desk>/samples/<int:number>.png", endpoint="sample", methods=["GET"]),
        Rule("/desks/<int:desk>/boxes/<int:number>", endpoint="boxes", methods=["PUT"]),
        Rule("/desks/<int:desk>/concepts", endpoint="concept", methods=["PUT"]),
    ],
    strict_slashes=True,
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
    """The samples of one generator, and the file of what is said about them.

    The file is read anew for every request, so what another program writes in between (git, a second server) counts.
    """

    def __init__(self, wanted: Wanted, nothing: Annotations, images: Images) -> None:
        self.wanted, self.nothing, self.images = wanted, nothing, images
        self.lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """What does not change while the page is open."""
        return {
            "network": self.wanted.network,
            "file": self.wanted.path.as_posix(),
            "samples": len(self.images),
            "image_size": self.nothing.image_size,
            "boxes": self.wanted.boxes,
            "concepts": self.wanted.concepts,
        }

    def said(self) -> dict[str, Any]:
        """All that has been said so far, and what is missing."""
        return self.answer(self.read())

    def read(self) -> Annotations:
        """What the file says now; InputError where it speaks of other samples than those on the page."""
        said = read_annotations(self.wanted.path, self.nothing)
        if said.drawing != self.nothing.drawing:
            raise InputError(f"{self.wanted.path} speaks of other samples now: end `make annotate` and start it again")
        return said

    def answer(self, said: Annotations) -> dict[str, Any]:
        """Annotations as the page wants them."""
        return {**said.model_dump(include={"boxes", "concepts"}), "missing": self.wanted.missing(said)}

    def change(self, part: Callable[[Annotations], dict[str, Any]]) -> dict[str, Any]:
        """Replaces what `part` names, writes the file, and returns all that has been said."""
        with self.lock:
            said = self.read()
            changed = said.changed(**part(said))
            save(changed, self.wanted.path)
        return self.answer(changed)

    def set_boxes(self, number: int, boxes: Any) -> dict[str, Any]:
        """The boxes of one sample become these: a list of x, y, width, height."""
        if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
            raise BadRequest("boxes: a list of objects is expected")
        new = [{**box, "image": number} for box in boxes]
        return self.change(
            lambda said: {"boxes": [box.model_dump() for box in said.boxes if box.image != number] + new}
        )

    def set_concept(self, concept: Any, samples: Any) -> dict[str, Any]:
        """The samples that show a concept become these; BadRequest for a concept that no figure wants."""
        if not isinstance(concept, str) or concept not in self.wanted.concepts:
            raise BadRequest(f"no figure wants samples of {concept!r}")
        return self.change(lambda said: {"concepts": {**said.concepts, concept: samples}})


def save(said: Annotations, path: Path) -> None:
    """Writes the file; ServiceUnavailable, upon which the page tries again, where the disk does not take it."""
    try:
        said.save(path)
    except (InputError, OSError) as error:
        raise ServiceUnavailable(str(error)) from error


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
        if endpoint in PAGE:
            name, kind = PAGE[endpoint]
            return Response((TEMPLATES / name).read_bytes(), mimetype=kind)
        if endpoint == "desks":
            return as_json([desk.about() for desk in self.desks])
        return self.respond_at_desk(request, endpoint, values)

    def respond_at_desk(self, request: Request, endpoint: str, values: Mapping[str, Any]) -> Response:
        """The same for one desk."""
        if values["desk"] >= len(self.desks):
            raise NotFound(f"there are {len(self.desks)} desks")
        desk = self.desks[values["desk"]]
        if endpoint == "said":
            return as_json(desk.said())
        if endpoint == "concept":
            body = json_object(request)
            return as_json(desk.set_concept(body.get("concept"), body.get("samples")))
        if values["number"] >= len(desk.images):
            raise NotFound(f"there are {len(desk.images)} samples")
        if endpoint == "boxes":
            return as_json(desk.set_boxes(values["number"], json_object(request).get("boxes")))
        return Response(png_bytes(desk.images[values["number"]]), mimetype="image/png")


def check_caller(request: Request) -> None:
    """Raises Forbidden for a request by another name than this machine's, or for a write from another page."""
    host = request.headers.get("Host", "")
    if not host_is_trusted(host, HERE):
        raise Forbidden("this page answers to 127.0.0.1 and localhost only")
    if request.method not in {"GET", "HEAD"} and request.headers.get("Origin") != f"http://{host}":
        raise Forbidden("changes are taken from this page only")


def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body; raises HTTPException where there is none."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("JSON is expected")
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise BadRequest(f"no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("a JSON object is expected")
    return body


def as_json(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(content), status, mimetype="application/json")
