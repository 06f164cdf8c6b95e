"""Exemplars of a concept among samples, and whether an image shows it: for arithmetic and for the turn vector.

Paper: section 6.3.2: three (Figure 7) or four (Figure 8) samples per concept, chosen by eye. Here a classifier chooses;
without one a person does, and a concept is a name, such as "man with glasses". Inputs: a classifier's answers
(N, attributes + 1): probabilities, then the pose in degrees. A concept is a mapping from attribute to 0 or 1, such as
{"glasses": 1, "long_hair": 0}; attributes that it does not name are left open. Outputs: numbers of samples; shares.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError

THRESHOLD = 0.5  # an attribute of a higher probability counts as shown
Floats = npt.NDArray[np.float32]
Concept = Mapping[str, Literal[0, 1]]
Numbers = npt.NDArray[np.int64]
LEFT, RIGHT = "looking left", "looking right"  # names of the two ends of the turn vector, for exemplars by hand


def confidence(answers: Floats, attributes: Sequence[str], concept: Concept) -> Floats:
    """How surely each image shows the concept: the least of the probabilities of its attributes, (N,)."""
    unknown = [name for name in concept if name not in attributes]
    if unknown:
        raise InputError(f"{', '.join(unknown)}: the classifier knows only {', '.join(attributes)}")
    probabilities = [
        answers[:, attributes.index(name)] if value else 1 - answers[:, attributes.index(name)]
        for name, value in concept.items()
    ]
    least: Floats = np.min(probabilities, axis=0)
    return least


def shows(answers: Floats, attributes: Sequence[str], concept: Concept) -> npt.NDArray[np.bool_]:
    """Which images show all the concept's attributes: (N,)."""
    shown: npt.NDArray[np.bool_] = confidence(answers, attributes, concept) > THRESHOLD
    return shown


def as_attributes(concept: Concept | str) -> Concept:
    """The attributes of a concept; raises InputError for a name, which means nothing to a classifier."""
    if isinstance(concept, str):
        raise InputError(f"{concept!r} is a name; a classifier needs attributes such as {{smile: 1}}")
    return concept


def most_typical(score: Floats, n: int) -> Numbers:
    """The n images with the highest score, highest first; ties go to the lower number."""
    return np.argsort(-score, kind="stable")[:n]


def expected(plus: Concept, minus: Concept, other: Concept) -> dict[str, Literal[0, 1]]:
    """What plus - minus + other should show; raises InputError if that is neither 0 nor 1 for an attribute."""
    result: dict[str, Literal[0, 1]] = {}
    if open_names := (plus.keys() | minus.keys() | other.keys()) - (plus.keys() & minus.keys() & other.keys()):
        raise InputError(f"{', '.join(sorted(open_names))}: all three concepts of a sum must name the same attributes")
    for name in plus:
        value = plus[name] - minus[name] + other[name]
        if value not in (0, 1):
            raise InputError(f"{name}: {plus[name]} - {minus[name]} + {other[name]} is neither 0 nor 1")
        result[name] = 1 if value else 0
    return result


def describe(concept: Concept | str) -> str:
    """A concept in words, "glasses, no smile", or the name that it has."""
    if isinstance(concept, str):
        return concept
    return ", ".join(f"{'' if value else 'no '}{name.replace('_', ' ')}" for name, value in concept.items())
