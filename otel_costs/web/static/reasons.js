// Why a cost is not simply priced: each reason with its sentence, and what to do.

import { useAnswer } from "./api.js";
import { html } from "./parts.js";
import { words } from "./text.js";

/** The reasons of a cost, which may be several, separated by commas. */
export function Reasons({ of, state }) {
  const found = useAnswer("reasons");
  const told = new Map((found.data?.reasons ?? []).map(one => [one.reason, one]));
  const names = of.split(",").map(name => name.trim()).filter(Boolean);
  if (!names.length) return html`<p class="reason faint">${state === "estimated" ? "The price that was applied is not known to be that of these calls." : "No reason was recorded."}</p>`;
  return names.map(name => html`<p class="reason" key=${name}><b>${words(name)}</b>${told.has(name) ? html`: ${written(told.get(name).meaning)} <span class="faint">What to do: ${written(told.get(name).remedy)}</span>` : "."}</p>`);
}

/** A sentence whose code stands between backticks. */
const written = sentence => sentence.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
