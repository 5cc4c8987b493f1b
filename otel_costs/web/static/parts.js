// The parts that pages are made of: amounts, times, names, cards, sections, tables, and what stands in the place of data.

import { h } from "preact";
import htm from "htm";
import { useState } from "preact/hooks";
import { isExample } from "./example.js";
import { here_with, href, page } from "./address.js";
import { count, exact, moment, money, percent, visible } from "./text.js";

export const html = htm.bind(h);

/** An amount of US dollars: short, and exact when pointed at, copied or read out. null is no price. */
export function Money({ of, whole = false }) {
  if (of === null || of === undefined) return html`<span class="warning">unpriced</span>`;
  const all = exact(of);
  return html`<data class=${whole ? "money whole" : "money"} value=${of} title=${all}>${whole ? all : money(of)}</data>`;
}

/** The cost of several calls, and how many of them have no price. */
export const Cost = ({ of, unpriced = 0, calls }) =>
  Number(unpriced) && Number(unpriced) === Number(calls)
    ? html`<span class="warning">unpriced</span>`
    : html`<${Money} of=${of} />${Number(unpriced) ? html` <span class="warning">+ ${unpriced} unpriced</span>` : null}`;

/** A moment in the zone of the page, which is written beside it. */
export function Time({ at, zone, seconds = false, dateless = false }) {
  const { date, time, zone: name } = moment(at, zone);
  const clock = seconds ? time : time.slice(0, 5);
  return html`<time datetime=${at} title=${at}>${dateless ? clock : `${date} ${clock}`} <small>${name}</small></time>`;
}

/** A name that may be any text: kept apart from the text around it, and something to see where it is empty. */
export const Name = ({ of, none }) =>
  of === "" || of === null || of === undefined ? html`<span class="faint">(${none})</span>` : html`<bdi>${visible(of)}</bdi>`;

/** A link to the page of one thing, which keeps period, zone and filters. */
export const To = ({ kind, id, query, none = `no ${kind.slice(0, -1)}` }) => {
  const ids = Array.isArray(id) ? id : [id];
  return html`<a href=${href(page(kind, ...ids), query)} title=${ids[ids.length - 1] || null}><${Name} of=${ids[ids.length - 1]} none=${none} /></a>`;
};

export const Card = ({ name, children, note }) =>
  html`<div class="card"><dt>${name}</dt><dd class="value">${children}</dd><dd class="note">${note || " "}</dd></div>`;

export const Cards = ({ children }) => html`<dl class="cards">${children}</dl>`;

/** A part of a page under a heading; `aside` stands beside it. */
export function Section({ title, aside, children, isCurrent = true, id }) {
  return html`<section aria-busy=${isCurrent ? null : "true"} id=${id}>
    <div class="head"><h2>${title}</h2>${aside}</div>
    ${children}
  </section>`;
}

/** The same rows as data. */
export const Downloads = ({ path, query }) => isExample() ? null : html`<span class="downloads">
  <a href=${href(suffixed(path, "csv"), query)} download>CSV</a> <a href=${href(suffixed(path, "json"), query)} data-outside target="_blank" rel="noopener">JSON</a>
</span>`;

function suffixed(path, suffix) {
  const [place, query] = path.split("?");
  const made = place === "/" ? `/overview.${suffix}` : `${place}.${suffix}`;
  return query === undefined ? made : `${made}?${query}`;
}

/**
 * A table. Columns: {head, cell: row => content, number, wide, sort}; those that are wide are left out on a phone.
 *
 * `sort` of a column is a value of the parameter sort; `sorted` is the one in force.
 */
