"""A terminal that a program runs in: what is typed goes in, and the screen can be looked at. Needs python3-pyte."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte


class Screen(pyte.Screen):
    """What pyte leaves out: scrolling by several lines, without a move of the cursor (ECMA-48, SU and SD)."""

    def scroll_up(self, count=1):
        self.scroll(count, (self.margins or (0, self.lines - 1))[1], self.index)

    def scroll_down(self, count=1):
        self.scroll(count, (self.margins or (0, self.lines - 1))[0], self.reverse_index)

    def scroll(self, count, line, move):
        at, self.cursor.y = self.cursor.y, line
        for _ in range(count or 1):
            move()
        self.cursor.y = at


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    def __init__(self, command, columns=100, lines=30, **environment):
        self.screen = Screen(columns, lines)
        self.stream = Stream(self.screen)
        self.raw = b""
        self.status = None
        waits, goes = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                # Not until the window has its size and its mode is known does the program begin.
                self.set_size(0, columns, lines)
                os.close(goes)
                os.read(waits, 1)
                kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "ASAN_OPTIONS")}
                os.execvpe(command[0], command, {**kept, "TERM": "xterm-256color", **environment})
            finally:
                os._exit(127)
        os.close(waits)
        self.before = self.mode()
        os.close(goes)

    @staticmethod
    def set_size(fd, columns, lines):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        self.set_size(self.fd, columns, lines)

    def type(self, text):
        os.write(self.fd, text.encode())

    def mode(self):
        """Of the line: what a program sets and is to give back."""
        return termios.tcgetattr(self.fd)[:4]

    def read(self, seconds):
        """Takes in what the program wrote; false where it has gone."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, what, look, deadline=30.0):
        """Looks at the screen's text until it sees something true, and returns that."""
        end = time.monotonic() + deadline
        while True:
            seen = look(self.text())
            if seen:
                return seen
            if time.monotonic() > end:
                raise TimeoutError(f"waited {deadline:g} s in vain: {what}; the screen:\n{self.text()}")
            if not self.read(0.05) and not look(self.text()):
                raise EOFError(f"the program ended before: {what}; the screen:\n{self.text()}")

    def end(self, deadline=30.0):
        """Waits for the program's end; its exit status, or the negative number of its signal."""
        end = time.monotonic() + deadline
        while self.status is None:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise TimeoutError(f"it goes on; the screen:\n{self.text()}")
        while select.select([self.fd], [], [], 0)[0] and self.read(0):
            pass
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -signal.SIGKILL
        os.close(self.fd)
