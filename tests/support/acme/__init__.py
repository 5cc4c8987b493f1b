"""A made-up SDK, as the page on adding a provider takes it: over HTTP, over gRPC, and on a WebSocket."""
