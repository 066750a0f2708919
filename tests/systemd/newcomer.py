#!/usr/bin/env python3
"""The Debian package on a clean Debian 12 that boots: the steps of README.md, "Install on Debian", one by one, to the
first alert; then the socket, an upgrade, removal and purge.

	tests/systemd/newcomer.py [FOLDER]

FOLDER has the packages that tools/deb built; without it they are built. The system is made by mmdebstrap from Debian's
mirror, with the packages that apt will want in its cache, since the box itself has no network."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from box import Box, Failure, Skip, wait_until

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MIRROR = "http://deb.debian.org/debian"
# What a newcomer may take, who reads and types as well.
LIMIT = 300.0
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb",
               "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
        print(f"ok - {text}", flush=True)
    else:
        failed += 1
        print(f"FAILED - {text}", flush=True)


def steps():
    """The commands of the section, as a shell reads them: here-documents and open quotes go on over lines."""
    section = re.search(r"^## Install on Debian\n.*?^```sh\n(.*?)^```", (SOURCE / "README.md").read_text(), re.M | re.S)
    if not section:
        raise Failure("README.md has no such section")
    command = ""
    for line in section.group(1).splitlines():
        command += line + "\n"
        document = re.search(r"<<'(\w+)'$", command.splitlines()[0])
        done = line == document.group(1) if document else command.count('"') % 2 == 0
        if done:
            yield command.rstrip("\n")
            command = ""
    if command:
        raise Failure(f"a step has no end: {command}")


def packages(folder):
    """The package, and the same files under a higher number."""
    if len(sys.argv) > 1:
        given = pathlib.Path(sys.argv[1])
    else:
        given = folder / "built"
        built = subprocess.run([SOURCE / "tools/deb", given], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               check=False)
        if built.returncode != 0:
            raise Failure(f"tools/deb: {built.stdout}{built.stderr}")
    found = sorted(given.glob("slated_*.deb"))
    if len(found) != 1:
        raise Failure(f"{given} has {len(found)} packages")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", found[0], tree], check=True)
    control = (tree / "DEBIAN/control").read_text()
    version = re.search(r"^Version: (.*)$", control, re.M).group(1)
    (tree / "DEBIAN/control").write_text(control.replace(f"Version: {version}\n", f"Version: {version}+next\n"))
    higher = folder / "next.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, higher], check=True, stdout=subprocess.DEVNULL)
    check_sources(version)
    return found[0], higher


def check_sources(version):
    """What stands in several files: the version, and what is needed to build."""
    wanted = re.search(r"^AC_INIT\(\[slated\], \[(.*?)\]", (SOURCE / "configure.ac").read_text(), re.M).group(1)
    spec = re.search(r"^Version:\s+(.*)$", (SOURCE / "packaging/slated.spec").read_text(), re.M).group(1)
    check(version == spec == wanted, f"one version: {wanted}, package {version}, spec {spec}")
    setup = re.search(r"^setup_build_packages=\((.*?)\)", (SOURCE / "tools/setup.sh").read_text(), re.M | re.S).group(1)
    control = (SOURCE / "debian/control").read_text().partition("\n\n")[0]
    missing = [name for name in setup.split() if name.endswith("-dev") and name != "libc6-dev" and
               not re.search(rf"\s{re.escape(name)}(,|$)", control, re.M)]
    check(not missing, f"debian/control builds with all that the build needs: {missing or 'yes'}")


def lint(package):
    made = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning,info,pedantic", "-I", "--pedantic",
                           package], capture_output=True, text=True, check=False)
    check(made.returncode == 0, f"lintian: {made.stdout}{made.stderr}".rstrip(": "))


def clean_system(folder, package):
    root = folder / "root"
    download = "apt-get -y -d -o APT::Install-Recommends=true install ./slated_*.deb postgresql"
    fetch = f'cp {package} "$1/root/" && chroot "$1" sh -c "cd /root && {download}"'
    made = subprocess.run(["mmdebstrap", "--variant=minbase", "--include=systemd-sysv,dbus", "--skip=cleanup/apt",
                           f"--customize-hook={fetch}", "bookworm", root, MIRROR], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise Skip(f"no Debian 12 from {MIRROR}: {made.stderr[-300:]}")
    return root


def shell(box, command, must=True):
    variables = (f"{name}={value}" for name, value in ENVIRONMENT.items())
    text, status = box.run("env", "-i", *variables, "bash", "-c", f"cd /root\n{command}", check=False)
    if must and status != 0:
        raise Failure(f"{command}\n{text}")
    return text.strip()


def psql(box, sql):
    return shell(box, f"runuser -u postgres -- psql -qtAX support -c {shlex.quote(sql)} 2>/dev/null")


def ask(box, path):
    """The status of an answer, by bash, as a clean system has no client."""
    lines = ("GET " + path + " HTTP/1.1", "Host: localhost", "Connection: close", "")
    request = " ".join(f"'{line}'" for line in lines)
    return shell(box, f"exec 3<>/dev/tcp/127.0.0.1/9464; printf '%s\\r\\n' {request} >&3; head -n 1 <&3")


def active(box, unit="slated"):
    return box.show(unit, "ActiveState") == "active"


def check_installed(box, text):
    check("slated is not started: it needs a database" in text, "the installation says what it needs")
    check(box.show("slated", "ActiveState") == "inactive" and box.show("slated", "UnitFileState") == "disabled",
          "and starts nothing without a configuration")
    check(shell(box, "systemctl --failed --no-legend", must=False) == "", "no unit has failed")
    check(shell(box, "getent passwd slated", must=False).endswith("/usr/sbin/nologin"), "the user is there")


def check_steps(box):
    """What README.md says, to the first alert."""
    began = time.monotonic()
    for step in steps():
        text = shell(box, step)
        if step.startswith("apt install"):
            check_installed(box, text)
        elif step.startswith("cat >"):
            check(len(step.splitlines()) == 7, "a configuration of five lines")
        elif step.startswith("journalctl "):
            # Who types has seen it by now.
            alert = wait_until(lambda: re.sub("^-- No entries --$", "", shell(box, step)), "the alert")
        check(True, f"{time.monotonic() - began:5.1f} s  {step.splitlines()[0]}")
    took = time.monotonic() - began
    event = json.loads(alert)
    data = event.get("data", {})
    check(event.get("type") == "io.slated.escalated.v1" and data.get("ticket", {}).get("external_id") == "4711" and
          data.get("milestone", {}).get("milestone") == "escalated", f"the alert: {alert[:300]}")
    check(took < LIMIT, f"the first alert after {took:.0f} s")
    check(active(box) and box.show("slated", "UnitFileState") == "enabled", "the daemon runs, and will after a boot")


def check_socket(box):
    shell(box, "systemctl stop slated && systemctl enable --now slated.socket")
    check(not active(box), "the socket alone starts no daemon")
    check(ask(box, "/-/healthy") == "HTTP/1.1 200 OK", "the first request does")
    wait_until(lambda: active(box), "the daemon")


def kept(box):
    return shell(box, "cd /etc && find slated systemd/system -printf '%M %u %g %p %l\\n' -type f -exec sha256sum {} + | sort")


def check_upgrade(box):
    """Also of a second daemon on the same database, with which it shares the tickets."""
    configuration = shell(box, "cat /etc/slated/conf.d/support.conf")
    box.write("/etc/slated/second/slated.conf", f'{configuration}\ninstance = {{ name = "second"; }};\n')
    shell(box, "systemctl start slated@second")
    wait_until(lambda: "in 128 of 256 shards" in box.show("slated@second", "StatusText"), "the second daemon")
    before = {unit: box.show(unit, "InvocationID") for unit in ("slated", "slated@second", "slated.socket")}
    files = kept(box)
    shell(box, "apt install ./next.deb")
    check(shell(box, "dpkg-query -W -f '${Version}' slated").endswith("+next"), "a higher version takes its place")
    for unit in ("slated", "slated@second"):
        wait_until(lambda: box.show(unit, "InvocationID") not in ("", before[unit]), f"the restart of {unit}")
    wait_until(lambda: active(box) and active(box, "slated@second"), "both daemons, back at work")
    check(box.show("slated.socket", "InvocationID") == before["slated.socket"], "the socket stays open meanwhile")
    check(ask(box, "/-/healthy") == "HTTP/1.1 200 OK", "and answers")
    check(kept(box) == files, "the configuration and what is enabled stay as they were")
    psql(box, "INSERT INTO sla.ticket (external_id, severity, opened_at) "
              "VALUES ('4712', 'high', now() - interval '2 h')")
    wait_until(lambda: '"4712"' in shell(box, "journalctl -o cat -t sla"), "an alert after the upgrade")
    check(shell(box, "systemctl --failed --no-legend", must=False) == "", "no unit has failed")


def check_removal(box):
    shell(box, "apt remove slated")
    states = {unit: box.show(unit, "ActiveState") for unit in ("slated", "slated@second", "slated.socket")}
    check(set(states.values()) == {"inactive"}, f"removal stops everything: {states}")
    check("conf.d/support.conf" in kept(box), "and keeps the configuration")
    shell(box, "apt purge slated")
    # Without the copies of its files that passwd keeps; what lies in /root is the newcomer's.
    left = shell(box, "find / -xdev -name '*slated*' -not -path '/root/*'; ls -d /run/*slated*; grep -rlsw slated /etc",
                 must=False)
    left = [line for line in left.splitlines() if not line.endswith("-") and "No such file" not in line]
    check(not left, f"purge leaves nothing: {left}")
    check(shell(box, "getent passwd slated; getent group slated", must=False) == "", "nor the user")
    check(shell(box, "systemctl --failed --no-legend", must=False) == "", "no unit has failed")
    check(psql(box, "SELECT count(*) FROM sla.milestone") != "0", "the database is as it was")


def work(folder):
    for tool in ("mmdebstrap", "lintian", "dpkg-deb"):
        if not shutil.which(tool):
            raise Skip(f"{tool} is missing")
    if os.geteuid() != 0:
        raise Skip("needs root")
    package, higher = packages(folder)
    lint(package)
    box = Box(clean_system(folder, package))
    try:
        box.put("/root/next.deb", copy=higher)
        # As somebody who presses the key.
        box.put("/etc/apt/apt.conf.d/90test", 'APT::Get::Assume-Yes "true";\n')
        box.boot()
        try:
            check_steps(box)
            check_socket(box)
            check_upgrade(box)
            check_removal(box)
        except Failure:
            print(box.run("journalctl", "--no-pager", "-n", "60", check=False)[0])
            raise
    finally:
        box.close()


def main():
    global failed
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slated-newcomer-"))
    try:
        folder.chmod(0o755)
        work(folder)
    except Skip as skip:
        print(f"skipped: {skip}")
        return 1 if failed else 77
    except (Failure, subprocess.TimeoutExpired):
        traceback.print_exc(file=sys.stdout)
        failed += 1
    finally:
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


sys.exit(main())
