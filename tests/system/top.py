#!/usr/bin/python3
"""slatectl top in a terminal of its own, beside a daemon: what it shows, its keys, a lost database, and the terminal
afterwards. Skipped without python3-pyte."""
import os
import pathlib
import re
import signal
import sys
import termios

from harness import BUILD, run

try:
    from terminal import Terminal
except ImportError:
    print("skipped: no python3-pyte")
    sys.exit(77)

CONFIG = """
calendars = { office = { timezone = "Europe/Berlin"; hours = { weekdays = "09:00-17:00"; }; }; };
policies = (
    { name = "gold"; match = { plan = "gold"; }; targets = (
        { metric = "first_response"; within = "1s"; },
        { metric = "resolution"; within = "30m"; at_risk = [ "50%" ]; } ); },
    { name = "silver"; match = { plan = "silver"; }; targets = (
        { metric = "first_response"; within = "5h"; pause_on = [ "pending" ]; },
        { metric = "resolution"; within = "5bd"; business_day = "end_of_day"; calendar = "office"; } ); }
);
"""
MANY = 40
SMCUP, RMCUP = b"\x1b[?1049h", b"\x1b[?1049l"


def show(terminal, what):
    """For people who look at it: SLATED_SCREENS=1."""
    if os.environ.get("SLATED_SCREENS"):
        print(f"--- {what} ({terminal.screen.columns}x{terminal.screen.lines})")
        print(terminal.text())


class Top:
    """slatectl top, and what is to be seen of it."""

    def __init__(self, bench, config, *words, where=None, **options):
        place = ["--conninfo", where] if where else ["--config", str(config)]
        self.terminal = Terminal([str(BUILD / "slatectl"), "top", *place, *words],
                                 **{"LC_ALL": "C.UTF-8", "TZ": "UTC", "columns": 130, "lines": 24, **options})
        bench.stack.callback(self.terminal.close)

    def wait(self, what, pattern, deadline=30.0):
        """Waits until the pattern is on the screen."""
        return self.terminal.wait(what, lambda text: re.search(pattern, text, re.MULTILINE), deadline)

    def rows(self):
        """The first words of the list's lines."""
        lines = self.terminal.text().split("\n")[6:-1]
        return [line.split()[0] for line in lines if line.strip()]

    def selected(self):
        """The first word of the line that stands out."""
        for y in range(6, self.terminal.screen.lines - 1):
            if self.terminal.screen.buffer[y][0].reverse:
                return self.terminal.screen.display[y].split()[0]
        return None

    def cell(self, word):
        """Where the word begins in the list."""
        screen = self.terminal.screen
        return next(screen.buffer[y][row.find(word)] for y, row in enumerate(screen.display) if y >= 6 and word in row)

    def wait_rows(self, what, number):
        """Waits until the whole screen is drawn with so many rows."""
        self.terminal.wait(what, lambda text: text.startswith("slated") and len(self.rows()) == number)

    def press(self, keys, what, look):
        self.terminal.type(keys)
        self.terminal.wait(what, lambda _: look())


def seconds(text):
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(\d+)s", text)
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1)))


def test_list(bench, top):
    top.wait("the clocks", r"^T-001 ")
    show(top.terminal, "list")
    text = top.terminal.text()
    title = r"^slated  database postgres on \S+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"
    bench.check(re.search(title, text, re.M), "the title", text)
    top.wait("the daemon", r"^daemon   first  holds 256 of 256 shards  lag (?:\d+m|\d+\.\d{3} s)  next in \d+m$")
    counts = "clocks   1 breached, 1 at risk, 3 running, 1 paused   deliveries   0 waiting, 0 given up"
    bench.check(counts in text.split("\n"), "the counts", text)
    bench.equal(top.rows(), ["T-001", "T-001", "T-003", "T-002", "T-003", "T-002"],
                "sorted like slatectl list: breached, then by time left, paused last")
    line = next(line for line in text.split("\n") if "at risk" in line and line.startswith("T-001"))
    bench.check("Größe & Söhne" in line and "█" in line, "names and bars", line)
    left = re.compile(r"at risk .* (\d+m\d\ds) ")
    first = seconds(left.search(text).group(1))
    top.terminal.wait("the countdown", lambda text: seconds(left.search(text).group(1)) <= first - 3)
    bench.check(True, "the time left runs down")
    bench.equal(top.cell("at risk").fg, "brown", "what is at risk is yellow, which pyte calls brown")


