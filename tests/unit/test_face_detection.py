"""Which faces of a photo are kept and how they are cut; what OpenCV's cascade finds."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator
from dcgan.data.decoding import decode
from dcgan.data.face_detection import Face, FaceRule, HaarDetector, Images, YuNetDetector, cut, open_detector
from demo.faces import Photo, render_photo
from demo.heads import draw_person
from stages.crop_faces import Search
from tests.real_data import real_data
from workflow.presets.merge import preset_params

RULE = FaceRule(detection_side=200, min_size=40, max_faces=2, margin=0.0, resize=32, size=24)


class Told:
    """Finds what it is told, in pixels of the photo it is shown, and remembers what it was asked."""

    def __init__(self, *faces: Face) -> None:
        self.faces = faces
        self.seen: list[tuple[tuple[int, ...], float]] = []

    def detect(self, photo_uint8: Images, least_side: float) -> list[Face]:
        self.seen.append((photo_uint8.shape, least_side))
        return list(self.faces)


def gradient(height: int, width: int) -> Images:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, x * 0], axis=2).astype(np.uint8)


def test_a_large_photo_is_searched_reduced_and_cut_from_the_full_one() -> None:
    photo = gradient(600, 800)
    detector = Told(Face(50, 30, 100, 100, 9.0))
    (finding,) = RULE.find(photo, detector)
    assert detector.seen == [((150, 200, 3), 10.0)]
    assert finding.face == Face(200, 120, 400, 400, 9.0) and finding.reason == ""
    assert finding.crop is not None and finding.crop.shape == (24, 24, 3)
    # The centre of the crop is the centre of the box: x 400 of 800, y 320 of 600.
    assert np.abs(finding.crop[11:13, 11:13, :2].mean(axis=(0, 1)) - (400 / 800 * 255, 320 / 600 * 255)).max() < 2


def test_a_small_photo_is_searched_as_it_is() -> None:
    detector = Told()
    assert RULE.find(gradient(100, 120), detector) == []
    assert detector.seen == [((100, 120, 3), 40.0)]


def test_faces_that_are_not_kept_say_why() -> None:
    faces = [Face(0, 0, 50, 50, 9), Face(60, 0, 39, 39, 8), Face(0, 60, 50, 50, 7), Face(60, 60, 50, 50, 6)]
    findings = RULE.find(gradient(200, 200), Told(*faces))
    assert [finding.reason for finding in findings] == ["", "too small", "", "more faces than max_faces"]
    assert [finding.crop is not None for finding in findings] == [True, False, True, False]


def test_a_margin_is_added_on_every_side_and_never_invented() -> None:
    photo = gradient(200, 200)
    part = cut(photo, Face(50, 60, 40, 40, 1), 0.5)
    assert part is not None and np.array_equal(part, photo[40:120, 30:110])
    rule = FaceRule(detection_side=200, min_size=20, max_faces=2, margin=0.5, resize=32, size=32)
    assert [f.reason for f in rule.find(photo, Told(Face(5, 60, 40, 40, 1)))] == ["margin beyond the edge"]


def test_only_what_is_kept_has_to_lie_within_the_photo() -> None:
    """Training takes the central 64 of 128 pixels: with a margin of half the box that is the box again."""
    photo = gradient(200, 200)
    rule = FaceRule(detection_side=200, min_size=20, max_faces=2, margin=0.5, resize=128, size=64)
    (finding,) = rule.find(photo, Told(Face(0, 60, 64, 64, 1)))
    assert finding.crop is not None and np.array_equal(finding.crop, photo[60:124, 0:64])


def test_the_detector_without_its_file_says_where_to_get_it(tmp_path: Path) -> None:
    for model in (None, str(tmp_path / "missing.onnx")):
        expected = f"^{model}: the detector yunet needs .*download .* from https://github.com/opencv"
        with pytest.raises(InputError, match=expected):
            open_detector("yunet", model, 1.1, 5)
    (tmp_path / "other.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"other.onnx: not a YuNet model"):
        YuNetDetector(tmp_path / "other.onnx")


def test_yunets_rows_become_boxes_within_the_photo() -> None:
    """A row is x, y, width, height, five landmarks and a probability; boxes may reach beyond the photo."""

    class Network:
        def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 (OpenCV's name)
            assert size == (120, 90)

        def detect(self, _: Images) -> tuple[int, np.ndarray]:
            boxes = [(-4.2, 10.4, 40, 50, 0.91), (60.6, 20, 80, 30, 0.97)]
            return 1, np.array([[*box[:4], *[0] * 10, box[4]] for box in boxes], np.float32)

    detector = YuNetDetector.__new__(YuNetDetector)
    detector.network = Network()
    faces = detector.detect(gradient(90, 120), 20)
    assert [face[:4] for face in faces] == [(61, 20, 59, 30), (0, 10, 36, 50)]
    assert [round(face.score, 2) for face in faces] == [0.97, 0.91]


def write_bright_finder(path: Path) -> None:
    """A network with YuNet's input and outputs that takes what is bright for a face, 4 cells of 8 pixels wide."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    make, numbers = onnx.helper, onnx.numpy_helper
    nodes, constants, outputs = [], [], []
    # Of every cell: probabilities 0 to 1, the box's centre and the logarithm of its size in cells, five landmarks.
    heads = {"cls": (1 / 255, [0.0]), "obj": (1 / 255, [0.0]), "bbox": (0.0, [0.5, 0.5, np.log(4), np.log(4)])}
    for stride in (8, 16, 32):
        nodes.append(
            make.make_node(
                "AveragePool", ["input"], [f"cells{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        for name, (gain, bias) in {**heads, "kps": (0.0, [0.0] * 10)}.items():
            gain = gain if stride == 8 else 0.0
            out, depth = f"{name}_{stride}", len(bias)
            weights = np.full((depth, 3, 1, 1), gain / 3, np.float32)
            constants.append(numbers.from_array(weights, f"{out}_weights"))
            constants.append(numbers.from_array(np.array(bias, np.float32), f"{out}_bias"))
            constants.append(numbers.from_array(np.array([1, -1, depth], np.int64), f"{out}_shape"))
            nodes.append(make.make_node("Conv", [f"cells{stride}", f"{out}_weights", f"{out}_bias"], [f"{out}_maps"]))
            nodes.append(make.make_node("Transpose", [f"{out}_maps"], [f"{out}_last"], perm=[0, 2, 3, 1]))
            nodes.append(make.make_node("Reshape", [f"{out}_last", f"{out}_shape"], [out]))
            outputs.append(make.make_tensor_value_info(out, onnx.TensorProto.FLOAT, [1, None, depth]))
    photo = make.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, 320, 320])
    outputs.sort(key=lambda value: ["cls", "obj", "bbox", "kps"].index(value.name.partition("_")[0]))
    graph = make.make_graph(nodes, "bright", [photo], outputs, constants)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 11)], ir_version=8), path)


