"""docs/reliability.md has one row for each fault that a test declares, and no other."""

from tests.dag.reliability import FILE, HEADER, declared, table


def test_the_table_is_what_the_tests_declare() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text.endswith(table()), "run `make reliability`"
    assert text.count(HEADER) == 1


def test_faults_are_declared_once_by_tests() -> None:
    rows = list(declared())
    assert len({fault.what for fault, _ in rows}) == len({fault for fault, _ in rows}) > 20
    assert all(test.startswith(("test_", "case_")) for _, test in rows)
