#!/usr/bin/python3
"""slatectl check --lint: what it finds in small configurations, each with one fault, in the vendors' policies, and
nothing in a good one. The example tickets are checked by slatectl due, and by counting through all combinations."""
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

SLATECTL = os.environ.get("SLATECTL", "./slatectl")
SOURCE = pathlib.Path(os.environ.get("srcdir", ".")).resolve()
NOW = "2026-11-22T12:00:00Z"

OFFICE = 'office = { timezone = "Europe/Berlin"; hours = { weekdays = "09:00-17:00"; }; holidays = [ "12-25" ]; };'
TARGET = '{ metric = "first_response"; within = "1h"; at_risk = "75%"; }'
STEPS = '{ on = "at_risk"; notify = "lead"; }, { on = "breached"; notify = "lead"; }'
CHANNELS = """
channels = {
    lead = { type = "email"; smtp = "smtp://127.0.0.1:25"; from = "sla@example.com"; to = "lead@example.com"; };
    program = { type = "webhook"; url = "http://127.0.0.1:1/"; secret_credential = "secret"; };
    script = { type = "exec"; command = "/bin/true"; };
    pager = { type = "pagerduty"; routing_key_credential = "key"; };
};
"""


def policy(name, match, targets=TARGET, more=""):
    return f'{{ name = "{name}"; match = {{ {match} }}; {more} escalation = "all"; targets = ( {targets} ); }}'


def configuration(policies=(policy("gold", 'plan = "gold";'),), calendars=OFFICE, steps=STEPS, ladders=""):
    listed = ",\n".join(policies)
    return (f"calendars = {{ {calendars} }};\npolicies = (\n{listed}\n);\n"
            f"escalations = {{\nall = (\n{steps}\n);\n{ladders} }};\n{CHANNELS}")


def office_target(within="2h", more=""):
    return f'{{ metric = "first_response"; within = "{within}"; calendar = "office"; {more} }}'