def test_keys(bench, top):
    bench.equal(top.selected(), "T-001", "the first is selected")
    top.press("\x1bOB\x1bOB", "Down", lambda: top.selected() == "T-003")
    top.press("s", "sorted by used", lambda: "by used" in top.terminal.text())
    bench.equal(top.selected(), "T-003", "the selected one stays selected")
    by_ticket = ["T-001", "T-001", "T-002", "T-002", "T-003", "T-003"]
    top.press("s", "sorted by ticket", lambda: "by ticket" in top.terminal.text() and top.rows() == by_ticket)
    bench.equal(top.rows(), by_ticket, "s sorts by ticket")
    top.press("\x1bOF", "End", lambda: top.selected() == "T-003")
    top.press("\x1bOH", "Home", lambda: top.selected() == "T-001")
    top.press("sss", "sorted by need", lambda: "by need" in top.terminal.text())
    top.press("/silver first", "the prompt", lambda: "filter: silver first" in top.terminal.text())
    top.press("\n", "a filter", lambda: "2 of 6 fit" in top.terminal.text())
    show(top.terminal, "filter")
    bench.equal(top.rows(), ["T-003", "T-002"], "/ filters by words")
    top.press("/x\x7f\x7f", "typing", lambda: "filter: silver firs" in top.terminal.text())
    top.press("\x15größe", "UTF-8",
              lambda: "filter: größe" in top.terminal.text() and top.rows() == ["T-001", "T-001"])
    top.press("\x1b", "Esc", lambda: "fit" not in top.terminal.text() and len(top.rows()) == 6)
    bench.check(True, "Esc drops the filter")
    top.press("/nothing\n", "no row", lambda: "No open clock fits the filter." in top.terminal.text())
    top.press("\n", "Enter on nothing", lambda: "No open clock fits the filter." in top.terminal.text())
    top.press("/\x1b", "all rows", lambda: len(top.rows()) == 6)


def test_ticket(bench, top):
    top.press("\n", "the ticket", lambda: "Milestones" in top.terminal.text())
    show(top.terminal, "ticket")
    text = top.terminal.text()
    bench.check("Größe & Söhne" in text and "Clocks" in text and "T-001" in text, "Enter shows the ticket", text)
    top.press("q", "the list", lambda: "sorted" in top.terminal.text())
    top.press("an", "no", lambda: "Stop the escalation" not in top.terminal.text())
    top.press("a", "the question", lambda: "Stop the escalation of ticket T-001? y/n" in top.terminal.text())
    top.press("y", "the answer", lambda: "ticket T-001 (Größe & Söhne): escalation stopped" in top.terminal.text())
    bench.equal(bench.db.value("SELECT count(*) FROM sla.ack"), 1, "a acknowledges, once and only after y")
    # What was asked about is what is acknowledged, also where its row has gone meanwhile.
    bench.db.insert("ticket", external_id="T-004", org="Acme", plan="silver", severity="normal")
    top.press("/T-004 resolution\n", "one row", lambda: top.rows() == ["T-004"])
    top.press("a", "the question", lambda: "Stop the escalation of ticket T-004? y/n" in top.terminal.text())
    bench.db.run("UPDATE sla.ticket SET status = 'solved' WHERE external_id = 'T-004'")
    top.wait("no row", "No open clock fits the filter.")
    top.press("y", "the answer", lambda: "ticket T-004 (Acme): escalation stopped" in top.terminal.text())
    top.press("/\x1b", "all rows", lambda: len(top.rows()) == 6)


def test_resize(bench, top):
    for number in range(MANY):
        bench.db.insert("ticket", external_id=f"N-{number:03}", org="Many", plan="silver", severity="normal")
    bench.db.wait(f"(SELECT count(*) FROM sla.clock WHERE ended_at IS NULL) = {6 + 2 * MANY}")
    top.terminal.type("r")
    top.terminal.wait("as many rows as fit", lambda text: re.search(r"^N-000 ", text, re.M) and len(top.rows()) == 17)
    top.press("\x1b[6~", "PgDn", lambda: top.selected() not in ("T-001", None))
    top.press("\x1bOF", "End", lambda: top.selected() == "T-002")
    bench.equal(top.rows()[-1], "T-002", "the last row is at the bottom")
    top.terminal.resize(60, 16)
    top.wait_rows("a small screen", 9)
    top.terminal.wait("the selected row on a small screen", lambda _: top.selected() == "T-002")
    show(top.terminal, "small")
    bench.check(all(len(line) <= 60 for line in top.terminal.text().split("\n")), "a small screen")
    top.terminal.resize(20, 4)
    top.terminal.wait("hardly a screen", lambda text: text.startswith("slated"))
    top.terminal.resize(160, 40)
    top.wait_rows("a large screen", 33)
    top.wait("all columns on a large screen", "POLICY")
    show(top.terminal, "large")
    bench.check(True, "it follows the terminal's size")


