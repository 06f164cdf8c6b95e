"""Annotations: the file, and the server that writes it and keeps other pages out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from werkzeug.test import Client

from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator
from tests.dag.tiny import tiny_params
from workflow.annotation.annotate import listen, open_app
from workflow.annotation.file import (
    AnnotationTask,
    Drawing,
    OtherGenerator,
    annotation_tasks,
    annotations_that_fit,
    as_annotations,
    empty_annotations,
    possible_tasks,
    read_annotations,
)
from workflow.annotation.server import MAX_BODY_BYTES, AnnotationApp, Desk
from workflow.presets.merge import preset_params

DRAWING = Drawing(seed=1, samples=5, statistics_batches=2)
BOX = {"x": 2.0, "y": 3.5, "width": 10.0, "height": 4.0}
PAPERS_CONCEPTS = ("smiling woman", "neutral woman", "neutral man")
PAPERS_CONCEPTS += ("man with glasses", "man without glasses", "woman without glasses")
PAGE = "<style>p { margin: 0 }</style><script type='application/json'>{}</script><script>\nstart();\n</script>"
HERE = {"Host": "127.0.0.1:8765", "Origin": "http://127.0.0.1:8765"}


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    (tmp_path / "generator").write_bytes(b"weights")
    return tmp_path / "generator"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "annotations" / "rooms.json"


@pytest.fixture
def client(file: Path, generator: Path) -> Client:
    images = numpy_generator(1, "images").integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    task = AnnotationTask("rooms", file, DRAWING, True, {"looking left": 2})
    return Client(AnnotationApp([Desk(task, empty_annotations(generator, 32, DRAWING), images)], PAGE))


def put(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.put(path, json=body, headers=HERE | headers)


def test_every_change_is_in_the_file_when_it_is_answered(client: Client, file: Path, generator: Path) -> None:
    answer = put(client, "/desks/0/boxes/3", {"boxes": [BOX, BOX], "before": []}).json
    assert answer == {"boxes": [{**BOX, "image": 3}] * 2, "concepts": {}}
    put(client, "/desks/0/boxes/1", {"boxes": [BOX], "before": []})
    put(client, "/desks/0/boxes/3", {"boxes": [BOX], "before": [BOX, BOX]})
    put(client, "/desks/0/concepts", {"concept": "looking left", "samples": [4, 0], "before": []})
    annotations = read_annotations(file, empty_annotations(generator, 32, DRAWING))
    assert [(box.image, box.width) for box in annotations.boxes] == [(1, 10.0), (3, 10.0)]
    assert annotations.concepts == {"looking left": [4, 0]}
    assert annotations.drawing == DRAWING
    again = client.get("/desks/0", headers=HERE).json
    assert again["concepts"] == annotations.concepts
    assert [path.name for path in file.parent.iterdir()] == ["rooms.json"]


def test_two_windows_of_the_page_cannot_lose_each_others_work(client: Client, file: Path) -> None:
    """A change of what another window has changed is refused with what is there; others never meet."""
    other = {**BOX, "x": 5.0}
    assert put(client, "/desks/0/boxes/3", {"boxes": [BOX], "before": []}).status_code == 200
    assert put(client, "/desks/0/boxes/1", {"boxes": [other], "before": []}).status_code == 200
    late = put(client, "/desks/0/boxes/3", {"boxes": [other], "before": []})
    assert late.status_code == 409 and late.json["error"].startswith("sample 4 was changed elsewhere")
    assert late.json["boxes"] == [{**BOX, "image": 3}, {**other, "image": 1}]
    again = put(client, "/desks/0/boxes/3", {"boxes": [BOX], "before": []})  # its answer was lost, so it is sent again
    assert again.status_code == 200 and again.json["boxes"] == late.json["boxes"][::-1]
    both = {"boxes": [BOX, other], "before": [BOX]}
    assert put(client, "/desks/0/boxes/3", both).status_code == 200
    assert put(client, "/desks/0/boxes/3", {"boxes": [], "before": [BOX]}).status_code == 409
    one, two = ({"concept": "looking left", "samples": [number], "before": []} for number in (1, 2))
    assert [put(client, "/desks/0/concepts", body).status_code for body in (one, two)] == [200, 409]
    content = json.loads(file.read_text())
    assert [box["x"] for box in content["boxes"]] == [5.0, 2.0, 5.0] and content["concepts"] == {"looking left": [1]}


def test_a_change_that_cannot_be_written_leaves_the_file_whole(
    client: Client, file: Path, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, "/desks/0/boxes/0", {"boxes": [BOX], "before": []})
    before = file.read_bytes()

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    answer = put(client, "/desks/0/boxes/0", {"boxes": [], "before": [BOX]})
    assert answer.status_code == 503 and "No space left" in answer.json["error"]
    assert file.read_bytes() == before and len(list(file.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/desks/0/boxes/3", {"boxes": [{**BOX, "x": 30}], "before": []}),
        ("/desks/0/boxes/3", {"boxes": [{**BOX, "x": -1}], "before": []}),
        ("/desks/0/boxes/3", {"boxes": [{**BOX, "width": 0}], "before": []}),
        ("/desks/0/boxes/3", {"boxes": [{**BOX, "x": "2"}], "before": []}),
        ("/desks/0/boxes/3", {"boxes": [{**BOX, "note": "<b>"}], "before": []}),
        ("/desks/0/boxes/3", {"boxes": "all", "before": []}),
        ("/desks/0/boxes/3", [BOX]),
        ("/desks/0/boxes/3", {"boxes": [BOX]}),
        ("/desks/0/boxes/3", {"boxes": [BOX], "before": [3]}),
        ("/desks/0/concepts", {"concept": "looking left", "samples": [1]}),
        ("/desks/0/boxes/5", {"boxes": [], "before": []}),
        ("/desks/1/boxes/0", {"boxes": [], "before": []}),
        ("/desks/0/concepts", {"concept": "looking left", "samples": [5], "before": []}),
        ("/desks/0/concepts", {"concept": "looking left", "samples": [1, 1], "before": []}),
        ("/desks/0/concepts", {"concept": "looking left", "samples": [True], "before": []}),
        ("/desks/0/concepts", {"concept": "looking up", "samples": [1], "before": []}),
        ("/desks/0/concepts", {"concept": ["looking left"], "samples": [1], "before": []}),
    ],
)
def test_what_makes_no_sense_is_refused(client: Client, file: Path, path: str, body: Any) -> None:
    answer = put(client, path, body)
    assert 400 <= answer.status_code < 500 and answer.json["error"]
    assert not file.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.org:8765"},
        {"Host": "127.0.0.1.example.org"},
        {"Host": ""},
        {"Host": "10.0.0.7:8765", "Origin": "http://10.0.0.7:8765"},
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": ""},
    ],
)
def test_other_pages_are_kept_out(client: Client, file: Path, headers: dict[str, str]) -> None:
    assert put(client, "/desks/0/boxes/0", {"boxes": [BOX], "before": []}, **headers).status_code == 403
    assert not file.exists()
    if "Host" in headers:
        assert client.get("/desks/0", headers=HERE | headers).status_code == 403


def test_a_form_of_another_page_is_no_json(client: Client) -> None:
    body = json.dumps({"boxes": [BOX], "before": []})
    assert client.put("/desks/0/boxes/0", data=body, content_type="text/plain", headers=HERE).status_code == 415
    assert client.put("/desks/0/boxes/0", data="{", content_type="application/json", headers=HERE).status_code == 400
    large = b" " * (MAX_BODY_BYTES + 1)
    assert client.put("/desks/0/boxes/0", data=large, content_type="application/json", headers=HERE).status_code == 413
    assert client.post("/desks/0/boxes/0", json={}, headers=HERE).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../params.yaml",
        "/annotate.html",
        "/desks/0/samples/../../../params.yaml",
        "/desks/0/samples/%2e%2e%2fgenerator.png",
        "/desks/0/samples/-1.png",
        "/desks/0/samples/5.png",
        "/templates/report.html.j2",
        "//etc/passwd",
    ],
)
def test_paths_outside_are_not_there(client: Client, path: str) -> None:
    assert client.get(path, headers=HERE).status_code == 404


def test_the_browser_runs_only_the_scripts_of_the_page(client: Client) -> None:
    """Whatever else gets into it; digests by another implementation, OpenSSL's."""
    for path in ("/", "/desks/0", "/desks/0/samples/4.png", "/elsewhere"):
        rules = dict(
            rule.strip().split(" ", 1)
            for rule in client.get(path, headers=HERE).headers["Content-Security-Policy"].split(";")
        )
        assert rules["default-src"] == "'none'" and rules["connect-src"] == "'self'"
        # printf "\nstart();\n" | openssl dgst -sha256 -binary | base64
        assert rules["script-src"] == "'sha256-FflUquKLTOFZgk0+8VvCqtWVuUbHfg32FlrpTHo84aw='"
        assert rules["style-src"] == "'sha256-7IWhgxoOGTB5NQzjGk9OPt0FwhVeBvZGoWgF9xLLh8c='"
    assert client.get("/", headers=HERE).text == PAGE


