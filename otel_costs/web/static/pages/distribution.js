// What sessions cost, as a histogram, and how many there were a day by their kind.

import { useAnswer } from "../api.js";
import { Answer, Bar, html, Money, Section, Table } from "../parts.js";
import { count, money } from "../text.js";

/** How many sessions cost how much. */
export function Distribution({ query, changes }) {
  const found = useAnswer("usage", query, changes);
  return html`<${Section} title="What a session costs" isCurrent=${found.isCurrent}><${Answer} of=${found}>${data => {
    const buckets = merged(data.distribution ?? []);
    const most = Math.max(...buckets.map(one => one.count), 1);
    return html`<${Table} caption="Sessions by what they cost" rows=${buckets} empty="No session began in this period." columns=${[
      { head: "from", number: true, cell: row => money(row.from_usd) },
      { head: "below", number: true, cell: row => (row.to_usd === null ? "" : money(row.to_usd)) },
      { head: "to the most", wide: true, cell: row => html`<${Bar} share=${row.count / most} />` },
      { head: "sessions", number: true, cell: row => count(row.count) },
    ]} />`;
  }}<//><//>`;
}

/** Return the buckets of all kinds together. */
function merged(rows) {
  const found = new Map();
  for (const row of rows) {
    const before = found.get(row.from_usd);
    found.set(row.from_usd, { ...row, count: row.count + (before?.count ?? 0) });
  }
  return [...found.values()].sort((a, b) => Number(a.from_usd) - Number(b.from_usd));
}

/** Sessions of an average day, by kind, with what one costs. */
export function SessionDays({ query, changes }) {
  const found = useAnswer("usage", query, changes);
  return html`<${Section} title="An average day" isCurrent=${found.isCurrent}><${Answer} of=${found}>${data => html`
    <p><${Money} of=${data.per_day.cost_usd} /> in ${data.per_day.session_count.toLocaleString("en-US", { maximumFractionDigits: 1 })} sessions and ${data.per_day.call_count.toLocaleString("en-US", { maximumFractionDigits: 1 })} calls a day.</p>
    <${Table} caption="Sessions by kind" rows=${data.by_kind} empty="No session began in this period." columns=${[
      { head: "kind", cell: row => row.kind },
      { head: "a day", number: true, cell: row => row.sessions_per_day.toLocaleString("en-US", { maximumFractionDigits: 1 }) },
      { head: "sessions", number: true, cell: row => count(row.session_count) },
      { head: "mean", number: true, cell: row => html`<${Money} of=${row.mean_usd} />` },
      { head: "95 % up to", number: true, cell: row => html`<${Money} of=${row.p95_usd} />` },
    ]} />`}<//><//>`;
}
