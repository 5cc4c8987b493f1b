// The overview: what everything costs, or one user, scenario or model.

import { useState } from "preact/hooks";
import { useAnswer } from "../api.js";
import { asked, changed, COST, go, here_with, href, page, shared, SPLITS } from "../address.js";
import { Filters } from "../filters.js";
import { useLive } from "../live.js";
import { Answer, Bar, Card, Cards, Change, Cost, Downloads, Failure, html, Money, Name, Section, Table, To } from "../parts.js";
import { count, counted, day, percent, short, words } from "../text.js";
import { pieceOf, Trend } from "../trend.js";
import { BudgetBars } from "./budgets.js";
import { Distribution, SessionDays } from "./distribution.js";
import { First } from "./first.js";

const GROUPS = 8;
const ROWS = 12;
const CHANGES_A_MINUTE = 12; // figures are asked for again every five seconds at most
const TOTALS = "error_count,tokens"; // beside what calls cost and how many have no price
const KINDS = { user: "users", scenario: "scenarios" };

/** The overview of everything that the address asks for. */
export function Overview({ address, titled }) {
  titled("Overview");
  return html`<${Figures} address=${address} title=${html`<h1>What it costs</h1>`} fixed=${{}} path="/" splits=${SPLITS} />`;
}

export const UserPage = ({ id, ...more }) => html`<${One} ...${more} id=${id} kind="User" fixed=${{ user: id }} path=${page("users", id)} />`;

export const ScenarioPage = ({ id, ...more }) => html`<${One} ...${more} id=${id} kind="Scenario" fixed=${{ scenario: id }} path=${page("scenarios", id)} />`;

export const ModelPage = ({ provider, id, ...more }) =>
  html`<${One} ...${more} id=${id} kind=${`Model of ${provider}`} fixed=${{ provider, model: id }} path=${page("models", provider, id)} />`;

function One({ address, titled, id, kind, fixed, path }) {
  const name = id || `(no ${kind.toLowerCase()})`;
  titled(name);
  const title = html`<h1><span class="faint">${kind}</span> <bdi>${name}</bdi></h1>`;
  return html`<${Figures} address=${address} title=${title} fixed=${fixed} path=${path} splits=${SPLITS.filter(split => !(split in fixed))} isOne=${true} />`;
}

function Figures({ address, title, fixed, path, splits, isOne = false }) {
  const { changes } = useLive();
  const query = changed(shared(address.query), fixed);
  const summary = useAnswer("summary", changed(query, { measures: TOTALS }), changes);
  // Each call is priced again for it: that is asked when the rest is there, and not with every change.
  const saved = useAnswer(summary.data ? "usage/cache" : null, query, Math.floor(changes / CHANGES_A_MINUTE)).data;
  const given = address.query.get("by");
  const piece = pieceOf(query, summary.data);
  const by = given && (splits.includes(given) || given.startsWith("tag.")) ? given : splits[0];
  // A store without any call, ever, is new: a period without calls is not.
  const any = useAnswer(summary.data?.call_count === 0 ? "calls" : null, changed(new URLSearchParams(fixed), { limit: 1 }), changes);
  const isNew = any.data?.total === 0 && !isOne;
  const frame = html`<div class="head">${title}<${Downloads} path=${path} query=${changed(shared(address.query), { by })} /></div>
    <${Filters} query=${address.query} fixed=${Object.keys(fixed)} />`;
  // What is wrong with the period or a filter is wrong for every part of the page, and is said once.
  if (summary.error?.status === 400) return html`${frame}<${Failure} error=${summary.error} />`;
  if (any.data?.total === 0 && isOne) return html`${frame}<${Section} title="Nothing is known of it"><p>No call, of any time, is recorded under this name. <a href=${href("/", shared(address.query))}>To the overview</a></p><//>`;
  return html`${frame}
    <${Answer} of=${summary} what="Adding up">${data => html`<${Totals} data=${data} saved=${saved} query=${query} isCurrent=${summary.isCurrent} zone=${address.zone} />`}<//>
    ${isNew ? html`<${First} />` : html`
      ${piece && html`<${OverTime} query=${query} piece=${piece} by=${by} splits=${splits} zone=${address.zone} changes=${changes} fixed=${fixed} />`}
      <div class="grid">
        <${Breakdown} query=${query} by=${by} changes=${changes} fixed=${fixed} />
        <${Dearest} query=${query} changes=${changes} />
        ${isOne
          ? html`<${Distribution} query=${query} changes=${changes} /><${SessionDays} query=${query} changes=${changes} />`
          : html`<${BudgetBars} changes=${changes} /><${ToLookAt} query=${query} changes=${changes} />`}
      </div>`}`;
}