def test_annotations_never_meet_another_generators_samples(
    client: Client, file: Path, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(client, "/desks/0/boxes/0", {"boxes": [BOX], "before": []})
    before = file.read_bytes()
    generator.write_bytes(b"trained again")
    empty = empty_annotations(generator, 32, DRAWING)
    with pytest.raises(OtherGenerator, match="another generator"):
        read_annotations(file, empty)
    assert annotations_that_fit(file, generator, 32, DRAWING) == empty
    assert "another generator" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_a_file_that_somebody_broke_is_told_not_overwritten(client: Client, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"boxes": 1}')
    answer = put(client, "/desks/0/boxes/0", {"boxes": [], "before": []})
    assert answer.status_code == 409 and str(file) in answer.json["error"]
    assert file.read_text() == '{"boxes": 1}'


def test_a_box_may_touch_the_edge(generator: Path) -> None:
    empty = empty_annotations(generator, 32, DRAWING)
    box = {"image": 0, "x": 20.11, "y": 0, "width": 11.89, "height": 32}
    assert len(as_annotations({**empty.model_dump(), "boxes": [box]}, "file").boxes) == 1


def test_presets_for_real_data_need_a_person() -> None:
    for name in ("small", "paper"):
        tasks = annotation_tasks(preset_params(name))
        assert [(task.network, task.boxes, task.drawing.samples) for task in tasks] == [
            ("bedrooms", True, 150),
            ("faces", False, 150),
        ]
        assert tasks[0].goals() == {"boxes": {"needed": 1, "published": 52}, "concepts": []}
        names = [*PAPERS_CONCEPTS, "looking left", "looking right"]
        counts = [*[3] * 6, 4, 4]
        assert tasks[1].goals() == {
            "boxes": None,
            "concepts": [{"name": name, "needed": n, "published": n} for name, n in zip(names, counts, strict=True)],
        }
        assert tasks[1].plays == [
            {"a": "smiling woman", "b": "neutral woman", "c": "neutral man"},
            {"a": "man with glasses", "b": "man without glasses", "c": "woman without glasses"},
            {"left": "looking left", "right": "looking right"},
        ]


def test_where_a_classifier_annotates_a_person_could() -> None:
    """On as many samples as the paper's; where figures rest on a person it is what they need."""
    params = preset_params("demo")
    assert annotation_tasks(params) == []
    windows, faces = possible_tasks(params)
    assert (windows.path.as_posix(), windows.boxes, windows.drawing.samples) == (
        "data/annotations/bedrooms.json",
        True,
        150,
    )
    assert (faces.path.as_posix(), faces.by_hand, faces.drawing.samples) == ("data/annotations/faces.json", False, 150)
    assert len(faces.concepts) == 8 and [set(play) for play in faces.plays] == [{*"abc"}, {*"abc"}, {"left", "right"}]
    small = preset_params("small")
    assert possible_tasks(small) == annotation_tasks(small)


def test_without_figures_by_hand_or_networks_there_is_nothing_to_annotate(tmp_path: Path) -> None:
    tiny_params(tmp_path / "params.yaml")
    with pytest.raises(InputError, match="no figure rests on a person"):
        open_app(tmp_path / "params.yaml", tmp_path)
    by_hand = {"figures": {"windows": {"bedrooms": {"annotator": "data/annotations/bedrooms.json"}}}}
    tiny_params(tmp_path / "params.yaml", by_hand)
    with pytest.raises(InputError, match="first train the networks"):
        open_app(tmp_path / "params.yaml", tmp_path)


def test_the_page_is_on_the_loopback_interface_only() -> None:
    server = listen(AnnotationApp([], PAGE), 0)
    assert server.socket.getsockname()[0] == "127.0.0.1"
    with pytest.raises(InputError, match="--port 0"):
        listen(AnnotationApp([], PAGE), server.port)
    server.server_close()
