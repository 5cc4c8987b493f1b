import { html } from "../parts.js";

export function Prices({ id, titled }) {
  titled(id ?? "Prices");
  return html`<h1>${id ?? "Prices"}</h1>`;
}
