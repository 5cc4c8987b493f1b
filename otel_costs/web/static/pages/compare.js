// Two sides beside each other: periods, models, scenarios, services, users or tags, and where the difference is.

import { useState } from "preact/hooks";
import { useAnswer } from "../api.js";
import { asked, changed, COST, go, here_with, SPLITS } from "../address.js";
import { Filters } from "../filters.js";
import { useLive } from "../live.js";
import { Answer, Card, Cards, Cost, Difference, Downloads, html, Money, Name, Section, signed, Table, Time } from "../parts.js";
import { count, counted, words } from "../text.js";

const OF = { period: "periods", model: "models", scenario: "scenarios", service: "services", user: "users", kind: "kinds of session", provider: "providers", operation: "operations", step: "steps" };
const PERIODS = ["today", "yesterday", "7d", "30d", "90d"];

/** Return what a side names: {of: "model", value: "gpt-4o"}; a period without an equals sign. */
function read(side) {
  const at = side.indexOf("=");
  const of = side.slice(0, at);
  return at > 0 && (of in OF || of.startsWith("tag.")) ? { of, value: side.slice(at + 1) } : { of: "period", value: side };
}

export function Compare({ address, titled }) {
  titled("Compare");
  const { changes } = useLive();
  const { query } = address;
  const sides = [query.get("a") ?? "", query.get("b") ?? ""];
  const by = query.get("by") || "model";
  const own = asked(query, { a: sides[0] || null, b: sides[1] || null, by });
  const found = useAnswer("compare", own, changes);
  const tags = useAnswer("tags", asked(query)).data?.tags ?? [];
  const splits = [...new Set([...SPLITS, ...tags.map(tag => `tag.${tag.name}`), by])];
  return html`<div class="head"><h1>Compare</h1><${Downloads} path="/compare" query=${own} /></div>
    <${Filters} query=${query} />
    <${Form} key=${sides.join("|")} sides=${sides} tags=${tags} query=${query} />
    <${Answer} of=${found} what="Comparing">${data => html`<div aria-busy=${found.isCurrent ? null : "true"}><${Sides} data=${data} zone=${address.zone} />
      <div class="grid">
        <${Section} title=${`By ${data.by}`} aside=${html`<label>split by <select value=${by} onChange=${event => go(here_with({ by: event.target.value }))}>${splits.map(name => html`<option value=${name} selected=${name === by}>${name}</option>`)}</select></label>`}>
          <${Table} caption=${`The difference by ${data.by}`} rows=${data.groups} empty="Nothing on either side." columns=${usd(data.by, row => (row.name === null ? counted(row.others, "other") : html`<${Name} of=${row.name} none=${`no ${data.by}`} />`))} /><//>
        <${Section} title="What it is made of"><${Table} caption="The difference by part" rows=${data.breakdown.filter(row => Number(row.a_usd) || Number(row.b_usd))} empty="Nothing has a price on either side." columns=${usd("part", row => words(row.name))} /><//>
        <${Section} title="Sessions"><${Table} caption="The difference by session" rows=${data.sessions} columns=${usd("a session", row => SESSION[row.name] ?? words(row.name))} /><//>
        <${Section} title="Tokens"><${Table} caption="The difference in tokens" rows=${data.tokens.filter(row => row.a_tokens || row.b_tokens)} empty="No tokens on either side." columns=${[
          { head: "kind", cell: row => words(row.name) },
          { head: "A", number: true, wide: true, cell: row => count(row.a_tokens) },
          { head: "B", number: true, wide: true, cell: row => count(row.b_tokens) },
          { head: "difference", number: true, cell: row => html`${row.change_tokens > 0 ? "+" : row.change_tokens < 0 ? "−" : ""}${count(Math.abs(row.change_tokens))}${row.change_share === null ? "" : html` <span class="faint">${share(row.change_share)}</span>`}` },
        ]} /><//>
      </div></div>`}<//>`;
}

