"""Random generators: each purpose has numbers of its own, and every bit of a key counts."""

import numpy as np
import torch

from dcgan.core.seeding import MERSENNE_WORDS, derived_seed, mersenne_state, numpy_generator, torch_generator

MINIBATCHES = 1_000_000


def test_a_purpose_has_the_same_numbers_every_time_and_no_other_has_them() -> None:
    first, again, other = (torch.rand(8, generator=torch_generator(7, *names)) for names in ("ab", "ab", "ac"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not np.array_equal(numpy_generator(7, "a").random(8), numpy_generator(8, "a").random(8))


def test_no_two_minibatches_of_a_long_run_and_no_two_networks_share_a_stream() -> None:
    """What draws z: the network's seed, the role that the minibatch updates, and its number."""
    keys = {
        derived_seed(seed, "z", role, number)
        for seed in [derived_seed(42, "train", network) for network in ("bedrooms", "faces")]
        for role in ("g", "d")
        for number in range(MINIBATCHES // 2)
    }
    assert len(keys) == 2 * MINIBATCHES
    assert len({key % 2**32 for key in keys}) < len(keys)  # 32 bits of them would repeat


def test_keys_that_agree_in_their_low_32_bits_give_other_numbers() -> None:
    blank = np.zeros(5056, np.uint8)
    words = [mersenne_state(key, blank)[24:].tobytes() for key in (5, 5 + 2**32, 5 + 2**40)]
    assert len(set(words)) == 3


def test_torch_draws_what_a_mersenne_twister_of_that_state_draws() -> None:
    """Against numpy's own: a layout of the state that PyTorch changes would show here."""
    twister = np.random.MT19937()
    words = np.random.SeedSequence(derived_seed(3, "z", 11)).generate_state(MERSENNE_WORDS)
    twister.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": MERSENNE_WORDS}}
    expected = (twister.random_raw(2000) & 0xFFFFFF).astype(np.float32) / 2**24
    assert np.array_equal(torch.rand(2000, generator=torch_generator(3, "z", 11)).numpy(), expected)


def test_normal_numbers_are_normal() -> None:
    z = torch.empty(200_000).normal_(generator=torch_generator(1, "z"))
    assert abs(float(z.mean())) < 0.01 and abs(float(z.std()) - 1) < 0.01


def test_a_seed_and_a_name_mean_the_same_numbers_in_every_version() -> None:
    """Or the published numbers could not be had again."""
    assert derived_seed(42, "generator") == 4066320429982884611
    assert numpy_generator(42, "order", 0).integers(0, 1000, 4).tolist() == [190, 204, 508, 598]
    assert torch.randint(0, 1000, (4,), generator=torch_generator(42, "z", "g", 0)).tolist() == [515, 570, 368, 552]
