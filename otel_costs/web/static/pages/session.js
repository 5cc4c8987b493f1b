import { html } from "../parts.js";

export function Session({ id, titled }) {
  titled(id ?? "Session");
  return html`<h1>${id ?? "Session"}</h1>`;
}
