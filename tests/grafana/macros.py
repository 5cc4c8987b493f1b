"""What Grafana and its ClickHouse plugin make of the SQL of a panel before they send it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

ALL: Final = "$__all"

_QUOTED: Final = re.compile(r"\$\{(\w+):singlequote\}")
_FORMAT: Final = "%Y-%m-%d %H:%M:%S"


def expanded(sql: str, since: datetime, until: datetime, variables: Mapping[str, list[str]]) -> str:
    """Return the statement as it reaches ClickHouse: macros and variables filled, `$__all` where all are chosen."""
    sql = _conditional(sql, variables)
    sql = _QUOTED.sub(lambda found: ", ".join(map(_quoted, variables[found[1]])), sql)
    begin, end = (f"toDateTime({int(moment.timestamp())})" for moment in (since, until))
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= {begin} AND \1 <= {end}", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 3600 second)", sql)
    sql = sql.replace("$__fromTime", begin).replace("$__toTime", end)
    if unknown := re.findall(r"\$\{?\w+", sql):
        raise ValueError(f"{unknown} is not replaced in {sql}")
    return sql


def _conditional(sql: str, variables: Mapping[str, list[str]]) -> str:
    """Replace each `$__conditionalAll(condition, $variable)` by its condition, or by 1=1 where all are chosen."""
    while (start := sql.find("$__conditionalAll(")) >= 0:
        opened = start + len("$__conditionalAll(")
        end = _closing(sql, opened)
        condition, _, name = sql[opened:end].rpartition(",")
        chosen = variables[name.strip().removeprefix("$")]
        sql = sql[:start] + ("1=1" if chosen == [ALL] else condition) + sql[end + 1 :]
    return sql


def _closing(sql: str, start: int) -> int:
    depth = 1
    for position in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[position], 0)
        if not depth:
            return position
    raise ValueError(f"no ) in {sql}")


def _quoted(value: str) -> str:
    # As Grafana's `singlequote`, which ClickHouse reads so too.
    return "'" + value.replace("'", "\\'") + "'"
