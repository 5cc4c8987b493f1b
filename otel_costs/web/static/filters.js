// What a page is narrowed to: the period, the zone and the filters, in the address.

import { useState } from "preact/hooks";
import { useAnswer } from "./api.js";
import { asked, changed, COST, DIMENSIONS, filters, go, here_with, shared } from "./address.js";
import { html } from "./parts.js";
import { MAY_READ, ZONE } from "./settings.js";

const RANGES = { "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days" };
const SUGGESTED = 100;

/** The periods, the filters that are set, each with a way to take it away, and a form for others. `fixed` are names that the page itself sets. */
export function Filters({ query, fixed = [] }) {
  const [isOpen, open] = useState(false);
  const set = filters(query).filter(([name]) => !fixed.includes(name));
  const range = query.get("range");
  const period = range ?? [query.get("from"), query.get("to")].filter(Boolean).join(" – ");
  return html`<div class="filters">
    <div class="row">
      <div class="choices" role="group" aria-label="Period">
        ${Object.entries(RANGES).map(([name, said]) => html`<a href=${here_with({ range: name, from: null, to: null })} aria-current=${range === name ? "true" : null} title=${`The last ${said}`}>${name}</a>`)}
        ${period && !RANGES[period] ? html`<span class="chip">${period}<a href=${here_with({ range: "30d", from: null, to: null })} aria-label=${`Remove the period ${period}`}>✕</a></span>` : null}
      </div>
      <ul class="chips" aria-label="Filters">
        ${set.map(([name, value]) => html`<li class="chip" key=${name}><span>${said(name)} <bdi>${value === "" ? "(none)" : value}</bdi></span><a href=${here_with({ [name]: DIMENSIONS.includes(name) || name.startsWith("tag.") ? null : "" })} aria-label=${`Remove ${said(name)} ${value}`}>✕</a></li>`)}
      </ul>
      <button type="button" aria-expanded=${String(isOpen)} aria-controls="filter-form" onClick=${() => open(!isOpen)}>Filter</button>
      <span class="faint zone">days in ${query.get("tz") || ZONE}</span>
    </div>
    ${isOpen && html`<${Form} query=${query} fixed=${fixed} close=${() => open(false)} />`}
  </div>`;
}

const said = name => ({ min_cost: "sessions from $", q: "said:", errors: "failed", unpriced: "without a price" })[name] ?? name;

function Form({ query, fixed, close }) {
  const names = DIMENSIONS.filter(name => !fixed.includes(name));
  const submit = event => {
    event.preventDefault();
    const given = new FormData(event.target);
    const changes = {};
    const text = name => given.get(name)?.trim() ?? "";
    if (text("from") || text("to")) Object.assign(changes, { range: null, from: text("from"), to: text("to") });
    else if (text("range")) Object.assign(changes, { range: text("range"), from: null, to: null });
    if (given.has("tz")) changes.tz = text("tz") === ZONE ? null : text("tz");
    for (const name of names) if (text(name)) changes[name] = given.get(name);
    for (const name of ["min_cost", "q"]) if (given.has(name)) changes[name] = text(name);
    for (const name of ["errors", "unpriced"]) changes[name] = given.get(name);
    if (text("tag")) changes[`tag.${text("tag")}`] = text("tag_value");
    close();
    go(here_with(changes));
  };
  const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
  return html`<form id="filter-form" class="panel" onSubmit=${submit}>
    <fieldset><legend>Period</legend>
      <label>Range <input name="range" list="ranges" defaultValue=${query.get("range") ?? ""} placeholder="7d, today, 2026-11" /></label>
      <datalist id="ranges">${["today", "yesterday", "12h", "7d", "30d", "90d", "365d"].map(one => html`<option value=${one} />`)}</datalist>
      <label>or from <input name="from" type="date" defaultValue=${query.get("from") ?? ""} /></label>
      <label>to <input name="to" type="date" defaultValue=${query.get("to") ?? ""} /></label>
      <label>Zone of days <input name="tz" list="zones" defaultValue=${query.get("tz") ?? ZONE} /></label>
      <datalist id="zones">${["UTC", Intl.DateTimeFormat().resolvedOptions().timeZone, ...zones].map(one => html`<option value=${one} />`)}</datalist>
    </fieldset>
    <fieldset><legend>Only</legend>
      ${names.map(name => html`<${Choice} key=${name} name=${name} query=${query} />`)}
      <label>tag <input name="tag" placeholder="team" /></label>
      <label>has the value <input name="tag_value" /></label>
      <label>sessions from $ <input name="min_cost" inputmode="decimal" defaultValue=${query.get("min_cost") ?? ""} /></label>
      ${MAY_READ && html`<label>words that were said <input name="q" type="search" defaultValue=${query.get("q") ?? ""} /></label>`}
      <label class="check"><input type="checkbox" name="errors" value="1" defaultChecked=${query.get("errors") === "1"} /> failed</label>
      <label class="check"><input type="checkbox" name="unpriced" value="1" defaultChecked=${query.get("unpriced") === "1"} /> without a price</label>
    </fieldset>
    <div class="row"><button type="submit">Apply</button>
      <a href=${location.pathname + "?" + changed(new URLSearchParams(), { range: query.get("range") ?? "30d" })}>Clear</a></div>
  </form>`;
}

/** A field for one dimension, which suggests what there is, the dearest first, once it has the focus. */
function Choice({ name, query }) {
  const [isAsked, ask] = useState(false);
  const others = new URLSearchParams([...shared(query)].filter(([one]) => one !== name));
  const found = useAnswer(isAsked ? "costs" : null, asked(others, { by: name, measures: COST, limit: SUGGESTED }));
  const values = (found.data?.costs ?? []).map(row => row[name]).filter(Boolean);
  return html`<label>${name} <input name=${name} list=${`values-${name}`} defaultValue=${query.get(name) ?? ""} onFocus=${() => ask(true)} autocomplete="off" /></label>
    <datalist id=${`values-${name}`}>${values.map(value => html`<option value=${value} />`)}</datalist>`;
}
