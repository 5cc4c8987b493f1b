"""How the files of queries/ are written, and that the check of it finds what is not so."""

import re
from pathlib import Path

import pytest

from otel_costs.store import files
from tests.store.sql_style import LINES, column_count, complaints, header

FILES = sorted(files.folder().glob("**/*.sql"))

GOOD = """\
-- One row per user.
-- Parameters: since.
-- Units: money in US dollars.
-- Source: calls.
create or replace view x as
with
    today as (
        select
            c.user_id as user_id,
            sum(c.cost_usd) as cost_usd, -- what was spent, IN ALL
            'From A, B' as note
        from calls as c final
        where c.end_time >= {since:DateTime64(3, 'UTC')}
        group by user_id
    ),
    (select max(cost_usd) from today) as most
select
    user_id,
    cost_usd / most as part
from today
where user_id in (select user_id from calls)
"""


def test_a_good_file() -> None:
    """Nothing is wrong with it; words in comments and texts are no SQL."""
    assert complaints(GOOD) == []
    assert column_count(GOOD) == 3
    assert header(GOOD)[1:3] == ["Parameters: since.", "Units: money in US dollars."]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("from calls as c", "FROM calls as c", "line 12: FROM is a keyword, in lower case"),
        ("        select\n", "        Select\n", "line 8: Select is a keyword, in lower case"),
        ("    user_id,\n    cost", "    user_id, cost", "line 18: cost_usd begins on a line of its own"),
        ("select\n    user_id,\n", "select user_id,\n", "line 17: user_id begins on a line of its own"),
        ("),\n    (select", "), (select", "line 15: ( begins on a line of its own"),
        ("select user_id from calls)", "select user_id, 1 from calls)", "line 21: user_id begins on a line of its own"),
        ("/ most as part", "/ sum(most) part", "line 19: part is named by `as`"),
        ("from calls as c final", "from calls c final", "line 12: c is named by `as`"),
        ("-- Parameters: since.", "-- Parameters: none.", "the header: Parameters names since"),
        ("        select\n", "       select\n", "line 8: indented by four, eight, ..."),
        ("as part\n", "as part \n", "line 19: white space at the end, or a tab"),
        ("from today\n", f"from today -- {'x' * 120}\n", "line 20: longer than 120"),
        ("from calls)\n", "from calls)", "the end: one line feed"),
    ],
)
def test_what_is_not_so_is_found(old: str, new: str, complaint: str) -> None:
    """By its line and with what to do."""
    assert GOOD.count(old) == 1
    assert complaint in complaints(GOOD.replace(old, new))


def test_columns_of_a_table() -> None:
    """Each on its line; brackets and commas of types do not count."""
    table = "create table if not exists x\n(\n    a Map(String, String),\n    b UInt8\n)\nengine = Null\n"
    assert complaints(table) == []
    assert column_count(table) == 2
    crowded = table.replace(",\n    b", ", b")
    assert complaints(crowded) == ["line 3: b begins on a line of its own"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_how_a_file_is_written(path: Path) -> None:
    """A column a line, keywords in lower case, and short: but for the tables that the ledger's columns are in."""
    text = path.read_text()
    assert complaints(text) == []
    beyond = column_count(text) if path.parent.name in ("tables", "pipeline") else 0
    assert len(text.splitlines()) <= LINES + beyond


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_a_file_says_of_itself(path: Path) -> None:
    """What a row is, in which units, and where it comes from; and its name is that of what it creates."""
    text = path.read_text()
    first, *rest = header(text)
    labels = {words.split(":")[0] for words in rest}
    name = re.sub(r"^\d\d_", "", path.stem)
    if path.parent.name == "access":
        assert first.startswith("The ")
    elif name == "measures":
        assert labels == {"Units"}
    elif name == "call_records":
        assert first.startswith("Keeps nothing")
    elif name.endswith("_mv"):
        assert first.startswith(("Fills ", "Marks "))
        assert labels >= {"Source"}
    else:
        assert first.startswith("GET /" if path.parent.name == "handlers" else "One row")
        assert labels >= {"Units", "Source"}
    if path.parent.name not in ("access", "queries"):
        created = files.CREATED.search(text)
        assert created is not None
        assert created[2] == name