def test_yunets_file_is_run_by_opencv_on_photos_of_any_size(tmp_path: Path) -> None:
    write_bright_finder(tmp_path / "bright.onnx")
    detector = open_detector("yunet", str(tmp_path / "bright.onnx"), 1.1, 5)
    for height, width, top, left in ((320, 320, 96, 200), (130, 250, 64, 128)):
        photo = np.zeros((height, width, 3), np.uint8)
        photo[top : top + 8, left : left + 8] = 255
        (face,) = detector.detect(photo, 10)
        assert face[:4] == (left - 12, top - 12, 32, 32) and face.score == pytest.approx(1, abs=1e-3)
    assert detector.detect(np.zeros((100, 80, 3), np.uint8), 10) == []


def rendered_photos(count: int) -> list[Photo]:
    """The demo's photos with exactly one face."""
    photos = []
    for number in range(4 * count):
        person = draw_person(numpy_generator(3, "person", number))
        photo = render_photo(person, numpy_generator(3, "photo", number), 3)
        if len(photo.faces) == 1:
            photos.append(photo)
    return photos[:count]


def overlap(face: Face, box: tuple[int, int, int, int]) -> float:
    """Intersection over union."""
    x, y, width, height = box
    common_x = min(face.x + face.width, x + width) - max(face.x, x)
    common_y = min(face.y + face.height, y + height) - max(face.y, y)
    common = max(common_x, 0) * max(common_y, 0)
    return common / (face.width * face.height + width * height - common)


def test_opencvs_cascade_finds_rendered_faces_where_they_are() -> None:
    detector = HaarDetector(scale_factor=1.1, min_neighbours=5)
    rule = FaceRule(detection_side=512, min_size=32, max_faces=8, margin=0.0, resize=32, size=32)
    photos = rendered_photos(12)
    best = []
    for photo in photos:
        faces = [finding.face for finding in rule.find(photo.pixels, detector)]
        assert faces == sorted(faces, key=lambda face: -face.score)
        best.append(max((overlap(face, photo.faces[0].box) for face in faces), default=0.0))
    assert np.mean(np.array(best) > 0.3) >= 0.75


def test_threads_change_nothing() -> None:
    photo = rendered_photos(1)[0].pixels
    found = []
    before = cv2.getNumThreads()
    for threads in (1, 2, 4):
        cv2.setNumThreads(threads)
        found.append(HaarDetector(1.05, 2).detect(photo, 16))
    cv2.setNumThreads(before)
    assert found[0] == found[1] == found[2] and found[0]


def test_real_photos_have_their_face_in_the_middle() -> None:
    search = Search(preset_params("small").crop_faces)
    paths = sorted(real_data("photos").rglob("*.jpg"))[::100]
    assert paths
    centred = 0
    for path in paths:
        photo = decode(path.read_bytes())
        height, width = photo.shape[:2]
        faces = [finding.face for finding in search.rule.find(photo, search.detector()) if finding.crop is not None]
        centred += any(f.x < width / 2 < f.x + f.width and f.y < height / 2 < f.y + f.height for f in faces)
    assert centred >= 0.95 * len(paths)