function Totals({ data, saved, query, isCurrent, zone }) {
  const { before, sessions, month } = data;
  const many = data.call_count;
  return html`<div aria-busy=${isCurrent ? null : "true"}><${Cards}>
    <${Card} name="Cost" note=${before ? html`<${Change} now=${data.cost_usd} before=${before.cost_usd} />` : "of all time"}>
      <${Money} of=${data.cost_usd} /><//>
    <${Card} name="This month ends at about" note=${html`<${Money} of=${month.cost_usd} /> since ${day(month.start, zone)}`}>
      <${Money} of=${month.projected_usd} /><//>
    <${Card} name="Sessions" note=${html`<a href=${href("/sessions", query)}>Show them</a>`}>${count(sessions.count)}<//>
    <${Card} name="A session costs" note=${sessions.p50_usd === null ? "" : html`half of them up to <${Money} of=${sessions.p50_usd} />, 95 % up to <${Money} of=${sessions.p95_usd} />`}>
      ${sessions.mean_usd === null ? "–" : html`<${Money} of=${sessions.mean_usd} />`}<//>
    <${Card} name="Calls" note=${data.error_count ? html`<a class="warning" href=${here_with({ errors: "1" })}>${counted(data.error_count, "call")} failed</a>` : "none failed"}>${count(many)}<//>
    <${Card} name="Cached input" note=${saved && Number(saved.saved_usd) > 0 ? html`saved <${Money} of=${saved.saved_usd} />` : `${short(data.tokens.cached_input)} tokens`}>
      ${data.cached_share === null ? "–" : percent(data.cached_share)}<//>
    <${Card} name="Without a price" note=${data.unpriced_calls ? "their cost is unknown, not zero" : "every call has a price"}>
      ${data.unpriced_calls ? html`<a class="warning" href=${here_with({ unpriced: "1" })}>${count(data.unpriced_calls)}</a>` : "0"}<//>
  <//></div>`;
}

/** The link that shows one group alone, on the page of that one where there is one. */
const narrowed = by => name => here_with({ [by]: name });

function OverTime({ query, piece, by, splits, zone, changes, fixed }) {
  const found = useAnswer("costs", asked(query, { ...fixed, by: `${piece},${by}`, measures: COST, limit: GROUPS }), changes);
  const tags = useAnswer(found.data ? "tags" : null, query).data?.tags ?? [];
  const names = tags.map(tag => `tag.${tag.name}`);
  const choices = [...new Set([...splits, ...names, by])];
  const split = html`<label>split by <select value=${by} onChange=${event => go(here_with({ by: event.target.value }))}>
    ${choices.map(name => html`<option value=${name} selected=${name === by}>${name}</option>`)}</select></label>`;
  return html`<${Section} title=${`Cost by ${piece}`} aside=${split} isCurrent=${found.isCurrent}>
    <${Answer} of=${found}>${data => html`<${Trend} rows=${data.costs} piece=${piece} by=${by} since=${data.since} until=${data.until} dayOf=${at => day(at, zone)}
      link=${by === "modality" ? () => null : narrowed(by)} zoom=${range => go(here_with({ range, from: null, to: null }))} />`}<//><//>`;
}

