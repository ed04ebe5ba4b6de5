"""The recorder's commands in mitmproxy, for its console, mitmweb and key bindings."""

import os
from typing import TYPE_CHECKING

from mitmproxy import ctx, exceptions, types
from mitmproxy.addonmanager import Loader

if TYPE_CHECKING:
    from tokentape.recorder._recording import Recording
    from tokentape.recorder.addon import TapeAddon


class Commands:
    """What is recorded to is the option `tape_out`: two of the commands set it."""

    def __init__(self, tape: "TapeAddon") -> None:
        self._tape = tape

    def declare(self, loader: Loader) -> None:
        """Declare the commands; mitmproxy's decorator would do the same, but leave them untyped."""
        for command in (self.start, self.stop, self.note, self.rotate):
            loader.add_command(f"tape.{command.__name__}", command)

    def start(self, path: types.Path) -> None:
        """Record to this cassette from now on. What is under way is not recorded from its middle."""
        recording = self._tape.recording
        if recording is not None and recording.loss.error is not None:
            ctx.options.update(tape_out="")
        elif recording is not None and recording.path == os.path.expanduser(path):
            raise exceptions.CommandError(f"{path} is being recorded to")
        try:
            ctx.options.update(tape_out=str(path))
        except exceptions.OptionsError as error:
            raise exceptions.CommandError(str(error)) from None

    def stop(self) -> None:
        """End the recording. What is under way goes on, and ends in the cassette as recorder-stopped."""
        self._recording_now()
        ctx.options.update(tape_out="")

    def note(self, *text: str) -> None:
        """Write a remark into the cassette."""
        if not self._recording_now().current.note(" ".join(text)):
            raise exceptions.CommandError("the recording has stopped: its file cannot be written any more")

    def rotate(self) -> None:
        """Go on in the next part of the recording: NAME-0002.tape, and so on."""
        self._recording_now()
        self._tape.rotate()

    def _recording_now(self) -> "Recording":
        if self._tape.recording is None:
            raise exceptions.CommandError("nothing is being recorded; tape.start begins it")
        return self._tape.recording