const SESSION = { cost: "all together", mean: "mean", p50: "half of them up to", p95: "95 % up to" };

const share = value => (value === null ? "" : signed(value));

const amount = value => (value === null ? html`<span class="faint">not known</span>` : html`<${Money} of=${value} />`);

const side = (usd, calls, unpriced) => (calls === undefined ? amount(usd) : html`<${Cost} of=${usd} unpriced=${unpriced} calls=${calls} />`);

const usd = (head, name) => [
  { head, text: true, cell: name },
  { head: "A", number: true, cell: row => side(row.a_usd, row.a_calls, row.a_unpriced) },
  { head: "B", number: true, cell: row => side(row.b_usd, row.b_calls, row.b_unpriced) },
  { head: "difference", number: true, cell: row => html`<${Difference} of=${row.change_usd} />` },
  { head: "change", number: true, wide: true, cell: row => html`<span class="faint">${share(row.change_share)}</span>` },
];

function Sides({ data, zone }) {
  const side = (letter, one) => html`<${Card} name=${html`${letter}: <bdi>${one.name}</bdi>`} note=${html`${counted(one.call_count, "call")}, ${counted(one.sessions.count, "session")}${one.unpriced_calls ? html`, <span class="warning">${count(one.unpriced_calls)} without a price</span>` : null}
    <br />${one.since ? html`from <${Time} at=${one.since} zone=${zone} />` : "from the first call"} ${one.until ? html`until <${Time} at=${one.until} zone=${zone} />` : "until now"}`}>
    <${Money} of=${one.cost_usd} /><//>`;
  return html`<${Cards}>${side("A", data.a)}${side("B", data.b)}
    <${Card} name="Difference, B less A" note=${data.total.change_share === null ? "A is nothing" : share(data.total.change_share)}><${Difference} of=${data.total.change_usd} /><//><//>`;
}

/** What is compared; without two sides it is the period of the page and the one before. */
function Form({ sides, tags, query }) {
  const given = sides.map(read);
  const [of, choose] = useState(given[0].of);
  const values = useAnswer(of === "period" ? null : "costs", changed(asked(query), { by: of, measures: COST, limit: 100, [of]: null })).data?.costs ?? [];
  const names = of === "period" ? [...PERIODS, ...months()] : values.map(row => row[of]).filter(Boolean);
  const submit = event => {
    event.preventDefault();
    const form = new FormData(event.target);
    const written = name => (of === "period" ? form.get(name).trim() : `${of}=${form.get(name)}`);
    go(here_with({ a: written("a"), b: written("b") }));
  };
  const kept = index => (given[index].of === of ? given[index].value : "");
  return html`<form class="panel row" onSubmit=${submit}>
    <label>compare <select value=${of} onChange=${event => choose(event.target.value)}>
      ${[...Object.entries(OF), ...tags.map(tag => [`tag.${tag.name}`, `tag ${tag.name}`])].map(([name, said]) => html`<option value=${name} selected=${name === of}>${said}</option>`)}</select></label>
    <label>A <input key=${`a ${of}`} name="a" list="side-values" required=${of === "period"} autocomplete="off" defaultValue=${kept(0)} placeholder=${of === "period" ? "2026-10, 30d, 2026-11-01..2026-11-07" : ""} /></label>
    <label>B <input key=${`b ${of}`} name="b" list="side-values" required=${of === "period"} autocomplete="off" defaultValue=${kept(1)} placeholder=${of === "period" ? "2026-11" : ""} /></label>
    <datalist id="side-values">${names.map(name => html`<option value=${name} />`)}</datalist>
    <button type="submit">Compare</button>
    ${sides[0] || sides[1] ? html`<a href=${here_with({ a: null, b: null })}>This period and the one before</a>` : html`<span class="faint">Now: this period and the one before it.</span>`}
  </form>`;
}

/** Return this month and the five before, the newest first. */
function months() {
  const now = new Date();
  return [0, 1, 2, 3, 4, 5].map(back => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 7));
}
