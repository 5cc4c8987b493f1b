// Budgets: what was spent of each, where it will end, and how they are set and removed.

import { useState } from "preact/hooks";
import { ask, useAnswer } from "../api.js";
import { COST, href, page, shared } from "../address.js";
import { useLive } from "../live.js";
import { Answer, Bar, Confirm, Downloads, Failure, html, Money, Name, Section, Time } from "../parts.js";
import { MAY_WRITE, ZONE } from "../settings.js";
import { counted, percent } from "../text.js";

const SCOPES = { user: "a user", scenario: "a scenario", tag: "a tag", service: "a service", model: "a model", all: "everybody" };
const PERIODS = ["day", "week", "month"];
const PAGES = { user: "users", scenario: "scenarios" };
const HOUR_MS = 3600000;

const keyOf = one => JSON.stringify([one.scope, one.name, one.period]);

/** Of whom a budget is. */
const Whose = ({ of }) => (of.scope === "all" ? "everybody" : html`${of.scope} <bdi>${of.name}</bdi>`);

/** What was spent of a budget, beside its bar. */
const Spent = ({ of }) => html`<span class=${of.state === "ok" ? "faint" : "warning"}><${Money} of=${of.spent_usd} /> of <${Money} of=${of.limit_usd} />${of.used === null ? "" : ` · ${percent(of.used)}`}</span>`;

const Used = ({ of }) => html`<${Bar} share=${of.used ?? 1} over=${of.state !== "ok"} />`;

/** The fullest budgets, as bars, for the overview. */
export function BudgetBars({ changes }) {
  const found = useAnswer("budgets", null, changes);
  return html`<${Section} title="Budgets" aside=${html`<a href=${href("/budgets")}>All budgets</a>`} isCurrent=${found.isCurrent}><${Answer} of=${found}>${data =>
    data.budgets.length ? data.budgets.slice(0, 6).map(one => html`<div key=${keyOf(one)}><div class="head"><span><${Whose} of=${one} />, a ${one.period}</span><${Spent} of=${one} /></div><${Used} of=${one} /></div>`)
      : html`<p class="faint">There is none yet. <a href=${href("/budgets")}>Set one</a></p>`}<//><//>`;
}

export function Budgets({ address, titled }) {
  titled("Budgets");
  const { changes } = useLive();
  const [written, wrote] = useState(0);
  const found = useAnswer("budgets", new URLSearchParams({ days: "1" }), `${changes} ${written}`);
  const chosen = Object.fromEntries(["scope", "name", "period"].map(name => [name, address.query.get(name) ?? ""]));
  const done = () => wrote(written + 1);
  const zone = address.query.get("tz");
  return html`<div class="head"><h1>Budgets</h1><${Downloads} path="/budgets" query=${zone ? { tz: zone } : null} /></div>
    <p class="faint">A budget is what may be spent in a calendar day, week or month. Calls past it are refused where a program asks for that; <a href=${href("/alerts")}>alerts</a> tell of it before.</p>
    <${Answer} of=${found}>${data => html`
      ${data.budgets.length ? html`<div class="grid" aria-busy=${found.isCurrent ? null : "true"}>${data.budgets.map(one => html`<${Budget} key=${keyOf(one)} of=${one} zone=${address.zone} query=${address.query} done=${done} />`)}</div>`
        : html`<${Section} title="There is no budget yet"><p>${MAY_WRITE ? "Set the first one below." : "Who may write can set one."}</p><//>`}
      ${MAY_WRITE ? html`<${Form} key=${JSON.stringify(chosen)} chosen=${chosen} known=${data.budgets} query=${address.query} done=${done} />`
        : html`<p class="faint">This page may not write, so budgets are only shown here. The command <code>otel-costs budget set</code> sets one.</p>`}`}<//>`;
}

