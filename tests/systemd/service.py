#!/usr/bin/env python3
"""The units under a booted systemd, as an administrator meets them: start, status, journal, reloads good and bad, a
lost database, the watchdog, credentials, the sandbox with a program of an exec channel, a second daemon, stop,
sockets."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import traceback

from box import Box, Failure, Skip, wait_until

BUILD = pathlib.Path(os.environ.get("SLATED_BUILD", ".")).resolve()
SOURCE = pathlib.Path(os.environ.get("srcdir", ".")).resolve()
POSTGRESQL = "postgresql@15-main"
PAGE = """import os, sys
text = sys.stdin.read()
try:
    open("/etc/paged", "w")
    note = "wrote to /etc"
except OSError:
    note = "sandboxed"
open("/tmp/paged", "a").write(note + " " + str(len(text) > 0) + "\\n")
"""
CONFIGURATION = """database = {{ conninfo = "host=/run/postgresql dbname=support"; }};
instance = {{ name = "{name}"; }};
http = {{ listen = [ "{listen}" ]; }};
calendars = {{ day = {{ timezone = "Europe/Berlin"; hours = {{ daily = "00:00-24:00"; }}; }}; }};
policies = ( {{ name = "all"; match = {{ }}; escalation = "e"; targets = (
    {{ metric = "first_response"; within = "2s"; at_risk = [ "50%" ]; }},
    {{ metric = "resolution"; within = "{resolution}"; calendar = "{calendar}"; }} ); }} );
