// What happens, as it happens: one stream of events for the page, and a count that rises when figures have changed.

import { useEffect, useState } from "preact/hooks";
import { away, reach } from "./api.js";
import { ROOT } from "./settings.js";

const PAUSE_MS = 5000; // between two times that figures are asked for again
const FLASH_MS = 1500;
const RETRY_MS = 1500; // in which a stream that ended is open again

const state = { changes: 0, totals: null, sessions: [], calls: [] };
const watchers = new Set();
let source = null;
let due = null;

function tell() {
  for (const watcher of watchers) watcher();
}

function changed() {
  due ??= setTimeout(() => {
    due = null;
    if (document.hidden) return document.addEventListener("visibilitychange", changed, { once: true });
    state.changes += 1;
    return tell();
  }, PAUSE_MS);
}

function open() {
  source = new EventSource(`${ROOT}/api/v1/events`);
  source.addEventListener("calls", event => {
    state.calls = JSON.parse(event.data).calls;
    const isFirst = state.totals === null || !state.sessions.length;
    if (isFirst) {
      state.changes += 1;
      setTimeout(tell, FLASH_MS);
    } else changed();
    tell();
  });
  source.addEventListener("sessions", event => {
    state.sessions = JSON.parse(event.data).sessions;
    tell();
  });
  source.addEventListener("totals", event => {
    state.totals = JSON.parse(event.data);
    tell();
  });
  // A stream ends by itself now and then, and is opened again: only the server's silence is trouble.
  source.addEventListener("error", () => setTimeout(() => source.readyState === EventSource.OPEN || reach(), RETRY_MS));
  source.addEventListener("trouble", event => away(JSON.parse(event.data).error));
}

/** Return {changes, totals, sessions, calls}: what is new since the page was opened, drawn again with each event. */
export function useLive() {
  const [, draw] = useState(0);
  useEffect(() => {
    const watcher = () => draw(number => number + 1);
    watchers.add(watcher);
    if (source === null) open();
    return () => watchers.delete(watcher);
  }, []);
  return state;
}
