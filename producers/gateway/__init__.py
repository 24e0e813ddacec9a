"""The gateway: an HTTP API over the asynchronous producer, for services in any language. Needs the extra `gateway`."""
