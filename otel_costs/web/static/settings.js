// What the server told with the document: where the application is mounted, and what this reader may do.

const told = JSON.parse(document.getElementById("settings").textContent);

/** The path below which the application is mounted: "" or "/costs". */
export const ROOT = told.root;

/** May read what was said; may write. */
export const MAY_READ = told.content;
export const MAY_WRITE = told.write;

/** The zone of days where the address names none: an IANA name. */
export const ZONE = told.tz || "UTC";

/** Where OTLP is received, {http, grpc}, by `otel-costs local`; null elsewhere. */
export const OTLP = told.otlp ?? null;

/** Where a trace can be seen: an address that holds {trace_id}; null if it is not configured. */
export const TRACE_URL = told.trace_url ?? null;
