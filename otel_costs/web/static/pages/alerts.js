// Alerts: what rules have found, who was told, and the rules themselves.

import { useEffect, useState } from "preact/hooks";
import { ask, useAnswer } from "../api.js";
import { href, shared } from "../address.js";
import { useLive } from "../live.js";
import { Answer, Confirm, Downloads, Failure, html, Name, Section, Table, Time, To } from "../parts.js";
import { MAY_WRITE, ZONE } from "../settings.js";
import { counted, percent, words } from "../text.js";

const LOOK_MS = 20000;
const HOURS = [1, 4, 24, 168];

/** What each kind of rule finds, and the fields that it is given here. */
const KINDS = {
  budget: ["a budget of which a share is spent", ["shares"]],
  session_cost: ["a session that has cost so much while it still runs", ["usd", "active"]],
  spend_rate: ["somebody whose last hour costs so many times what is usual", ["by", "times", "min_usd"]],
  new_model: ["a model that was never called before", []],
  unpriced_calls: ["calls without a price", []],
  missing_calls: ["calls that were made and have not arrived", []],
  day_total: ["a day that has cost so much", ["usd", "zone"]],
  store_health: ["the store is damaged, or no call arrives", ["silent"]],
  reconcile: ["a day of a provider's bill that differs from what was recorded, by dollars or by percent", ["usd", "percent"]],
};

const FIELDS = {
  shares: ["shares that are told, in percent", "80, 100"],
  usd: ["from so many US dollars on", "5.00"],
  active: ["it runs while its last call is younger than", "15m"],
  by: ["of each", "user"],
  times: ["so many times what is usual", "3"],
  min_usd: ["and at least so many US dollars in the hour", "1"],
  zone: ["zone of the day", ZONE],
  silent: ["told when no call arrived for so long", "2h"],
  percent: ["or from so many percent on", "2"],
};
const NEEDED = { session_cost: ["usd"], spend_rate: ["by", "times"], day_total: ["usd"] };

const FILE = 'receivers:\n  team: {url: "mailto://..."}   # any address that Apprise knows';

export function Alerts({ address, titled }) {
  titled("Alerts");
  const { changes } = useLive();
  const [written, wrote] = useState(0);
  const [looked, look] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => look(count => count + 1), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const found = useAnswer("alerts", null, `${changes} ${written} ${looked}`);
  const done = () => wrote(count => count + 1);
  return html`<div class="head"><h1>Alerts</h1><${Downloads} path="/alerts" /></div>
    <p class="faint">Rules look at the store once a minute. What they find is told once, and again when it has ended.</p>
    <${Answer} of=${found}>${data => html`
      <${Watched} of=${data} />
      <${Found} data=${data} zone=${address.zone} query=${shared(address.query)} done=${done} />
      <${Silences} data=${data} zone=${address.zone} done=${done} />
      <${Rules} data=${data} done=${done} />
      ${MAY_WRITE ? html`<${Form} receivers=${data.receivers} done=${done} />` : html`<p class="faint">This page may not write, so alerts are only shown here.</p>`}`}<//>`;
}

/** Who is told, or what to do so that somebody is. */
function Watched({ of }) {
  if (of.is_watched) return html`<p>A program watches this store, and tells ${of.receivers.map((name, index) => html`${index ? ", " : ""}<bdi>${name}</bdi>`)}.</p>`;
  return html`<${Section} title="Nobody is told"><p>No program watches this store now. Write receivers into a file, <code>alerts.yaml</code>:</p>
    <pre>${FILE}</pre><p>and start <code>otel-costs local --alerts alerts.yaml</code>, <code>otel-costs web --alerts alerts.yaml</code>, or by itself <code>otel-costs alerts run --rules alerts.yaml</code>.</p><//>`;
}

