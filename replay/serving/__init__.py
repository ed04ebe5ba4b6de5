"""The port and its connections: from bytes to requests, and from replies to bytes.

`_server` is the whole; `_reception` says what a new connection speaks (HTTP, TLS, a proxy's tunnels), and
`_connection` reads requests and writes replies. `_limits` says what clients may do; `_rounds` sees to it.
"""
