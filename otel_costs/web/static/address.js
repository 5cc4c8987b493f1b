// The address: a path and a query that hold all that a page shows, so that a link says everything.

import { useEffect, useState } from "preact/hooks";
import { kept } from "./example.js";
import { ROOT, ZONE } from "./settings.js";

/** What sessions and calls can be narrowed to, by the names of the API. */
export const DIMENSIONS = ["user", "kind", "scenario", "step", "service", "provider", "model", "operation"];

const PERIOD = ["range", "from", "to", "tz"];
const CONDITIONS = ["errors", "unpriced", "min_cost", "q"];
const DEFAULT_RANGE = "30d";

/** What costs are split by, beside tags. */
export const SPLITS = ["model", "user", "scenario", "kind", "service", "provider", "operation", "step", "modality"];

/** The measures that are asked for where costs alone are shown, or nothing but names. */
export const COST = "cost_usd";

const isTag = name => name.startsWith("tag.");
const isFilter = name => DIMENSIONS.includes(name) || CONDITIONS.includes(name) || isTag(name);

/** Return the part of a query that other pages understand too: period, zone and filters. */
export function shared(query) {
  return new URLSearchParams([...query].filter(([name]) => PERIOD.includes(name) || isFilter(name)));
}

/** Return the filters of a query, as [name, value]. */
export const filters = query => [...query].filter(([name]) => isFilter(name));

/** Return the query that the API is asked with: what is shared, and `more`, whose null and undefined are left out. */
export function asked(query, more = {}) {
  return changed(shared(query), more);
}

/** Of these an empty value asks for what has none. */
const hasNone = name => DIMENSIONS.includes(name) || isTag(name) || name === "session";

/** Return a query with other values; null and undefined take a name away, and so does "" where nothing can have none. */
export function changed(query, changes) {
  const made = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    const isEmpty = value === null || value === undefined || (value === "" && !hasNone(name));
    if (isEmpty) made.delete(name);
    else made.set(name, value);
  }
  return made;
}

/** Return the address of a page, below where the application is mounted. */
export function href(path, query) {
  const text = query ? new URLSearchParams(query).toString() : "";
  return kept(ROOT + path + (text ? (path.includes("?") ? "&" : "?") + text : ""));
}

/**
 * Return the path of the page of one thing: page("sessions", id), page("models", provider, model).
 *
 * An id may be any text. One that ends like a suffix of ours has its dot encoded; one that a browser would take out of
 * a path stands in the query.
 */
export function page(kind, ...ids) {
  const last = ids[ids.length - 1];
  if (["", ".", ".."].includes(last)) {
    const named = kind === "models" ? { provider: ids[0], model: last } : { id: last };
    return `/${kind}/?${new URLSearchParams(named)}`;
  }
  const written = ids.map(id => encodeURIComponent(id.toWellFormed()).replace(/^\.+$/, dots => "%2E".repeat(dots.length)));
  written.push(written.pop().replace(/\.(json|csv)$/, "%2E$1"));
  return `/${kind}/${written.join("/")}`;
}

/** Return {path, kind, ids, query} of the address: `kind` is the first part of the path, `ids` the others, decoded. */
export function here() {
  const path = location.pathname.slice(ROOT.length) || "/";
  const query = new URLSearchParams(location.search);
  const [, kind, ...parts] = path.split("/");
  let ids;
  if (parts.length === 1 && parts[0] === "" && query.has("id")) ids = [query.get("id")];
  else if (kind === "models" && parts.length === 1 && query.has("model")) ids = [query.get("provider") ?? "", query.get("model")];
  else ids = parts.map(decoded);
  return { path, kind, ids, query, zone: query.get("tz") || ZONE };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Return the address of this page with other values in its query; what leads to another page of a list goes. */
export function here_with(changes) {
  return location.pathname + written(changed(new URLSearchParams(location.search), { cursor: null, ...changes }));
}

const written = query => (query.size ? `?${query}` : "");

const listeners = new Set();

function moved(kind) {
  for (const listener of listeners) listener(kind);
}

/** Go to an address of this application, as a link does. */
export function go(url, { replace = false } = {}) {
  remember();
  history[replace ? "replaceState" : "pushState"](null, "", url);
  moved(replace ? "changed" : "followed");
}

/** Keep how far this page is scrolled, for who comes back to it. */
function remember() {
  history.replaceState({ ...history.state, scrolled: scrollY }, "");
}

/** Return where the reader is, again whenever that changes; `arrived` is called with how: followed, changed or back. */
export function useAddress(arrived) {
  const [found, set] = useState(here);
  useEffect(() => {
    const listener = kind => {
      set(here());
      arrived(kind);
    };
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return found;
}

/** Make links and the buttons of the browser lead through the application, without loading the document again. */
export function start() {
  history.scrollRestoration = "manual";
  const { kind, query } = here();
  const hasPeriod = !["sessions", "calls", "prices", "budgets", "alerts"].includes(kind) || here().path === "/sessions";
  if (hasPeriod && !query.has("range") && !query.has("from") && !query.has("to")) {
    history.replaceState(history.state, "", here_with({ range: DEFAULT_RANGE, cursor: query.get("cursor") }));
  }
  addEventListener("popstate", () => moved("back"));
  addEventListener("scrollend", remember);
  document.addEventListener("click", event => {
    const link = event.target.closest?.("a[href]");
    const isPlain = !event.defaultPrevented && event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || !isPlain || link.target || link.hasAttribute("download") || link.hasAttribute("data-outside")) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || url.hash || !url.pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    go(url.pathname + url.search);
  });
}
