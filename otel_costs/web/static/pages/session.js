// One session: what it cost and most of what, its timeline, and the conversation with each turn's price beside it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAnswer } from "../api.js";
import { changed, go, here_with, href, page, shared } from "../address.js";
import { useLive } from "../live.js";
import { Markdown } from "../markdown.js";
import { Answer, Bar, Card, Cards, Downloads, Failure, html, Loading, Money, Section, Table, Time, To } from "../parts.js";
import { count, counted, percent, took, words } from "../text.js";
import { Timeline } from "../timeline.js";
import { CallFacts } from "./call.js";

const DRAWN = 150; // messages, before more are shown as one scrolls
const MOST_CALLS = 5000;

export const Session = ({ id, ...more }) => (id === "" ? html`<${NoSession} ...${more} />` : html`<${OneSession} id=${id} ...${more} />`);

/** The calls that are in no session, and how calls get into one. */
function NoSession({ address, titled }) {
  titled("Calls in no session");
  const found = useAnswer("calls", changed(shared(address.query), { session: "", limit: 200 }));
  return html`<h1>Calls in no session</h1>
    <p>Name a session with <code>otel_costs.session("ID")</code>, or in OpenAI’s own fields: <code>metadata={"session_id": "ID"}</code>, or <code>conversation</code>.</p>
    <section><${Answer} of=${found}>${data => html`<${Table} caption="Calls in no session" rows=${data.calls} columns=${[
      { head: "call", cell: row => html`<a href=${href(page("calls", row.call_id))}>${row.call_id.slice(0, 8)}…</a>` },
      { head: "ended", cell: row => html`<${Time} at=${row.end_time} zone=${address.zone} />` },
      { head: "operation", wide: true, cell: row => words(row.operation) },
      { head: "model", text: true, cell: row => html`<bdi>${row.model}</bdi>` },
      { head: "service", wide: true, text: true, cell: row => html`<bdi>${row.service}</bdi>` },
      { head: "cost", number: true, cell: row => html`<${Money} of=${row.cost_usd} />` },
    ]} />${data.total > data.calls.length ? html`<p class="faint">The newest ${count(data.calls.length)} of ${count(data.total)}.</p>` : null}`}<//></section>`;
}

function OneSession({ id, address, titled }) {
  titled(id);
  // Where an id cannot be a part of a path, the page itself is asked for its data.
  const path = [".", ".."].includes(id) ? page("sessions", id) : `sessions/${encodeURIComponent(id.toWellFormed())}`;
  const { calls: fresh, sessions } = useLive();
  const [tick, changes] = useState(0);
  const isUnderWay = sessions.some(one => one.session_id === id);
  // Only what happens in this session asks for it again.
  useEffect(() => {
    if (fresh.some(call => call.session_id === id)) changes(tick + 1);
  }, [fresh]);
  const found = useAnswer(path, null, tick);
  const calls = useAnswer("calls", new URLSearchParams({ session: id, sort: "oldest", limit: MOST_CALLS }), tick);
  if (found.error?.status === 404) return html`<h1><span class="faint">Session</span> <bdi>${id}</bdi></h1>
    <${Section} title="It is not there yet"><p>No call of it has arrived. When one does, this page shows it by itself. <a href=${href("/sessions", shared(address.query))}>To all sessions</a></p><//>`;
  return html`<div class="head"><h1><span class="faint">Session</span> <bdi>${id}</bdi>${isUnderWay ? html` <span class="good live">under way</span>` : null}</h1>
      <${Downloads} path=${page("sessions", id)} query=${null} /></div>
    <${Answer} of=${found} what="Reading the session">${session => html`
      <${Facts} session=${session} zone=${address.zone} />
      <${Totals} session=${session} calls=${calls.data?.calls ?? []} />
      ${calls.error && html`<${Failure} error=${calls.error} retry=${calls.retry} />`}
      ${calls.data ? html`<${Course} session=${session} calls=${calls.data.calls} address=${address} />
        ${calls.data.cursor ? html`<p class="warning">Only the first ${count(MOST_CALLS)} of ${count(calls.data.total)} calls are drawn; the figures above are of all.</p>` : null}` : html`<${Loading} what="Reading its calls" />`}
      <${Parts} cost=${session.cost} />`}<//>`;
}

