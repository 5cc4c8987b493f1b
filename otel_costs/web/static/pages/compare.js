import { html } from "../parts.js";

export function Compare({ id, titled }) {
  titled(id ?? "Compare");
  return html`<h1>${id ?? "Compare"}</h1>`;
}
