import { html } from "../parts.js";

export function Call({ id, titled }) {
  titled(id ?? "Call");
  return html`<h1>${id ?? "Call"}</h1>`;
}
