"""Decisions have a number, a date, a state, and a row in the index."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "decisions"
INDEX = FOLDER / "README.md"
HEAD = re.compile(r"# (?P<number>[1-9]\d*)\. (?P<title>.+)\n\nDate: (?P<date>\S+) · State: (?P<state>.+)\n\n")
STATE = re.compile(r"proposed|accepted|superseded by (?P<by>[1-9]\d*)")


@dataclass(frozen=True)
class Decision:
    """What a page says at its head."""

    number: int
    title: str
    day: date
    state: str
    page: str

    @property
    def row(self) -> str:
        return f"| {self.number} | [{self.title}]({self.page}) | {self.day} | {self.state} |"


def decision(page: Path) -> Decision:
    """Read the head of a page: a number and a title, a blank line, the day and the state, a blank line."""
    head = HEAD.match(page.read_text(encoding="utf-8"))
    assert head, f"{page.name} must begin as docs/decisions/README.md says"
    return Decision(int(head["number"]), head["title"], date.fromisoformat(head["date"]), head["state"], page.name)


def decisions() -> list[Decision]:
    """Return all decisions in the order of their numbers."""
    pages = [page for page in FOLDER.glob("*.md") if page != INDEX]
    return sorted(map(decision, pages), key=lambda found: found.number)


def test_numbers_are_given_once_and_in_the_order_of_days() -> None:
    """1, 2, 3, ...: a new decision has the next number, and none is used again."""
    found = decisions()
    assert [one.number for one in found] == list(range(1, len(found) + 1)), [
        f"{one.number} {one.page}" for one in found
    ]
    days = [one.day for one in found]
    assert days == sorted(days)


def test_states() -> None:
    """A decision is proposed, accepted, or superseded by another one, which is newer."""
    found = {one.number: one for one in decisions()}
    for one in found.values():
        state = STATE.fullmatch(one.state)
        assert state, f"{one.page}: {one.state}"
        assert state["by"] is None or found[int(state["by"])].number > one.number, one.page


def test_the_index_has_them_all() -> None:
    """The table in the index has a row for each decision, as its page has it, in order, and no other."""
    rows = [line for line in INDEX.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    assert rows == [one.row for one in decisions()]