# A configuration, and of each finding its check, its setting and words of its message.
FINDINGS = {
    "nothing": (configuration(), []),
    "shadowed by one": (
        configuration([policy("all", 'plan = "g*";'), policy("gold", 'plan = "gold"; channel = "console";')]),
        [("shadowed-policy", "policies[1]", 'plan "gold", channel "console", severity critical, which gets "all"')]),
    "shadowed by two": (
        configuration([policy("console", 'channel = "console";'), policy("rest", 'channel = { not = "console"; };'),
                       policy("gold", 'plan = "gold";')]),
        [("shadowed-policy", "policies[2]", 'which gets "rest"')]),
    "shadowed in part": (
        configuration([policy("console", 'plan = "gold"; channel = "console";'), policy("gold", 'plan = "gold";')]),
        []),
    "shadowed by version": (
        configuration([policy("new", 'version = { at_least = "2.10"; };'),
                       policy("newer", 'version = { at_least = "3.0"; };')]),
        [("shadowed-policy", "policies[1]", 'version "3.0"')]),
    "older version": (
        configuration([policy("newer", 'version = { at_least = "3.0"; };'),
                       policy("new", 'version = { at_least = "2.10"; };')]),
        []),
    "shadowed by severities": (
        configuration([policy("grave", 'severity = [ "critical", "high" ];'),
                       policy("light", 'severity = [ "S3", "low" ];'), policy("all", "")]),
        [("shadowed-policy", "policies[2]", "such as one with severity critical")]),
    "shadowed until another day": (
        configuration([policy("gold", 'plan = "gold";', more='effective_until = "2027-01-01T00:00:00Z";'),
                       policy("gold-new", 'plan = "gold";')]),
        []),
    "ended": (
        configuration([policy("gold-old", 'plan = "gold";', office_target(), 'effective_until = "2026-01-01T00:00:00Z";')
                       .replace('escalation = "all";', ""), policy("gold", 'plan = "gold";')],
                      calendars=OFFICE.replace('"12-25"', '"2025-12-25"')),
        []),
    "two globs": (
        configuration([policy("a", 'plan = "a*";'), policy("b", 'plan = "*b";'),
                       policy("both", 'plan = "a*b";')]),
        [("shadowed-policy", "policies[2]", 'plan "a-1b"')]),
    "not within two globs": (
        configuration([policy("not-a", 'plan = { not = "a*"; };'), policy("not-b", 'plan = { not = "*b"; };'),
                       policy("rest", "")]),
        []),
    "impossible": (
        configuration([policy("gold", 'plan = "gold";'),
                       policy("odd", 'plan = "silver"; attributes = { b = { at_least = "3"; not = "*"; }; };'),
                       policy("silver", 'plan = "silver";')]),
        [("impossible-match", "policies[1].match", "exclude each other")]),
    "target taken": (
        configuration([policy("gold", 'plan = "gold";', TARGET + ', { metric = "first_response"; severity = "low"; '
                              'within = "2h"; }')]),
        [("unreachable-target", "policies[0].targets[1]", "take first_response at low")]),
    "target of another severity": (
        configuration([policy("grave", 'plan = "gold"; severity = "critical";',
                              '{ metric = "first_response"; severity = "critical"; within = "1h"; }, '
                              '{ metric = "resolution"; severity = "low"; within = "2h"; }'),
                       policy("gold", 'plan = "gold";')]),
        [("unreachable-target", "policies[0].targets[1]", 'tickets get policy "grave" at critical only')]),
    # A clock that has started keeps its policy when the severity changes.
    "target after a change of severity": (
        configuration([policy("grave", 'plan = "gold"; severity = "critical";',
                              '{ metric = "first_response"; severity = "critical"; within = "1h"; }, '
                              '{ metric = "first_response"; severity = "low"; within = "2h"; }'),
                       policy("gold", 'plan = "gold";')]),
        []),
    "level outside": (
        configuration([policy("gold", 'plan = "gold";', '{ metric = "first_response"; within = "10m"; '
                              'at_risk = [ "75%", "15m" ]; }')]),
        [("unreachable-level", "policies[0].targets[0].at_risk", 'level "15m" never comes')]),
    "no policy": (
        configuration([policy("gold", 'plan = "gold"; channel = "console";')]),
        [("no-policy", "policies[0].match", 'plan "gold", channel "other", severity critical')]),
    "no target": (
        configuration([policy("gold", 'plan = "gold";', '{ metric = "first_response"; severity = [ "critical", "high" ];'
                              ' within = "1h"; at_risk = "75%"; }, { metric = "assessment"; within = "1h"; }')]),
        [("no-target", "policies[0].targets", "nothing at severity normal, low")]),
    "no ladder": (
        configuration([policy("gold", 'plan = "gold";').replace('escalation = "all";', "")], ladders="") + "",
        [("silent-breach", "policies[0].targets[0]", "has an escalation"), ("unused-ladder", "escalations.all", "")]),
    "no step for the breach": (
        configuration(steps='{ on = "at_risk"; notify = "lead"; }'),
        [("silent-breach", "policies[0].targets[0]", 'no step with on = "breached"')]),
    "programs": (
        configuration(steps='{ on = "at_risk"; notify = "program"; }, { on = "breached"; notify = [ "program", "script" '
                            ']; }, { on = "requested"; notify = "lead"; }'),
        [("no-person", "escalations.all", "program (webhook), script (exec)")]),
    "programs in office hours": (
        configuration(steps='{ on = "at_risk"; notify = "program"; }, '
                            '{ on = "breached"; notify = "program"; off_hours = "assignee"; hours = "office"; }'),
        []),
    "unused ladder": (
        configuration(ladders='old = ( { on = "breached"; notify = "lead"; } );'),
        [("unused-ladder", "escalations.old", "")]),
    "step without a level": (
        configuration(steps='{ on = "at_risk"; level = "50%"; notify = "lead"; }, { on = "breached"; notify = "lead"; }'),
        [("unreachable-step", "escalations.all[0].level", 'has the level "50%"')]),
    "late": (
        configuration(steps='{ on = "at_risk"; after = "15m"; notify = "lead"; }, { on = "breached"; notify = "lead"; }'),
        [("late-step", "escalations.all[0].after", 'level "75%" of first_response of policy "gold"')]),
    "in time": (
        configuration(steps='{ on = "at_risk"; after = "14m"; notify = "lead"; }, { on = "breached"; notify = "lead"; }'),
        []),
    "pager in office hours": (
        configuration(steps='{ on = "at_risk"; notify = "lead"; }, '
                            '{ on = "breached"; notify = "pager"; off_hours = "defer"; hours = "office"; }'),
        [("office-pager", "escalations.all[1].notify", 'only in the hours of calendar "office"')]),
    "pager after office hours": (
        configuration(steps='{ on = "at_risk"; notify = "lead"; }, '
                            '{ on = "breached"; after = "5m"; after_calendar = "office"; notify = "pager"; }'),
        [("office-pager", "escalations.all[1].notify", "")]),
    "pager at night by another step": (
        configuration(steps='{ on = "at_risk"; notify = "lead"; }, '
                            '{ on = "breached"; notify = "pager"; off_hours = "defer"; hours = "office"; },'
                            '{ on = "breached"; after = "5m"; notify = "pager"; }'),
        []),
    "pager for an office clock": (
        configuration([policy("gold", 'plan = "gold";', office_target(more='at_risk = "75%";'))],
                      steps='{ on = "at_risk"; notify = "lead"; }, '
                            '{ on = "breached"; notify = "pager"; off_hours = "defer"; hours = "office"; }'),
        []),
    "no holidays": (
        configuration([policy("gold", 'plan = "gold";', office_target(more='at_risk = "75%";'))],
                      calendars=OFFICE.replace('holidays = [ "12-25" ];', "")),
        [("no-holidays", "calendars.office", "has no holidays, in 2027 or any year")]),
    "holidays for this year": (
        configuration([policy("gold", 'plan = "gold";', office_target(more='at_risk = "75%";'))],
                      calendars=OFFICE.replace('"12-25"', '"2026-12-25", "2028-12-25", "12-31"')),
        [("no-holidays", "calendars.office.holidays", "has no holiday in 2027")]),
    "holidays that end": (
        configuration([policy("gold", 'plan = "gold";', office_target(more='at_risk = "75%";'))],
                      calendars=OFFICE.replace('"12-25"', '"2026-12-25"')),
        [("holidays-end", "calendars.office.holidays", "are about to run out: the last is 2026-12-25")]),
    "holidays of a member": (
        configuration([policy("gold", 'plan = "gold";', office_target(more='at_risk = "75%";'))],
                      calendars='hours = { timezone = "UTC"; hours = { weekdays = "09:00-17:00"; }; }; '
                                'days = { timezone = "UTC"; hours = { weekdays = "00:00-24:00"; }; '
                                'holidays = [ "2026-12-25", "2027-12-25" ]; }; '
                                'office = { intersection = [ "hours", "days" ]; };'),
        []),
    "open at weekends": (
        configuration([policy("gold", 'plan = "gold";', office_target(more='at_risk = "75%";'))],
                      calendars='office = { timezone = "UTC"; hours = { daily = "09:00-17:00"; }; };'),
        []),
    "a day of hours": (
        configuration([policy("gold", 'plan = "gold";', office_target("48h", 'at_risk = "75%";'))]),
        [("ambiguous", "policies[0].targets[0].within", 'business days writes "2bd"')]),
    "two versions": (
        configuration([policy("gold", 'version = "1.1";'), policy("old-gold", 'version = "11";')]),
        []),
    "two spellings": (
        configuration([policy("gold", 'plan = "big gold";'), policy("old-gold", 'plan = "big-gold";'),
                       policy("oldest-gold", 'plan = "small-gold ";')]),
        [("ambiguous", "policies[1].match", '"big-gold" here and "big gold" in policy "gold"'),
         ("ambiguous", "policies[2].match", "has a blank")]),
}

