"""Control: a server that runs is watched and steered by requests under `/-/`.

`_steering` answers them, `_access` says from whom they are taken, `_client` asks. They are answered at once,
on the server's event loop: none waits for anything, and none takes long, however much is served.
"""
