"""What each stage's figures say, as one short sentence: for the report and for the lines at the end of a run.

Input: the JSON of results/metrics that a stage writes. Output: text; nothing where a stage has no sentence.
"""

from collections.abc import Callable, Mapping
from typing import Any

Metrics = Mapping[str, Any]
UNFINISHED = "{}: `make annotate`, then run the pipeline again"


def percent(share: float | None, digits: int = 0) -> str:
    """A share as percent, "12 %"; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def duplicates(m: Metrics) -> str:
    """Section 4.1.1."""
    return (
        f"{m['n_removed']:,} of {m['n_images']:,} images dropped as duplicates, {percent(m['share_removed'], 1)} "
        f"(published {percent(m['published_share'], 1)})"
    )


def truth(m: Metrics) -> str:
    """Section 4.1.1, where the truth is known."""
    return (
        f"{percent(m['recall'])} of {m['n_planted']:,} planted duplicates found; {percent(m['precision'], 1)} of what "
        f"was dropped was a duplicate (published: more than {percent(m['published_precision'])})"
    )


def faces(m: Metrics) -> str:
    """Section 4.2."""
    return f"{m['n_kept']:,} faces from {m['n_photos']:,} photos (published: about {m['published_boxes']:,})"


def quality(m: Metrics) -> str:
    """How near samples are to real images that were never trained on."""
    return (
        f"precision {m['precision']:.2f}, recall {m['recall']:.2f} (other real images: {m['precision_real']:.2f}, "
        f"{m['recall_real']:.2f})"
    )


def svm(m: Metrics) -> str:
    """Tables 1 and 2."""
    return (
        f"{percent(m['error'], 1)} error (published {percent(m['published'], 1)}), "
        f"{percent(m['random_weights_error'], 1)} with random weights"
    )


def neighbours(m: Metrics) -> str:
    """Table 3."""
    return (
        f"{percent(m['error'], 1)} error with {m['n_samples']:,} samples (published {percent(m['published'], 1)} with "
        f"50,000), {percent(m['real_error'], 1)} with {m['n_real']:,} real images"
    )


def supervised(m: Metrics) -> str:
    """Table 2, the supervised CNN."""
    return (
        f"{percent(m['error'], 1)} validation error, best of {m['n_trials']} trials "
        f"(published {percent(m['published'], 1)}, best of 64)"
    )


def samples(m: Metrics) -> str:
    """Figures 2 and 3."""
    return f"two samples differ {m['variety']:.2f} times as much as two real images"


def guidelines(m: Metrics) -> str:
    """Section 3, broken one rule at a time."""
    return (
        f"of {m['variants']} rules broken one at a time, {m['clearly_worse']} took samples clearly farther from the "
        f"held-out images and {m['clearly_better']} clearly nearer ({m['seeds']} seeds; as published: sliced "
        f"Wasserstein distance {m['sliced_wasserstein']:.3f})"
    )


def animation(m: Metrics) -> str:
    """Training as a moving picture."""
    if "last_change" not in m:
        return ""
    return (
        f"samples of the same z changed by {percent(m['first_change'], 1)} of the pixel range from the first grid to "
        f"the second, by {percent(m['last_change'], 1)} to the last of {m['grids']}"
    )


def walk(m: Metrics) -> str:
    """Figure 4."""
    return (
        f"largest step {m['roughness']:.1f} times the mean step; a generator that had memorized its training images: "
        f"{m['roughness_if_memorized']:.1f}"
    )


def guided(m: Metrics) -> str:
    """Figure 5."""
    return (
        f"guided gradients correlate with the picture's detail by {m['likeness']:.2f}, "
        f"with random weights by {m['likeness_random']:.2f}"
    )


def nearest(m: Metrics) -> str:
    """Memorization."""
    shares = [
        f"{percent(m[f'{space}_closer_share'], 1)} {words} (real images never trained on: "
        f"{percent(m[f'{space}_closer_share_real'], 1)})"
        for space, words in (("pixels", "in pixels"), ("codes", "by code"))
    ]
    verdict = "training images are repeated" if m["memorized"] else "no more than by chance"
    return f"samples suspiciously near to one training image alone: {' and '.join(shares)}: {verdict}"


def windows(m: Metrics) -> str:
    """Figure 6."""
    if m["annotated_by"] == "hand":
        return windows_by_hand(m)
    return (
        f"{percent(m['share_with_window'])} of samples have a window, {percent(m['share_with_window_without_maps'])} "
        f"without {m['maps_dropped']} of {m['maps']} feature maps "
        f"({percent(m['share_with_window_without_random_maps'])} without as many random ones)"
    )


def windows_by_hand(m: Metrics) -> str:
    """Figure 6, where a person drew the boxes."""
    if not m["boxes"]:
        return UNFINISHED.format("no window has been boxed")
    return (
        f"by hand: {m['boxes']} boxes on {percent(m['share_with_window'])} of {m['samples']} samples; without "
        f"{m['maps_dropped']} of {m['maps']} feature maps pixels change by {percent(m['change_inside_boxes'], 1)} of "
        f"their range inside boxes and {percent(m['change_outside_boxes'], 1)} outside (as many random maps: "
        f"{percent(m['change_inside_boxes_random_maps'], 1)}, {percent(m['change_outside_boxes_random_maps'], 1)})"
    )


def arithmetic(m: Metrics) -> str:
    """Figure 7."""
    if m["annotated_by"] == "hand":
        return arithmetic_by_hand(m)
    return (
        f"expected attributes in {percent(m['mean_success'])} of results with the mean of {m['exemplars']} z, "
        f"{percent(m['single_success'])} with single z, {percent(m['chance'])} by chance"
    )


def arithmetic_by_hand(m: Metrics) -> str:
    """Figure 7, where a person chose the exemplars."""
    if not m["sums_drawn"]:
        return UNFINISHED.format(f"still to be chosen: {m['missing']}")
    return (
        f"exemplars by hand: sums of the mean of {m['exemplars']} z lie {m['mean_length']:.2f} times as far out as "
        f"samples do, of single z {m['single_length']:.2f} times; results of single z differ "
        f"{m['single_spread']:.2f} times as much as samples"
    )


def turn(m: Metrics) -> str:
    """Figure 8."""
    if m["annotated_by"] == "hand":
        return turn_by_hand(m)
    return (
        f"{percent(m['monotone_share'])} of {m['faces']} faces turn steadily, by {m['turned_degrees']:.0f} degrees in "
        f"all ({percent(m['monotone_share_random_direction'])} along random directions)"
    )


def turn_by_hand(m: Metrics) -> str:
    """Figure 8, where a person chose the faces."""
    if "missing" in m:
        return UNFINISHED.format(f"still to be chosen: {m['missing']}")
    return (
        f"exemplars by hand: {percent(m['monotone_share'])} of {m['faces']} faces turn with every step, by "
        f"{m['turned_share']:.2f} of the way from the mean left to the mean right picture "
        f"({percent(m['monotone_share_random_direction'])} and {m['turned_share_random_direction']:.2f} along random "
        "directions)"
    )


def window_classifier(m: Metrics) -> str:
    """The classifier of Figure 6."""
    return f"right about a window in {percent(m['image_accuracy'], 1)} of {m['images']:,} real images it never saw"


def face_classifier(m: Metrics) -> str:
    """The classifier of Figures 7 and 8."""
    attributes = [
        f"{name.removesuffix('_accuracy').replace('_', ' ')} {percent(value, 1)}"
        for name, value in m.items()
        if name.endswith("_accuracy") and not name.startswith("pose")
    ]
    return (
        f"right about {', '.join(attributes)} of {m['held_out']:,} real faces it never saw; pose off by "
        f"{m['pose_mean_error_degrees']:.1f} degrees on average"
    )


SENTENCES: dict[str, tuple[str, Callable[[Metrics], str]]] = {
    "drop_duplicates": ("section 4.1.1, duplicates", duplicates),
    "evaluate_duplicates": ("section 4.1.1, truth", truth),
    "join_faces": ("section 4.2, faces", faces),
    "evaluate_samples": ("quality of samples", quality),
    "evaluate_svm": ("Tables 1 and 2", svm),
    "select_supervised_cnn": ("Table 2, supervised CNN", supervised),
    "evaluate_neighbours": ("Table 3, nearest neighbour", neighbours),
    "draw_samples": ("Figures 2 and 3, samples", samples),
    "compare_guidelines": ("section 3, guidelines", guidelines),
    "animate_training": ("training as a moving picture", animation),
    "draw_walk": ("Figure 4, walk", walk),
    "draw_guided": ("Figure 5, guided backpropagation", guided),
    "draw_nearest": ("memorization", nearest),
    "draw_windows": ("Figure 6, windows", windows),
    "draw_arithmetic": ("Figure 7, arithmetic", arithmetic),
    "draw_turn": ("Figure 8, turn", turn),
    "fit_window_classifier": ("classifier of windows", window_classifier),
    "fit_face_classifier": ("classifier of faces", face_classifier),
}


def sentence(stage: str, metrics: Metrics) -> str:
    """What a stage's metrics say, or nothing."""
    found = SENTENCES.get(stage.split("@")[0])
    return found[1](metrics) if found else ""