function Facts({ session, zone }) {
  const facts = [
    session.user_id && html`user <${To} kind="users" id=${session.user_id} />`,
    session.kind,
    session.scenario && html`scenario <${To} kind="scenarios" id=${session.scenario} />`,
    html`began <${Time} at=${session.start_time} zone=${zone} />`,
    ...Object.entries(session.tags).map(([name, value]) => html`<a class="chip" href=${href("/sessions", { range: "90d", [`tag.${name}`]: value })}><bdi>${name}</bdi> <bdi>${value}</bdi></a>`),
  ].filter(Boolean);
  return html`<p class="facts">${facts.map(fact => html`<span>${fact}</span>`)}
    <a href=${href("/what-if", { session: session.session_id })}>What if it had used another model?</a></p>`;
}

function Totals({ session, calls }) {
  const { cost } = session;
  const [part, most] = Object.entries(cost.cost_breakdown).sort((a, b) => Number(b[1]) - Number(a[1]))[0] ?? [];
  const total = Number(session.cost_usd);
  const minutes = session.duration_seconds / 60;
  const turns = session.messages.filter(one => one.role === "user").length;
  const broken = session.messages.filter(one => one.metadata.interrupted).length;
  const first = median(calls.map(call => call.time_to_first_audio_s ?? call.time_to_first_chunk_s).filter(one => one !== null && one !== undefined));
  const isSpoken = calls.some(call => call.time_to_first_audio_s !== null && call.time_to_first_audio_s !== undefined);
  return html`<${Cards}>
    <${Card} name="Cost" note=${session.unpriced_calls ? html`<span class="warning">and ${counted(session.unpriced_calls, "call")} without a price</span>` : minutes >= 1 && total ? `$${(total / minutes).toPrecision(3)} a minute` : "every call has a price"}>
      <${Money} of=${session.cost_usd} whole=${true} /><//>
    <${Card} name="Most of it" note=${total ? `${percent(Number(most) / total)} of the cost` : ""}>${total ? words(part) : "–"}<//>
    <${Card} name="Took">${took(session.duration_seconds)}<//>
    ${session.messages.length > 0 && html`<${Card} name="Turns" note=${broken ? html`<span class="warning">${counted(broken, "message")} interrupted</span>` : "none interrupted"}>${count(turns)}<//>`}
    <${Card} name="Calls" note=${session.error_count ? html`<span class="warning">${counted(session.error_count, "call")} failed</span>` : "none failed"}>${count(session.call_count)}<//>
    ${first !== null ? html`<${Card} name=${isSpoken ? "First sound after" : "First words after"} note="half of the answers are faster">${took(first)}<//>` : null}
  <//>`;
}

function median(values) {
  const sorted = [...values].map(Number).sort((a, b) => a - b);
  return sorted.length ? sorted[(sorted.length - 1) >> 1] : null;
}

/** The timeline and the conversation. */
function Course({ session, calls, address }) {
  const [shown, show] = useState(null);
  const chosen = target => show({ target });
  const turns = useMemo(() => placed(session.messages, calls), [session, calls]);
  const isMarkdown = address.query.get("markdown") === "1";
  const view = session.messages.length > 0 && html`<label class="check"><input type="checkbox" checked=${isMarkdown} onChange=${event => go(here_with({ markdown: event.target.checked ? "1" : null }), { replace: true })} /> Markdown</label>`;
  return html`${calls.length || session.messages.length ? html`<${Section} title="Timeline"><${Timeline} messages=${session.messages} calls=${calls} show=${chosen} /><//>` : null}
    <${Section} title="The conversation, and what each turn cost" aside=${view}>
      ${session.content_withheld ? html`<p class="faint">What was said is not shown: to read it is a right of its own.</p>` : null}
      ${session.messages.length || !calls.length || session.content_withheld ? null : html`<p class="faint">No message is recorded, as is the default. <code>OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=EVENT_ONLY</code> in the environment of the program records what is said.</p>`}
      ${session.messages.length || calls.length ? null : html`<p class="faint">Nothing is recorded of it yet.</p>`}
      <${Turns} turns=${turns} session=${session} isMarkdown=${isMarkdown} zone=${address.zone} shown=${shown} />
    <//>`;
}

