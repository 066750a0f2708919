"""A booted systemd in namespaces of its own, over a throw-away overlay of this machine's root, so that what is
installed here is installed there, or of another root. What is written there is gone afterwards."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SOON = 30.0

# In a mount namespace of its own: the overlay, whose upper layer must lie on another file system than the lower one;
# then the machine boots. Services of this machine that would start on their own are masked.
BOOT = r"""
set -eu
cd "$1"
mount -t tmpfs -o size=1g,mode=755 tmpfs m
mkdir m/up m/wk m/root
mount -t overlay overlay -o lowerdir="$2",upperdir=m/up,workdir=m/wk m/root
cd m/root
for unit in etc/systemd/system/*.wants/*.service etc/systemd/system/*.wants/*.timer; do
	[ -L "$unit" ] || continue
	ln -sfn /dev/null "etc/systemd/system/${unit##*/}"
done
ln -sfn /lib/systemd/system/multi-user.target etc/systemd/system/default.target
: >etc/machine-id
cp -a "$1/extra/." .
exec systemd-nspawn --register=no --keep-unit -q --private-network -D "$PWD" -b --console=pipe
"""


class Failure(Exception):
    """The test cannot go on."""


class Skip(Exception):
    """This machine cannot boot a box."""


def wait_until(look, what, limit=SOON):
    """What look() returns, once that is true."""
    end = time.monotonic() + limit
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"waited in vain for {what}")
        time.sleep(0.1)


class Box:
    def __init__(self, root="/"):
        self.root = root
        for tool in ("systemd-nspawn", "nsenter", "unshare"):
            if not shutil.which(tool):
                raise Skip(f"{tool} is missing")
        if os.geteuid() != 0:
            raise Skip("needs root")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slated-box-"))
        (self.folder / "m").mkdir()
        self.extra = self.folder / "extra"
        self.extra.mkdir(mode=0o755)
        self.leader = None
        self.nspawn = None

    def put(self, path, text=None, copy=None, mode=0o644):
        """A file of the box, before it boots."""
        target = self.extra / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy is not None:
            shutil.copyfile(copy, target)
        else:
            target.write_text(text)
        target.chmod(mode)

    def boot(self):
        with open(self.folder / "console", "w") as console:
            self.nspawn = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "bash", "-c", BOOT, "boot", str(self.folder),
                 str(self.root)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)

        def look():
            if self.nspawn.poll() is not None:
                raise Skip("no box boots here: " + (self.folder / "console").read_text()[-300:])
            children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
            return children and os.path.exists(f"/proc/{children[0]}/root/run/systemd/private") and int(children[0])

        self.leader = wait_until(look, "the box's systemd")
        wait_until(lambda: self.run("systemctl", "is-system-running", check=False)[0].strip() in
                   ("running", "degraded"), "the box's boot")

    def inside(self, *command):
        """The command that runs this one in the box."""
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", *command]

    def run(self, *command, check=True):
        """Standard output and error together, and the exit status."""
        made = subprocess.run(self.inside(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        if check and made.returncode != 0:
            raise Failure(f"{' '.join(command)}: {made.stdout}")
        return made.stdout, made.returncode

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit)[0].strip()

    def write(self, path, text):
        """A file of the running box."""
        target = pathlib.Path(f"/proc/{self.leader}/root{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def close(self):
        if self.leader is not None:
            os.kill(self.leader, signal.SIGRTMIN + 4)  # poweroff.target
        if self.nspawn is not None:
            try:
                self.nspawn.wait(SOON)
            except subprocess.TimeoutExpired:
                os.kill(self.leader or self.nspawn.pid, signal.SIGKILL)
                self.nspawn.wait(SOON)
        shutil.rmtree(self.folder, ignore_errors=True)
