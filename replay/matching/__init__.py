"""Which recorded exchange answers a request, and if none does, what was nearest.

`_matching` is what one may ask for, `_request_key` what is known of a request, `_compared` what of it counts.
`_matcher` finds the exchange, `_difference` says what differs from the nearest. Nothing here knows HTTP.
"""
