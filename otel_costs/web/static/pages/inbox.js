// The inbox: what needs a look, and what to do about it.

import { useAnswer } from "../api.js";
import { changed, href, page, shared } from "../address.js";
import { Filters } from "../filters.js";
import { useLive } from "../live.js";
import { Answer, Bar, Downloads, html, Money, Name, Section, Table, Time, To } from "../parts.js";
import { Reasons } from "../reasons.js";
import { count, counted, percent } from "../text.js";

const STATES = {
  unpriced: ["Without a price", "The cost of these calls is unknown, not zero: they are in no sum."],
  partial: ["Priced in part", "A part of what these calls used has no rate: they cost more than what is told."],
  estimated: ["Estimated", "These calls have a price, but something of it had to be assumed."],
};

export function Inbox({ address, titled }) {
  titled("Inbox");
  const { changes } = useLive();
  const query = shared(address.query);
  const found = useAnswer("inbox", query, changes);
  return html`<div class="head"><h1>What needs a look</h1><${Downloads} path="/inbox" query=${query} /></div>
    <${Filters} query=${address.query} />
    <div aria-busy=${found.isCurrent ? null : "true"}><${Answer} of=${found} what="Looking">${data => html`<${All} data=${data} query=${query} zone=${address.zone} />`}<//></div>`;
}

function All({ data, query, zone }) {
  const states = Object.keys(STATES).filter(state => data.not_priced.some(row => row.cost_status === state));
  const isQuiet = !states.length && !data.missing_calls.length && !data.dear_sessions.length && !data.dear_days.length && !data.bill_differences.length && !data.misdated_calls && !data.refused_records;
  return html`${isQuiet && html`<p class="good">Nothing needs a look: every call is there and has a price.</p>`}
    ${states.map(state => html`<${NotPriced} key=${state} state=${state} rows=${data.not_priced.filter(row => row.cost_status === state)} query=${query} zone=${zone} />`)}
    <${Missing} rows=${data.missing_calls} zone=${zone} />
    <${DearSessions} rows=${data.dear_sessions} query=${query} zone=${zone} />
    <${DearDays} rows=${data.dear_days} query=${query} />
    <${Records} data=${data} />
    <${Bills} rows=${data.bill_differences} zone=${zone} />`;
}

const CAUSES = {
  not_recorded: "more is billed than was recorded",
  not_reported: "more was recorded than is billed",
  differs: "some figures are higher there, some here",
  another_quantity: "the same calls, counted otherwise",
  usage_differs: "the usage differs, too",
  billed_otherwise: "another price, or what is billed beside calls",
  unpriced: "calls without a price",
  credited: "credits or a free tier",
  another_currency: "in another currency",
  late: "not all of it is reported yet",
  rounding: "rounded",
};

function Bills({ rows, zone }) {
  const how = html`<code>otel-costs reconcile</code> compares these costs with a provider's bill, from its own interface or from files of it, and notes what differs here.`;
  if (!rows.length) return html`<${Section} title="The provider's own figures"><p>Whether these costs are what a provider charges is told by comparing them: ${how}</p><//>`;
  const days = new Set(rows.map(row => `${row.vendor} ${row.part} ${row.day}`)).size;
  return html`<${Section} title=${`Differences from the provider's bill: ${counted(days, "day")}`}><p class="faint">As the latest comparison of each day found them; a later one takes away what it finds no more. ${how}</p>
    <${Table} caption="Differences from the provider's bill" rows=${rows} columns=${[
      { head: "day", cell: row => row.day },
      { head: "bill", text: true, cell: row => html`<bdi title=${row.part}>${row.vendor}</bdi>` },
      { head: "model", text: true, cell: row => (row.unit === "day_usd" ? html`<b>whole day</b>` : html`<${Name} of=${row.model} none="no model" />`) },
      { head: "unit", text: true, wide: true, cell: row => unit(row.unit) },
      { head: "billed", number: true, wide: true, cell: row => amount(row, "theirs") },
      { head: "recorded", number: true, wide: true, cell: row => amount(row, "ours") },
      { head: "difference", number: true, cell: row => amount(row, "difference") },
      { head: "cause", text: true, wide: true, cell: row => CAUSES[row.cause] ?? row.cause },
      { head: "compared", number: true, wide: true, cell: row => html`<${Time} at=${row.compared_at} zone=${zone} />` },
    ]} /><//>`;
}

/** Return one side of a difference: dollars, or a quantity. */
function amount(row, side) {
  if (row.difference_usd !== null) return row[`${side}_usd`] === null ? "–" : html`<${Money} of=${row[`${side}_usd`]} />`;
  return row[side] === null ? "–" : count(row[side]);
}

function unit(name) {
  return name === "usd" || name === "day_usd" ? "US dollars" : name.replaceAll("_", " ");
}

