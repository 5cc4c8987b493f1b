// Costs over time, one bar for each piece of it, stacked by what they are split by.

import { useEffect, useRef, useState } from "preact/hooks";
import { html, Money, Name } from "./parts.js";
import { counted, money } from "./text.js";

const HEIGHT = 260;
const DAY_MS = 86400000;
const PIECES = { hour: 2.5, day: 190 }; // days, up to which a period is drawn by hours, and by days
const COLOURS = 10;

const UNITS = { h: 1 / 24, d: 1, w: 7 }; // days
const LENGTH = /^(\d{1,6})([hdw])$/;
const MONTH = /^\d{4}-\d{2}$/;

/** Return by what pieces of time a period is split, hour, day or month; null where only its bounds, which `summary` has, would tell. */
export function pieceOf(query, summary) {
  const range = query.get("range") ?? "";
  const [, number, unit] = LENGTH.exec(range) ?? [];
  if (number) return split(number * UNITS[unit]);
  if (MONTH.test(range)) return "day";
  if (range === "today" || range === "yesterday") return "hour";
  if (!summary) return null;
  return summary.since ? split((new Date(summary.until ?? Date.now()) - new Date(summary.since)) / DAY_MS) : "day";
}

const split = days => (days <= PIECES.hour ? "hour" : days <= PIECES.day ? "day" : "month");

/** Return all pieces from the first to the last, as the API writes them, also those in which there was nothing. */
function pieces(piece, rows, since, until, dayOf) {
  const found = [...new Set(rows.map(row => row[piece]))].sort((a, b) => new Date(a) - new Date(b));
  if (!found.length) return [];
  if (piece === "hour") {
    // With its offset an hour is a moment; where there was nothing, that of the hour before holds.
    const all = [];
    for (let at = new Date(found[0]); at <= new Date(found.at(-1)); at = new Date(+at + 3600000)) {
      all.push(found.find(name => +new Date(name) === +at) ?? at.toISOString());
    }
    return all;
  }
  const first = since ? dayOf(since) : found[0];
  const last = until ? dayOf(new Date(new Date(until) - 1).toISOString()) : dayOf(new Date().toISOString());
  const all = [];
  if (piece === "month") {
    let [year, month] = (first < found[0] ? first : found[0]).split("-").map(Number);
    for (let name = ""; name < last.slice(0, 7) && all.length < 1200; month += 1) {
      if (month > 12) [year, month] = [year + 1, 1];
      all.push((name = `${year}-${String(month).padStart(2, "0")}`));
    }
    return all.length ? all : found;
  }
  for (let at = Date.parse(first < found[0] ? first : found[0]); at <= Date.parse(last) && all.length < 4000; at += DAY_MS) {
    all.push(new Date(at).toISOString().slice(0, 10));
  }
  return all;
}

const label = (piece, name) => (piece === "hour" ? name.slice(5, 16).replace("T", " ") : piece === "day" ? name.slice(5) : name);

/** Return the range that is asked for when some pieces are chosen. */
function chosen(piece, first, last) {
  if (piece !== "hour") return first === last ? first : `${first}..${last}`;
  return `${new Date(first).toISOString()}..${new Date(+new Date(last) + 3600000).toISOString()}`;
}

/**
 * The chart. `rows` are costs by a piece of time and by `by`; `zoom` is called with a range that was dragged over.
 *
 * `link` gives the address that shows one group alone. The figures are floats here: they are drawn, and nothing else.
 */