VENDORS = {
    "aiven": ["no-holidays", "no-person", "no-person"],
    "clairdash": ["no-person"],
    "neon": ["no-person", "no-person"],
    "tidb-cloud": ["no-holidays", "ambiguous", "ambiguous", "ambiguous", "no-person", "no-person"],
}


class Checks:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.passed = self.failed = 0

    def expect(self, what, right, detail=""):
        self.passed += right
        self.failed += not right
        if not right:
            print(f"FAIL {what}: {detail}")

    def lint(self, path, *arguments, status=0):
        """What --json says, or None."""
        asked = [SLATECTL, "check", "--lint", "--json", "--at", NOW, *arguments, str(path)]
        ran = subprocess.run(asked, capture_output=True, text=True, check=False)
        self.expect(f"{path} {arguments}", ran.returncode == status, f"exit status {ran.returncode}: {ran.stderr}")
        return json.loads(ran.stdout) if ran.stdout and ran.returncode == status else None

    def write(self, text):
        path = self.folder / "lint.conf"
        path.write_text(text)
        return path


def check_findings(checks):
    for name, (text, expected) in FINDINGS.items():
        told = checks.lint(checks.write(text))
        if told is None:
            continue
        findings = told["findings"]
        same = len(findings) == len(expected) and all(
            finding["check"] == check and finding["setting"] == setting and words in finding["message"]
            and finding["file"].endswith("lint.conf") and finding["line"] > 0
            for finding, (check, setting, words) in zip(findings, expected))
        checks.expect(name, same, json.dumps(findings, indent=1))


def check_vendors(checks):
    for name, expected in VENDORS.items():
        path = SOURCE / "conf" / "policies" / f"{name}.conf"
        ran = subprocess.run([SLATECTL, "check", str(path)], capture_output=True, text=True, check=False)
        if "configured --without-feeds" in ran.stderr:
            print(f"left out: {name} (a build without feeds)")
            continue
        told = checks.lint(path)
        found = [finding["check"] for finding in told["findings"]] if told else None
        checks.expect(name, found == expected, found)


