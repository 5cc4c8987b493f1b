"""How providers are reached: over HTTP, and over WebSockets."""