/**
 * Return [{message, index, calls}]: each call beside the last message that names it, or else beside the last that was there when it ended.
 *
 * A call before all messages stands in a turn without one.
 */
function placed(messages, calls) {
  const turns = messages.map((message, index) => ({ message, index, calls: [] }));
  const named = new Map();
  turns.forEach(turn => turn.message.call_id && named.set(turn.message.call_id, turn));
  const times = turns.map(turn => Date.parse(turn.message.timestamp));
  const first = { message: null, index: -1, calls: [] };
  for (const call of [...calls].sort((a, b) => Date.parse(a.end_time) - Date.parse(b.end_time))) {
    let turn = named.get(call.call_id);
    if (!turn) {
      const end = Date.parse(call.end_time);
      for (let at = times.length - 1; at >= 0 && !turn; at -= 1) if (times[at] <= end) turn = turns[at];
    }
    (turn ?? first).calls.push(call);
  }
  return first.calls.length ? [first, ...turns] : turns;
}

function Turns({ turns, session, isMarkdown, zone, shown }) {
  const [limit, more] = useState(DRAWN);
  const end = useRef(null);
  useEffect(() => {
    if (!end.current) return undefined;
    const watching = new IntersectionObserver(([one]) => one.isIntersecting && more(limit + DRAWN), { rootMargin: "600px" });
    watching.observe(end.current);
    return () => watching.disconnect();
  }, [limit, turns.length]);
  useEffect(() => {
    if (!shown) return;
    const at = turns.findIndex(turn => `message-${turn.index}` === shown.target || turn.calls.some(call => `call-${call.call_id}` === shown.target));
    if (at >= limit) more(at + DRAWN);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const found = document.getElementById(shown.target);
      if (!found) return;
      if (found.tagName === "DETAILS") found.open = true;
      found.scrollIntoView({ block: "center" });
      found.focus({ preventScroll: true });
      found.classList.add("pointed-at");
      setTimeout(() => found.classList.remove("pointed-at"), 1500);
    }));
  }, [shown]);
  return html`<ol class="turns">${turns.slice(0, limit).map(turn => html`<${Turn} key=${turn.index} turn=${turn} session=${session} isMarkdown=${isMarkdown} zone=${zone} />`)}</ol>
    ${turns.length > limit ? html`<p ref=${end}><button type="button" onClick=${() => more(limit + DRAWN)}>Show more</button> <span class="faint">${count(limit)} of ${count(turns.length)} messages</span></p>` : null}`;
}

function Turn({ turn, session, isMarkdown, zone }) {
  const { message, calls } = turn;
  const role = ["system", "developer", "user", "assistant", "function"].includes(message?.role) ? message.role : "other";
  return html`<li class=${`turn ${role}`}>
    <div>${message && html`<${Said} message=${message} id=${`message-${turn.index}`} isMarkdown=${isMarkdown} zone=${zone} />`}</div>
    <div class="prices">${calls.map(call => html`<${Price} key=${call.call_id} call=${call} session=${session} zone=${zone} />`)}</div></li>`;
}

const MISSING = {
  deleted: "Its content was deleted after the time for which it is kept.",
  sealed: "Its content is sealed: this application does not have the key.",
  altered: "Its content is sealed, and was altered or moved since: it cannot be opened.",
};

