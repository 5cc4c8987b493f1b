import { html } from "../parts.js";

export function WhatIf({ id, titled }) {
  titled(id ?? "WhatIf");
  return html`<h1>${id ?? "WhatIf"}</h1>`;
}