/** One budget: what was spent day by day, and where it will end. */
function Budget({ of, zone, query, done }) {
  const own = shared(query);
  const name = of.scope === "all" ? "Everybody"
    : html`${of.scope} ${PAGES[of.scope] ? html`<a href=${href(page(PAGES[of.scope], of.name))}><${Name} of=${of.name} none="empty" /></a>` : html`<bdi>${of.name}</bdi>`}`;
  const flags = [of.soft && "warns only", of.rollover && "what is left rolls over"].filter(Boolean).join(", ");
  return html`<section class="budget" data-budget=${`${of.scope} ${of.period} ${of.name}`}>
    <div class="head"><h2>${name}, a ${of.period}</h2><${Spent} of=${of} /></div>
    <${Used} of=${of} />
    <${BurnDown} of=${of} />
    <p>${Number(of.remaining_usd) < 0
      ? html`<span class="warning">It is overspent by <${Money} of=${String(of.remaining_usd).replace("-", "")} />.</span>`
      : html`<${Money} of=${of.remaining_usd} /> is left.`}
      ${of.projected_usd !== undefined && of.projected_usd !== null ? html` It ends at about <span class=${Number(of.projected_usd) > Number(of.limit_usd) + Number(of.carried_usd ?? 0) ? "warning" : "good"}><${Money} of=${of.projected_usd} /></span> if it goes on like this.` : null}
      ${of.unpriced_calls ? html` <span class="warning">${counted(of.unpriced_calls, "call")} without a price ${of.unpriced_calls === 1 ? "is" : "are"} not in it.</span>` : null}</p>
    <p class="faint">Since <${Time} at=${of.period_start} zone=${of.zone ?? zone} />${of.period_end ? html` until <${Time} at=${of.period_end} zone=${of.zone ?? zone} />` : null}.
      ${Number(of.carried_usd) ? html` <${Money} of=${of.carried_usd} /> was carried over.` : null}${flags ? ` It ${flags}.` : ""}</p>
    ${MAY_WRITE && html`<div class="row"><a href=${href("/budgets", new URLSearchParams([...own, ["scope", of.scope], ["name", of.name], ["period", of.period]]))}>Change</a>
      <${Confirm} name="Remove" question="Remove this budget? What was spent stays as it is." yes="Remove it" no="Keep it"
        run=${() => ask(pathOf(of), null, { method: "DELETE" }).then(done)} /></div>`}
  </section>`;
}

/** Return the path of a budget in the API. */
const pathOf = ({ scope, name, period }) =>
  scope === "all" ? `budgets/all/${period}` : `budgets/${scope}/${period}/${encodeURIComponent(name.toWellFormed())}`;

/** A browser takes a part that is . or .. out of a path, however it is written. */
const UNWRITABLE = new Set([".", ".."]);

const WIDTH = 300;
const HEIGHT = 90;

/** What was spent until each day, or hour, the limit, and where it goes. Drawn of floats, which are shown nowhere. */
function BurnDown({ of }) {
  if (!of.burn_down?.length || !of.period_end) return null;
  const start = Date.parse(of.period_start);
  const length = Date.parse(of.period_end) - start;
  const piece = of.period === "day" ? HOUR_MS : 24 * HOUR_MS;
  const now = Math.min(1, Math.max(0, (Date.now() - start) / length));
  const limit = Number(of.limit_usd) + Number(of.carried_usd ?? 0);
  const projected = Number(of.projected_usd ?? 0);
  const totals = of.burn_down.map(one => Number(one.total_usd));
  const spent = totals.at(-1);
  const most = Math.max(limit, projected, spent) * 1.08 || 1;
  const x = share => (share * WIDTH).toFixed(1);
  const y = usd => (HEIGHT - (usd / most) * HEIGHT).toFixed(1);
  const points = totals.map((usd, index) => `${x(index === totals.length - 1 ? now : Math.min(now, ((index + 1) * piece) / length))},${y(usd)}`);
  const said = `Spent so far ${percent(spent / (limit || 1))} of the limit, ${percent(now)} of the ${of.period} is over, and about ${percent(projected / (limit || 1))} will be spent at its end.`;
  return html`<figure class="burn"><svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${said}>
      <line class="limit" x1="0" x2=${WIDTH} y1=${y(limit)} y2=${y(limit)} />
      <polygon class=${spent > limit ? "spent over" : "spent"} points=${`0,${HEIGHT} 0,${HEIGHT} ${points.join(" ")} ${x(now)},${HEIGHT}`} />
      <line class=${projected > limit ? "ahead over" : "ahead"} x1=${x(now)} x2=${WIDTH} y1=${y(spent)} y2=${y(projected)} />
    </svg>
    <details><summary>Spent by ${of.period === "day" ? "hour" : "day"}</summary><div class="scroll" role="region" aria-label=${`Spent of the budget of ${of.scope} ${of.name} for a ${of.period}`} tabindex="0"><table>
      <thead><tr><th scope="col">${of.period === "day" ? "hour" : "day"} (${of.zone ?? "UTC"})</th><th scope="col" class="number">spent</th><th scope="col" class="number">until then</th></tr></thead>
      <tbody>${of.burn_down.map(one => html`<tr><td>${one.piece}</td><td class="number"><${Money} of=${one.spent_usd} /></td><td class="number"><${Money} of=${one.total_usd} /></td></tr>`)}</tbody></table></div></details>
  </figure>`;
}