function Breakdown({ query, by, changes, fixed }) {
  const [limit, more] = useState(ROWS);
  const found = useAnswer("costs", asked(query, { ...fixed, by, measures: COST, limit }), changes);
  const own = shared(query);
  const name = row => {
    if (row[by] === null) return html`${counted(row.others, "other")}`;
    if (KINDS[by]) return html`<${To} kind=${KINDS[by]} id=${row[by]} query=${changed(own, { [by]: null })} none=${`no ${by}`} />`;
    if (by === "modality") return words(row[by]);
    return html`<a href=${here_with({ [by]: row[by] })} title=${row[by]}><${Name} of=${row[by]} none=${`no ${by}`} /></a>`;
  };
  return html`<${Section} title=${`By ${by}`} isCurrent=${found.isCurrent}><${Answer} of=${found}>${data => {
    const most = Math.max(...data.costs.map(row => Number(row.cost_usd)), 0) || 1;
    const all = Number(data.total.cost_usd) || 1;
    return html`<${Table} caption=${`Costs by ${by}`} rows=${data.costs} columns=${[
      { head: by, cell: name, text: true },
      { head: "to the dearest", wide: true, cell: row => html`<${Bar} share=${Number(row.cost_usd) / most} />` },
      { head: "share", number: true, wide: true, cell: row => percent(Number(row.cost_usd) / all) },
      { head: "calls", number: true, cell: row => count(row.call_count) },
      { head: "cost", number: true, cell: row => html`<${Cost} of=${row.cost_usd} unpriced=${row.unpriced_calls} calls=${row.call_count} />` },
      ...("shared_usd" in data.total ? [{ head: "shared", number: true, wide: true, cell: row => html`<${Money} of=${row.shared_usd} />` }, { head: "total", number: true, cell: row => html`<${Money} of=${row.total_usd} />` }] : []),
    ]} />${data.costs.some(row => row.others) && html`<button type="button" onClick=${() => more(limit * 4)}>Show more</button>`}`;
  }}<//><//>`;
}

function Dearest({ query, changes }) {
  const found = useAnswer("sessions", changed(query, { sort: "cost", limit: GROUPS }), changes);
  const all = html`<a href=${href("/sessions", changed(query, { sort: "cost" }))}>All sessions</a>`;
  return html`<${Section} title="The sessions that cost most" aside=${all} isCurrent=${found.isCurrent}><${Answer} of=${found}>${data =>
    html`<${Table} caption="The sessions that cost most" rows=${data.sessions} empty="No session began in this period." columns=${[
      { head: "session", text: true, cell: row => html`<${To} kind="sessions" id=${row.session_id} />` },
      { head: "user", text: true, wide: true, cell: row => html`<${To} kind="users" id=${row.user_id} query=${changed(shared(query), { user: null })} />` },
      { head: "calls", number: true, cell: row => count(row.call_count) },
      { head: "cost", number: true, cell: row => html`<${Cost} of=${row.cost_usd} unpriced=${row.unpriced_calls} calls=${row.call_count} />` },
    ]} />`}<//><//>`;
}

function ToLookAt({ query, changes }) {
  const found = useAnswer("inbox", query, changes);
  const all = html`<a href=${href("/inbox", query)}>Inbox</a>`;
  return html`<${Section} title="Needs a look" aside=${all} isCurrent=${found.isCurrent}><${Answer} of=${found}>${data => {
    const points = lookAt(data, query);
    return points.length ? html`<ul class="points">${points.map(point => html`<li>${point}</li>`)}</ul>` : html`<p class="good">Nothing: every call is there and has a price.</p>`;
  }}<//><//>`;
}

/** Return what is most in need of a look, a line each. */
function lookAt(data, query) {
  const calls = (rows, what) => {
    const sum = rows.reduce((all, row) => all + row.call_count, 0);
    return sum ? html`<b>${counted(sum, "call")}</b> ${what}` : null;
  };
  const of = status => data.not_priced.filter(row => row.cost_status === status);
  const missing = data.missing_calls.reduce((all, row) => all + row.missing_count, 0);
  return [
    calls(of("unpriced"), "without a price"),
    calls(of("partial"), "that are priced in part"),
    calls(of("estimated"), "whose cost is estimated"),
    missing ? html`<b>${counted(missing, "call")}</b> that never arrived` : null,
    ...data.dear_sessions.slice(0, 3).map(row => html`<${To} kind="sessions" id=${row.session_id} /> cost <${Money} of=${row.cost_usd} />, ten times the median of its kind or more`),
    ...data.dear_days.slice(0, 3).map(row => html`<a href=${href("/", changed(query, { range: row.day }))}>${row.day}</a> cost <${Money} of=${row.cost_usd} />, an average day <${Money} of=${row.average_usd} />`),
    data.bill_differences.length ? html`<b>${counted(new Set(data.bill_differences.map(row => `${row.vendor} ${row.day}`)).size, "day")}</b> on which a provider's bill differs` : null,
    data.refused_records ? html`<b>${counted(data.refused_records, "record")}</b> refused since the start` : null,
    data.misdated_calls ? html`<b>${counted(data.misdated_calls, "call")}</b> with a time that no clock can have meant` : null,
  ].filter(Boolean);
}
