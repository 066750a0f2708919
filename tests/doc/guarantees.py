#!/usr/bin/env python3
"""Every test that doc/guarantees.md names is there, and every test of faults is named in it."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "doc/guarantees.md").read_text()
passed = failed = 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {text}")


named = re.findall(r"`(tests/[\w/.]+):(\w+)`", TEXT)
check(len(named) > 20, "the table was not understood")
for path, function in named:
    file = ROOT / path
    found = file.is_file() and re.search(rf"^def {function}\(", file.read_text(), re.MULTILINE)
    check(found, f"{path} has no {function}()")
makefile = (ROOT / "tests/tests.mk").read_text()
faults = re.search(r"^fault_tests = ((?:\\\n|.)*)$", makefile, re.MULTILINE)
for path in faults.group(1).replace("\\", "").split():
    check(any(path == name for name, _ in named), f"doc/guarantees.md does not name {path}")
settings = (ROOT / "daemon/io/config_table.c").read_text()
for group, name in re.findall(r"`(database|instance|outbox|http)\.(\w+)`", TEXT):
    check(f'SCOPE_{group.upper()}, "{name}"' in settings, f"there is no setting {group}.{name}")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
