// What calls would have cost with other models, tiers and processing windows: each beside what they did cost.

import { useState } from "preact/hooks";
import { useAnswer } from "../api.js";
import { asked, COST, go, here_with, href, page } from "../address.js";
import { Filters } from "../filters.js";
import { Answer, Card, Cards, Difference, Downloads, Failure, html, Money, Name, Section, Table, Time } from "../parts.js";
import { Reasons } from "../reasons.js";
import { count, counted, words } from "../text.js";

const TIERS = ["", "default", "flex", "priority"];
const WINDOWS = ["", "standard", "batch", "window_2h", "window_8h"];
const MOST = 16;

/** Read an alternative of the address: MODEL, or MODEL;PROVIDER where the provider is another one too. */
function read(text) {
  const [model, provider] = text.split(";");
  return provider ? { model, provider } : { model };
}

/** Name an alternative as the API does. */
const labelled = text => {
  const { model, provider } = read(text);
  return provider ? `${provider}:${model}` : model;
};

export function WhatIf({ address, titled }) {
  titled("What if");
  const { query } = address;
  const session = query.get("session") || null;
  const models = [...new Set(query.getAll("alternative").flatMap(text => text.split(",")).filter(Boolean))];
  const other = Object.fromEntries(["service_tier", "processing"].filter(name => query.get(name)).map(name => [name, query.get(name)]));
  const alternatives = models.length ? models.map(text => ({ ...read(text), ...other })) : Object.keys(other).length ? [other] : [];
  const at = query.get("prices_at") || null;
  const own = asked(query, { session });
  const written = { session, alternative: models.join(",") || null, ...other, prices_at: at };
  const body = { alternatives, ...(at ? { prices_at: at } : {}) };
  const isAsked = alternatives.length > 0 && alternatives.length <= MOST;
  const found = useAnswer(isAsked ? "what-if" : null, own, 0, body);
  return html`<div class="head"><h1>What if</h1>${isAsked && html`<${Downloads} path="/what-if" query=${asked(query, written)} />`}</div>
    <p class="faint">What the same calls, with the same usage, would have cost with other models, service tiers or processing windows. Nothing is stored.</p>
    <${Filters} query=${query} />
    <${Form} query=${query} session=${session} models=${models} at=${at} />
    ${alternatives.length > MOST ? html`<${Failure} error=${{ message: `${counted(alternatives.length, "alternative")}: at most ${MOST} are compared at a time.` }} />`
      : isAsked ? html`<div aria-busy=${found.isCurrent ? null : "true"}><${Answer} of=${found} what="Pricing each call again">${data => html`<${Comparison} data=${data} zone=${address.zone} />`}<//></div>`
      : html`<p>Choose a model, a tier or a window above.</p>`}`;
}

function Form({ query, session, models, at }) {
  const [typed, type] = useState("");
  const used = (useAnswer("costs", asked(query, { by: "provider,model", measures: COST, limit: 20 })).data?.costs ?? []).filter(row => row.model);
  const listed = useAnswer(typed.trim().length > 1 ? "prices" : null, new URLSearchParams({ model: typed.trim(), limit: "300" })).data?.prices ?? [];
  const names = [...new Set([...used.map(row => row.model), ...listed.flatMap(row => (row.model.startsWith("/") ? [] : row.model.split(",")))])].filter(name => name && !name.includes("*"));
  const providers = [...new Set([...used, ...listed].map(row => row.provider).filter(Boolean))];
  const more = models.length ? [] : used.slice(0, 6);
  const add = name => here_with({ alternative: [...new Set([...models, name])].join(",") });
  const choice = (name, said, values) => html`<label>${said} <select value=${query.get(name) ?? ""} onChange=${event => go(here_with({ [name]: event.target.value || null }))}>
    ${[...new Set([...values, query.get(name) ?? ""])].map(value => html`<option value=${value} selected=${value === (query.get(name) ?? "")}>${value === "" ? "as it was" : words(value)}</option>`)}</select></label>`;
  const submit = event => {
    event.preventDefault();
    const given = new FormData(event.target);
    const [model, provider] = ["model", "provider"].map(name => given.get(name).trim());
    if (model) go(add(provider ? `${model};${provider}` : model));
    type("");
    event.target.reset();
  };
  const narrow = event => {
    event.preventDefault();
    go(here_with({ session: new FormData(event.target).get("session").trim() || null }));
  };
  return html`<div class="panel">
    <div class="row"><form class="row" onSubmit=${submit}>
        <label>another model <input name="model" list="models" autocomplete="off" onInput=${event => type(event.target.value)} placeholder="gpt-4o-mini" /></label>
        <datalist id="models">${names.slice(0, 200).map(name => html`<option value=${name} />`)}</datalist>
        <label>of <input name="provider" list="providers" autocomplete="off" placeholder="the same provider" /></label>
        <datalist id="providers">${providers.map(name => html`<option value=${name} />`)}</datalist><button type="submit">Add</button></form>
      ${choice("service_tier", "service tier", TIERS)} ${choice("processing", "processing", WINDOWS)}
      <label>prices of <select value=${at ?? ""} onChange=${event => go(here_with({ prices_at: event.target.value || null }))}>
        ${[...new Set(["", "now", at ?? ""])].map(value => html`<option value=${value} selected=${value === (at ?? "")}>${value === "" ? "the time of each call" : value}</option>`)}</select></label></div>
    <div class="row"><form class="row" onSubmit=${narrow} key=${session}><label>only the session <input name="session" defaultValue=${session ?? ""} autocomplete="off" /></label><button type="submit">Only this one</button></form>
      ${session !== null && html`<span class="chip"><a href=${href(page("sessions", session))}>session <bdi>${session}</bdi></a><a href=${here_with({ session: null })} aria-label=${`Remove the session ${session}`}>✕</a></span>`}</div>
    ${models.length > 0 && html`<ul class="row chips-row" aria-label="Alternatives">${models.map(text => html`<li class="chip" key=${text}><bdi>${labelled(text)}</bdi><a href=${here_with({ alternative: models.filter(one => one !== text).join(",") || null })} aria-label=${`Remove the model ${labelled(text)}`}>✕</a></li>`)}</ul>`}
    ${more.length > 0 && html`<p class="faint">Models that are in use: ${more.map((row, index) => html`${index ? ", " : ""}<a href=${add(`${row.model};${row.provider}`)}><bdi>${row.model}</bdi></a>`)}</p>`}
  </div>`;
}

function Comparison({ data, zone }) {
  const { recorded } = data;
  if (!recorded.call_count) return html`<p class="faint">No call of this period matches.</p>`;
  return html`<${Cards}>
      <${Card} name="It did cost" note=${html`${counted(recorded.call_count, "call")}${recorded.unpriced_calls ? html`, <span class="warning">${count(recorded.unpriced_calls)} without a price</span>` : null}`}><${Money} of=${recorded.cost_usd} /><//>
      ${data.alternatives.map(one => html`<${Card} key=${one.label} name=${html`With <bdi>${one.label}</bdi>`} note=${one.priced_calls ? html`<${Difference} of=${one.difference_usd} share=${ratio(one)} />` : null}>
        ${one.priced_calls ? html`<${Money} of=${one.cost_usd} />` : html`<span class="warning">no price</span>`}<//>`)}
    <//>
    <${Section} title="Side by side"><${Table} caption="What it did and would have cost" rows=${data.alternatives} columns=${[
      { head: "alternative", text: true, cell: row => html`<bdi title=${row.label}>${row.label}</bdi>` },
      { head: "would have cost", number: true, cell: row => html`<${Money} of=${row.priced_calls || row.kept_calls ? row.cost_usd : null} />` },
      { head: "the same calls did cost", number: true, wide: true, cell: row => html`<${Money} of=${row.recorded_usd} />` },
      { head: "difference", number: true, cell: row => html`<${Difference} of=${row.difference_usd} share=${ratio(row)} />` },
      { head: "compared", number: true, wide: true, cell: row => counted(row.priced_calls, "call") },
      { head: "kept", number: true, wide: true, cell: row => (row.kept_calls ? html`${counted(row.kept_calls, "call")}, <${Money} of=${row.kept_usd} />` : "none") },
      { head: "without a price", number: true, wide: true, cell: row => (row.not_priced_calls ? html`<span class="warning">${counted(row.not_priced_calls, "call")}</span>` : "none") },
    ]} />
    <p class="faint">Each is compared on the calls that have a cost both ways. Calls that another model does not take, such as speech, are kept as they were.
      ${data.prices_at ? html` Prices of <${Time} at=${data.prices_at} zone=${zone} />.` : " Prices of the time of each call."} Price book <bdi>${data.price_book}</bdi>.</p><//>
    <div class="grid">${data.alternatives.map(one => html`<${Lines} key=${one.label} of=${one} recorded=${recorded} />`)}</div>`;
}

const ratio = row => (Number(row.recorded_usd) ? Number(row.difference_usd) / Number(row.recorded_usd) : null);

/** One alternative, line by line. */
function Lines({ of, recorded }) {
  return html`<${Section} title=${html`Line by line: <bdi>${of.label}</bdi>`}>
    <${Table} caption=${`Line by line: ${of.label}`} rows=${of.differences} empty="No line costs anything else." columns=${[
      { head: "unit", cell: row => words(row.unit) || "a whole call" },
      { head: "did cost", number: true, cell: row => html`<${Money} of=${row.recorded_usd} />` },
      { head: "would have", number: true, cell: row => html`<${Money} of=${row.cost_usd} />` },
      { head: "difference", number: true, cell: row => html`<${Difference} of=${row.difference_usd} />` },
    ]} />
    ${Number(of.reserved_usd) ? html`<p class="warning"><${Money} of=${of.reserved_usd} /> of what these calls did cost is reserved by the hour: it is paid all the same.</p>` : null}
    ${of.estimated_calls ? html`<p class="warning">${counted(of.estimated_calls, "call")} of these ${of.estimated_calls === 1 ? "is" : "are"} an estimate.</p>` : null}
    ${of.not_priced.map(row => html`<div class="lacking"><p><span class="warning">${counted(row.call_count, "call")}</span> of <${Name} of=${row.model} none="no model" /> (<bdi>${row.operation}</bdi>), ${Number(row.recorded_usd) ? html`which cost <${Money} of=${row.recorded_usd} />, ` : ""}${row.call_count === 1 ? "has" : "have"} no price this way${row.units.length ? `: ${row.units.map(words).join(", ")}` : ""}.</p><${Reasons} of=${row.reason} /></div>`)}
    <details><summary>Quantity × rate, this way</summary><${Sums} rows=${of.lines} caption=${`Lines of ${of.label}`} /></details>
    <details><summary>Quantity × rate, as it was</summary><${Sums} rows=${recorded.lines} caption=${`Lines as recorded, beside ${of.label}`} /></details>
  <//>`;
}

const Sums = ({ rows, caption }) => html`<${Table} caption=${caption} rows=${rows} columns=${[
  { head: "model", text: true, cell: row => html`<${Name} of=${row.model} none="no model" />` },
  { head: "unit", cell: row => words(row.unit) || "a whole call" },
  { head: "quantity", number: true, wide: true, cell: row => (row.quantity === null ? "" : count(row.quantity)) },
  { head: "rate", number: true, wide: true, cell: row => (row.rate_usd === null ? html`<span class="faint">not known</span>` : html`<${Money} of=${row.rate_usd} /> <span class="faint">per ${count(row.per)}${row.multiplier === null || row.multiplier === "1" ? "" : ` × ${row.multiplier}`}</span>`) },
  { head: "cost", number: true, cell: row => html`<${Money} of=${row.amount_usd} />` },
]} />`;