function Found({ data, zone, query, done }) {
  const open = data.alerts.filter(one => one.state === "open");
  const others = data.alerts.filter(one => one.state !== "open");
  const about = one => (one.session_id ? html` <${To} kind="sessions" id=${one.session_id} query=${query} />` : one.user_id ? html` <${To} kind="users" id=${one.user_id} query=${query} />` : null);
  const columns = [
    { head: "what", cell: one => html`<span class="break">${one.message}</span>${about(one)}` },
    { head: "since", wide: true, cell: one => html`<${Time} at=${one.began_at} zone=${zone} />` },
    { head: "rule", text: true, wide: true, cell: one => html`<${Name} of=${one.rule} none="no rule" />` },
    { head: "told", text: true, wide: true, cell: one => (one.sent_to.length ? html`<bdi>${one.sent_to.join(", ")}</bdi>` : html`<span class="faint">nobody yet</span>`) },
  ];
  const acknowledge = one => html`<${Act} name="Acknowledge" run=${() => ask("alerts/acknowledge", null, { method: "POST", body: { id: one.id } }).then(done)} />`;
  const state = one => html`${one.state}${one.ended_at ? html` <${Time} at=${one.ended_at} zone=${zone} />` : null}`;
  const keyed = rows => rows.map(one => ({ ...one, key: one.id }));
  return html`<${Section} title=${open.length ? `${counted(open.length, "alert")} that nobody has acknowledged` : "Now"}>
      <${Table} caption="Open alerts" empty="Nothing lasts that nobody has acknowledged." rows=${keyed(open)} columns=${MAY_WRITE ? [...columns, { head: "acknowledge", cell: acknowledge }] : columns} /><//>
    ${others.length ? html`<${Section} title="Acknowledged and ended"><${Table} caption="Acknowledged and ended alerts" rows=${keyed(others)} columns=${[...columns, { head: "state", cell: state }]} /><//>` : null}`;
}

/** A button that does something at once, and tells where it fails. */
function Act({ name, run }) {
  const [state, set] = useState({ isUnderWay: false, error: null });
  const click = () => {
    set({ isUnderWay: true, error: null });
    run().then(() => set({ isUnderWay: false, error: null }), error => set({ isUnderWay: false, error }));
  };
  return html`<button type="button" disabled=${state.isUnderWay} onClick=${click}>${name}</button>${state.error && html`<${Failure} error=${state.error} />`}`;
}

const silence = (name, hours) => ask("alerts/silence", null, { method: "POST", body: { name, hours } });

function Silences({ data, zone, done }) {
  if (!data.silences.length) return null;
  return html`<${Section} title="Silenced"><ul class="points">${data.silences.map(one => html`<li key=${one.name}>${one.name ? html`<bdi>${one.name}</bdi>` : "everything"} until <${Time} at=${one.until} zone=${zone} />
    ${MAY_WRITE && html` <${Act} name="End the silence" run=${() => silence(one.name, 0).then(done)} />`}</li>`)}</ul><//>`;
}

/** What a rule says beside its kind. */
function said(rule) {
  const fields = KINDS[rule.when]?.[1] ?? Object.keys(rule).filter(name => !["name", "when", "to", "source", "key"].includes(name));
  const value = name => (name === "shares" ? rule.shares.map(one => percent(Number(one))).join(", ") : rule[name]);
  return fields.filter(name => rule[name] !== undefined).map(name => `${words(name)} ${value(name)}`).join("; ");
}

