"""Claims: each holds in a world where it is true, fails where the opposite is, and stays undecided where nothing is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator
from dcgan.core.verdicts import verdict_of, verdict_of_all, verdict_of_any
from dcgan.internals.memorization import marks_of
from workflow.claims.judge import Claim, Comparison, judge, judge_all, read_registry, split
from workflow.claims.seeds import over_seeds
from workflow.claims.words import CLAIMS, count, lines, read_claims

REGISTRY = read_registry()
Array = npt.NDArray[np.float32]
World = dict[str, dict[str, Array]]
EFFECTS = {"holds": 1, "fails": -1, "undecided": 0}


def world(claim: Claim, verdict: str) -> World:
    """Outcomes in which each comparison of a claim comes out in a way."""
    files: World = {}
    for one in claim.comparisons:
        other = 0.5 if isinstance(one.other, str) else one.other
        sign = 1 if one.better == "higher" else -1
        effect = min(EFFECTS[verdict] * 0.2, 1 - other) if EFFECTS[verdict] else -one.margin
        for name, level in ((one.ours, other + sign * effect), (str(one.other), other)):
            file, array = split(name.replace("*", "rooms"))
            if file and not file.isdigit():
                files.setdefault(file, {})[array] = outcomes(one, f"{file}.{array}", level)
    return files


def outcomes(comparison: Comparison, name: str, level: float) -> Array:
    """Right and wrong of 2,000 units, numbers of as many, or of eight draws for what is measured once a training."""
    random = numpy_generator(1, name)
    if comparison.unit == "share" and not name.startswith("guidelines"):
        return np.asarray(random.permutation(2000) < level * 2000, np.float32)[None]
    shape = (8, 1) if name.startswith(("guidelines", "quality")) else (1, 2000)
    noise = random.normal(0, 0.05, shape)
    return np.asarray(level + noise - noise.mean(), np.float32)


@pytest.mark.parametrize("verdict", EFFECTS)
@pytest.mark.parametrize("claim", REGISTRY, ids=lambda claim: claim.id)
def test_a_claim_gets_the_verdict_of_its_world(claim: Claim, verdict: str) -> None:
    rows = judge(claim, world(claim, verdict), seed=1)
    assert {row["verdict"] for row in rows} == {verdict}
    assert len(rows) == len(claim.comparisons) and all(row["low"] < row["high"] for row in rows)


@pytest.mark.parametrize("claim", REGISTRY, ids=lambda claim: claim.id)
def test_a_claim_that_was_not_measured_is_not_judged(claim: Claim) -> None:
    assert {row["verdict"] for row in judge(claim, {}, seed=1)} == {"not run"}


def test_one_comparison_that_fails_or_is_missing_decides() -> None:
    claim = next(claim for claim in REGISTRY if claim.id == "features_beat_random")
    files = world(claim, "holds")
    files["svm_svhn"] = world(claim, "fails")["svm_svhn"]
    assert {row["verdict"] for row in judge(claim, files, seed=1)} == {"fails"}
    del files["svm_svhn"]
    assert {row["verdict"] for row in judge(claim, files, seed=1)} == {"not run"}


def test_every_file_of_a_pattern_is_judged_and_named() -> None:
    claim = next(claim for claim in REGISTRY if claim.id == "heads_turn")
    files = world(claim, "holds")
    files["turn_cats"] = files["turn_rooms"]
    assert [row["comparison"].rpartition(" ")[2] for row in judge(claim, files, seed=1)] == ["(cats)", "(rooms)"]


T_95, T_OF_THREE = 2.3646, 3.1276  # Student's t, seven degrees of freedom: 95 %, and 1 - 0.05 / 3


def borderline(comparisons: int, any_of: bool) -> tuple[Claim, World]:
    """Comparisons of eight trainings with t = 2.7: sure at 95 %, not at 1 - 0.05 / 3."""
    deviations = np.array([-3, -2, -1, 0, 0, 1, 2, 3])  # standard error: sqrt(28 / 7) / sqrt(8)
    ours = np.asarray(2.7 * 2 / 8**0.5 + deviations, np.float32)[:, None]
    parts = [
        Comparison(what=f"part {n}", ours="runs.ours", other="runs.other", better="higher", unit="number")
        for n in range(comparisons)
    ]
    claim = Claim(id="rule", paper="section 3", claim="It helps", any_of=any_of, comparisons=tuple(parts))
    return claim, {"runs": {"ours": ours, "other": np.zeros_like(ours)}}


@pytest.mark.parametrize(
    ("comparisons", "any_of", "t", "verdict"),
    [(3, True, T_OF_THREE, "undecided"), (1, True, T_95, "holds"), (3, False, T_95, "holds")],
)
def test_a_claim_for_which_one_of_several_comparisons_is_enough_needs_surer_ones(
    comparisons: int, any_of: bool, t: float, verdict: str
) -> None:
    rows = judge(*borderline(comparisons, any_of), seed=1)
    assert [row["verdict"] for row in rows] == [row["comparison_verdict"] for row in rows] == [verdict] * comparisons
    for row in rows:
        assert (row["low"], row["high"]) == pytest.approx([(2.7 + sign * t) * 2 / 8**0.5 for sign in (-1, 1)], abs=1e-3)


def test_every_file_of_a_pattern_counts_among_the_comparisons_of_which_one_is_enough() -> None:
    claim, files = borderline(3, any_of=True)
    parts = [one.model_copy(update={"ours": "runs_*.ours", "other": "runs_*.other"}) for one in claim.comparisons]
    arrays = {"ours": files["runs"]["ours"] + np.float32(0.7 * 2 / 8**0.5), "other": files["runs"]["other"]}  # t = 3.4
    claim = claim.model_copy(update={"comparisons": tuple(parts)})
    one_set, two_sets = ({f"runs_{name}": arrays for name in names} for names in ("a", "ab"))
    assert {row["verdict"] for row in judge(claim, one_set, seed=1)} == {"holds"}
    assert {row["verdict"] for row in judge(claim, two_sets, seed=1)} == {"undecided"}, "six: t is 3.64 at 1 - 0.05 / 6"


@pytest.mark.parametrize(("any_of", "verdict"), [(True, "undecided"), (False, "holds")])
def test_over_seeds_one_of_several_comparisons_has_to_be_surer_too(any_of: bool, verdict: str) -> None:
    claim, files = borderline(3, any_of)
    differences = files["runs"]["ours"][:, 0]
    table = pd.DataFrame(
        [row | {"seed": n, "difference": d} for n, d in enumerate(differences) for row in judge(claim, files, seed=1)]
    )
    rows = over_seeds(table)
    assert list(rows.verdict) == list(rows.comparison_verdict) == [verdict] * 3


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "margin", "verdict"),
    [
        (0.1, 0.2, True, 0.0, "holds"),
        (-0.2, -0.1, True, 0.0, "fails"),
        (-0.1, 0.2, True, 0.0, "undecided"),
        (-0.2, -0.1, False, 0.0, "holds"),
        (-0.01, 0.01, False, 0.02, "holds"),
        (0.03, 0.2, False, 0.02, "fails"),
        (0.01, 0.03, False, 0.02, "undecided"),
        (0.0, 0.0, True, 0.0, "undecided"),
    ],
)
def test_a_verdict_is_of_the_whole_interval(
    low: float, high: float, higher_is_better: bool, margin: float, verdict: str
) -> None:
    assert verdict_of(low, high, higher_is_better=higher_is_better, margin=margin) == verdict


def test_verdicts_of_several_comparisons() -> None:
    assert verdict_of_all(["holds", "undecided"]) == "undecided" and verdict_of_all(["holds"]) == "holds"
    assert verdict_of_all(["not run", "undecided"]) == "not run" and verdict_of_all(["not run", "fails"]) == "fails"
    assert verdict_of_any(["not run", "holds"]) == "holds" and verdict_of_any(["fails", "holds"]) == "undecided"
    assert verdict_of_any(["fails", "undecided"]) == "undecided"
    assert verdict_of_any(["fails", "fails"]) == "fails" and verdict_of_any(["not run", "fails"]) == "not run"


@pytest.fixture
def table(tmp_path: Path) -> Callable[[World], pd.DataFrame]:
    def write(files: World) -> pd.DataFrame:
        pd.DataFrame(judge_all(REGISTRY, files, seed=1)).to_csv(tmp_path / CLAIMS.name, index=False)
        return read_claims(tmp_path / CLAIMS.name)

    return write


def test_lines_say_what_was_compared_and_how_sure_it_is(table: Callable[[World], pd.DataFrame]) -> None:
    right = np.asarray(np.arange(1000) < 900, np.float32)[None]
    files = {"turn_faces": {"turned": right, "random_direction": 1 - right}}
    found = lines(table(files))
    ids = [claim.id for claim in REGISTRY if claim.id != "heads_turn"]
    assert [one.id for one in found] == ["heads_turn", *ids], "in the paper's order, what was not run last"
    turned = next(one for one in found if one.id == "heads_turn")
    assert turned.verdict == "holds" and turned.paper == "Figure 8"
    assert turned.comparisons[0].startswith(
        "steady turns against random directions (faces): 90.0 % against 10.0 %, diff"
    )
    assert count(found) == f"1 hold, 0 fail, 0 undecided, {len(REGISTRY) - 1} not run"


def test_the_comparison_that_decides_comes_first(table: Callable[[World], pd.DataFrame]) -> None:
    claim = next(claim for claim in REGISTRY if claim.id == "features_beat_random")
    files = world(claim, "holds") | {"svm_svhn": world(claim, "undecided")["svm_svhn"]}
    line = next(one for one in lines(table(files)) if one.id == claim.id)
    assert line.verdict == "undecided" and line.comparisons[0].startswith("Table 2: ")


def test_of_several_that_decide_the_nearest_to_its_margin_comes_first(table: Callable[[World], pd.DataFrame]) -> None:
    """Measured in widths of intervals: 4, 1 and 2 of these."""
    claim = next(claim for claim in REGISTRY if claim.id == "features_beat_random")
    rows = table(world(claim, "holds"))
    rows = rows[rows.id == claim.id].assign(difference=[0.4, 0.2, 0.2], low=[0.35, 0.1, 0.15], high=[0.45, 0.3, 0.25])
    (found,) = lines(rows)
    assert [text.partition(":")[0] for text in found.comparisons] == [
        "Table 1, few labels",
        "Table 2",
        "Table 1, all labels",
    ]


def test_nearness_to_a_margin_is_on_the_side_where_ours_has_to_be(table: Callable[[World], pd.DataFrame]) -> None:
    """Copies may be two points more: one point more is half an interval from that, two points fewer are one."""
    claim = next(claim for claim in REGISTRY if claim.id == "no_memorization")
    rows = table(world(claim, "holds"))
    rows = rows[rows.id == claim.id].assign(
        difference=[-0.022, 0.01, -0.15], low=[-0.042, 0.002, -0.2], high=[-0.002, 0.018, -0.1]
    )
    (found,) = lines(rows)
    assert [text.partition(" (")[0] for text in found.comparisons] == ["close copies", "copies", "distorted copies"]


def test_one_value_alone_decides_nothing(table: Callable[[World], pd.DataFrame]) -> None:
    """As of one walk, or of one seed of the guidelines."""
    walks = {name: np.full((1, 1), value, np.float32) for name, value in (("walk", 2), ("memorized", 4))}
    found = next(one for one in lines(table({"walk_rooms": walks})) if one.id == "walk_smooth")
    assert found.verdict == "not run", "the other comparison is missing"
    walks["largest_share"] = np.full((1, 1), 0.3, np.float32)
    found = next(one for one in lines(table({"walk_rooms": walks})) if one.id == "walk_smooth")
    assert found.verdict == "undecided"
    assert found.comparisons[0] == "largest over mean step (rooms): 2 against 4, one value, which has no interval"


def ratios(copies: int, ratio: float = 0.0, samples: int = 500, held_out: int = 500) -> World:
    """Outcomes of draw_nearest for a generator that repeats training images in some samples.

    Others differ more than real images do, of which three in a hundred have a near-duplicate left in the set.
    """
    random = numpy_generator(copies, "ratios")
    real, honest = random.normal(0.8, 0.1, held_out), random.normal(0.95, 0.1, samples)
    real[random.permutation(held_out)[: held_out * 3 // 100]] = 0.1
    honest[:copies] = ratio + random.uniform(0, 0.05, copies)
    found = {"copied": honest, "copied_real": real}
    marks = marks_of(found, 0.05)
    return {"nearest_rooms": {name: np.asarray(values, np.float32)[None] for name, values in marks.items()}}


@pytest.mark.parametrize(
    ("copies", "ratio", "verdicts"),
    [
        (0, 0, {"holds"}),
        (25, 0, {"undecided", "fails"}),
        (50, 0, {"fails"}),
        (150, 0, {"fails"}),
        (
            150,
            0.6,
            {"undecided", "fails"},
        ),  # blurred: nearer to one image than honest samples are, farther than most copies
        (500, 0.6, {"fails"}),
    ],
)
def test_no_memorization_does_not_hold_for_a_generator_that_repeats_images(
    copies: int, ratio: float, verdicts: set[str]
) -> None:
    claim = next(claim for claim in REGISTRY if claim.id == "no_memorization")
    assert {row["verdict"] for row in judge(claim, ratios(copies, ratio), seed=1)} <= verdicts


def test_a_table_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"claims\.csv: not a readable table of claims"):
        read_claims(tmp_path / "claims.csv")
