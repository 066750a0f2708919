#!/usr/bin/env python3
"""Each warning and error of the daemon has an entry in the journal's catalog, and the catalog is right about them."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(os.environ.get("srcdir", "."))
# Those that are no news by themselves: the line before says what is to be done, or nothing is.
PLAIN = {"not started", "the loop failed", "out of memory", "delivery failed, to be tried again"}
LITERAL = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {text}")


def joined(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))


def calls(source):
    """The message of each call: one literal, or two after a condition."""
    for call in re.finditer(r"\b(?:log_warning|log_error|service_problem|note_server_error)\(", source):
        rest = source[call.end():]
        if call.group().startswith("log"):
            found = re.match(r"[^\",;]*?" + LITERAL + r"(?:\s*:\s*" + LITERAL + ")?", rest)
        else:
            found = re.match(r"[^\",;]*,\s*" + LITERAL, rest)
        if found:
            yield from (joined(g) for g in found.groups() if g)


sources = [p.read_text() for p in sorted((ROOT / "daemon").rglob("*.c"))
           if p.parent.name != "slatectl" and p.name != "log_journal.c"]
said = {message for source in sources for message in calls(source)}
journal = (ROOT / "daemon/io/log_journal.c").read_text()
table = {joined(m): i for m, i in re.findall(r"\{" + LITERAL + r',\s*"([0-9a-f]{32})"\}', journal)}
catalog_file = ROOT / "systemd/slated.catalog"
entries = dict(re.findall(r"^-- ([0-9a-f]{32})\n(.*?)(?=^-- |\Z)", catalog_file.read_text(), re.M | re.S))

check(len(said) > 30 and len(table) > 30 and len(entries) > 20, "the sources were not understood")
for message in sorted(said - PLAIN):
    check(message in table, f'"{message}" has no MESSAGE_ID in log_journal.c')
for message in sorted(table):
    check(message in said, f'log_journal.c names "{message}", which nobody says')
    check(table[message] in entries, f'"{message}" has no entry in slated.catalog')
keys = {key.upper() for source in sources for key in re.findall(r'\blog_\w+\("(\w+)"', source)} | {"ERROR"}
for name, entry in entries.items():
    check(name in table.values(), f"slated.catalog has {name}, which nothing uses")
    head, _, text = entry.partition("\n\n")
    check(re.match(r"Subject: \S.*\nDefined-By: slated\nDocumentation: man:\S+$", head), f"{name}: its head is wrong")
    check(len(text.split()) > 15, f"{name}: says too little")
    check(max(map(len, text.split("\n"))) <= 90, f"{name}: has a line that is too long")
    for field in re.findall(r"@(\w+)@", text):
        check(field.removeprefix("SLATED_") in keys, f"{name}: no line has the field {field}")

if shutil.which("journalctl"):
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root, "usr/lib/systemd/catalog")
        folder.mkdir(parents=True)
        shutil.copy(catalog_file, folder)
        pathlib.Path(root, "var/lib/systemd/catalog").mkdir(parents=True)
        made = subprocess.run(["journalctl", f"--root={root}", "--update-catalog"], capture_output=True, text=True)
        check(made.returncode == 0 and not made.stderr, f"journalctl --update-catalog: {made.stderr}")

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
