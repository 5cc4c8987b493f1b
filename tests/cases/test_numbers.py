"""The list of cases is complete."""

import re
from pathlib import Path


def test_each_of_the_forty_cases_has_a_test() -> None:
    """By its number, in this folder or among the ends of processes."""
    tests = Path(__file__).parents[1]
    texts = [
        path.read_text() for path in (*(tests / "cases").glob("test_*.py"), tests / "runtime" / "test_shutdown.py")
    ]
    found = {int(number) for text in texts for number in re.findall(r"def test_case_(\d\d)_", text)}
    assert found == set(range(1, 41))