/** Set a budget. What the address names is filled in. */
function Form({ chosen, known, query, done }) {
  const before = known.find(one => keyOf(one) === keyOf({ ...chosen, name: chosen.scope === "all" ? "" : chosen.name }));
  const [scope, choose] = useState(SCOPES[chosen.scope] ? chosen.scope : "user");
  const [state, set] = useState({ error: null, said: "", isUnderWay: false });
  const asks = ["user", "scenario", "service", "model"].includes(scope);
  const found = useAnswer(asks ? "costs" : null, new URLSearchParams({ by: scope, measures: COST, range: "90d", limit: "100" }));
  const submit = event => {
    event.preventDefault();
    const given = new FormData(event.target);
    const one = { scope, name: scope === "all" ? "" : given.get("name"), period: given.get("period") };
    const body = { limit_usd: given.get("limit_usd").trim().replace(/^\$/, "") };
    for (const name of ["soft", "rollover"]) if (given.has(name)) body[name] = true;
    const zone = given.get("zone").trim();
    if (zone && zone !== "UTC") body.zone = zone;
    if (UNWRITABLE.has(one.name)) {
      return set({ error: { message: `A budget of ${one.name} cannot be set in a browser: otel-costs budget set does.` }, said: "", isUnderWay: false });
    }
    set({ error: null, said: "", isUnderWay: true });
    return ask(pathOf(one), null, { method: "PUT", body }).then(
      () => {
        set({ error: null, said: "The budget is set.", isUnderWay: false });
        done();
      },
      error => set({ error, said: "", isUnderWay: false }),
    );
  };
  const names = (found.data?.costs ?? []).map(row => row[scope]).filter(Boolean);
  return html`<${Section} title=${before ? "Change a budget" : "Set a budget"} id="set"><form onSubmit=${submit}>
    <fieldset><legend class="unseen">Budget</legend>
      <label>of <select name="scope" value=${scope} onChange=${event => choose(event.target.value)}>${Object.entries(SCOPES).map(([name, said]) => html`<option value=${name} selected=${name === scope}>${said}</option>`)}</select></label>
      ${scope !== "all" && html`<label>${scope === "tag" ? "tag, as name=value" : `name of the ${scope}`} <input name="name" required list="budget-names" autocomplete="off" defaultValue=${chosen.name} placeholder=${scope === "tag" ? "team=sales" : ""} /></label>
        <datalist id="budget-names">${names.map(name => html`<option value=${name} />`)}</datalist>`}
      <label>a <select name="period">${PERIODS.map(name => html`<option value=${name} selected=${name === (PERIODS.includes(chosen.period) ? chosen.period : "month")}>${name}</option>`)}</select></label>
      <label>limit in US dollars <input name="limit_usd" required inputmode="decimal" autocomplete="off" defaultValue=${before?.limit_usd ?? ""} placeholder="25.00" /></label>
      <label>zone of its days <input name="zone" list="budget-zones" defaultValue=${before?.zone ?? ZONE} /></label>
      <datalist id="budget-zones">${["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])].map(one => html`<option value=${one} />`)}</datalist>
      <label class="check"><input type="checkbox" name="soft" defaultChecked=${before?.soft ?? false} /> warn only, refuse nothing</label>
      <label class="check"><input type="checkbox" name="rollover" defaultChecked=${before?.rollover ?? false} /> add what was left of the period before</label>
    </fieldset>
    <div class="row"><button type="submit" disabled=${state.isUnderWay}>Set the budget</button>
      ${chosen.scope && html`<a href=${href("/budgets", shared(query))}>Set another one</a>`}
      <span class="good" role="status">${state.said}</span></div>
    ${state.error && html`<${Failure} error=${state.error} />`}
  </form><//>`;
}
