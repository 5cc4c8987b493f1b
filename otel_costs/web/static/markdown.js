// Markdown, as models write it, as elements and text nodes: never markup from the text itself.

import { html } from "./parts.js";

const FENCE = /^ {0,3}(```|~~~)\s*(\S*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
// Each alternative ends at the next of its own signs, so that the time grows with the text alone.
const INLINE = /(`+)([^`]+)\1|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|~~([^~]+)~~|\[([^\][]{1,500})\]\(([^()\s]{1,2000})\)/g;

/** Return text with its Markdown shown. Links are written out: a link of a model's leads nowhere by a click. */
export function Markdown({ text }) {
  return html`<div class="markdown">${blocks(text.split(/\r?\n/))}</div>`;
}

function blocks(lines) {
  const made = [];
  let at = 0;
  const while_ = matches => {
    const start = at;
    while (at < lines.length && matches(lines[at])) at += 1;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    let found;
    if ((found = FENCE.exec(line))) {
      at += 1;
      const code = while_(one => !one.trimStart().startsWith(found[1]));
      at += 1;
      made.push(html`<pre><code>${code.join("\n")}</code></pre>`);
    } else if (RULE.test(line)) {
      at += 1;
      made.push(html`<hr />`);
    } else if ((found = HEADING.exec(line))) {
      at += 1;
      // Not a heading of the page: it would stand among the page's own.
      made.push(html`<p class=${`heading heading-${found[1].length}`}>${inline(found[2])}</p>`);
    } else if (QUOTE.test(line)) {
      made.push(html`<blockquote>${blocks(while_(one => QUOTE.test(one)).map(one => QUOTE.exec(one)[1]))}</blockquote>`);
    } else if (ITEM.test(line)) {
      const items = while_(one => ITEM.test(one) || /^\s{2,}\S/.test(one));
      made.push(list(items));
    } else if (line.includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      const rows = while_(one => one.includes("|") && one.trim() !== "");
      made.push(table(rows));
    } else if (line.trim() === "") {
      at += 1;
    } else {
      const start = at;
      at += 1;
      while (at < lines.length && lines[at].trim() !== "" && ![FENCE, HEADING, QUOTE, ITEM, RULE].some(one => one.test(lines[at]))) at += 1;
      made.push(html`<p>${inline(lines.slice(start, at).join("\n"))}</p>`);
    }
  }
  return made;
}

function list(lines) {
  const items = [];
  for (const line of lines) {
    const found = ITEM.exec(line);
    if (found && (!items.length || found[1].length <= items[0].indent + 1)) items.push({ indent: found[1].length, number: found[2], text: [found[3]] });
    else items.at(-1).text.push(line.replace(/^\s{1,4}/, ""));
  }
  const entries = items.map(item => html`<li>${item.text.length === 1 ? inline(item.text[0]) : blocks(item.text)}</li>`);
  return items[0].number === undefined ? html`<ul>${entries}</ul>` : html`<ol start=${Number(items[0].number)}>${entries}</ol>`;
}

function table(lines) {
  const cells = line => line.trim().replace(/^\||\|$/g, "").split("|").map(cell => inline(cell.trim()));
  const [head, , ...rows] = lines;
  return html`<table><thead><tr>${cells(head).map(cell => html`<th scope="col">${cell}</th>`)}</tr></thead>
    <tbody>${rows.map(row => html`<tr>${cells(row).map(cell => html`<td>${cell}</td>`)}</tr>`)}</tbody></table>`;
}

function inline(text) {
  const made = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    made.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const [, , code, strong, strong2, emphasis, struck, label, target] = found;
    if (code !== undefined) made.push(html`<code>${code}</code>`);
    else if (strong ?? strong2) made.push(html`<strong>${strong ?? strong2}</strong>`);
    else if (emphasis) made.push(html`<em>${emphasis}</em>`);
    else if (struck) made.push(html`<s>${struck}</s>`);
    else made.push(html`<span class="link">${label}</span> <span class="faint">(${target})</span>`);
  }
  made.push(text.slice(end));
  return made;
}
