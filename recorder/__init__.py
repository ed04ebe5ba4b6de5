"""The recorder: mitmproxy writes what passes through it to a cassette.

Two ways in: `mitmdump -s recorder/addon.py --set tape_out=session.tape` adds the recorder to a mitmproxy
of one's own; `tokentape.recorder.proxy` runs a mitmproxy for it, as `tokentape record` does.
"""
