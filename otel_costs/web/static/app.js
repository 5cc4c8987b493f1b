// The application: its frame, and the page that the address names.

import { render } from "preact";
import { useEffect, useErrorBoundary, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useConnection } from "./api.js";
import { href, shared, start, useAddress } from "./address.js";
import { isExample } from "./example.js";
import { useLive } from "./live.js";
import { Failure, html } from "./parts.js";
import { ROOT } from "./settings.js";
import { Alerts } from "./pages/alerts.js";
import { Budgets } from "./pages/budgets.js";
import { Call } from "./pages/call.js";
import { Compare } from "./pages/compare.js";
import { Inbox } from "./pages/inbox.js";
import { ModelPage, Overview, ScenarioPage, UserPage } from "./pages/overview.js";
import { Prices } from "./pages/prices.js";
import { Session } from "./pages/session.js";
import { Sessions } from "./pages/sessions.js";
import { Statements } from "./pages/statements.js";
import { WhatIf } from "./pages/what_if.js";

const NAVIGATION = [
  ["/", "Overview"], ["/sessions", "Sessions"], ["/statements", "Statements"], ["/budgets", "Budgets"], ["/alerts", "Alerts"], ["/what-if", "What if"], ["/compare", "Compare"], ["/prices", "Prices"], ["/inbox", "Inbox"],
];

/** What is shown at an address: a component, and what it is given beside the address. */
function pageAt({ path, kind, ids }) {
  const single = { "/": Overview, "/sessions": Sessions, "/statements": Statements, "/budgets": Budgets, "/alerts": Alerts, "/what-if": WhatIf, "/compare": Compare, "/prices": Prices, "/inbox": Inbox }[path];
  if (single) return [single, {}];
  const one = { sessions: Session, calls: Call, users: UserPage, scenarios: ScenarioPage }[kind];
  // An id that was written with a slash in it is whole again.
  if (one && ids.length) return [one, { id: ids.join("/") }];
  if (kind === "models" && ids.length >= 2) return [ModelPage, { provider: ids[0], id: ids.slice(1).join("/") }];
  return [Nothing, {}];
}

function Nothing({ titled }) {
  titled("No such page");
  return html`<h1>There is no such page</h1><p>Nothing is at <code><bdi>${location.pathname}</bdi></code>. <a href=${href("/")}>To the overview</a></p>`;
}

function App() {
  const main = useRef(null);
  const [said, say] = useState("");
  const how = useRef("loaded");
  const address = useAddress(kind => (how.current = kind));
  const [Page, given] = pageAt(address);
  const place = address.path + address.ids.join("/");
  const before = useRef(place);
  const titled = title => {
    document.title = `${title} · otel-costs`;
    if (how.current !== "loaded") say(title);
  };

  useLayoutEffect(() => {
    const isOther = before.current !== place;
    before.current = place;
    if (how.current === "followed" && isOther) {
      scrollTo(0, 0);
      main.current.focus({ preventScroll: true });
    }
    if (how.current === "back") {
      restore(history.state?.scrolled ?? 0);
      if (isOther) main.current.focus({ preventScroll: true });
    }
  }, [location.pathname + location.search]);

  return html`<a class="skip" href="#main">To the content</a>
    <${Header} address=${address} />
    <main id="main" tabindex="-1" ref=${main}><${Guarded} key=${place}><${Page} ...${given} address=${address} titled=${titled} /><//></main>
    <footer class="faint">otel-costs · <a href=${href("/api/v1/openapi.json")} data-outside target="_blank" rel="noopener">API</a></footer>
    <p class="unseen" role="status">${said}</p>`;
}

/** Says that what is shown is no data of the reader's, and leads back to it. */
function ExampleBanner() {
  const { calls } = useLive();
  return html`<p class="banner example" role="status">${calls.length ? "Your first call has arrived. " : ""}This is example data, recorded from the demo: none of it is in your store, and periods and filters do not narrow it.${" "}
    <a href=${`${ROOT}/?range=30d`}>${calls.length ? "Show your own data" : "Leave the example"}</a></p>`;
}

/** A page, or what is wrong with it: a fault of ours in one does not take the others along. */
function Guarded({ children }) {
  const [error, again] = useErrorBoundary(fault => console.error(fault));
  if (!error) return children;
  return html`<h1>This page has failed</h1><${Failure} error=${{ message: `It is a fault of otel-costs: ${error.message}` }} retry=${again} />`;
}

/** Scroll back to where a page was left, once it is long enough again. */
function restore(top) {
  let tries = 0;
  const attempt = () => {
    scrollTo(0, top);
    if (Math.abs(scrollY - top) > 2 && (tries += 1) < 120) requestAnimationFrame(attempt);
  };
  attempt();
}

function Header({ address }) {
  const { trouble, waiting } = useConnection();
  const [isLate, late] = useState(false);
  useEffect(() => {
    if (!waiting) return late(false);
    const timer = setTimeout(() => late(true), 150);
    return () => clearTimeout(timer);
  }, [waiting > 0]);
  // The page is busy until every answer that it is made of is there.
  useEffect(() => document.getElementById("main")?.setAttribute("aria-busy", String(waiting > 0)), [waiting > 0]);
  const query = shared(address.query);
  return html`<header>
    <div class="row"><a class="name" href=${href("/", query)}>otel-costs</a>
      <nav aria-label="Pages">${NAVIGATION.map(([path, name]) => html`<a href=${href(path, query)} aria-current=${isAt(path, address) ? "page" : null}>${name}</a>`)}</nav></div>
    <div class=${isLate ? "progress active" : "progress"} aria-hidden="true"></div>
    ${isExample() && html`<${ExampleBanner} />`}
    ${trouble && html`<p class="banner" role="alert">${trouble} This page goes on by itself when it is back.</p>`}
  </header>`;
}

const isAt = (path, { path: at }) => path === at || (path === "/sessions" && at.startsWith("/sessions/"));

start();
render(html`<${App} />`, document.body);