export function Table({ columns, rows, caption, empty = "Nothing in this period.", sorted }) {
  if (!rows.length) return html`<p class="faint">${empty}</p>`;
  const kind = column => [column.number && "number", column.wide && "wide", column.text && "text"].filter(Boolean).join(" ") || null;
  return html`<div class="scroll" role="region" aria-label=${caption} tabindex="0"><table>
    <caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map(column => html`<th scope="col" class=${kind(column)} aria-sort=${column.sort ? (column.sort === sorted ? "descending" : "none") : null}>
      ${column.sort ? html`<a href=${here_with({ sort: column.sort })}>${column.head}</a>` : column.head}</th>`)}</tr></thead>
    <tbody>${rows.map(row => html`<tr key=${row.key}>${columns.map(column => html`<td class=${kind(column)}>${column.cell(row)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** A share of the largest, as a bar. */
export function Bar({ share, over = false }) {
  const width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  return html`<span class="track"><span class=${over ? "over" : null} style=${{ width }}></span></span>`;
}

/** How much more or less than before: up is worse where it is money. */
export function Change({ now, before, worse = true }) {
  if (!Number(before)) return html`nothing in the period before`;
  const ratio = Number(now) / Number(before) - 1;
  if (ratio > 9) return html`<span class=${worse ? "warning" : "good"}>▲ ${count(Math.round(ratio + 1))} times</span> as much as in the period before`;
  const kind = ratio === 0 ? null : (ratio > 0) === worse ? "warning" : "good";
  return html`<span class=${kind}>${ratio >= 0 ? "▲" : "▼"} ${percent(Math.abs(ratio))}</span> ${ratio >= 0 ? "more" : "less"} than in the period before`;
}

export function Failure({ error, retry }) {
  return html`<div class="failure" role="alert"><p>${error.message}</p>${retry && html`<button type="button" onClick=${retry}>Try again</button>`}</div>`;
}

export const Loading = ({ what = "Loading" }) => html`<p class="faint loading" role="status">${what}…</p>`;

/** What stands for an answer until it is there, or what it says if it failed. */
export function Answer({ of, children, what }) {
  if (of.error) return html`<${Failure} error=${of.error} retry=${of.retry} />`;
  return of.data === undefined ? html`<${Loading} what=${what} />` : children(of.data);
}

/** A button that asks before it runs something, in its own place. `run` returns a promise; what it fails with is told. */
export function Confirm({ name, question, yes, no, run }) {
  const [state, set] = useState("idle");
  const [error, fail] = useState(null);
  const start = () => {
    set("running");
    run().catch(failed => {
      fail(failed);
      set("idle");
    });
  };
  if (state === "idle")
    return html`<button type="button" onClick=${() => (fail(null), set("asked"))}>${name}</button>${error && html`<${Failure} error=${error} />`}`;
  return html`<span class="row" role="group" aria-label=${question}><span>${question}</span>
    <button type="button" class="danger" disabled=${state === "running"} onClick=${start} ref=${focused}>${yes}</button>
    <button type="button" disabled=${state === "running"} onClick=${() => set("idle")}>${no}</button></span>`;
}

/** Give the focus to what takes the place of a control that had it. */
const focused = element => element && !element.dataset.focused && ((element.dataset.focused = "1"), element.focus());

/** A button that copies a text. */
export function Copy({ text, name = "Copy" }) {
  const [said, say] = useState("");
  const copied = () => {
    say("Copied.");
    setTimeout(() => say(""), 4000);
  };
  const click = () => Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject()).then(copied, () => (copyOld(text) ? copied() : say("It could not be copied: select the text and copy it.")));
  return html`<span class="row"><button type="button" onClick=${click}>${name}</button><span class="good" role="status">${said}</span></span>`;
}

/** Copy where the page was not loaded over a connection that a browser trusts. */
function copyOld(text) {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}

/** A difference of two amounts: a plus or a minus, and the colour of what is dearer. */
export function Difference({ of, share = null }) {
  if (of === null || of === undefined) return html`<span class="faint">not known</span>`;
  const kind = Number(of) === 0 ? "faint" : Number(of) > 0 ? "warning" : "good";
  return html`<span class=${kind}>${Number(of) > 0 ? "+" : ""}<${Money} of=${of} />${share === null ? "" : ` · ${signed(share)}`}</span>`;
}

/** Return a change as percent, with its sign. */
export const signed = share => `${share > 0 ? "+" : share < 0 ? "−" : ""}${percent(Math.abs(share))}`;