function Said({ message, id, isMarkdown, zone }) {
  const { metadata } = message;
  const seconds = Number(metadata.audio_seconds || 0);
  const type = message.type === "text" ? "" : message.role === "function" ? "result" : words(message.type);
  const head = [message.role, metadata.function_name, type, seconds ? took(seconds) : ""].filter(Boolean);
  const given = metadata.arguments === undefined || message.role === "function" ? "" : typeof metadata.arguments === "string" ? metadata.arguments : JSON.stringify(metadata.arguments, null, 2);
  const content = message.content ?? "";
  return html`<article class="said" id=${id} tabindex="-1">
    <p class="faint who">${head.map((part, at) => html`${at ? " · " : ""}<bdi>${part}</bdi>`)} · <${Time} at=${message.timestamp} zone=${zone} seconds=${true} dateless=${true} />
      ${metadata.interrupted ? html` · <b class="warning">interrupted${seconds ? ` after ${took(seconds)}` : ""}</b>` : ""}</p>
    ${content && html`<div class="text" dir="auto">${isMarkdown && message.role !== "function" ? html`<${Markdown} text=${content} />` : content}</div>`}
    ${given && html`<pre dir="auto">${given}</pre>`}
    ${!content && !given ? html`<p class="faint">${MISSING[metadata.content_state] ?? (message.type === "function_call" ? "No arguments are recorded." : "Its content is not recorded.")}</p>` : null}
    ${metadata.truncated && !metadata.interrupted ? html`<p class="faint">Cut: ${count(metadata.bytes || 0)} bytes in all.</p>` : null}
  </article>`;
}

function Price({ call, session, zone }) {
  const [isOpen, open] = useState(false);
  return html`<details id=${`call-${call.call_id}`} tabindex="-1" onToggle=${event => open(event.target.open)}>
    <summary><${Money} of=${call.cost_usd} /> <span class="faint"><bdi>${call.model}</bdi></span>${call.error_type ? html` <span class="warning">failed: <bdi>${call.error_type}</bdi></span>` : null}
      ${call.cost_status === "priced" || call.cost_status === "unpriced" ? null : html` <span class="warning">${call.cost_status}</span>`}</summary>
    ${isOpen && html`<${Opened} call=${call} session=${session} zone=${zone} />`}</details>`;
}

/** All of a call, asked for when it is opened. */
function Opened({ call, session, zone }) {
  const found = useAnswer(`calls/${call.call_id}`, new URLSearchParams({ session: session.session_id }));
  return html`<${Answer} of=${found}>${whole => html`<${CallFacts} call=${whole} listed=${call} zone=${zone} />
    <p><a href=${href(page("calls", call.call_id), { session: session.session_id })}>All of this call</a></p>`}<//>`;
}

function Parts({ cost }) {
  const parts = Object.entries(cost.cost_breakdown).filter(([, amount]) => Number(amount)).sort((a, b) => Number(b[1]) - Number(a[1]));
  if (!parts.length) return null;
  const total = Number(cost.cost_usd);
  const tokens = Object.entries(cost.tokens).filter(([, number]) => Number(number));
  return html`<${Section} title="What it cost, by parts"><${Table} caption="Parts of the cost" rows=${parts} columns=${[
    { head: "part", cell: ([name]) => words(name) },
    { head: "to the whole", wide: true, cell: ([, amount]) => html`<${Bar} share=${Number(amount) / total} />` },
    { head: "share", number: true, cell: ([, amount]) => percent(Number(amount) / total) },
    { head: "cost", number: true, cell: ([, amount]) => html`<${Money} of=${amount} whole=${true} />` },
  ]} />
  <p class="faint">${[...tokens.map(([name, number]) => `${count(number)} tokens of ${words(name)}`), Number(cost.audio_seconds) ? `${cost.audio_seconds} s of sound billed by time` : "", Number(cost.characters) ? `${count(cost.characters)} characters` : ""].filter(Boolean).join(", ")}.</p><//>`;
}