escalations = {{ e = ( {{ on = "breached"; notify = "script"; }} ); }};
channels = {{
    script = {{ type = "exec"; command = [ "/usr/bin/python3", "/opt/slated/page.py" ]; }};
    ops = {{ type = "webhook"; url = "http://127.0.0.1:9/"; secret_credential = "ops"; }};
}};
"""
# What it gets for a path, over a unix socket or from a port.
ASK = """import http.client, socket, sys
connection = http.client.HTTPConnection(*sys.argv[1].split(":"), timeout=30)
if sys.argv[1].startswith("/"):
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(sys.argv[1])
connection.request("GET", sys.argv[2], headers={"Host": "localhost"})
print(connection.getresponse().status)
"""
passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {text}", flush=True)


def configuration(name="one", listen="127.0.0.1:9464", resolution="1h", calendar="day"):
    return CONFIGURATION.format(name=name, listen=listen, resolution=resolution, calendar=calendar)


def unit_text(name):
    return (BUILD / "systemd" / name).read_text()


def prepare(box):
    """Installs the daemon where its units look for it."""
    unit = unit_text("slated.service")
    daemon, path = re.search(r"^ExecStart=(\S+) --config (\S+)$", unit, re.M).groups()
    slatectl = re.search(r"^ExecReload=(\S+) check", unit, re.M).group(1)
    if daemon.startswith("/tmp/"):
        raise Skip("the box has a /tmp of its own, and the units look for the daemon there: configure another prefix")
    box.put(daemon, copy=BUILD / "slated", mode=0o755)
    box.put(slatectl, copy=BUILD / "slatectl", mode=0o755)
    for name in ("slated.service", "slated@.service"):
        box.put(f"/etc/systemd/system/{name}", copy=BUILD / "systemd" / name)
        box.put(f"/etc/systemd/system/{name}.d/test.conf",
                "[Service]\nLoadCredential=ops:/etc/slated-test/ops\nTimeoutStartSec=4s\nWatchdogSec=2s\n")
    for name in ("slated.socket", "slated@.socket"):
        box.put(f"/etc/systemd/system/{name}", copy=SOURCE / "systemd" / name)
    box.put("/usr/lib/sysusers.d/slated.conf", copy=SOURCE / "systemd/sysusers.d/slated.conf")
    box.put("/usr/lib/systemd/catalog/slated.catalog", copy=SOURCE / "systemd/slated.catalog")
    box.put("/etc/slated-test/ops", "a secret\n", mode=0o600)
    box.put("/opt/slated/page.py", PAGE)
    box.put(path, configuration())
    box.put(str(pathlib.Path(path).parent / "two/slated.conf"), configuration("two", "unix:/run/slated-two/http.sock"))
    return slatectl, path


def psql(box, text):
    return box.run("runuser", "-u", "postgres", "--", "psql", "-qtAXd", "support", "-c", text)[0].strip()


def status(box, unit="slated"):
    return box.show(unit, "StatusText")


def wait_status(box, words, unit="slated"):
    return wait_until(lambda: words in status(box, unit), f'"{words}" in the status of {unit}')


def journal(box, *match):
    lines = box.run("journalctl", "--no-pager", "-o", "json", *match, check=False)[0].splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def check_static():
    made = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15",
                           str(BUILD / "systemd/slated.service")], capture_output=True, text=True, check=False)
    check(made.returncode == 0, "exposure: " + (made.stdout + made.stderr).strip().splitlines()[-1])


def check_start(box, slatectl):
    box.run("journalctl", "--update-catalog")
    box.run("systemd-sysusers", "slated.conf")
    verified = box.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "slated.service",
                       "slated@two.service", "slated.socket", "slated@two.socket")[0]
    check("slated" not in verified, f"systemd-analyze verify: {verified}")
    box.run("systemctl", "start", POSTGRESQL)
    box.run("runuser", "-u", "postgres", "--", "createdb", "support")
    box.run("runuser", "-u", "postgres", "--", slatectl, "migrate", "--conninfo", "dbname=support")
    psql(box, "CREATE ROLE slated LOGIN IN ROLE sla_daemon")
    box.run("systemctl", "start", "slated")
    check(box.show("slated", "ActiveState") == "active", "not active after its start")
    check(status(box).startswith("0 tickets, 0 clocks"), f"status after the start: {status(box)}")
    check(box.show("slated", "NRestarts") == "0", "it was restarted")


def check_work(box):
    psql(box, "INSERT INTO sla.ticket (external_id, severity, status) VALUES ('A', 'high', 'open'), "
              "('B', 'enormous', 'open')")
    wait_status(box, "2 tickets, 2 clocks, 0 at risk, 1 breached; next 2")
    sent = wait_until(lambda: journal(box, "SLATED_TICKET=1", "SLATED_CHANNEL=script"), "the delivery's line")
    check(sent[0]["PRIORITY"] == "6" and sent[0]["SLATED_ATTEMPTS"] == "1" and
          sent[0]["MESSAGE"].startswith("delivery delivered delivery=" + sent[0]["SLATED_DELIVERY"]),
          f"the line of a delivery: {sent[0]}")
    paged = box.run("sh", "-c", "cat /tmp/systemd-private-*-slated.service-*/tmp/paged")[0]
    check(paged == "sandboxed True\n", f"what the program left behind: {paged}")
    told = box.run("journalctl", "--no-pager", "-x", "-u", "slated", "-p", "warning")[0]
    check("Subject: A change of a ticket was refused" in told and 'severity "enormous" is unknown' in told,
          f"journalctl -x: {told}")
    check(any(e.get("MESSAGE_ID") for e in journal(box, "SLATED_TICKET=2")), "a refusal has no MESSAGE_ID")


def check_reload(box, path):
    box.write(path, configuration(resolution="2h"))
    check(box.run("systemctl", "reload", "slated", check=False)[1] == 0, "a good reload fails")
    wait_until(lambda: any(e["MESSAGE"].startswith("reloaded ") for e in journal(box, "-u", "slated")), "the reload")
    box.write(path, configuration() + "nonsense = 1;\n")
    check(box.run("systemctl", "reload", "slated", check=False)[1] != 0, "a reload with errors succeeds")
    check(any("nonsense: unknown setting" in e["MESSAGE"] for e in journal(box, "-u", "slated")), "and says not why")
    # What only the daemon knows: a clock runs on that calendar.
    box.write(path, configuration(calendar="always").replace("calendars = { day", "calendars = { night"))
    box.run("systemctl", "reload", "slated")
    wait_status(box, "a reload was refused")
    box.write(path, configuration())
    box.run("systemctl", "reload", "slated")
    wait_until(lambda: "refused" not in status(box), "a status without the refusal")
    check(box.show("slated", "ActiveState") == "active" and box.show("slated", "NRestarts") == "0",
          "it was restarted by a reload")


def check_watchdog(box):
    box.run("systemctl", "stop", POSTGRESQL)
    wait_status(box, "not working: no connection to the database")
    lost = time.monotonic()
    wait_until(lambda: time.monotonic() - lost > 5, "twice the watchdog's limit")
    check(box.show("slated", "NRestarts") == "0" and box.show("slated", "ActiveState") == "active",
          "a lost database had it restarted")
    box.run("systemctl", "start", POSTGRESQL)
    wait_status(box, "2 tickets, 2 clocks")
    box.run("kill", "-STOP", box.show("slated", "MainPID"))
    wait_until(lambda: box.show("slated", "NRestarts") == "1", "the watchdog")
    wait_status(box, "2 tickets, 2 clocks")
    check(any("watchdog" in e["MESSAGE"] for e in journal(box, "-u", "slated")), "the journal has no watchdog")


def check_second(box):
    box.run("systemctl", "start", "--no-block", "slated@two")
    wait_status(box, "in 128 of 256 shards", "slated@two")
    wait_status(box, "in 128 of 256 shards")
    check(box.show("slated@two", "ActiveState") == "active" and box.show("slated@two", "NRestarts") == "0",
          "a second daemon did not start at once")
    box.run("systemctl", "stop", "slated")
    check(box.show("slated", "Result") == "success" and box.show("slated", "ActiveState") == "inactive",
          "it did not stop well")
    wait_status(box, "2 tickets, 2 clocks", "slated@two")
    check(box.show("slated@two", "ActiveState") == "active", "the second one took over, but is not active")
    check(ask(box, "/run/slated-two/http.sock", "/-/ready") == "200", "it does not answer over its socket")
    socket = box.run("stat", "-c", "%A %U %G", "/run/slated-two/http.sock")[0]
    check(socket == "srw-rw---- slated slated\n", f"its socket is {socket}")
    box.run("systemctl", "stop", "slated@two")


def ask(box, where, path):
    return box.run("/usr/bin/python3", "-c", ASK, where, path)[0].strip()


def check_sockets(box, path):
    """The .socket units, which start the daemon, keep what comes in between, and outlast it."""
    for unit, where in (("slated", "127.0.0.1:9464"), ("slated@two", "/run/slated-two.sock")):
        box.run("systemctl", "start", f"{unit}.socket")
        check(box.show(unit, "ActiveState") == "inactive", f"{unit}: its socket alone starts it")
        check(ask(box, where, "/-/healthy") == "200", f"{unit}: no answer to the request that starts it")
        wait_status(box, "2 tickets, 2 clocks", unit)
        check(any(e["MESSAGE"].startswith("listening on a socket that was handed over name=http")
                  for e in journal(box, "-u", unit)), f"{unit}: the journal does not tell of its socket")
        box.run("systemctl", "restart", unit)
        check(ask(box, where, "/-/ready") == "200", f"{unit}: no answer after a restart")
        box.run("systemctl", "stop", unit, f"{unit}.socket")
    # Without http.listen, too.
    box.write(path, re.sub(r"http = .*\n", "", configuration()))
    box.run("systemctl", "start", "slated.socket", "slated")
    check(ask(box, "127.0.0.1:9464", "/-/ready") == "200", "no answer without http.listen")
    box.run("systemctl", "stop", "slated", "slated.socket")
    check(box.run("systemctl", "--failed", "--no-legend", "list-units", "slated*")[0] == "", "a unit has failed")


def work():
    check_static()
    linked = subprocess.run(["ldd", str(BUILD / "slated")], capture_output=True, text=True, check=False).stdout
    if "libasan" in linked or "libubsan" in linked:
        raise Skip("sanitizers do not work inside the sandbox")
    if not pathlib.Path("/lib/systemd/system/postgresql@.service").exists():
        raise Skip("no PostgreSQL with units is installed")
    if not pathlib.Path("/etc/postgresql/15/main").exists():
        raise Skip(f"there is no {POSTGRESQL}")
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd is missing")
    box = Box()
    try:
        slatectl, path = prepare(box)
        box.boot()
        try:
            check_start(box, slatectl)
            check_work(box)
            check_reload(box, path)
            check_watchdog(box)
            check_second(box)
            check_sockets(box, path)
        except Failure:
            print(box.run("journalctl", "--no-pager", "-u", "slated*", "-n", "60", check=False)[0])
            raise
    finally:
        box.close()


def main():
    global failed
    try:
        work()
    except Skip as skip:
        print(f"skipped: {skip}")
        return 1 if failed else 77
    except (Failure, subprocess.TimeoutExpired):
        traceback.print_exc(file=sys.stdout)
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


sys.exit(main())