export function Trend({ rows, piece, by, since, until, dayOf, link, zoom }) {
  const box = useRef(null);
  const [pointed, point] = useState(null);
  const names = pieces(piece, rows, since, until, dayOf);
  const place = new Map(names.map((name, index) => [name, index]));
  const groups = grouped(rows, by);
  const at = name => place.get(name) ?? names.findIndex(one => +new Date(one) === +new Date(name));
  const bars = groups.map(group => {
    const values = new Array(names.length).fill(0);
    for (const row of group.rows) if (at(row[piece]) >= 0) values[at(row[piece])] += Number(row.cost_usd);
    return values;
  });
  const drawn = JSON.stringify([names, groups.map(group => group.name), bars]);
  const scheme = useScheme();

  useEffect(() => {
    if (!names.length || !box.current) return undefined;
    return draw(box.current, { names, piece, bars, point, zoom: (first, last) => zoom(chosen(piece, names[first], names[last])) });
  }, [drawn, scheme]);

  if (!names.length) return html`<p class="faint">Nothing in this period.</p>`;
  const shown = pointed !== null && pointed < names.length ? pointed : null;
  return html`<div class="trend">
    <div class="plot" ref=${box} role="img" aria-label=${`Bars of cost by ${piece}, split by ${by}. The same figures are in the table below.`}></div>
    <p class="pointed faint" aria-hidden="true">${shown === null
      ? "Drag over bars to see that time alone."
      : html`<b>${label(piece, names[shown])}</b> ${money(total(bars, shown))}${dearest(groups, bars, shown).map(([name, value]) => html` · <${Name} of=${name} none=${`no ${by}`} /> ${money(value)}`)}`}</p>
    <ul class="legend" aria-label=${`Split by ${by}`}>${groups.map((group, index) => html`<li key=${String(group.name)}>
      <i class=${`dot colour-${index % COLOURS}`}></i>${group.name === null
        ? counted(group.others, "other")
        : html`<a href=${link(group.name)} title="Show this alone"><${Name} of=${group.name} none=${`no ${by}`} /></a>`}</li>`)}</ul>
    <details><summary>The same as a table</summary><div class="scroll" role="region" aria-label="Costs over time" tabindex="0"><table>
      <thead><tr><th scope="col">${piece}</th><th scope="col">${by}</th><th scope="col" class="number">cost</th></tr></thead>
      <tbody>${rows.map(row => html`<tr><td>${row[piece]}</td><td>${row[by] === null ? counted(row.others, "other") : html`<${Name} of=${row[by]} none=${`no ${by}`} />`}</td><td class="number"><${Money} of=${row.cost_usd} /></td></tr>`)}</tbody>
    </table></div></details>
  </div>`;
}

function grouped(rows, by) {
  const found = new Map();
  for (const row of rows) {
    const name = row[by] ?? null;
    if (!found.has(name)) found.set(name, { name, rows: [], cost: 0, others: 0 });
    const group = found.get(name);
    group.rows.push(row);
    group.cost += Number(row.cost_usd);
    group.others = Math.max(group.others, row.others ?? 0);
  }
  return [...found.values()].sort((a, b) => (a.name === null) - (b.name === null) || b.cost - a.cost);
}

const total = (bars, index) => bars.reduce((sum, values) => sum + values[index], 0);

const dearest = (groups, bars, index) =>
  groups.map((group, number) => [group.name ?? "others", bars[number][index]]).filter(([, value]) => value).sort((a, b) => b[1] - a[1]).slice(0, 4);

function draw(box, { names, piece, bars, point, zoom }) {
  const faint = colour(box, "--faint");
  const line = colour(box, "--line");
  const colours = bars.map((_, index) => colour(box, `--colour-${index % COLOURS}`));
  // The first group stands at the bottom: what is drawn first is the sum of all, and others are drawn over it.
  const piled = bars.map((_, index) => names.map((__, x) => bars.slice(0, index + 1).reduce((sum, values) => sum + values[x], 0)));
  const order = bars.map((_, index) => index).reverse();
  const made = new uPlot(
    {
      width: box.clientWidth || 320,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false } },
      scales: { x: { time: false, range: [-0.6, names.length - 0.4] }, y: { range: (_, __, most) => [0, most * 1.05 || 1] } },
      axes: [
        { stroke: faint, grid: { show: false }, ticks: { stroke: line }, incrs: [1, 2, 5, 7, 10, 14, 20, 30, 50, 100, 200, 500], values: (_, at) => at.map(x => (Number.isInteger(x) && names[x] ? label(piece, names[x]) : "")) },
        { stroke: faint, size: 64, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (_, at) => at.map(value => `$${+value.toPrecision(3)}`) },
      ],
      series: [{}, ...order.map(index => ({ fill: colours[index], width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.82, 56] }) }))],
      hooks: {
        setCursor: [plot => point(plot.cursor.idx ?? null)],
        setSelect: [
          plot => {
            if (plot.select.width < 8) return;
            const place = x => Math.max(0, Math.min(names.length - 1, Math.round(plot.posToVal(x, "x"))));
            zoom(place(plot.select.left), place(plot.select.left + plot.select.width));
          },
        ],
      },
    },
    [names.map((_, index) => index), ...order.map(index => piled[index])],
    box,
  );
  const watching = new ResizeObserver(() => box.clientWidth && made.setSize({ width: box.clientWidth, height: HEIGHT }));
  watching.observe(box);
  return () => {
    watching.disconnect();
    made.destroy();
  };
}

/** Return a colour of the style sheet as a canvas knows it: that of the scheme in force. */
function colour(box, name) {
  box.style.color = `var(${name})`;
  const found = getComputedStyle(box).color;
  box.style.color = "";
  return found;
}

function useScheme() {
  const [dark, set] = useState(matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const listener = () => set(query.matches);
    query.addEventListener("change", listener);
    return () => query.removeEventListener("change", listener);
  }, []);
  return dark;
}

