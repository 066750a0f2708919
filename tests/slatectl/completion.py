#!/usr/bin/python3
"""What bash and zsh complete of slatectl's command lines, typed into the shells themselves. Skipped without
python3-pyte and zsh."""
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

try:
    from terminal import Terminal
except ImportError:
    print("skipped: no python3-pyte")
    sys.exit(77)

BUILD = pathlib.Path(os.environ.get("SLATED_BUILD", ".")).resolve()
PROMPT = "ready> "

# What is typed before the key, and what the line becomes: one thing fits, or all share a beginning.
BECOMES = [
    ("slatectl li", "slatectl list "),
    ("slatectl sil", "slatectl silence "),
    ("slatectl --ver", "slatectl --version "),
    ("slatectl list --st", "slatectl list --state "),
    ("slatectl list --state at", "slatectl list --state at_risk "),
    ("slatectl list --metric next", "slatectl list --metric next_response "),
    ("slatectl silence --li", "slatectl silence --list "),
    ("slatectl completion z", "slatectl completion zsh "),
    ("slatectl check first.co", "slatectl check first.conf "),
    ("slatectl list --config first.co", "slatectl list --config first.conf "),
]
# What is offered where several fit.
OFFERS = [
    ("slatectl list --state ", {"running", "at_risk", "paused", "breached"}),
    ("slatectl deliveries --state ", {"pending", "sending", "delivered", "dead", "superseded"}),
    ("slatectl s", {"simulate", "settings", "status", "show", "silence"}),
    ("slatectl ack --", {"--for", "--by", "--source", "--config", "--conninfo", "--help"}),
    ("slatectl completion ", {"bash", "zsh", "mdoc"}),
]
# zsh alone writes --state=, and knows what goes with what.
ZSH_BECOMES = [("slatectl list --st", "slatectl list --state=")]
ZSH_OFFERS = [("slatectl silence --list --", {"--all", "--json", "--color", "--config", "--conninfo", "--help"})]
BASH_BECOMES = [("slatectl list --state=at", "slatectl list --state=at_risk ")]

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
# What is offered is shown at once, without a question whether one wants to see it all.
SETUP = {
    "bash": "bind 'set show-all-if-ambiguous on'; bind 'set bell-style none'; bind 'set completion-query-items 0'; "
            "bind 'set enable-bracketed-paste off'; . {completion}/slatectl; PS1='{prompt}'",
    "zsh": "fpath=({completion} $fpath); autoload -Uz compinit; compinit -u -D; setopt nobeep; unsetopt promptsp; "
           "LISTMAX=0; unset zle_bracketed_paste; PROMPT='{prompt}'",
}


class Tester:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, ok, what, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"not ok - {what}: {detail}")

    @contextlib.contextmanager
    def shell(self, name, folder):
        terminal = Terminal(START[name], columns=120, lines=40, LC_ALL="C.UTF-8", HOME=str(folder))
        try:
            terminal.wait("a prompt", lambda text: text.rstrip())
            terminal.type(f"cd {folder}\n")
            setup = SETUP[name].format(completion=BUILD / "completion", prompt=PROMPT)
            terminal.type(setup + "; clear\n")
            terminal.wait("our prompt", lambda text: text.strip() == PROMPT.strip())
            yield terminal
        finally:
            terminal.close()

    def ask(self, terminal, typed):
        terminal.type("\x15\x0c")  # an empty line at the top
        terminal.wait("an empty line", lambda text: text.strip() == PROMPT.strip())
        terminal.type(typed)
        terminal.wait("what was typed", lambda text: text.startswith((PROMPT + typed).rstrip()))
        terminal.type("\t")

    def becomes(self, name, terminal, typed, wanted):
        """The cursor tells of blanks at the end."""
        self.ask(terminal, typed)
        try:
            terminal.wait(wanted, lambda text: text.split("\n")[0] == (PROMPT + wanted).rstrip()
                          and terminal.screen.cursor.x >= len(PROMPT + wanted.rstrip()), 10)
            self.check(True, typed)
        except TimeoutError as error:
            self.check(False, f"{name}: {typed}", error)

    def offers(self, name, terminal, typed, wanted):
        def offered(text):
            words = set(text.replace(PROMPT + typed.rstrip(), "", 2).split())
            return wanted <= words
        self.ask(terminal, typed)
        try:
            terminal.wait(f"{wanted}", offered, 10)
            own = {word for word in terminal.text().split() if word.startswith("--") and typed.endswith("--")}
            extra = own - wanted - {"--", "--list"}
            self.check(not extra, f"{name}: {typed} offers what does not belong there", extra)
        except TimeoutError as error:
            self.check(False, f"{name}: {typed}", error)


def main():
    missing = [name for name in START if shutil.which(name) is None]
    if missing:
        print(f"skipped: no {' and no '.join(missing)}")
        sys.exit(77)
    tester = Tester()
    with tempfile.TemporaryDirectory(prefix="slated-completion.") as folder:
        (pathlib.Path(folder) / "first.conf").write_text("")
        for name in START:
            becomes = [row for row in BECOMES if name == "bash" or row[0] != "slatectl list --st"]
            becomes += ZSH_BECOMES if name == "zsh" else BASH_BECOMES
            offers = OFFERS + (ZSH_OFFERS if name == "zsh" else [])
            with tester.shell(name, folder) as terminal:
                for typed, wanted in becomes:
                    tester.becomes(name, terminal, typed, wanted)
                for typed, wanted in offers:
                    tester.offers(name, terminal, typed, wanted)
    print(f"{tester.passed} passed, {tester.failed} failed")
    sys.exit(1 if tester.failed else 0)


if __name__ == "__main__":
    main()
