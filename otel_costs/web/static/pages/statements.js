// Statements: what each value of a tag pays for a month, of its own and of what is shared; made to be printed.

import { useAnswer } from "../api.js";
import { changed, go, here_with, href } from "../address.js";
import { Answer, Downloads, html, Money, Name, Table } from "../parts.js";
import { ZONE } from "../settings.js";
import { count, counted, words } from "../text.js";

const DEFAULT_BY = "tag.team";

export function Statements({ address, titled }) {
  titled("Statements");
  const { query } = address;
  const own = changed(new URLSearchParams(), Object.fromEntries(["month", "by", "tz"].map(name => [name, query.get(name)])));
  const found = useAnswer("statements", own);
  const submit = event => {
    event.preventDefault();
    const given = new FormData(event.target);
    const zone = given.get("tz").trim();
    go(here_with({ month: given.get("month").trim() || null, by: tagOf(given.get("by")), tz: zone === ZONE ? null : zone || null, value: null }));
  };
  const by = query.get("by") ?? DEFAULT_BY;
  return html`<div class="head"><h1>Statements</h1><${Downloads} path="/statements" query=${own} /></div>
    <form class="row filters" onSubmit=${submit} key=${own.toString()}>
      <label>month <input name="month" defaultValue=${query.get("month") ?? found.data?.month ?? ""} placeholder="2026-11" pattern="[0-9]{4}-[0-9]{2}" /></label>
      <label>by the tag <input name="by" defaultValue=${by.replace(/^tag\./, "")} autocomplete="off" /></label>
      <label>zone of days <input name="tz" defaultValue=${query.get("tz") ?? ZONE} /></label>
      <button type="submit">Show</button> <button type="button" onClick=${() => print()}>Print</button></form>
    <${Answer} of=${found} what="Adding up">${data => html`<${Month} of=${data} value=${query.get("value")} isCurrent=${found.isCurrent} />`}<//>`;
}

const tagOf = text => (text.trim() && text.trim() !== "team" ? `tag.${text.trim()}` : null);

/** All statements of a month, or that of one value. */
function Month({ of, value, isCurrent }) {
  const tag = of.by.replace(/^tag\./, "");
  const shown = of.statements.filter(one => value === null || one.value === value);
  const name = row => html`<a href=${here_with({ value: row.value })} title=${row.value}><${Name} of=${row.value} none=${`no ${tag}`} /></a>`;
  return html`<div aria-busy=${isCurrent ? null : "true"}>
    <p class="faint">${of.month}, days in ${of.tz}, US dollars. ${value === null ? null : html`<a href=${here_with({ value: null })}>All statements</a>`}</p>
    ${value === null && html`<section><div class="head"><h2>All by ${tag}</h2></div>
      <${Table} caption=${`Statements by ${tag}`} empty="No calls in this month." rows=${[...of.statements, ...(of.statements.length ? [{ ...of.total, isTotal: true, limit_usd: null }] : [])]} columns=${[
        { head: tag, text: true, cell: row => (row.isTotal ? html`<b>total</b>` : name(row)) }, ...figures,
        { head: "budget", number: true, wide: true, cell: row => (row.limit_usd === null ? "" : html`<span class=${Number(row.total_usd) > Number(row.limit_usd) ? "warning" : null}><${Money} of=${row.limit_usd} /></span>`) },
      ]} /></section>`}
    ${shown.map(one => html`<${Statement} key=${one.value} of=${one} tag=${tag} />`)}
    ${value !== null && !shown.length && html`<p class="faint">There is no statement of <${Name} of=${value} none=${`no ${tag}`} /> in this month.</p>`}</div>`;
}

function Statement({ of, tag }) {
  const over = of.limit_usd !== null && Number(of.total_usd) > Number(of.limit_usd);
  return html`<section class="statement" data-value=${of.value}>
    <div class="head"><h2>${tag}: <${Name} of=${of.value} none=${`no ${tag}`} /></h2><span>total ${Amount(of, "total_usd")}</span></div>
    <p>Own ${Amount(of, "cost_usd")}, shared <${Money} of=${of.shared_usd} whole=${true} />, ${counted(of.call_count, "call")}.
      ${of.limit_usd === null ? null : html` <span class=${over ? "warning" : "good"}>Budget of the month <${Money} of=${of.limit_usd} whole=${true} />, ${over ? "over it" : "within it"}.</span>`}</p>
    <${Table} caption=${`${of.value || `no ${tag}`} by model`} rows=${of.by_model} columns=${[
      { head: "model", text: true, cell: row => html`<span title=${row.model}><${Name} of=${row.model} none="no model" /></span>` },
      { head: "provider", text: true, wide: true, cell: row => html`<bdi>${row.provider}</bdi>` }, ...figures]} />
    <${Table} caption=${`${of.value || `no ${tag}`} by service`} rows=${of.by_service} columns=${[
      { head: "service", text: true, cell: row => html`<span title=${row.service}><${Name} of=${row.service} none="no service" /></span>` }, ...figures]} />
    ${of.shared_from.length ? html`<h3>Shared costs</h3><ul class="points">${of.shared_from.map(one => html`<li key=${one.value}><bdi>${one.value}</bdi>: <${Money} of=${one.shared_usd} whole=${true} /></li>`)}</ul>` : null}
    ${of.not_priced.length ? html`<h3>Not simply priced</h3><p class="warning">What has no price is not in the sums: its cost is not known.</p>
      <ul class="points">${of.not_priced.map(one => html`<li>${counted(one.call_count, "call")} ${one.cost_status}: ${words(one.cost_reason || "unknown")} <a href=${href("/inbox")}>Inbox</a></li>`)}</ul>` : null}
  </section>`;
}

/** An amount; that it is not known, where no call has a price and nothing is shared. */
const Amount = (row, column) =>
  !Number(row[column]) && row.call_count && row.call_count === row.unpriced_calls ? html`<span class="warning">unpriced</span>` : html`<${Money} of=${row[column]} whole=${true} />`;

const figures = [
  { head: "calls", number: true, wide: true, cell: row => count(row.call_count) },
  { head: "own", number: true, cell: row => Amount(row, "cost_usd") },
  { head: "shared", number: true, cell: row => html`<${Money} of=${row.shared_usd} whole=${true} />` },
  { head: "total", number: true, cell: row => html`<b>${Amount(row, "total_usd")}</b>` },
];
