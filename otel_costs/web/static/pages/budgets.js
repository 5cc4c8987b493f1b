// Budgets: what was spent of each, where it will end, and how they are set and removed.

import { useAnswer } from "../api.js";
import { href } from "../address.js";
import { Answer, Bar, html, Money, Section } from "../parts.js";
import { percent } from "../text.js";

/** The fullest budgets, as bars, for the overview. */
export function BudgetBars({ changes }) {
  const found = useAnswer("budgets", null, changes);
  return html`<${Section} title="Budgets" aside=${html`<a href=${href("/budgets")}>All budgets</a>`} isCurrent=${found.isCurrent}><${Answer} of=${found}>${data =>
    data.budgets.length ? data.budgets.slice(0, 6).map(one => html`<div key=${one.scope + one.name + one.period}><div class="head"><span><bdi>${one.scope === "all" ? "everybody" : `${one.scope} ${one.name}`}</bdi>, a ${one.period}</span>
      <span class=${one.state === "ok" ? "faint" : "warning"}><${Money} of=${one.spent_usd} /> of <${Money} of=${one.limit_usd} />${one.used === null ? "" : ` · ${percent(one.used)}`}</span></div><${Bar} share=${one.used ?? 1} over=${one.state !== "ok"} /></div>`)
      : html`<p class="faint">There is none yet. <a href=${href("/budgets")}>Set one</a></p>`}<//><//>`;
}

export function Budgets({ titled }) {
  titled("Budgets");
  return html`<h1>Budgets</h1><${BudgetBars} changes=${0} />`;
}
