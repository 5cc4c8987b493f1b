"""Draw what the dashboards of `grafana/` show, without Grafana: python -m docs.images.dashboards

Each panel's own query is asked of a store with two weeks of made-up calls, and its answer is drawn where the panel
stands: numbers, bars over time, tables. Fonts, colours and controls are Grafana's own business.
"""

import html
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import floor, log10
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import connect, schema
from otel_costs.store.rows import Row, rows
from tests.grafana.macros import ALL, expanded
from tests.queries.ledger import Store, call, message

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ROOT: Final = Path(__file__).resolve().parents[2]
NOW: Final = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
CELL: Final = (50, 38)  # of Grafana's grid of 24 columns, in pixels
LEFT, BELOW = 52, 26
"""Room for the values beside an axis, and for the dates below the other, in pixels."""
COLOURS: Final = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0")
CHOSEN: Final = {
    "user": [ALL],
    "scenario": [ALL],
    "model": [ALL],
    "service": [ALL],
    "kind": [ALL],
    "tag": [ALL],
    "session": ["call-7"],
}


def main() -> None:
    """Fill a store, and draw the dashboards of costs and of voice below each other."""
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/store")
        schema.apply(client)
        fill(Store(client))
        drawn, height = [], 0
        for name in ("costs", "voice"):
            dashboard = json.loads((ROOT / "grafana" / "dashboards" / f"{name}.json").read_text())
            drawn.append(f'<text x="8" y="{height + 24}" font-size="18">{dashboard["title"]}</text>')
            height += 34
            panels = [panel for panel in dashboard["panels"] if panel["gridPos"]["y"] < 24 and panel["type"] != "table"]
            drawn += [f'<g transform="translate(0 {height})">{draw(client, panel)}</g>' for panel in panels]
            height += max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * CELL[1]
        client.close()
    style = "text{fill:#ccccdc;font-family:sans-serif}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{24 * CELL[0]}" height="{height}"><style>{style}</style>'
    svg += f'<rect width="100%" height="100%" fill="#111217"/>{"".join(drawn)}</svg>\n'
    Path(__file__).with_name("dashboards.svg").write_text(svg, encoding="utf-8")


def fill(store: Store) -> None:
    """Write two weeks of calls of three kinds: chats, spoken conversations and speech."""
    random = Random(7)  # noqa: S311  # a picture that is the same each time
    records = []
    for hour in range(336):
        at = NOW - timedelta(hours=hour, minutes=20)
        daily = 1 + 4 * (7 <= at.hour <= 19)
        for _ in range(daily):
            shared = {"user": f"user-{random.randrange(14)}", "session": f"call-{hour // 3}"}
            cost = random.randrange(2, 40)
            records.append(call(at, cost=f"0.0{cost:02}", lines={"input_tokens": f"0.0{cost:02}"}, **shared,
                                otel_costs__scenario=random.choice(("support", "training"))))  # fmt: skip
            fresh, cached, out = (random.randrange(10, 60) for _ in range(3))
            lines = {"input_audio_tokens": f"0.0{fresh}", "cache_audio_read_tokens": f"0.00{cached}",
                     "output_audio_tokens": f"0.0{out}", "output_tokens": "0.004"}  # fmt: skip
            spent = (4000 + 1000 * fresh + 100 * cached + 1000 * out) / 1_000_000
            records.append(call(
                at, cost=f"{spent:.6f}", lines=lines, lasted=random.randrange(2, 9), **shared,
                gen_ai__operation__name="realtime_inference", gen_ai__response__model="gpt-realtime",
                gen_ai__response__time_to_first_chunk=f"0.{random.randrange(25, 60)}",
                otel_costs__realtime__time_to_first_audio=f"0.{random.randrange(60, 95)}", otel_costs__scenario="voice",
                gen_ai__response__finish_reasons='["turn_detected"]' if random.random() < 0.15 else '["completed"]',
                gen_ai__usage__input_tokens=1000, gen_ai__usage__cache_read__input_tokens=8 * cached,
                gen_ai__usage__audio__input_tokens=700, gen_ai__usage__output_tokens=300,
            ))  # fmt: skip
            records.append(call(at, cost="0.003", lines={"audio_seconds": "0.003"}, **shared,
                                gen_ai__operation__name="speech_to_text", gen_ai__response__model="gpt-4o-transcribe",
                                otel_costs__scenario="voice", otel_costs__usage__audio_seconds="30"))  # fmt: skip
    store.insert(*records, message(NOW, "Where is my parcel?", session="call-7"))
    store.count_sessions()


