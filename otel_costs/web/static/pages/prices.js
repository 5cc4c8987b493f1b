// The prices in force, rate by rate: since when, from where, and which of several wins; and what lacks a price.

import { useAnswer } from "../api.js";
import { asked, changed, go, here_with, href, page } from "../address.js";
import { useLive } from "../live.js";
import { Answer, Copy, Downloads, html, Money, Name, Section, Table, Time } from "../parts.js";
import { Reasons } from "../reasons.js";
import { count, counted, day, words } from "../text.js";
import { Contracts } from "./contracts.js";

const ROWS = 100;

export function Prices({ address, titled }) {
  titled("Prices");
  const { query } = address;
  const own = changed(new URLSearchParams(), { provider: query.get("provider") || null, model: query.get("model") || null });
  const rows = Math.min(50000, Number(query.get("rows")) || ROWS);
  const found = useAnswer("prices", changed(own, { limit: rows }));
  const search = event => {
    event.preventDefault();
    const given = new FormData(event.target);
    go(here_with({ model: given.get("model").trim() || null, provider: given.get("provider").trim() || null, rows: null }));
  };
  return html`<div class="head"><h1>Prices</h1><${Downloads} path="/prices" query=${own} /></div>
    <${Section} title="The table in force" isCurrent=${found.isCurrent}>
      <form role="search" class="row" onSubmit=${search} key=${own.toString()}>
        <label>model <input type="search" name="model" defaultValue=${query.get("model") ?? ""} placeholder="gpt-4o" autocomplete="off" /></label>
        <label>provider <input type="search" name="provider" defaultValue=${query.get("provider") ?? ""} placeholder="openai" autocomplete="off" /></label>
        <button type="submit">Search</button>${own.size ? html`<a href=${here_with({ model: null, provider: null, rows: null })}>Show all</a>` : null}</form>
      <${Answer} of=${found}>${data => html`<${Sources} of=${data} zone=${address.zone} />
        <${Table} caption="Prices in force" empty="No price matches." rows=${data.prices} columns=${columns(address.zone)} />
        <div class="row"><span class="faint">${data.more ? `The first ${count(data.prices.length)} rates.` : `${counted(data.prices.length, "rate")}.`}</span>
        ${data.more && html`<a href=${here_with({ rows: rows * 4 })}>Show more</a>`}</div>`}<//>
    <//>
    <${Contracts} query=${query} zone=${address.zone} />
    <${Unpriced} query=${query} zone=${address.zone} />`;
}

function Sources({ of, zone }) {
  return html`<p class="faint">Version <bdi>${of.version}</bdi>. Where several sources have a price for a model, the first of these wins:</p>
    <ol class="points">${of.sources.map(one => html`<li key=${one.name}><bdi>${one.name}</bdi>, version <bdi>${one.version}</bdi>${one.fetched_at ? html`, fetched <${Time} at=${one.fetched_at} zone=${zone} />` : null}</li>`)}</ol>`;
}

const columns = zone => [
  { head: "model", text: true, cell: row => html`<span title=${row.model}><${Name} of=${row.model} none="any model" /></span>` },
  { head: "provider", text: true, wide: true, cell: row => html`<bdi title=${row.provider}>${row.provider}</bdi>` },
  { head: "unit", cell: row => html`<span class="whole">${words(row.unit)}</span>` },
  { head: "rate", number: true, cell: row => (row.rate_usd === null ? html`<span class="faint">none</span>` : html`<${Money} of=${row.rate_usd} /> ${per(row)}`) },
  { head: "holds", wide: true, cell: row => html`${row.start ? html`since <span title=${row.start}>${day(row.start, zone)} <small>${zone}</small></span>` : row.end ? "" : "always"}${row.end ? html` until <span title=${row.end}>${day(row.end, zone)} <small>${zone}</small></span>` : ""}` },
  { head: "when", text: true, wide: true, cell: row => html`<bdi title=${row.condition}>${row.condition}</bdi>` },
  { head: "from", text: true, wide: true, cell: row => html`<bdi title=${row.source}>${row.source}</bdi>${row.checked ? html` <small>checked ${row.checked}</small>` : null}` },
  { head: "in use", cell: wins },
];

function per({ per: number, multiplier }) {
  return html`<span class="faint">${number === 1 ? "each" : number === null ? "" : `per ${count(number)}`}${multiplier === "1" ? "" : ` × ${multiplier}`}</span>`;
}

function wins(row) {
  if (row.wins === true) return html`<span class="good">yes</span>`;
  if (row.wins === null) return html`<span class="faint" title="It depends on the call, or on which of several models is meant.">it depends</span>`;
  return row.winner ? html`no: <bdi title=${row.winner}>${row.winner}</bdi>` : html`<span class="faint">no</span>`;
}

/** The models that have calls without a price, each with what is to be written into a price file. */
function Unpriced({ query, zone }) {
  const { changes } = useLive();
  const hasPeriod = ["range", "from", "to"].some(name => query.has(name));
  const own = changed(asked(query, hasPeriod ? {} : { range: "90d" }), { model: null, provider: null });
  const found = useAnswer("prices/missing", own, changes);
  return html`<${Section} title="Models that lack a price" isCurrent=${found.isCurrent}><${Answer} of=${found} what="Looking for calls without a price">${data =>
    data.missing.length ? data.missing.map(one => html`<${Lacking} key=${`${one.provider} ${one.model}`} of=${one} zone=${zone} />`)
      : html`<p class="good">None: every call of this period has a price.</p>`}<//><//>`;
}

function Lacking({ of, zone }) {
  return html`<details class="lacking"><summary><bdi>${of.provider}</bdi> <b><bdi>${of.model || "(no model)"}</bdi></b>, ${counted(of.call_count, "call")}</summary>
    <p>${counted(of.call_count, "call")}, ${of.unpriced_calls === of.call_count ? "none of them with a price" : `${count(of.unpriced_calls)} of them without a price`}, the last <a href=${href(page("calls", of.last_call_id))}><${Time} at=${of.last_time} zone=${zone} /></a>.
      ${of.units.length ? ` What lacks a rate: ${of.units.map(words).join(", ")}.` : ""}</p>
    <${Reasons} of=${of.reasons.join(",")} />
    ${of.stanza
      ? html`<p>Write this into the list <code>prices</code> of your price file, with the rates in the place of the question marks, then run <code>otel-costs reprice</code>:</p>
        <pre><bdi>${of.stanza}</bdi></pre><${Copy} text=${of.stanza} name=${`Copy the entry of ${of.model || of.provider}`} />`
      : html`<p>The prices in force have all that is needed: <code>otel-costs reprice --unpriced</code> gives it to the calls that are stored.</p>`}
  </details>`;
}
