"""Makes the random cases anew: python3 -B make.py [--seed N]. The expected milestones are those of count.py, second by second.

The same seed makes the same files; it is printed."""
import argparse
import datetime
import json
import pathlib
import random

import count

HERE = pathlib.Path(__file__).resolve().parent
SEED = 2026
# How many, and the days that they lie around: changes of clocks, holidays, ends of weeks and years.
FILES = {
    "neon": (30, ["2025-03-08", "2025-07-03", "2025-11-26", "2026-01-16", "2026-07-02", "2026-12-23", "2027-12-30"]),
    "aiven": (20, ["2025-02-28", "2025-03-28", "2025-12-31", "2026-05-15"]),
    "clairdash": (20, ["2025-03-28", "2025-04-17", "2025-07-11", "2026-03-27", "2026-10-23", "2026-12-24", "2027-12-23"]),
    "tidb-cloud": (24, ["2025-03-28", "2025-10-24", "2026-01-02", "2026-02-27"]),
    "clocks": (60, ["2026-03-27", "2026-10-23", "2026-12-23", "2026-04-02", "2026-03-07", "2026-10-31", "2026-04-04", "2026-10-03",
                    "2026-01-25", "2026-04-30"]),
}


class Maker:
    def __init__(self, name, seed):
        self.random = random.Random(f"{seed} {name}")
        self.description = json.loads((HERE / "policies" / f"{name}.json").read_text())
        self.name = name
        self.days = FILES[name][1]

    def facts(self):
        """What a ticket is: mostly such that a policy with targets matches."""
        rich = [policy for policy in self.description["policies"] if policy["targets"]]
        policy = self.random.choice(rich if self.random.random() < 0.95 else self.description["policies"])
        facts = {"severity": self.random.choice(self.description["severities"])}
        for name, wanted in policy["match"].items():
            value = wanted.get("at_least", "oem") if isinstance(wanted, dict) else self.random.choice(wanted)
            if name.startswith("attributes."):
                facts.setdefault("attributes", {})[name.partition(".")[2]] = value
            else:
                facts[name] = value
        if self.description.get("rules") and self.random.random() < 0.5:
            facts |= {"category": "billing"} if "business_impact" not in str(self.description["rules"]) else \
                {"attributes": {"business_impact": "All writes fail."}}
        return facts

    def wait(self):
        """Until the next event: minutes, hours or days; at 20 or 40 s, where no target of a ticket opened at a whole minute ends."""
        minutes = self.random.choice([self.random.randrange(1, 60), self.random.randrange(60, 600), self.random.randrange(600, 3000)])
        return minutes * 60

    def event(self, status):
        kinds = ["reply"] * 3 + ["pause"] * 4 + ["severity"] * 2 + ["solve", "note", "system", "customer"]
        if any(target["metric"] == "assessment" for policy in self.description["policies"] for target in policy["targets"]):
            kinds += ["dispute", "assessed"]
        kind = self.random.choice(kinds)
        if kind == "reply":
            return {"event": "reply", "by": "agent"}
        if kind == "note":
            return {"event": "reply", "by": "agent", "public": False}
        if kind in ("system", "customer"):
            return {"event": "reply", "by": kind}
        if kind == "severity":
            return {"event": "severity", "severity": self.random.choice(self.description["severities"]),
                    "by": self.random.choice(["agent", "customer", "system"])}
        if kind in ("dispute", "assessed"):
            return {"event": kind, "by": "customer" if kind == "dispute" else "agent"}
        if kind == "solve":
            return {"event": "status", "status": "solved"}
        return {"event": "status", "status": self.random.choice([s for s in ("open", "pending", "on_hold") if s != status])}

    def case(self, name):
        day = datetime.datetime.fromisoformat(self.random.choice(self.days)).replace(tzinfo=count.UTC)
        at = round((day - count.EPOCH).total_seconds()) + self.random.randrange(-12 * 60, 48 * 60) * 60
        events = [{"at": count.text_of(at), "event": "opened"} | self.facts()]
        status = "open"
        at += self.random.choice([20, 40])
        for _ in range(self.random.randint(1, 7)):
            at += self.wait()
            event = self.event(status)
            status = event.get("status", status)
            events.append({"at": count.text_of(at)} | event)
        return {"case": name, "policy": self.name, "events": events, "until": count.text_of(at + self.random.randrange(1, 8) * 86400)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=SEED)
    seed = parser.parse_args().seed
    for name, (n, _) in FILES.items():
        maker = Maker(name, seed)
        policies = count.Policies(maker.description)
        lines = []
        for number in range(1, n + 1):
            case = maker.case(f"{name}-{number}")
            lines.append(json.dumps(case | {"milestones": count.count(policies, case)}))
        (HERE / f"{name}.ndjson").write_text("\n".join(lines) + "\n")
        print(f"{name}.ndjson: {n} cases of seed {seed}")


if __name__ == "__main__":
    main()
