"""One face or several over each other: a detector tells them apart whatever contrast, blur and noise."""

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from dcgan.internals import overlays
from dcgan.internals.nearest_images import nearest
from dcgan.internals.overlays import OverlayDetector, area_under_roc, disguised, fit_detector, overlaid
from demo.faces import render_photo
from demo.heads import draw_person

LEARNED_FROM, TESTED = 220, 80


@pytest.fixture(scope="module")
def faces() -> Images:
    """Crops of rendered faces."""
    random, crops = numpy_generator(1, "faces"), list[Images]()
    while len(crops) < LEARNED_FROM + TESTED:
        photo = render_photo(draw_person(random), random, len(crops))
        for x, y, width, height in (face.box for face in photo.faces[:1]):
            crop = photo.pixels[max(y, 0) : y + height, max(x, 0) : x + width]
            crops.append(cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA))
    return np.stack(crops)


@pytest.fixture(scope="module")
def detector(faces: Images) -> OverlayDetector:
    return OverlayDetector.fitted(faces[:LEARNED_FROM], 3000, 1)


def separation(single: np.ndarray, several: np.ndarray) -> float:
    """Area under the ROC curve."""
    truth = np.repeat([1, 0], [len(single), len(several)])
    return float(roc_auc_score(truth, np.concatenate([single, several])))


def means_of_three(images: Images) -> Images:
    chosen = numpy_generator(1, "threes").integers(0, len(images), (len(images), 3))
    return images[chosen].mean(axis=1).round().astype(np.uint8)


def test_single_faces_are_nearer_than_several_over_each_other(faces: Images, detector: OverlayDetector) -> None:
    real = faces[LEARNED_FROM:]
    near = detector.nearness(real)
    assert near.shape == (TESTED,) and near.min() >= 0 and near.max() <= 1
    assert separation(near, detector.nearness(means_of_three(real))) > 0.9
    assert separation(near, detector.nearness(overlaid(real, TESTED, numpy_generator(1, "sums")))) > 0.85


def test_the_nearest_real_face_does_not_tell_them_apart(faces: Images) -> None:
    """Why a detector: an average lies amid real faces."""
    real, rows = faces[LEARNED_FROM:], np.arange(LEARNED_FROM)
    both = [-nearest(images, faces, rows, 1).distances[:, 0] for images in (real, means_of_three(real))]
    assert separation(*both) < 0.5


def test_blur_and_noise_alone_make_no_overlay(faces: Images, detector: OverlayDetector) -> None:
    """As far as they go that it learned: a face of a generator that has them is still one face."""
    real = faces[LEARNED_FROM:]
    worse = disguised(real, numpy_generator(1, "disguises"))
    assert separation(detector.nearness(worse), detector.nearness(means_of_three(real))) > 0.85


def test_kinds_of_overlays_by_hand() -> None:
    white_and_black = np.repeat(np.array([0, 255], np.uint8), 32 * 32 * 3).reshape(2, 32, 32, 3)
    pictures = overlaid(white_and_black, 401, numpy_generator(1, "kinds"))
    assert pictures.shape == (401, 32, 32, 3)
    values = [set(np.unique(part).tolist()) for part in np.split(pictures, [100, 200, 300])]
    assert values[0] == {0, 128, 255} and values[1] == {0, 85, 170, 255}
    assert values[2] == {0, 255} and values[3] == {0, 85, 170, 255}


def test_disguises_differ_and_leave_the_images_alone(faces: Images) -> None:
    same = np.repeat(faces[:1], 20, axis=0)
    changed = disguised(same, numpy_generator(1, "disguises"))
    assert changed.shape == same.shape and changed.dtype == np.uint8
    assert len({image.tobytes() for image in changed}) == 20
    assert (same == faces[0]).all()


def test_blur_grows_with_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its unit is a pixel of an image of 32 x 32."""
    widths, blur = list[float](), cv2.GaussianBlur
    monkeypatch.setattr(
        cv2, "GaussianBlur", lambda image, kernel, width: widths.append(width) or blur(image, kernel, width)
    )
    for side in (32, 64):
        disguised(np.zeros((1, side, side, 3), np.uint8), numpy_generator(1, "disguises"))
    assert widths[1] == 2 * widths[0]


def test_what_is_measured_was_not_learned_from(faces: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Images] = []
    original = OverlayDetector.nearness

    def fitted(images: Images, learned: int, seed: int, device: str) -> OverlayDetector:
        seen.append(images)
        return OverlayDetector(32, 4)

    def nearness(self: OverlayDetector, images: Images) -> np.ndarray:
        seen.append(images)
        return original(self, images)

    monkeypatch.setattr(OverlayDetector, "fitted", fitted)
    monkeypatch.setattr(OverlayDetector, "nearness", nearness)
    monkeypatch.setattr(overlays, "MOST_IMAGES", 50)
    _, figures = fit_detector(faces, 64, 1)
    learned, measured = ({image.tobytes() for image in images} for images in seen[:2])
    assert (len(learned), len(measured)) == (40, 10) and not learned & measured
    assert figures.keys() == {"real_nearness", "overlaid_nearness", "nearness_auc"}


def test_the_same_seed_makes_the_same_detector(faces: Images) -> None:
    first, second = (OverlayDetector.fitted(faces, 256, 3).nearness(faces[:9]) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, OverlayDetector.fitted(faces, 256, 4).nearness(faces[:9]))


def test_the_area_is_scikit_learns() -> None:
    """With ties: scores of one decimal."""
    random = numpy_generator(1, "scores")
    single, several = random.random((2, 90)).round(1) + np.array([[0.2], [0.0]])
    assert area_under_roc(single, several[:70]) == pytest.approx(separation(single, several[:70]), abs=1e-12)