def left_as_it_was(bench, top, what, status):
    bench.equal(top.terminal.end(), status, f"{what}: its exit status")
    raw = top.terminal.raw
    bench.check(raw.rfind(RMCUP) > raw.rfind(SMCUP) >= 0, f"{what}: the screen is given back")
    bench.check(raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l"), f"{what}: the cursor is back", raw[-200:])


def test_end(bench, config):
    for what, end, status in (("q", "q", 0), ("Ctrl-C", "\x03", -signal.SIGINT),
                              ("SIGTERM", signal.SIGTERM, -signal.SIGTERM), ("SIGHUP", signal.SIGHUP, -signal.SIGHUP)):
        top = Top(bench, config)
        top.wait("the clocks", r"^T-001 ")
        bench.check(not top.terminal.mode()[3] & termios.ECHO, f"{what}: a key is not echoed meanwhile")
        if isinstance(end, str):
            top.terminal.type(end)
        else:
            os.kill(top.terminal.pid, end)
        left_as_it_was(bench, top, what, status)
        bench.equal(top.terminal.mode(), top.terminal.before, f"{what}: the line is as it was")


def test_looks(bench, config):
    plain = Top(bench, config, LC_ALL="C")
    plain.wait("the clocks", r"^T-001 ")
    show(plain.terminal, "ASCII")
    text = plain.terminal.text()
    bench.check(text.isascii() and "####" in text and "Gr??e & S?hne" in text, "plain ASCII", text)
    plain.press("q", "its end", lambda: True)
    plain.terminal.end()
    for what, environment, words in (("NO_COLOR", {"NO_COLOR": "1"}, ()), ("vt100", {"TERM": "vt100"}, ()),
                                     ("--color never", {}, ("--color", "never"))):
        top = Top(bench, config, *words, **environment)
        top.wait("the clocks", r"^T-001 ")
        colors = {cell.fg for row in top.terminal.screen.buffer.values() for cell in row.values()}
        bench.equal(colors, {"default"}, f"{what}: no colours")
        bench.check(top.cell("breached").bold, f"{what}: what is breached stands out")
        top.terminal.type("q")
        top.terminal.end()


def test_lost(bench, folder):
    link = folder / "server"
    link.symlink_to(bench.server.host)
    top = Top(bench, None, where=f"host={link} port={bench.server.port} user=postgres dbname=postgres")
    top.wait("the clocks", r"^T-001 ")
    bench.check("~ estimated" in top.terminal.text(), "without a configuration, what it cannot know is said")
    link.unlink()
    bench.db.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'slatectl'")
    top.wait("the loss", r"^no news for \d+s: .*; it is tried again$")
    show(top.terminal, "lost")
    bench.check("T-001" in top.terminal.text(), "a lost database is told of in the header; what was read stays")
    link.symlink_to(bench.server.host)
    top.wait("the daemon again", r"^daemon   first ")
    bench.check(True, "it goes on once the database is back")
    top.terminal.type("q")
    bench.equal(top.terminal.end(), 0, "q after a loss")


def test_wrong(bench, config, folder):
    for what, words, environment, says in (
            ("no database", ("--conninfo", f"host={folder} dbname=none"), {}, "slatectl: cannot reach the database: "),
            ("no configuration", ("--config", str(folder / "none.conf")), {}, "none.conf"),
            ("an unknown terminal", ("--config", str(config)), {"TERM": "none-such"}, "slatectl top: this terminal ")):
        terminal = Terminal([str(BUILD / "slatectl"), "top", *words], columns=160, LC_ALL="C.UTF-8", **environment)
        bench.stack.callback(terminal.close)
        status = terminal.end()
        text = terminal.text()
        bench.check(status == 1 and says in text and SMCUP not in terminal.raw, what, text)
    done = os.popen(f"{BUILD / 'slatectl'} top --config {config} 2>&1 </dev/null").read()
    bench.equal(done, "slatectl top: needs a terminal; slatectl list does not\n", "no terminal")


def test(bench):
    config = bench.write_config(CONFIG)
    bench.daemon(config)
    db = bench.db
    db.run("INSERT INTO sla.ticket (external_id, org, plan, severity, opened_at) VALUES "
           "('T-001', 'Größe & Söhne', 'gold', 'normal', now() - interval '18 minutes'), "
           "('T-002', 'Bolt', 'silver', 'normal', now() - interval '10 minutes'), "
           "('T-003', 'Acme', 'silver', 'normal', now() - interval '20 minutes')")
    db.run("UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'T-002'")
    db.wait("(SELECT count(*) FROM sla.clock WHERE state = 'paused' OR state = 'breached' OR levels_fired <> '{}') = 3")
    top = Top(bench, config)
    test_list(bench, top)
    test_keys(bench, top)
    test_ticket(bench, top)
    test_end(bench, config)
    test_looks(bench, config)
    test_resize(bench, top)
    top.terminal.type("q")
    left_as_it_was(bench, top, "after all", 0)
    test_lost(bench, bench.folder)
    test_wrong(bench, config, pathlib.Path(bench.folder))


run(test)
