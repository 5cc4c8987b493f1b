// What a new installation is shown until its first call is there: where to send it, and what it will look like.

import { go, here_with } from "../address.js";
import { Copy, html, Section } from "../parts.js";
import { OTLP } from "../settings.js";

/** Return the lines that make a program send its calls here. */
const lines = otlp => `export OTEL_EXPORTER_OTLP_ENDPOINT=${otlp.http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`;

export function First() {
  return html`<${Section} title="No call has arrived yet" id="first">
    ${OTLP ? html`<p>Set this where your program runs, start it, and its first call appears here by itself:</p>
        <pre><code>${lines(OTLP)}</code></pre><${Copy} text=${lines(OTLP)} name="Copy these lines" />
        <p class="faint">Over gRPC it is <code>${OTLP.grpc}</code>. <code>opentelemetry-instrument python app.py</code> starts a program that uses <code>openai</code> without a change to it.</p>`
      : html`<p>The store has no call yet. Point the exporter of your program at the collector that fills it; its first call appears here by itself.</p>`}
    <div class="row"><button type="button" onClick=${() => go(here_with({ example: "1" }))}>Show example data meanwhile</button>
      <span class="faint">Recorded from the demo. Nothing of it is stored.</span></div>
  <//>`;
}
