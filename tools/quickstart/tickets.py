"""Tickets that a helpdesk of each of the four policies may see, and what happens to them.

A row: the story, what of the promise it is about (the due or a level of at_risk, by its text), and the ticket's facts.
"""

# What happens, as (seconds from the instant aimed at, deed): see desk.py for the deeds.
STORIES = {
	"breaches": [],
	"answered": [(-5, "answer")],
	"answered late": [(9, "answer")],
	"at risk": [(12, "acknowledge")],
	"at risk, answered": [(7, "answer"), (11, "solve")],
	"escalates": [(0, "escalate"), (14, "answer")],
	"waits for the customer": [(-6, "pend"), (10, "customer"), (11, "reopen"), (18, "answer")],
	"solved": [(0, "answer"), (3, "solve")],
	"reopened": [(-4, "answer"), (0, "solve"), (9, "customer"), (10, "reopen"), (20, "solve")],
	"note": [(-2, "note"), (4, "robot"), (8, "answer")],
	"disputed": [(0, "dispute"), (12, "raise")],
	"moved": [(0, "tier")],
	"quiet": [],
}

QUIET = None  # nothing comes near: opened a while ago


def gold(severity, **more):
	return dict(plan="enterprise-gold", channel="console", severity=severity, product="database", **more)


def platinum(severity, **more):
	return dict(plan="enterprise-platinum", channel="console", severity=severity, product="database", **more)


IMPACT = {"business_impact": "checkout is down"}

NEON = [
	("breaches", "due", gold("critical", attributes=IMPACT)),
	("at risk", "50%", platinum("critical", attributes=IMPACT)),
	("answered", "due", platinum("high")),
	("at risk, answered", "75%", gold("critical", attributes=IMPACT)),
	("answered late", "due", gold("high")),
	# Critical without a business impact: lowered at its first level.
	("at risk", "50%", gold("critical")),
	("escalates", QUIET, platinum("normal")),
	("disputed", QUIET, gold("normal")),
	("breaches", "due", dict(plan="enterprise-standard", channel="console", severity="high")),
	("at risk", "4h", dict(plan="scale", channel="email", severity="normal")),
	("note", "due", platinum("high")),
	("breaches", "due", dict(plan="launch", channel="email", severity="low")),
	("solved", QUIET, dict(plan="business", channel="email", severity="normal")),
	("quiet", QUIET, dict(plan="enterprise-standard", channel="console", severity="critical", attributes=IMPACT)),
	("quiet", QUIET, dict(plan="free", channel="chat", severity="normal")),
	("quiet", QUIET, dict(plan="scale", channel="chat", severity="high")),
]

AIVEN = [
	("breaches", "due", dict(plan="premium", severity="critical", channel="console")),
	("at risk", "50%", dict(plan="business", severity="high", channel="email")),
	("answered", "due", dict(plan="premium", severity="high", channel="console")),
	("answered late", "due", dict(plan="business", severity="critical", channel="console")),
	("at risk, answered", "75%", dict(plan="premium", severity="critical", channel="console")),
	("escalates", QUIET, dict(plan="business", severity="low", channel="console")),
	("escalates", QUIET, dict(plan="basic", severity="low", channel="email")),
	("waits for the customer", QUIET, dict(plan="business", severity="low", channel="console", category="tier-change")),
	("breaches", "due", dict(plan="priority", severity="low", channel="email")),
	("at risk", "1h", dict(plan="premium", severity="low", channel="email")),
	("note", "due", dict(plan="business", severity="high", channel="console")),
	("reopened", QUIET, dict(plan="priority", severity="low", channel="email", category="tier-change")),
	("moved", QUIET, dict(plan="priority", severity="high", channel="email")),
	("quiet", QUIET, dict(plan="basic", severity="high", channel="email")),
]

LICENCE = {"licence": "enterprise"}


def clairdash(severity, **more):
	return dict(plan="enterprise", severity=severity, channel="email", version="3.8", attributes=LICENCE, **more)


CLAIRDASH = [
	("breaches", "due", clairdash("high")),
	("at risk", "1h", clairdash("normal")),
	("answered", "due", clairdash("critical")),
	("escalates", QUIET, clairdash("high")),
	("answered late", "due", clairdash("normal", category="infrastructure")),
	("at risk, answered", "75%", clairdash("high")),
	("at risk", "50%", clairdash("low")),
	("solved", QUIET, clairdash("low")),
	("note", QUIET, clairdash("normal")),
	("quiet", QUIET, dict(plan="enterprise", severity="high", channel="email", version="3.2", attributes=LICENCE)),
	("quiet", QUIET, dict(plan="enterprise", severity="high", channel="email", version="3.8")),
	("quiet", QUIET, dict(plan="pro", severity="normal", channel="email", version="3.8", category="infrastructure")),
	("quiet", QUIET, dict(plan="community", severity="low", channel="forum", version="3.7")),
]

TIDB = [
	("breaches", "due", dict(plan="premium", severity="S1", category="technical")),
	("at risk", "50%", dict(plan="enterprise", severity="S2", category="technical")),
	("answered", "due", dict(plan="enterprise", severity="S1", category="technical")),
	("answered late", "due", dict(plan="premium", severity="S2", category="technical")),
	("at risk, answered", "75%", dict(plan="premium", severity="S1", category="technical")),
	# A billing ticket is never S1: lowered as it opens.
	("quiet", QUIET, dict(plan="premium", severity="S1", category="billing")),
	("escalates", QUIET, dict(plan="enterprise", severity="S4", category="technical")),
	("disputed", QUIET, dict(plan="premium", severity="S3", category="technical")),
	("breaches", "due", dict(plan="developer", severity="S1", category="technical")),
	("at risk", "75%", dict(plan="developer", severity="S2", category="technical")),
	("note", "due", dict(plan="enterprise", severity="S2", category="technical")),
	("solved", QUIET, dict(plan="developer", severity="S4", category="billing")),
	("quiet", QUIET, dict(plan="basic", severity="S3", category="technical")),
	("quiet", QUIET, dict(plan="basic", severity="S4", category="billing")),
]

TICKETS = {"neon": NEON, "aiven": AIVEN, "clairdash": CLAIRDASH, "tidb-cloud": TIDB}

ORGS = ["Lumen Foods", "Northwind Rail", "Brightwell Clinic", "Kestrel Games", "Alder & Co", "Harbour Logistics",
	"Sunda Telecom", "Puffin Air", "Quillworks", "Orchard Bank"]
AGENTS = ["ada", "grace", "edsger", "barbara", "ken"]