def check_status(checks):
    path = checks.write(FINDINGS["late"][0])
    strict = checks.lint(path, "--strict", status=1)
    checks.expect("strict", len(strict["findings"]) == 1, strict)
    allowed = checks.lint(path, "--strict", "--allow", "late-step")
    checks.expect("allow", allowed["findings"] == [], allowed)
    checks.lint(path, "--allow", "late", status=2)
    checks.lint(checks.write("policies = 1;"), status=1)
    later = checks.lint(checks.write(FINDINGS["holidays for this year"][0]), "--at", "2029-01-01T00:00:00Z")
    checks.expect("--at", [finding["check"] for finding in later["findings"]] == ["holidays-end"], later)


def check_text(checks):
    path = checks.write(FINDINGS["no policy"][0])
    ran = subprocess.run([SLATECTL, "check", "--lint", str(path)], capture_output=True, text=True, check=False)
    lines = ran.stdout.splitlines()
    checks.expect("text", lines and lines[0].startswith(f"{path}:3: policies[0].match: a ticket of plan")
                  and lines[0].endswith(" [no-policy]"), ran.stdout)
    table = [line.split() for line in lines if line.startswith(("gold ", "(other) "))]
    checks.expect("coverage", [row[:3] for row in table] == [
        ["gold", "gold", "first_response"], ["gold", "(none)", "nothing"], ["(other)", "(none)", "nothing"]]
        and table[0][3:] == ["1h"] * 4 and table[2][3:] == ["-"] * 4, ran.stdout)
    written = checks.lint(path)["coverage"]
    checks.expect("coverage as JSON", [(row.get("plan"), row.get("policy")) for row in written]
                  == [("gold", "gold"), ("gold", None), (None, None)] and set(written[2]["severities"]) == set(SEVERITIES), written)


def due(path, witness):
    """The name of the policy that slatectl due gives the ticket, or None."""
    asked = [SLATECTL, "due", "--json", "--config", str(path), "--opened", witness.get("opened_at", NOW)]
    for name, value in witness.items():
        if name == "attributes":
            asked += [part for key, text in value.items() for part in ("--attribute", f"{key}={text}")]
        elif name not in ("opened_at", "status"):
            asked += [f"--{name}", value]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[0]).get("policy")


# What random policies ask of two attributes, and all that tickets can have of them.
CONDITIONS = ['"a"', '"b"', '[ "a", "c" ]', '"*"', '"a*"', '{ not = "a"; }', '{ not = [ "a", "b" ]; }',
              "{ present = false; }", "{ present = true; }", '{ not = "a*"; }', None, None]
VALUES = ["a", "b", "c", "ab", "other", None]
SEVERITIES = ["critical", "high", "normal", "low"]


def random_configuration(source):
    policies = []
    for i in range(source.randint(2, 6)):
        asked = {name: source.choice(CONDITIONS) for name in ("plan", "channel", "team")}
        if source.random() < 0.4:
            asked["severity"] = source.choice(['"critical"', '[ "high", "normal", "low" ]', '{ not = "low"; }'])
        match = " ".join(f"{name} = {text};" for name, text in asked.items() if text)
        policies.append(policy(f"p{i}", match))
    return configuration(policies)


def reached(path, names):
    """Which policies tickets get, counted through all combinations in one process."""
    lines = []
    for i, values in enumerate(itertools.product(VALUES, VALUES, VALUES, SEVERITIES)):
        facts = {name: value for name, value in zip(("plan", "channel", "team", "severity"), values) if value}
        lines.append(json.dumps({"at": NOW, "ticket": f"t{i}", "event": "opened", **facts}))
    ran = subprocess.run([SLATECTL, "simulate", "--config", str(path), "--until", NOW], input="\n".join(lines) + "\n",
                         capture_output=True, text=True, check=True)
    got = {json.loads(line)["policy"] for line in ran.stdout.splitlines()}
    return {name for name in names if name in got}


def check_random(checks, seed):
    source = random.Random(seed)
    for _ in range(10):
        text = random_configuration(source)
        told = checks.lint(checks.write(text))
        path = checks.folder / "lint.conf"
        names = [f"p{i}" for i in range(text.count('name = "p'))]
        void = {names[int(finding["setting"].split("[")[1].split("]")[0])] for finding in told["findings"]
                if finding["check"] in ("shadowed-policy", "impossible-match")}
        checks.expect(f"seed {seed}", void == set(names) - reached(path, names), f"{void} of\n{text}")
        for finding in told["findings"]:
            if finding["check"] == "shadowed-policy":
                name = f'which gets "{due(path, finding["witness"])}"'
                checks.expect(f"seed {seed}", name in finding["message"], f"{finding} of\n{text}")
            elif finding["check"] == "no-policy":
                checks.expect(f"seed {seed}", due(path, finding["witness"]) is None, f"{finding} of\n{text}")


def main():
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(folder)
        check_findings(checks)
        check_vendors(checks)
        check_status(checks)
        check_text(checks)
        check_random(checks, seed)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main())
