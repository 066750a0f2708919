#!/usr/bin/env python3
"""Behind PgBouncer. In session mode all is as without it. In transaction mode NOTIFY does not arrive, which the daemon finds
out by a NOTIFY to itself and says once; it polls.
"""
import getpass
import os
import pathlib
import shutil
import signal
import subprocess

from harness import Skip, die_with_parent, run, webhook
from history import CONFIG, History, free_port

CONF = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 4
"""
DEAF = "NOTIFY does not arrive, polling instead"


class Pooler:
    def __init__(self, bench, mode):
        program = shutil.which("pgbouncer", path=f"/usr/sbin:{os.environ['PATH']}")
        if program is None:
            raise Skip("no pgbouncer")
        self.port = free_port()
        path = bench.folder / f"{mode}.ini"
        path.write_text(CONF.format(server=bench.server.port, port=self.port, mode=mode))
        command = [program, "-q", path]
        # It refuses to run as root.
        if getpass.getuser() == "root":
            command[1:1] = ["-u", pathlib.Path(bench.server.folder, "data").owner()]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        bench.stack.callback(self.close)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def test_mode(bench, receiver, mode):
    pooler = Pooler(bench, mode)
    path = bench.folder / f"{mode}.conf"
    path.write_text(f'database = {{ conninfo = "host=127.0.0.1 port={pooler.port} user=postgres dbname=postgres"; }};\n'
                    f'instance = {{ name = "{mode}"; }};\n' + CONFIG.format(channels=webhook("ops", receiver.url()), more=""))
    history = History(bench, receiver, path)
    daemon = bench.daemon(path)
    history.write(writers=2)
    history.wait_alive()
    poll_only = f"(SELECT poll_only FROM sla.instance WHERE name = '{mode}')"
    bench.db.wait(f"{poll_only} = {'true' if mode == 'transaction' else 'false'}")
    # Every connection to the server is ended, twice: the daemon goes through the same again.
    for _ in range(2):
        since = len(daemon.log.lines)
        with history.away():
            bench.db.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'slated %'")
            # In transaction mode those that were at rest are replaced without the daemon's knowledge.
            if mode == "session":
                daemon.wait_loaded(since=since)
            history.wait_alive()
    history.stop_writers()
    said = sum(DEAF in line for line in daemon.log.lines)
    bench.equal(said, 1 if mode == "transaction" else 0, f"{mode} mode: how often the log says that NOTIFY does not arrive")
    history.check(f"{mode} mode", at_most=3)
    bench.stopped(daemon)


def test(bench):
    for mode in "session", "transaction":
        test_mode(bench, bench.receiver(), mode)


if __name__ == "__main__":
    run(test)