def draw(client: "Client", panel: Mapping[str, Any]) -> str:
    """Return a panel as SVG, with what its query answers."""
    place = panel["gridPos"]
    x, y, width, height = (place[side] * size for side, size in zip("xywh", CELL * 2, strict=True))
    found = rows(client, expanded(panel["targets"][0]["rawSql"], NOW - timedelta(days=7), NOW, CHOSEN))
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    inside = {"stat": number, "timeseries": bars, "table": table}[panel["type"]](found, unit, width - 8, height - 34)
    frame = f'<rect width="{width - 8}" height="{height - 8}" rx="3" fill="#181b1f" stroke="#2c3235"/>'
    title = f'<text x="8" y="18" font-size="12">{html.escape(panel["title"])}</text>'
    return f'<g transform="translate({x + 4} {y + 4})">{frame}{title}<g transform="translate(0 26)">{inside}</g></g>'


def number(found: Sequence[Row], unit: str, width: int, height: int) -> str:
    """Draw the one value of a row."""
    value = formatted(next(iter(found[0].values())), unit)
    return f'<text x="{width / 2}" y="{height / 2 + 8}" font-size="30" text-anchor="middle">{value}</text>'


def bars(found: Sequence[Row], unit: str, width: int, height: int) -> str:
    """Draw rows of time, label and value, or of time and a value per column, between axes.

    What can be added up is drawn as bars on top of each other, shares and times as points.
    """
    points = [(row["time"], *pair) for row in found for pair in _series(row)]
    labels = sorted({label for _, label, _ in points})
    adds_up = unit not in ("percentunit", "s")
    sums: dict[Any, float] = {}
    for time, _, value in points:
        sums[time] = sums.get(time, 0.0) + value if adds_up else max(sums.get(time, 0.0), value)
    most, begin = _rounded_up(max(sums.values(), default=0.0)), NOW - timedelta(days=7)
    wide, tall = width - 150 - LEFT, height - BELOW
    drawn, top = [axes(unit, most, wide, tall)], dict.fromkeys(sums, 0.0)
    for time, label, value in sorted(points, key=lambda point: point[1]):
        at = LEFT + (time - begin) / timedelta(days=7) * wide
        size, below = value / most * tall, top[time] / most * tall
        colour = COLOURS[labels.index(label) % len(COLOURS)]
        if adds_up:
            top[time] += value
            where = f'x="{at:.1f}" y="{tall - below - size:.1f}" width="3.5" height="{size:.1f}"'
        else:
            where = f'x="{at:.1f}" y="{tall - size:.1f}" width="3" height="2"'
        drawn.append(f'<rect {where} fill="{colour}"/>')
    for line, label in enumerate(labels[:10]):
        colour = COLOURS[line % len(COLOURS)]
        drawn.append(f'<rect x="{width - 140}" y="{16 * line + 2}" width="8" height="8" fill="{colour}"/>')
        drawn.append(f'<text x="{width - 128}" y="{16 * line + 10}" font-size="10">{html.escape(label)}</text>')
    return "".join(drawn)


def axes(unit: str, most: float, wide: int, tall: int) -> str:
    """Draw a line for each quarter of the most, with its value, and one for each day, with its date."""
    drawn = []
    for quarter in range(5):
        y = tall - tall * quarter / 4
        drawn.append(f'<path d="M{LEFT} {y:.1f}h{wide}" stroke="#2c3235"/>')
        value = formatted(most * quarter / 4, unit)
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 3:.1f}" font-size="9" text-anchor="end">{value}</text>')
    midnight = NOW.replace(hour=0)
    for day in range(7):
        at = LEFT + (midnight - timedelta(days=6 - day) - (NOW - timedelta(days=7))) / timedelta(days=7) * wide
        date = midnight - timedelta(days=6 - day)
        drawn.append(f'<path d="M{at:.1f} 0v{tall}" stroke="#2c3235"/>')
        drawn.append(f'<text x="{at:.1f}" y="{tall + 13}" font-size="9" text-anchor="middle">{date:%m/%d}</text>')
    return "".join(drawn)


def _rounded_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8 and 10 times a power of ten, of which quarters are easily read."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if value <= step * power)


def _series(row: Row) -> Iterator[tuple[str, float]]:
    values = [(name, value) for name, value in row.items() if name != "time"]
    texts = [value for _, value in values if isinstance(value, str)]
    for name, value in values:
        if value is not None and not isinstance(value, str):
            yield (texts[0] if texts else name, float(value))


def table(found: Sequence[Row], _: str, width: int, height: int) -> str:
    """Draw rows below the names of their columns."""
    names = list(found[0]) if found else []
    lines = [names, *([formatted(value, "") for value in row.values()] for row in found)][: height // 16]
    each = width / max(1, len(names))
    return "".join(
        f'<text x="{8 + column * each:.0f}" y="{12 + 16 * line}" font-size="10">{html.escape(str(text))[:24]}</text>'
        for line, texts in enumerate(lines)
        for column, text in enumerate(texts)
    )


def formatted(value: object, unit: str) -> str:
    """Return a value as a panel writes it."""
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if unit == "currencyUSD":
        return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"
    if unit == "percentunit":
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


if __name__ == "__main__":
    main()
