"""The security stack between the network and the page: ASGI middleware, one concern each."""
