"""What a browser asks while a person annotates: a WSGI application for one person, on this machine only.

It serves the page (workflow/annotation/page.py), samples as PNG, and JSON. Each change is one PUT, and is on the disk
before it is answered. It says what was there before, and is refused, with what is there now, if that is no longer so:
two windows of the page cannot lose each other's boxes. Other pages that are open in the same browser are kept out: the
Host has to be this machine's own name, which a foreign name that was made to point here is not; a write has to come
from this page (Origin) and to be JSON; no other page may frame or read this one. Only the page's own scripts run.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from werkzeug.exceptions import BadRequest, Conflict, Forbidden, HTTPException, NotFound, ServiceUnavailable
from werkzeug.routing import Map, Rule
from werkzeug.sansio.utils import host_is_trusted
from werkzeug.wrappers import Request, Response

from dcgan.core.files import InputError
from dcgan.core.pixels import Images, png_bytes
from workflow.annotation.file import Annotations, AnnotationTask, read_annotations

ROUTES = Map(
    [
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/desks/<int:desk>", endpoint="annotations", methods=["GET"]),
        Rule("/desks/<int:desk>/samples/<int:number>.png", endpoint="sample", methods=["GET"]),
        Rule("/desks/<int:desk>/boxes/<int:number>", endpoint="boxes", methods=["PUT"]),
        Rule("/desks/<int:desk>/concepts", endpoint="concept", methods=["PUT"]),
    ],
)
HERE = ["127.0.0.1", "localhost"]
MAX_BODY_BYTES = 1_000_000
HEADERS = {
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

    def read(self) -> Annotations:
        """The annotations in the file now; InputError if they are of other samples than those on the page."""
        found = read_annotations(self.task.path, self.empty)
        if found.drawing != self.empty.drawing:
            raise InputError(f"{self.task.path} is of other samples now: end `make annotate` and start it again")
        return found

    def set_boxes(self, number: int, boxes: Any, before: Any) -> Annotations:
        """The boxes of one sample become these, if they were those before: lists of x, y, width, height."""
        new, old = (on_sample(number, one) for one in (boxes, before))
        with self.lock:
            found = self.read()
            others = [box.model_dump() for box in found.boxes if box.image != number]
            present = [box.model_dump() for box in found.boxes if box.image == number]
            check_present(found, present, old, new, f"sample {number + 1}")
            return self.save(found.changed(boxes=others + new))

    def set_concept(self, concept: Any, samples: Any, before: Any) -> Annotations:
        """The samples that show a concept become these, if they were those before.

        Raises BadRequest for a concept that no figure needs.
        """
        if not isinstance(concept, str) or concept not in self.task.concepts:
            raise BadRequest(f"no figure needs samples of {concept!r}")
        with self.lock:
            found = self.read()
            check_present(found, found.concepts.get(concept, []), before, samples, concept)
            return self.save(found.changed(concepts={**found.concepts, concept: samples}))

    def save(self, changed: Annotations) -> Annotations:
        """Writes the file; raises ServiceUnavailable, upon which the page tries again, if the disk does not take it."""
        try:
            changed.save(self.task.path)
        except (InputError, OSError) as error:
            raise ServiceUnavailable(str(error)) from error
        return changed


class AnnotationApp:
    """The WSGI application for some desks and the page on which they are."""

    def __init__(self, desks: Sequence[Desk], page: str) -> None:
        self.desks, self.page = desks, page.encode()
        self.headers = {**HEADERS, "Content-Security-Policy": policy(page)}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request, whatever is wrong with it."""
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            response = self.respond(request)
        except Outdated as error:
            response = as_json({"error": str(error), **shown(error.present)}, Conflict.code)
        except HTTPException as error:
            response = as_json({"error": error.description or error.name}, error.code or 500)
        except InputError as error:
            response = as_json({"error": str(error)}, Conflict.code)
        response.headers.update(self.headers)
        return response(environ, start_response)

    def respond(self, request: Request) -> Response:
        """The answer to a request; raises HTTPException, Outdated or InputError."""
        check_caller(request)
        endpoint, values = ROUTES.bind("localhost", path_info=request.path).match(method=request.method)
        body = json_object(request) if request.method == "PUT" else {}
        if endpoint == "page":
            return Response(self.page, mimetype="text/html")
        desk: Desk = numbered(self.desks, values["desk"], "desks")
        image: Any = numbered(desk.images, values["number"], "samples") if "number" in values else None
        match endpoint:
            case "sample":
                return Response(png_bytes(image), mimetype="image/png")
            case "boxes":
                return as_json(shown(desk.set_boxes(values["number"], body.get("boxes"), body.get("before"))))
            case "concept":
                return as_json(shown(desk.set_concept(body.get("concept"), body.get("samples"), body.get("before"))))
        return as_json(shown(desk.read()))


class Outdated(Exception):
    """A change of what is no longer there, with the annotations that are."""

    def __init__(self, what: str, present: Annotations) -> None:
        super().__init__(f"{what} was changed elsewhere meanwhile; this is what is there now")
        self.present = present


def check_present(found: Annotations, present: Any, before: Any, after: Any, what: str) -> None:
    """Raises Outdated unless a change began with what is present; one that is repeated finds its own result."""
    if present not in (before, after):
        raise Outdated(what, found)


def on_sample(number: int, boxes: Any) -> list[dict[str, Any]]:
    """Boxes of one sample as the file has them; raises BadRequest if they are no list of objects."""
    if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
        raise BadRequest("boxes and before: lists of objects are expected")
    return [{**box, "image": number} for box in boxes]


def shown(annotations: Annotations) -> dict[str, Any]:
    """Annotations as the page has them."""
    return annotations.model_dump(include={"boxes", "concepts"})


def policy(page: str) -> str:
    """What a browser may run and load: the scripts and styles that are in the page, by their digests, and samples."""
    inline = {
        tag: " ".join(map(digest, re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S))) for tag in ("script", "style")
    }
    return (
        f"default-src 'none'; img-src 'self' data:; script-src {inline['script']}; style-src {inline['style']}; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """A script or style in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def numbered(things: Any, number: int, name: str) -> Any:
    """The thing of that number; raises NotFound if there are not so many."""
    if number >= len(things):
        raise NotFound(f"there are {len(things)} {name}")
    return things[number]


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
