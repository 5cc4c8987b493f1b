import { html } from "../parts.js";

export function Inbox({ id, titled }) {
  titled(id ?? "Inbox");
  return html`<h1>${id ?? "Inbox"}</h1>`;
}