function NotPriced({ state, rows, query, zone }) {
  const [title, said] = STATES[state];
  const reasons = [...new Set(rows.map(row => row.cost_reason))];
  const sum = rows.reduce((all, row) => all + row.call_count, 0);
  const aside = state === "estimated" ? null : html`<a href=${href("/prices")}>Models that lack a price</a>`;
  return html`<${Section} title=${`${title}: ${counted(sum, "call")}`} aside=${aside}><p class="faint">${said}</p>
    ${reasons.map(reason => {
      const own = rows.filter(row => row.cost_reason === reason);
      return html`<div key=${reason}><${Reasons} of=${reason} state=${state} />
        <${Table} caption=${`${title}: ${reason || "no reason"}`} rows=${own} columns=${[
          { head: "model", text: true, cell: row => html`<a href=${href("/sessions", changed(query, { provider: row.provider, model: row.model, unpriced: state === "unpriced" ? "1" : null }))} title=${row.model}><${Name} of=${row.model} none="no model" /></a>` },
          { head: "provider", text: true, wide: true, cell: row => html`<${Name} of=${row.provider} none="no provider" />` },
          { head: "operation", text: true, wide: true, cell: row => html`<${Name} of=${row.operation} none="no operation" />` },
          { head: "calls", number: true, cell: row => count(row.call_count) },
          ...(state === "unpriced" ? [] : [{ head: "cost", number: true, cell: row => html`<${Money} of=${row.cost_usd} />` }]),
          { head: "last one", number: true, cell: row => html`<a href=${href(page("calls", row.last_call_id))}><${Time} at=${row.last_time} zone=${zone} /></a>` },
        ]} /></div>`;
    })}<//>`;
}

function Missing({ rows, zone }) {
  if (!rows.length) return null;
  const sum = rows.reduce((all, row) => all + row.missing_count, 0);
  return html`<${Section} title=${`Never arrived: ${counted(sum, "call")}`}><p class="faint">Processes number their calls, and these numbers are missing: what they cost is in no sum. A process that was killed, or an exporter that could not send, loses calls.</p>
    <${Table} caption="Calls that never arrived" rows=${rows} columns=${[
      { head: "service", text: true, cell: row => html`<${Name} of=${row.service} none="no service" />` },
      { head: "process", text: true, wide: true, cell: row => html`<code title=${row.process_id}>${row.process_id}</code>` },
      { head: "numbers", number: true, cell: row => (row.first_seq === row.last_seq ? count(row.first_seq) : `${count(row.first_seq)} – ${count(row.last_seq)}`) },
      { head: "missing", number: true, cell: row => count(row.missing_count) },
      { head: "between", wide: true, cell: row => html`<${Time} at=${row.first_time} zone=${zone} /> – <${Time} at=${row.last_time} zone=${zone} />` },
      { head: "noticed", number: true, cell: row => html`<${Time} at=${row.noticed_at} zone=${zone} />` },
    ]} /><//>`;
}

function DearSessions({ rows, query, zone }) {
  if (!rows.length) return null;
  const most = Math.max(...rows.map(row => Number(row.cost_usd)), 0) || 1;
  return html`<${Section} title=${`Sessions that cost ten times what is usual: ${count(rows.length)}`}><p class="faint">Each cost at least ten times the median of its kind.</p>
    <${Table} caption="Sessions that cost ten times what is usual" rows=${rows} columns=${[
      { head: "session", text: true, cell: row => html`<${To} kind="sessions" id=${row.session_id} />` },
      { head: "user", text: true, wide: true, cell: row => html`<${To} kind="users" id=${row.user_id} query=${changed(query, { user: null })} />` },
      { head: "kind", text: true, wide: true, cell: row => html`<bdi>${row.kind}</bdi>` },
      { head: "began", wide: true, cell: row => html`<${Time} at=${row.start_time} zone=${zone} />` },
      { head: "to the dearest", wide: true, cell: row => html`<${Bar} share=${Number(row.cost_usd) / most} />` },
      { head: "cost", number: true, cell: row => html`<${Money} of=${row.cost_usd} />` },
      { head: "median", number: true, cell: row => html`<${Money} of=${row.median_usd} />` },
    ]} /><//>`;
}

function DearDays({ rows, query }) {
  if (!rows.length) return null;
  return html`<${Section} title=${`Days that cost three times what is usual: ${count(rows.length)}`}><p class="faint">Each cost at least three times an average day of the four weeks before.</p>
    <${Table} caption="Days that cost three times what is usual" rows=${rows} columns=${[
      { head: "day", cell: row => html`<a href=${href("/", changed(query, { range: row.day, from: null, to: null }))}>${row.day}</a>` },
      { head: "cost", number: true, cell: row => html`<${Money} of=${row.cost_usd} />` },
      { head: "average day", number: true, cell: row => html`<${Money} of=${row.average_usd} />` },
      { head: "of it", number: true, wide: true, cell: row => percent(Number(row.cost_usd) / Number(row.average_usd)) },
    ]} /><//>`;
}

function Records({ data }) {
  const said = [
    data.refused_records ? html`<b>${counted(data.refused_records, "record")}</b> ${data.refused_records === 1 ? "was" : "were"} refused since the start: a sender gave what cannot be stored, and was told so.` : null,
    data.misdated_calls ? html`<b>${counted(data.misdated_calls, "call")}</b> ${data.misdated_calls === 1 ? "has" : "have"} a time that no clock can have meant: see to the clock of the machine that sent ${data.misdated_calls === 1 ? "it" : "them"}.` : null,
  ].filter(Boolean);
  return said.length ? html`<${Section} title="Records"><ul class="points">${said.map(one => html`<li>${one}</li>`)}</ul><//>` : null;
}
