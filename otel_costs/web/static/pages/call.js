// One call: its lines, quantity by rate, its price and where that is from, its revisions, and all else that is known.

import { useAnswer } from "../api.js";
import { Answer, Card, Cards, Downloads, html, Money, Name, Section, Table, Time, To } from "../parts.js";
import { page } from "../address.js";
import { TRACE_URL } from "../settings.js";
import { count, exact, took, words } from "../text.js";

/** What is shown above all else, or is of no use to a reader. */
const SHOWN = new Set([
  "call_id", "session_id", "user_id", "operation", "provider", "model", "cost_usd", "cost_status", "cost_reason", "cost_lines", "lines", "revisions", "start_time", "end_time",
  "duration_s", "error_type", "tags", "price_id", "price_book", "trace_id", "span_id", "kind", "scenario", "step", "service", "time_to_first_audio_s", "time_to_first_chunk_s",
  "cost_unknown",
]);

export function Call({ id, address, titled }) {
  titled(`Call ${id.slice(0, 8)}`);
  const session = address.query.get("session");
  const query = session === null ? null : new URLSearchParams({ session });
  const found = useAnswer(`calls/${encodeURIComponent(id.toWellFormed())}`, query);
  return html`<div class="head"><h1><span class="faint">Call</span> <bdi>${id}</bdi></h1><${Downloads} path=${page("calls", id)} query=${query} /></div>
    <${Answer} of=${found}>${call => html`
      <${Cards}>
        <${Card} name="Cost" note=${call.cost_usd === null ? words(call.cost_reason || "no reason is known") : call.cost_status}><${Money} of=${call.cost_usd} whole=${true} /><//>
        <${Card} name="Model" note=${call.provider}><${To} kind="models" id=${[call.provider, call.model]} none="no model" /><//>
        <${Card} name="Operation" note=${call.step ? `step ${call.step}` : ""}>${words(call.operation)}<//>
        <${Card} name="Took" note=${first(call)}>${call.duration_s === null ? "–" : took(call.duration_s)}<//>
      <//>
      <${Section} title="What it is made of"><${CallFacts} call=${call} zone=${address.zone} /><//>
      <${Section} title="Revisions"><${Revisions} call=${call} zone=${address.zone} /><//>
      <${Section} title="Whose it is, and what it used"><${Rest} call=${call} zone=${address.zone} /><//>`}<//>`;
}

function first(call) {
  if (call.time_to_first_audio_s !== null && call.time_to_first_audio_s !== undefined) return `first sound after ${took(call.time_to_first_audio_s)}`;
  if (call.time_to_first_chunk_s !== null && call.time_to_first_chunk_s !== undefined) return `first words after ${took(call.time_to_first_chunk_s)}`;
  return "";
}

/** The lines of a call's cost, and what explains it. */
export function CallFacts({ call, zone }) {
  const facts = [
    ["ended", html`<${Time} at=${call.end_time} zone=${zone} seconds=${true} />`],
    ["took", call.duration_s === null ? "" : took(call.duration_s)],
    ["first answer", first(call).replace(/^first (sound|words) /, "$1 ")],
    ["operation", words(call.operation)],
    ["step", call.step && html`<bdi>${call.step}</bdi>`],
    ["service", call.service && html`<bdi>${call.service}</bdi>`],
    ["failed", call.error_type && html`<span class="warning"><bdi>${call.error_type}</bdi></span>`],
    ["cost", call.cost_status === "priced" ? "" : html`<span class="warning">${call.cost_status}: ${words(call.cost_reason || "no reason is known")}</span>`],
    ["not accounted for", call.cost_unknown?.length && html`<bdi>${[].concat(call.cost_unknown).join(", ")}</bdi>`],
    ["price", call.price_id && html`<bdi>${call.price_id}</bdi>`],
    ["of", call.price_book && html`<bdi>${call.price_book}</bdi>`],
    ["trace", call.trace_id && !/^0*$/.test(call.trace_id) && html`<${Trace} id=${call.trace_id} />`],
  ].filter(([, value]) => value);
  return html`<${Table} caption=${`Lines of the cost of call ${call.call_id.slice(0, 8)}`} empty="It has no lines: nothing of it has a price." rows=${call.lines} columns=${[
      { head: "line", cell: line => words(line.unit) },
      { head: "quantity", number: true, cell: line => (line.quantity === null ? "" : count(line.quantity)) },
      { head: "rate", number: true, cell: line => (line.rate_usd === null ? "" : html`${exact(line.rate_usd)} per ${count(line.per)}${line.multiplier && Number(line.multiplier) !== 1 ? ` × ${line.multiplier}` : ""}`) },
      { head: "amount", number: true, cell: line => html`<${Money} of=${line.amount_usd} whole=${true} />` },
    ]} />
    <dl class="known">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A trace by its id: a link where it is configured where traces can be seen. */
const Trace = ({ id }) =>
  TRACE_URL ? html`<a href=${TRACE_URL.replace("{trace_id}", id)} target="_blank" rel="noopener noreferrer" data-outside>${id}</a>` : html`<code>${id}</code>`;

function Revisions({ call, zone }) {
  return html`<${Table} caption="Revisions" rows=${call.revisions ?? []} empty="It was recorded once." columns=${[
    { head: "recorded", cell: row => html`<${Time} at=${row.recorded_at} zone=${zone} seconds=${true} />` },
    { head: "status", cell: row => html`${row.cost_status}${row.cost_reason ? html` <span class="faint">${words(row.cost_reason)}</span>` : null}` },
    { head: "price", wide: true, text: true, cell: row => html`<bdi title=${row.price_id}>${row.price_id}</bdi>` },
    { head: "cost", number: true, cell: row => html`<${Money} of=${row.cost_usd} whole=${true} />` },
  ]} />`;
}

/** What is counted of a call, beside its lines. */
const isCount = name => /(_tokens|_seconds|_characters|_count)$/.test(name) || ["images", "characters", "web_searches"].includes(name);

function Rest({ call, zone }) {
  const whose = [
    ["session", call.session_id && html`<${To} kind="sessions" id=${call.session_id} />`],
    ["user", call.user_id && html`<${To} kind="users" id=${call.user_id} />`],
    ["kind", call.kind], ["scenario", call.scenario && html`<${To} kind="scenarios" id=${call.scenario} />`],
    ["began", html`<${Time} at=${call.start_time} zone=${zone} seconds=${true} />`],
    ...Object.entries(call.tags ?? {}).map(([name, value]) => [name, html`<bdi>${value}</bdi>`]),
  ];
  const others = Object.entries(call).filter(([name, value]) => !SHOWN.has(name) && isKnown(value));
  const counts = others.filter(([name, value]) => isCount(name) && Number(value) > 0).map(([name, value]) => [words(name), count(value)]);
  return html`<${Known} of=${[...whose, ...counts]} />
    <details><summary>As SQL has it: the other columns of <code>calls</code></summary>
      <${Known} of=${others.filter(([name]) => !isCount(name)).map(([name, value]) => [html`<code>${name}</code>`, html`<bdi>${written(value)}</bdi>`])} /></details>`;
}

const Known = ({ of }) => html`<dl class="known">${of.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${typeof name === "string" ? html`<${Name} of=${name} none="no name" />` : name}</dt><dd>${value}</dd></div>`)}</dl>`;

const isKnown = value => value !== null && value !== "" && value !== undefined && !(Array.isArray(value) && !value.length) && !(typeof value === "object" && !Object.keys(value).length);

const written = value => (typeof value === "object" ? JSON.stringify(value) : String(value));