function Rules({ data, done }) {
  const remove = rule => html`<${Confirm} name="Remove" question="Remove this rule? What it has found ends." yes="Remove it" no="Keep it"
    run=${() => ask("alerts/rules/remove", null, { method: "POST", body: { name: rule.name } }).then(done)} />`;
  const hush = rule => html`<select aria-label=${`Silence ${rule.name}`} onChange=${event => { silence(rule.name, Number(event.target.value)).then(done); event.target.value = ""; }}>
    <option value="">silence…</option>${HOURS.map(hours => html`<option value=${String(hours)}>for ${counted(hours, "hour")}</option>`)}</select>`;
  return html`<${Section} title="Rules" aside=${MAY_WRITE && data.rules.length ? html`<${Act} name="Silence all for an hour" run=${() => silence("", 1).then(done)} />` : null}>
    <${Table} caption="Rules" empty="There is none yet." rows=${data.rules.map(rule => ({ ...rule, key: rule.name }))} columns=${[
      { head: "rule", text: true, cell: rule => html`<bdi title=${rule.name}>${rule.name}</bdi>` },
      { head: "finds", cell: rule => html`${KINDS[rule.when]?.[0] ?? words(rule.when)}${said(rule) ? html` <span class="faint break">(${said(rule)})</span>` : null}` },
      { head: "tells", wide: true, cell: rule => (rule.to ? html`<bdi>${rule.to.join(", ")}</bdi>` : "all") },
      { head: "from", wide: true, cell: rule => (rule.source === "file" ? "a file" : "this page") },
      ...(MAY_WRITE ? [{ head: "do", cell: rule => html`<span class="row">${hush(rule)}${rule.source === "store" ? remove(rule) : null}</span>` }] : []),
    ]} />
    <p class="faint">A budget is set on <a href=${href("/budgets")}>its own page</a>; a rule tells of all of them.</p><//>`;
}

/** Add a rule, or put another one in the place of that of its name. */
function Form({ receivers, done }) {
  const [when, choose] = useState("session_cost");
  const [state, set] = useState({ error: null, said: "", isUnderWay: false });
  const submit = event => {
    event.preventDefault();
    const form = event.target;
    const given = new FormData(form);
    const body = { name: given.get("name").trim() || when, when };
    for (const name of KINDS[when][1]) {
      const value = given.get(name).trim();
      if (value) body[name] = name === "shares" ? value.split(/[\s,;]+/).filter(Boolean).map(share) : value.replace(/^\$/, "");
    }
    const to = given.getAll("to");
    if (to.length) body.to = to;
    set({ error: null, said: "", isUnderWay: true });
    ask("alerts/rules", null, { method: "POST", body }).then(
      () => {
        set({ error: null, said: `The rule ${body.name} counts from the next look on.`, isUnderWay: false });
        for (const field of form.querySelectorAll("input:not([type=checkbox])")) field.value = field.defaultValue;
        done();
      },
      error => set({ error, said: "", isUnderWay: false }),
    );
  };
  return html`<${Section} title="Add a rule" id="add"><form onSubmit=${submit}>
    <fieldset><legend class="unseen">Rule</legend>
      <label>tell of <select name="when" onChange=${event => choose(event.target.value)}>${Object.entries(KINDS).map(([name, [finds]]) => html`<option value=${name} selected=${name === when}>${finds}</option>`)}</select></label>
      <label>its name <input name="name" autocomplete="off" maxlength="200" placeholder=${when} /></label>
      ${KINDS[when][1].map(name => html`<label key=${`${when} ${name}`}>${FIELDS[name][0]} ${name === "by"
        ? html`<input name="by" required list="rule-by" defaultValue="user" autocomplete="off" /><datalist id="rule-by">${["user", "model", "service", "tag.team"].map(one => html`<option value=${one} />`)}</datalist>`
        : html`<input name=${name} required=${NEEDED[when]?.includes(name) ?? false} placeholder=${FIELDS[name][1]} autocomplete="off" />`}</label>`)}
    </fieldset>
    ${receivers.length > 1 ? html`<fieldset><legend>Tell</legend>${receivers.map(name => html`<label class="check" key=${name}><input type="checkbox" name="to" value=${name} /> <bdi>${name}</bdi></label>`)}<span class="faint">none chosen is all</span></fieldset>` : null}
    <div class="row"><button type="submit" disabled=${state.isUnderWay}>Add the rule</button><span class="good" role="status">${state.said}</span></div>
    ${state.error && html`<${Failure} error=${state.error} />`}
  </form><//>`;
}

/** Return a share as a rule has it, of percent as it was typed: moved by two digits, so that no float is made of it. */
function share(text) {
  const [, whole, part] = /^(\d*)(?:\.(\d+))?\s*%?$/.exec(text) ?? [];
  if (whole === undefined) return text;
  const digits = whole.padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}${part ?? ""}`;
}
