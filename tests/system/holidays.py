#!/usr/bin/env python3
"""slatectl holidays update says which dates differ and which open clocks would move; nothing changes without --apply; and
with it the daemon's reload does what was said."""
import datetime
import http.server
import json
import signal
import subprocess
import threading

from harness import BUILD, microseconds, run

CONFIG = """
calendars = {{ office = {{ timezone = "UTC"; hours = {{ daily = "00:00-24:00"; }}; holiday_feeds = [ "feeds/days.ics" ]; }};
               other = {{ timezone = "UTC"; hours = {{ daily = "00:00-24:00"; }}; }};
               both = {{ union = [ "office", "other" ]; }}; }};
policies = (
    {{ name = "gold"; match = {{ plan = "gold"; }}; targets = (
        {{ metric = "first_response"; within = "48h"; calendar = "office"; }} ); }},
    {{ name = "rest"; targets = ( {{ metric = "first_response"; within = "48h"; calendar = "other"; }} ); }}
);
"""


def feed(**days):
    events = "".join(f"BEGIN:VEVENT\r\nUID:{day}\r\nDTSTART;VALUE=DATE:{day.strip('_')}\r\nSUMMARY:{name}\r\nEND:VEVENT\r\n"
                     for day, name in days.items())
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//slated//tests//EN\r\n{events}END:VCALENDAR\r\n"


class Server:
    """One feed over HTTP, behind a redirect; anything else is not found."""

    def __init__(self, bench, text):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path in ("/days.ics", "/old.ics")
                self.send_response({"/old.ics": 302, "/days.ics": 200}.get(self.path, 404))
                self.send_header("Location", "/days.ics")
                self.end_headers()
                if found:
                    self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        bench.stack.callback(self.server.shutdown)

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"


def update(bench, config, *arguments, status=0):
    ran = subprocess.run([BUILD / "slatectl", "holidays", "--config", str(config), *arguments[2:], "update", *arguments[:2]],
                         capture_output=True, text=True, check=False, env=bench.server.environment | {"LC_ALL": "C.UTF-8"})
    bench.equal(ran.returncode, status, f"holidays update {arguments}: {ran.stdout}{ran.stderr}")
    return ran.stdout if status == 0 else ran.stderr


def due(bench):
    rows = bench.db.rows("SELECT t.plan, c.due_at FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id")
    return {row["plan"]: microseconds(row["due_at"]) for row in rows}


def test(bench):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    tomorrow, last_week = today + datetime.timedelta(days=1), today - datetime.timedelta(days=7)
    days = {f"_{last_week:%Y%m%d}": "Past Day", "_20310101": "New Year's Day"}
    old, new = feed(**days), feed(**{**days, f"_{tomorrow:%Y%m%d}": "Sudden Day", "_20310101": "First Day"})
    files = bench.folder / "feeds"
    files.mkdir()
    (files / "days.ics").write_text(old, newline="")
    (files / "days.ics").chmod(0o644)
    draft = bench.folder / "new.ics"
    draft.write_text(new, newline="")
    config = bench.write_config(CONFIG.format())
    config.write_text(config.read_text().replace('name = "first"; };', 'name = "first"; reload = "migrate"; };'))
    daemon = bench.daemon(config)
    for plan in ("gold", "silver"):
        bench.db.insert("ticket", external_id=plan, plan=plan, severity="high")
    bench.db.wait("(SELECT count(*) FROM sla.clock) = 2")
    before = due(bench)

    told = update(bench, config, "days", str(draft))
    bench.equal(told.splitlines()[:2], [f"+ {tomorrow} Sudden Day", "= 2031-01-01 First Day, was New Year's Day"], "the dates")
    bench.check("would move 1 of 2 open clocks: 1 due later" in told and told.splitlines()[-2].startswith("gold ")
                and told.splitlines()[-1].startswith("nothing is changed"), "the clock that would move", told)
    bench.equal((files / "days.ics").read_bytes().decode(), old, "nothing is changed")
    bench.equal(update(bench, config, "feeds/days.ics", str(files / "days.ics")), "no date differs\n", "the same feed")
    moves = json.loads(update(bench, config, "days.ics", Server(bench, new).url("/old.ics"), "--json"))
    bench.equal(([(d["date"], d.get("was"), d["is"]) for d in moves["dates"]], moves["applied"], moves["moving"]),
                ([(str(tomorrow), None, "Sudden Day"), ("2031-01-01", "New Year's Day", "First Day")], False, 1), "from a URL, as JSON")
    for place, words in ((str(bench.folder / "none.ics"), "No such file"), (Server(bench, new).url("/none"), "404"),
                         (str(config), "is no iCalendar file")):
        bench.check(words in update(bench, config, "days", place, "--apply", status=1), f"refused: {words}")
    bench.check("no feed of the configuration is called \"nights\"; it has feeds/days.ics"
                in update(bench, config, "nights", str(draft), status=1), "refused: another name")
    bench.equal((files / "days.ics").read_bytes().decode(), old, "and still nothing is changed")

    told = update(bench, config, "days", str(draft), "--apply")
    bench.check(told.splitlines()[-1].endswith("days.ics is written. Now reload the daemon: systemctl reload slated"), "applied", told)
    bench.equal(((files / "days.ics").read_bytes().decode(), (files / "days.ics").stat().st_mode & 0o777,
                 [path.name for path in files.iterdir()]), (new, 0o644, ["days.ics"]), "the file, whole and alone")
    daemon.signal(signal.SIGHUP)
    daemon.log.wait("^reloaded")
    bench.db.wait(f"(SELECT due_at FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id WHERE t.plan = 'gold') > "
                  f"to_timestamp({before['gold'] / 1e6})")
    after = due(bench)
    bench.equal((after["gold"] - before["gold"], after["silver"]), (86_400_000_000, before["silver"]), "the reload does what was said")
    bench.equal(datetime.datetime.fromisoformat(moves["moves"][0]["would_be_due_at"]).timestamp() * 1e6, after["gold"], "to the instant")


if __name__ == "__main__":
    run(test)
