// The list of sessions: sorted, filtered, searched in what was said, and as long as one scrolls.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, useAnswer } from "../api.js";
import { changed, go, here_with, href, page, shared } from "../address.js";
import { Filters } from "../filters.js";
import { useLive } from "../live.js";
import { Answer, Cost, Downloads, Failure, html, Table, Time, To } from "../parts.js";
import { MAY_READ } from "../settings.js";
import { count, counted, took } from "../text.js";

const LIMIT = 50;
const SORTS = { newest: "the newest first", oldest: "the oldest first", cost: "what cost most first", duration: "the longest first", calls: "most calls first", messages: "most messages first" };

export function Sessions({ address, titled }) {
  titled("Sessions");
  const { changes } = useLive();
  const { query } = address;
  const sort = query.get("sort") ?? "newest";
  const own = changed(shared(query), { sort, limit: LIMIT, cursor: query.get("cursor") });
  const found = useAnswer("sessions", own, query.get("cursor") ? 0 : changes);
  return html`<div class="head"><h1>Sessions ${found.data && html`<span class="faint">${count(found.data.total)}</span>`}</h1><${Downloads} path="/sessions" query=${changed(shared(query), { sort })} /></div>
    <${Filters} query=${query} />
    <div class="row">
      ${MAY_READ && html`<form role="search" class="row" onSubmit=${event => { event.preventDefault(); go(here_with({ q: new FormData(event.target).get("q").trim() })); }}>
        <input type="search" name="q" aria-label="Words that were said" placeholder="Words that were said" defaultValue=${query.get("q") ?? ""} /><button type="submit">Search</button></form>`}
      <label>show <select value=${sort} onChange=${event => go(here_with({ sort: event.target.value }))}>
        ${Object.entries(SORTS).map(([name, said]) => html`<option value=${name} selected=${name === sort}>${said}</option>`)}</select></label>
    </div>
    <section aria-busy=${found.isCurrent ? null : "true"}><${Answer} of=${found}>${data => html`<${Pages} key=${own.toString()} first=${data} query=${own} zone=${address.zone} sort=${sort} />`}<//></section>
    <${Outside} query=${query} changes=${changes} />`;
}

/** How many calls of the period are in no session. */
function Outside({ query, changes }) {
  const { data } = useAnswer("calls", changed(shared(query), { session: "", limit: 1, min_cost: null, q: null }), changes);
  if (!data?.total) return null;
  return html`<p class="faint"><a href=${href(page("sessions", ""), shared(query))}>${counted(data.total, "call")}</a> ${data.total === 1 ? "is" : "are"} in no session.</p>`;
}

/** The pages that were opened so far; the next one is asked for when its place comes into view. */
function Pages({ first, query, zone, sort }) {
  const [more, add] = useState([]);
  const [failed, fail] = useState(null);
  const [isAsked, asking] = useState(false);
  const end = useRef(null);
  const last = more.at(-1) ?? first;
  const next = () => {
    if (isAsked || !last.cursor) return;
    asking(true);
    fail(null);
    ask("sessions", changed(query, { cursor: last.cursor }))
      .then(page => add([...more, page]), fail)
      .finally(() => asking(false));
  };
  useEffect(() => {
    if (!end.current || failed) return undefined;
    const watching = new IntersectionObserver(([one]) => one.isIntersecting && next(), { rootMargin: "400px" });
    watching.observe(end.current);
    return () => watching.disconnect();
  }, [last.cursor, isAsked, failed]);
  const seen = new Set();
  const rows = [first, ...more].flatMap(page => page.sessions).filter(row => !seen.has(row.session_id) && seen.add(row.session_id));
  const own = shared(query);
  return html`<${Table} caption="Sessions" sorted=${sort} rows=${rows.map(row => ({ ...row, key: row.session_id }))} empty=${query.get("q") ? "No session of this period matches. Words are found where content was recorded, which is off by default." : "No session that began in this period matches."} columns=${[
      { head: "session", text: true, cell: row => html`<${To} kind="sessions" id=${row.session_id} />` },
      { head: "user", text: true, wide: true, cell: row => html`<${To} kind="users" id=${row.user_id} query=${changed(own, { user: null })} />` },
      { head: "kind", text: true, wide: true, cell: row => html`<bdi title=${row.kind}>${row.kind}</bdi>` },
      { head: "scenario", text: true, wide: true, cell: row => (row.scenario ? html`<${To} kind="scenarios" id=${row.scenario} query=${changed(own, { scenario: null })} />` : "") },
      { head: "began", wide: true, sort: "newest", cell: row => html`<${Time} at=${row.start_time} zone=${zone} />` },
      { head: "took", wide: true, number: true, sort: "duration", cell: row => took(row.duration_seconds) },
      { head: "messages", wide: true, number: true, sort: "messages", cell: row => count(row.message_count) },
      { head: "calls", number: true, sort: "calls", cell: row => html`${count(row.call_count)}${row.error_count ? html` <span class="warning">${row.error_count} failed</span>` : null}` },
      { head: "cost", number: true, sort: "cost", cell: row => html`<${Cost} of=${row.cost_usd} unpriced=${row.unpriced_calls} calls=${row.call_count} />` },
    ]} />
    ${failed ? html`<${Failure} error=${failed} retry=${next} />` : null}
    ${last.cursor ? html`<p ref=${end}><button type="button" onClick=${next} disabled=${isAsked}>${isAsked ? "Loading…" : "Show more"}</button> <span class="faint">${count(rows.length)} of ${count(first.total)}</span></p>` : null}`;
}
