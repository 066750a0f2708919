#!/usr/bin/env python3
"""README.md's ten minutes with a table of your own: its very words, on the tables of conf/adapters/generic.conf, lead from
attach to the open clocks, and out again."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from harness import BUILD, HERE, Failure, run, wait_until  # noqa: E402

SOURCE = HERE.parent.parent
PROMISE = 'policies = ( { name = "all"; targets = ( { metric = "first_response"; within = "4h"; } ); } );\n'


def section():
    """Its configuration and its commands, as they stand in README.md."""
    text = (SOURCE / "README.md").read_text().partition("For a table of your own, ten minutes:")[2].partition("## ")[0]
    config, commands = (re.search(rf"^   ```{kind}\n(.*?)^   ```$", text, re.M | re.S) for kind in ("", "sh"))
    inline = re.findall(r"`(slatectl [^`]+)`", text)
    if not config or not commands or len(inline) != 3:
        raise Failure(f"README.md has no such section any more: {text}")
    return config[1], commands[1].replace("\n   ", "\n").strip(), inline


def shell(bench, command):
    """As an administrator at the shell, with /etc/slated elsewhere and no systemd."""
    names = f'slatectl() {{ "{BUILD}/slatectl" "$@" --config "{bench.config}"; }}; systemctl() {{ kill -HUP {bench.pid}; }}; '
    done = subprocess.run(["sh", "-ec", names + command], capture_output=True, text=True, env=bench.server.environment,
                          check=False)
    if done.returncode != 0:
        raise Failure(f"{command}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def test(bench):
    config, commands, (listing, check, detach) = section()
    bench.db.run("CREATE ROLE slated LOGIN IN ROLE sla_daemon; CREATE DATABASE helpdesk")
    helpdesk = bench.session(database="helpdesk")
    example = (SOURCE / "conf" / "adapters" / "generic.conf").read_text()
    helpdesk.run("\n".join(line[2:] for line in example.splitlines() if line.startswith("#   ")))
    helpdesk.run("INSERT INTO ticket (customer, plan, priority) VALUES ('Kestrel', 'gold', 1), ('Acme', NULL, 3); "
                 "INSERT INTO message (ticket_id, sender) VALUES (2, 'staff')")
    # Where the server is, the environment says; a daemon has none.
    config = config.replace('conninfo = "', f'conninfo = "host={bench.server.host} port={bench.server.port} ')
    bench.config = bench.write_config(PROMISE, user="slated")
    daemon = bench.daemon(bench.config)
    bench.pid = daemon.process.pid
    bench.config.write_text(bench.config.read_text() + config)
    said = shell(bench, commands)
    bench.check("CREATE OR REPLACE TRIGGER" in said and "taken over: 2 tickets" in said, "attach, as README.md has it", said)
    daemon.log.wait("^reloaded ")
    wait_until("slatectl list has the ticket that is not answered", lambda: re.search(
        r"^1 +Kestrel +gold +critical +first_response ", shell(bench, listing), re.M))
    bench.check(not re.search("^2 ", shell(bench, listing), re.M), "slatectl list has the open clocks alone")
    helpdesk.run("INSERT INTO ticket (customer, priority) VALUES ('Re', 2)")
    wait_until("and a new one", lambda: re.search("^3 +Re ", shell(bench, listing), re.M))
    bench.check("all is as attach left it" in shell(bench, check), "--check finds all as it should be")
    shell(bench, detach)
    bench.equal(helpdesk.value("SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'slated%') + "
                               "(SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)"), 0, "detach takes everything out")
    bench.stopped(daemon)


if __name__ == "__main__":
    run(test)
