// The timeline of a session: who spoke when, tools, calls of models and of speech, interruptions, and the cost climbing.

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./parts.js";
import { count, exact, money, took } from "./text.js";

const LANE = 24;
const LABELS = 84;
const COST = 56;
const IDLE_MS = 45000; // a pause that is longer is drawn short
const IDLE_SHOWN_MS = 6000;
const SPEECH = new Set(["speech_to_text", "text_to_speech"]);
const KINDS = ["user", "assistant", "tools", "models", "speech"];

/** Return what stands in the lanes: {lane, from, to, hint, kind, lead, broken, target}, times in milliseconds. */
export function entries(messages, calls) {
  const found = [];
  const first = Math.min(...messages.map(one => Date.parse(one.timestamp)), ...calls.map(one => Date.parse(one.start_time)));
  messages.forEach((message, index) => {
    const at = Date.parse(message.timestamp);
    const long = 1000 * Number(message.metadata.audio_seconds || 0);
    const lane = laneOf(message);
    if (!lane) return;
    // What a user said is there when it was said to its end; an answer begins when it is made.
    const from = lane === "user" ? Math.max(at - long, first - long) : at;
    const hint = [message.role, message.metadata.function_name, long ? took(long / 1000) : "", (message.content ?? "").slice(0, 140)].filter(Boolean).join(" · ");
    found.push({ lane, from, to: from + long, hint, broken: message.metadata.interrupted, target: `message-${index}` });
  });
  for (const call of calls) {
    const from = Date.parse(call.start_time);
    const to = Math.max(Date.parse(call.end_time), from);
    const lead = 1000 * (call.time_to_first_audio_s ?? call.time_to_first_chunk_s ?? 0);
    const cost = call.cost_usd === null ? "unpriced" : exact(call.cost_usd);
    const hint = [`${call.operation} ${call.model}`, cost, took((to - from) / 1000), lead && `first answer after ${took(lead / 1000)}`, call.error_type && `failed: ${call.error_type}`].filter(Boolean).join(" · ");
    found.push({ lane: SPEECH.has(call.operation) ? "speech" : "models", from, to, hint, lead: Math.min(lead, to - from), failed: Boolean(call.error_type), target: `call-${call.call_id}` });
  }
  return found;
}

function laneOf({ role, metadata }) {
  if (role === "function" || metadata.function_name) return "tools";
  return role === "user" || role === "assistant" ? role : null;
}

/** Return a function from a time to a place between 0 and 1, on which long pauses are short; and the pauses. */
export function scale(items) {
  const busy = items.map(({ from, to }) => [from, to]).sort((a, b) => a[0] - b[0]);
  const joints = [[busy[0][0], 0]];
  const pauses = [];
  let end = busy[0][0];
  let shown = 0;
  for (const [from, to] of busy) {
    if (from - end > IDLE_MS) {
      joints.push([end, shown], [from, (shown += IDLE_SHOWN_MS)]);
      pauses.push({ from: end, to: from });
      end = from;
    }
    if (to > end) {
      shown += to - end;
      end = to;
      joints.push([end, shown]);
    } else if (from > end) {
      shown += from - end;
      end = from;
    }
  }
  joints.push([end, shown]);
  const all = shown || 1;
  const place = at => {
    let low = 0;
    let high = joints.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (joints[middle][0] <= at) low = middle;
      else high = middle;
    }
    const [a, b] = [joints[low], joints[high]];
    const share = b[0] === a[0] ? 0 : Math.max(0, Math.min(1, (at - a[0]) / (b[0] - a[0])));
    return (a[1] + share * (b[1] - a[1])) / all;
  };
  return { place, pauses };
}

