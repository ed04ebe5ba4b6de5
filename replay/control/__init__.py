"""Control: a server that runs is watched and steered by requests under `/-/`.

`_steering` answers them, `_access` says from whom they are taken, `_steered` is what they steer, `_client`
asks. They are answered at once, on the server's event loop, and none takes long, however much is served.
Where several processes serve as one, those that come to any of them are answered by the first (`_relay`).
"""
