// Contracts: what their calls cost at list prices and by them, what was reserved and not used, and what is left of commitments.

import { useAnswer } from "../api.js";
import { changed } from "../address.js";
import { useLive } from "../live.js";
import { Answer, Bar, Cost, html, Money, Name, Section, Table } from "../parts.js";
import { count, counted, day, exact, percent } from "../text.js";

/** The contracts of the prices in force and of the calls; nothing where there is none. */
export function Contracts({ query, zone }) {
  const { changes } = useLive();
  const own = changed(new URLSearchParams(), Object.fromEntries(["range", "from", "to", "tz"].map(name => [name, query.get(name)])));
  const found = useAnswer("contracts", own, changes);
  if (!found.data?.contracts.length) return null;
  return html`<${Section} title="Contracts" isCurrent=${found.isCurrent}><${Answer} of=${found}>${data => html`
    <${Table} caption="What the calls of contracts cost" rows=${data.contracts} columns=${COSTS} />
    ${data.contracts.some(one => one.unsettled_calls) && html`<p class="warning">${counted(sum(data.contracts, "unsettled_calls"), "call")} wait for their month: <code>otel-costs reprice --period</code> settles it.</p>`}
    ${data.contracts.some(one => one.unconverted_calls) && html`<p class="warning">${counted(sum(data.contracts, "unconverted_calls"), "call")} in no amount of a contract's currency: no rate of exchange is known of their day.</p>`}
    <${Reserved} of=${parts(data.contracts, "reservations")} />
    ${parts(data.contracts, "commitments").map(one => html`<${Committed} key=${`${one.contract_id} ${one.name}`} of=${one} zone=${zone} />`)}`}<//><//>`;
}

const parts = (contracts, name) => contracts.flatMap(one => one[name].map(part => ({ ...part, contract_id: one.contract_id, currency: one.currency })));

const sum = (rows, name) => rows.reduce((all, row) => all + Number(row[name]), 0);

/** An amount in the currency of a contract, all digits of it. */
const Amount = ({ of, currency }) => (currency === "USD" ? html`<${Money} of=${of} />` : html`<data class="money" value=${of}>${exact(of).replace("$", `${currency} `)}</data>`);

const COSTS = [
  { head: "contract", text: true, cell: row => html`<${Name} of=${row.contract_id} />` },
  { head: "of", text: true, wide: true, cell: row => html`<bdi>${row.providers.join(", ")}</bdi>` },
  { head: "calls", number: true, cell: row => count(row.call_count) },
  { head: "at list prices", number: true, cell: row => html`<${Money} of=${row.list_usd} />` },
  { head: "cost", number: true, cell: row => html`<${Cost} of=${row.cost_usd} unpriced=${row.unpriced_calls} calls=${row.call_count} />` },
  { head: "in its currency", number: true, wide: true, cell: row => html`<${Amount} of=${row.contract_amount} currency=${row.currency} />` },
];

const HOURS = [
  { head: "reserved", text: true, cell: row => html`<${Name} of=${`${row.contract_id}/${row.name}`} />` },
  { head: "hours", number: true, cell: row => `${count(row.hours)}${row.unsettled_hours ? ` + ${count(row.unsettled_hours)} to be settled` : ""}` },
  { head: "paid", number: true, cell: row => html`<${Amount} of=${row.amount} currency=${row.currency} />` },
  { head: "not used", number: true, cell: row => html`<${Amount} of=${row.unused_amount} currency=${row.currency} />` },
];

const Reserved = ({ of }) => (of.length ? html`<${Table} caption="What was reserved by the hour" rows=${of} columns=${HOURS} />` : null);

/** A commitment: how much of it is used, beside its bar, and what will be missing at its end. */
function Committed({ of, zone }) {
  const amount = name => html`<${Amount} of=${of[name]} currency=${of.currency} />`;
  return html`<div><div class="head"><span>Committed by <bdi>${of.contract_id}</bdi>: <bdi>${of.name}</bdi>, until ${day(of.end, zone)}</span>
      <span class="faint">${amount("used_amount")} of ${amount("amount")}${of.used === null ? "" : ` · ${percent(of.used)}`}</span></div>
    <${Bar} share=${of.used ?? 1} />
    ${Number(of.missing_amount) ? html`<p class="warning">${amount("missing_amount")} ${of.is_over ? "is missing" : "will be missing if it goes on like this"}.</p>` : null}</div>`;
}
