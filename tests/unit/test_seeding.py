"""Named generators: the same numbers on every machine and in every version, or published results were lost."""

from dcgan.core.seeding import derived_seed, numpy_generator, torch_generator


def test_a_seed_and_a_name_mean_the_same_numbers_for_ever() -> None:
    assert derived_seed(42, "generator") == 4066320429982884611
    assert numpy_generator(42, "order", 0).integers(0, 1000, 4).tolist() == [190, 204, 508, 598]
    assert torch_generator(42, "z", "g", 0).initial_seed() == 1042085512072413262


def test_every_seed_and_every_part_of_a_name_count() -> None:
    names = [(42,), (43,), (42, "z"), (42, "z", 0), (42, "z", 1), (42, "z", "g", 1), (42, "g", "z", 1)]
    assert len({derived_seed(*name) for name in names}) == len(names)
