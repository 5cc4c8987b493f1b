// What a new installation is shown until its first call is there: where to send it.

import { html, Section } from "../parts.js";

export function First() {
  return html`<${Section} title="No call has arrived yet"><p>It appears here by itself.</p><//>`;
}
