#!/usr/bin/env python3
"""Where the HTTP server listens: a unix socket, fresh, stale or in use, and sockets of a service manager."""
import http.client
import os
import socket
import stat

from harness import SOON, run

TOKEN = "a token for tests, which nobody else has"
CONFIG = """
severities = ( {{ name = "calm"; }} );
http = {{ listen = [ {addresses} ]; {token} }};
"""
# The sockets come as descriptors from 3 on, and the number of the process that they are for; `names` is what
# sd_listen_fds_with_names(3) reads.
HAND_OVER = 'LISTEN_PID=$$ LISTEN_FDS={n} LISTEN_FDNAMES={names} exec "$@" {files}'


class Over(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=SOON)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SOON)
        self.sock.connect(self.path)


def ask(connection, method="GET", path="/-/healthy", token=None):
    connection.request(method, path, "", {"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def acknowledge(path, ticket, token=None):
    return ask(Over(path), "POST", f"/api/v1/tickets/{ticket}/ack", token)[0]


def start(bench, name, *addresses, token="", loaded=False, **given):
    text = CONFIG.format(addresses=", ".join(f'"{a}"' for a in addresses), token=token)
    return bench.daemon(bench.write_config(text, f"{name}.conf", instance=name), loaded=loaded, **given)


def mode(path):
    return stat.filemode(os.stat(path).st_mode)


def test_unix(bench, ticket):
    path = bench.folder / "http.sock"
    first = start(bench, "first", f"unix:{path}", "127.0.0.1:0", loaded=True)
    bench.check(first.log.find(f'^listening address=unix:{path}$'), "the log names the path", first.log.lines[:5])
    bench.equal(mode(path), "srw-rw----", "its group may connect, others may not")
    bench.equal(ask(Over(path))[0], 200, "a client of the socket is one of this host: it may read")
    bench.equal(acknowledge(path, ticket), 403, "but not write without a token")

    second = start(bench, "second", f"unix:{path}")
    line = second.log.wait("cannot listen")
    bench.equal(second.process.wait(SOON), 1, "a socket that somebody answers: the second daemon ends")
    bench.check(str(path) in line and "in use" in line, "and says why", line)
    bench.equal(ask(Over(path))[0], 200, "and leaves the first one's alone")

    first.kill()
    bench.check(path.exists(), "a daemon that is killed leaves its socket")
    third = start(bench, "third", f"unix:{path}", token='token_file = "token";', loaded=True)
    bench.equal(ask(Over(path))[0], 200, "the next one takes its place")
    bench.equal(acknowledge(path, ticket, TOKEN), 200, "with a token a client may write")
    bench.stopped(third)
    bench.check(not path.exists(), "a daemon that ends takes its socket with it")


def test_paths(bench):
    (bench.folder / "file").write_text("kept\n")
    for name, path, word in (("file", bench.folder / "file", "File exists"),
                             ("nowhere", bench.folder / "none/http.sock", "No such file")):
        daemon = start(bench, name, f"unix:{path}")
        line = daemon.log.wait("cannot listen")
        bench.equal(daemon.process.wait(SOON), 1, f"{name}: the daemon ends")
        bench.check(word in line, f"{name}: and says why", line)
    bench.equal((bench.folder / "file").read_text(), "kept\n", "what is no socket stays")


def hand_over(bench, *sockets, names="http"):
    """How a daemon is run that is given these."""
    for one in sockets:
        bench.stack.callback(one.close)
    # First away from the numbers that they are to have.
    moves = [f"{20 + i}<&{one.fileno()}" for i, one in enumerate(sockets)]
    moves += [f"{3 + i}<&{20 + i} {20 + i}<&-" for i in range(len(sockets))]
    command = HAND_OVER.format(n=len(sockets), names=names, files=" ".join(moves))
    return {"under": ("bash", "-c", command, "hand-over"), "files": [one.fileno() for one in sockets]}


def test_activation(bench, ticket):
    path = bench.folder / "activated.sock"
    over_path, over_port = socket.socket(socket.AF_UNIX), socket.create_server(("::", 0), family=socket.AF_INET6,
                                                                                dualstack_ipv6=True)
    over_path.bind(str(path))
    over_path.listen()
    port = over_port.getsockname()[1]
    # It waits, as at a start on demand.
    early = Over(path)
    early.request("GET", "/-/healthy")
    first = start(bench, "activated", "127.0.0.1:1", token='token_file = "token";',
                  **hand_over(bench, over_path, over_port, names="local:web"))
    bench.equal(early.getresponse().status, 200, "a request that was there before the daemon")
    first.wait_loaded()
    bench.check(first.log.find(f"^listening on a socket that was handed over name=local address=unix:{path}$") and
                first.log.find(rf'^listening on a socket that was handed over name=web address="?\[::\]:{port}"?$'),
                "the log names both", first.log.lines[:8])
    bench.check(first.log.find("^http.listen is not used: sockets were handed over$") and
                not first.log.find("^listening address"), "http.listen gives way to them", first.log.lines[:8])
    for host in ("127.0.0.1", "::1"):
        bench.equal(ask(http.client.HTTPConnection(host, port, timeout=SOON))[0], 200, f"{host} is this host")
    bench.equal(acknowledge(path, ticket), 401, "the token is asked for all the same")
    bench.equal(acknowledge(path, ticket, TOKEN), 200, "and taken")
    bench.stopped(first)
    bench.check(path.exists(), "a socket that was handed over stays")

    waits = Over(path)
    waits.request("GET", "/-/healthy")
    # Without http.listen the server is there because of the sockets.
    text = 'severities = ( { name = "calm"; } );'
    second = bench.daemon(bench.write_config(text, "silent.conf", instance="silent"),
                          **hand_over(bench, over_path))
    bench.equal(waits.getresponse().status, 200, "the next daemon answers what came in between")
    bench.stopped(second)


def test_unfit(bench):
    one, other = socket.socketpair()
    bench.stack.callback(other.close)
    daemon = start(bench, "unfit", **hand_over(bench, one, names="pair"))
    line = daemon.log.wait("cannot listen on a socket that was handed over")
    bench.equal(daemon.process.wait(SOON), 1, "a socket that does not listen: the daemon ends")
    bench.check("address=pair" in line, "and names it", line)


def test(bench):
    (bench.folder / "token").write_text(TOKEN + "\n")
    (bench.folder / "token").chmod(0o600)
    ticket = bench.db.insert("ticket", severity="calm")
    test_unix(bench, ticket)
    test_paths(bench)
    test_activation(bench, ticket)
    test_unfit(bench)


run(test)
