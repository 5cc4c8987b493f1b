// The API, asked: answers as they were, errors with what to do, and whether the server is there at all.

import { useEffect, useState } from "preact/hooks";
import { isExample, recordedAnswer } from "./example.js";
import { ROOT } from "./settings.js";

const AGAIN_MS = 2000;
const KEPT = 40;

export class ApiError extends Error {
  /** `status` is that of the answer; 0 where there was none. */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Return what `path` below /api/v1/ answers, or below the application where it begins with a slash. Raises ApiError. */
export async function ask(path, query, { signal, method = "GET", body } = {}) {
  if (isExample()) return askExample(path, query, method);
  const text = query ? new URLSearchParams(query).toString() : "";
  const place = path.startsWith("/") ? path : `/api/v1/${path}`;
  const url = ROOT + place + (text ? (place.includes("?") ? "&" : "?") + text : "");
  const headers = { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  let response;
  try {
    response = await fetch(url, { signal, method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    away("The server does not answer.");
    throw new ApiError(0, "The server does not answer.");
  }
  const found = await response.text();
  if (response.status === 503) away(errorOf(found) || "The store does not answer.");
  if (!response.ok) throw new ApiError(response.status, errorOf(found) || `The server answered ${response.status}.`);
  return JSON.parse(found);
}

/** Return what was recorded in the place of an answer. Nothing is asked of the store, and nothing written. */
async function askExample(path, query, method) {
  if (method === "PUT" || method === "DELETE" || path.startsWith("alerts/")) throw new ApiError(405, "This is example data: it cannot be changed. Leave the example first.");
  const found = await recordedAnswer(path, query);
  if (found === null) throw new ApiError(404, "This was not recorded for the example. Leave it to ask your own store.");
  return found;
}

function errorOf(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return "";
  }
}

// ---- Whether the server is there --------------------------------------------------------------------------------

const state = { trouble: null, returns: 0, waiting: 0 };
const watchers = new Set();
const told = () => watchers.forEach(watcher => watcher());

/** Say that the server, or its store, is away; it is asked again until it is back. */
export function away(why) {
  const isNew = state.trouble === null;
  state.trouble = why;
  told();
  if (isNew) setTimeout(look, AGAIN_MS);
}

/** Ask whether the server is there, and say so where it is not. */
export async function reach() {
  try {
    await fetch(`${ROOT}/api/v1/reasons`, { method: "HEAD" });
  } catch {
    away("The server does not answer.");
  }
}

async function look() {
  try {
    const response = await fetch(`${ROOT}/api/v1/summary?range=1h&measures=`);
    if (response.status !== 503 && response.status < 500) return back();
  } catch {
    // still away
  }
  setTimeout(look, AGAIN_MS);
}

function back() {
  state.trouble = null;
  state.returns += 1;
  told();
}

/** Return {trouble, returns, waiting}: why the server is away or null, how often it came back, questions under way. */
export function useConnection() {
  const [, draw] = useState(0);
  useEffect(() => {
    const watcher = () => draw(count => count + 1);
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, []);
  return state;
}

function waiting(change) {
  state.waiting += change;
  told();
}

// ---- Answers that a page is made of -----------------------------------------------------------------------------

const kept = new Map();

/** Return what two questions have alike whose answers can stand for each other until the new one is there: rows split by something else cannot. */
const shapeOf = (path, query) => `${path} ${new URLSearchParams(query ?? "").get("by") ?? ""}`;

function keep(key, answer) {
  kept.delete(key);
  kept.set(key, answer);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

/**
 * Return {data, error, isCurrent}: the answer to a question, asked again when it changes, when `tick` does, and when the server is back.
 *
 * `path` null asks nothing; with a `body` the question is a POST. Until an answer is there, that to the question before stands, with `isCurrent` false.
 */
export function useAnswer(path, query, tick = 0, body = undefined) {
  const key = path === null ? null : `${isExample() ? "example " : ""}${path}?${query ?? ""}${body === undefined ? "" : JSON.stringify(body)}`;
  const [found, set] = useState({ key: null, shape: null, data: undefined, error: null });
  const { returns } = useConnection();
  const [again, retry] = useState(0);
  useEffect(() => {
    if (key === null) return undefined;
    const stop = new AbortController();
    waiting(1);
    ask(path, query, { signal: stop.signal, method: body === undefined ? "GET" : "POST", body })
      .then(data => {
        keep(key, data);
        set({ key, shape: shapeOf(path, query), data, error: null });
      })
      .catch(error => {
        if (error.name !== "AbortError") set(before => ({ key, shape: before.shape, data: before.key === key ? before.data : undefined, error }));
      })
      .finally(() => waiting(-1));
    return () => stop.abort();
  }, [key, tick, returns, again]);
  if (key === null) return { data: undefined, error: null, isCurrent: true, retry };
  if (found.key === key) return { ...found, isCurrent: true, retry: () => retry(again + 1) };
  const data = kept.get(key) ?? (found.shape === shapeOf(path, query) ? found.data : undefined);
  return { data, error: null, isCurrent: kept.has(key), retry };
}
