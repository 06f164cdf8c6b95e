"""Whether all scans of a JPEG are there.

A progressive JPEG brings its coefficients in several scans: ranges of them, and of these first the upper bits. If it
ends between two scans, with an end mark behind, libjpeg-turbo makes a coarse picture of what there is and complains
about nothing.
"""

import re

SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA)  # markers of a frame; the last of each codes arithmetically
START_OF_SCAN = 0xDA
SCAN_OR_END = re.compile(rb"\xff([\xda\xd9])")  # in coefficients 0xff is followed by 0 or by a restart
COEFFICIENTS = 64
ABSENT = 16  # more bits than any coefficient lacks


def lacks_scans(encoded: bytes) -> bool:
    """Whether coefficients of any colour never come, or not all their bits; of a JPEG that can be decoded."""
    at, progressive, colours = 2, False, b""
    while (marker := encoded[at + 1]) != START_OF_SCAN:
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        if marker in SEQUENTIAL + PROGRESSIVE:
            progressive, count = marker in PROGRESSIVE, encoded[at + 9]
            colours = encoded[at + 10 : at + 10 + 3 * count : 3]
        at += 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
    if not progressive and encoded[at + 4] == len(colours):
        return False
    lacking = {colour: [ABSENT] * COEFFICIENTS for colour in colours}
    for found in SCAN_OR_END.finditer(encoded, at):
        if found[1][0] != START_OF_SCAN:
            break
        count, begin = encoded[found.start() + 4], found.start() + 5
        first, last, bits = encoded[begin + 2 * count : begin + 2 * count + 3] if progressive else (0, 63, 0)
        for colour in encoded[begin : begin + 2 * count : 2]:
            lacking[colour][first : last + 1] = [bits & 15] * (last + 1 - first)
    return any(map(any, lacking.values()))