/** The timeline of messages and calls of a session; `show` is called with the id of what was clicked. */
export function Timeline({ messages, calls, show }) {
  const box = useRef(null);
  const [width, measure] = useState(800);
  const [zoom, set] = useState(1);
  useEffect(() => {
    const watching = new ResizeObserver(() => measure(box.current?.clientWidth || 320));
    watching.observe(box.current);
    return () => watching.disconnect();
  }, []);
  const items = entries(messages, calls);
  const lanes = KINDS.filter(kind => items.some(item => item.lane === kind));
  const drawn = Math.max(width, 320) * zoom;
  const { place, pauses } = items.length ? scale(items) : { place: () => 0, pauses: [] };
  const x = at => LABELS + place(at) * (drawn - LABELS - 8);
  const bottom = lanes.length * LANE;
  const height = bottom + COST + 12;
  const broken = items.filter(item => item.broken).length;
  return html`<div class="timeline">
    <div class="row"><span class="choices" role="group" aria-label="Size of the timeline">
      <button type="button" onClick=${() => set(Math.max(1, zoom / 2))} disabled=${zoom === 1} aria-label="Smaller">−</button>
      <button type="button" onClick=${() => set(Math.min(32, zoom * 2))} disabled=${zoom === 32} aria-label="Larger">+</button></span>
      <span class="faint">${broken ? html`<i class="dot interrupted"></i>interrupted${pauses.length ? " · " : ""}` : ""}${pauses.length ? `${count(pauses.length)} long ${pauses.length === 1 ? "pause" : "pauses"} drawn short` : ""}</span></div>
    <div class="scroll" ref=${box} role="region" aria-label="Timeline" tabindex="0">
    <svg width=${drawn} height=${height} viewBox=${`0 0 ${drawn} ${height}`} role="img" aria-label="Who spoke when, which calls were made, and what they cost so far. The conversation below has the same.">
      ${lanes.map((lane, index) => html`<g key=${lane}><text x="0" y=${index * LANE + 16}>${lane}</text>
        <line class="rule" x1=${LABELS} x2=${drawn} y1=${(index + 1) * LANE} y2=${(index + 1) * LANE} />
        ${items.filter(item => item.lane === lane).map(item => html`<${Item} item=${item} x=${x} y=${index * LANE} show=${show} />`)}</g>`)}
      ${pauses.map(({ from, to }) => html`<g class="pause"><rect x=${x(from) + 2} width=${Math.max(2, x(to) - x(from) - 4)} y="0" height=${bottom} /><title>${`nothing for ${took((to - from) / 1000)}`}</title></g>`)}
      <${Climbing} calls=${calls} x=${x} top=${bottom + 8} />
    </svg></div></div>`;
}

function Item({ item, x, y, show }) {
  const left = x(item.from);
  const width = Math.max(2.5, x(item.to) - left);
  const lead = item.lead ? Math.max(0, x(item.from + item.lead) - left) : 0;
  return html`<g class=${`item ${item.lane}${item.failed ? " failed" : ""}`} onClick=${() => show(item.target)}>
    <title>${item.broken ? `${item.hint} · interrupted: ${item.broken}` : item.hint}</title>
    <rect x=${left} y=${y + 5} width=${width} height=${LANE - 10} rx="3" />
    ${lead > 1 ? html`<rect class="lead" x=${left} y=${y + 5} width=${Math.min(lead, width)} height=${LANE - 10} rx="3" />` : null}
    ${item.broken ? html`<rect class="interrupted" x=${left + width - 2} y=${y + 1} width="4" height=${LANE - 2} />` : null}
  </g>`;
}

/** The cost so far, as a line that climbs where a call ends. Floats: it is drawn. */
function Climbing({ calls, x, top }) {
  const ended = calls.filter(call => call.cost_usd !== null).map(call => [Date.parse(call.end_time), Number(call.cost_usd)]).sort((a, b) => a[0] - b[0]);
  if (!ended.length) return null;
  const all = ended.reduce((sum, [, cost]) => sum + cost, 0) || 1;
  const y = cost => top + COST - 4 - (COST - 10) * (cost / all);
  let sum = 0;
  let path = `M ${LABELS} ${y(0)}`;
  for (const [at, cost] of ended) {
    path += ` H ${x(at).toFixed(1)}`;
    path += ` V ${y((sum += cost)).toFixed(1)}`;
  }
  return html`<g class="climbing"><text x="0" y=${top + 20}>cost so far</text><text x="0" y=${top + 34}>${money(all)}</text><path d=${path} /></g>`;
}
