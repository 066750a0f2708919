#!/usr/bin/env python3
"""The helpdesk of the quickstart: writes tickets as any ticket system would, and shows what slated makes of them.

	desk.py --policy NAME --config FILE --slatectl PROGRAM --receiver FILE [--once]

The database is found by PGHOST. Tickets are opened in the past, so that their deadlines come within the next minute:
`slatectl due` says when a deadline comes, and opened_at is moved until it comes when it shall.
"""
import argparse
import datetime
import heapq
import itertools
import json
import random
import signal
import subprocess
import sys
import time

from tickets import AGENTS, ORGS, QUIET, STORIES, TICKETS

FIRST_MINUTE = 60  # seconds
NEXT_TICKET = 7  # seconds between tickets afterwards
LATE_STORIES = ("breaches", "answered late")  # which show a breach of the last office hours, where none can come now
FARTHEST = datetime.timedelta(days=21)
COLORS = {"breached": "31", "at_risk": "33", "escalated": "35", "met": "32", "verified": "36", "refused": "31"}


def utc_now():
	return datetime.datetime.now(datetime.timezone.utc)


def instant(text):
	return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def literal(value):
	"""A value in SQL. What is written here is our own, so doubling quotes is enough."""
	if value is None:
		return "NULL"
	if isinstance(value, dict):
		value = json.dumps(value)
	return "'" + str(value).replace("'", "''") + "'"


class Database:
	"""One psql, fed with statements; each answers with its rows."""

	END = "-- end of answer --"

	def __init__(self, user):
		self.psql = subprocess.Popen(["psql", "-XAtq", "-U", user, "-d", "support"], stdin=subprocess.PIPE,
			stdout=subprocess.PIPE, text=True, bufsize=1)

	def rows(self, statement):
		self.psql.stdin.write(f"{statement};\n\\echo '{self.END}'\n")
		self.psql.stdin.flush()
		rows = []
		for line in self.psql.stdout:
			if line.rstrip("\n") == self.END:
				return rows
			rows.append(line.rstrip("\n"))
		raise SystemExit("the database is gone")


class Promise:
	"""What `slatectl due` says of tickets with these facts."""

	def __init__(self, slatectl, config):
		self.command = [slatectl, "due", "--config", config, "--metric", "first_response", "--json"]
		self.closed = set()  # calendars on which nothing can come due now

	def ask(self, facts, opened):
		"""(calendar, {"due": instant, LEVEL: instant}), or None without a promise."""
		command = self.command + ["--opened", opened.strftime("%Y-%m-%dT%H:%M:%S.%fZ")]
		for key, value in facts.items():
			if key == "attributes":
				command += [word for k, v in value.items() for word in ("--attribute", f"{k}={v}")]
			else:
				command += [f"--{key}", value]
		answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
		if "due_at" not in answer:
			return None
		points = {level["level"]: instant(level["at"]) for level in answer["levels"]}
		points["due"] = instant(answer["due_at"])
		return answer["calendar"], points

	def opened(self, facts, point, landing):
		"""The opened_at with which `point` comes at `landing`, and whether it does; with office hours over, that of the
		last such point before."""
		now = utc_now()
		at = now
		calendar = None
		for _ in range(3):
			answer = self.ask(facts, at)
			if answer is None or point not in answer[1]:
				return now, False
			calendar = answer[0]
			if answer[1][point] == landing and at <= now:
				return at, True
			at -= answer[1][point] - landing
		# Deadlines never go back as opened_at goes on, so halving finds the place, or the jump over closed hours.
		early, late = now - FARTHEST, now
		steps = 24 if calendar in self.closed else 42
		for _ in range(steps):
			middle = early + (late - early) / 2
			if self.ask(facts, middle)[1][point] < landing:
				early = middle
			else:
				late = middle
		reached = abs((self.ask(facts, late)[1][point] - landing).total_seconds()) < 1
		if not reached:
			self.closed.add(calendar)
		return (late if reached else early), reached


class Screen:
	def __init__(self):
		self.color = sys.stdout.isatty()

	def say(self, at, kind, text):
		word = f"{kind:<10}"
		if self.color and kind in COLORS:
			word = f"\033[{COLORS[kind]}m{word}\033[0m"
		print(f"{at.strftime('%H:%M:%S')}  {word} {text}", flush=True)


class Desk:
	def __init__(self, options):
		self.options = options
		self.screen = Screen()
		self.promise = Promise(options.slatectl, options.config)
		self.helpdesk = Database("helpdesk")
		self.reader = Database("slated")
		self.receiver = open(options.receiver, encoding="utf-8")
		self.plan = []  # a heap of (instant, number, deed, ticket)
		self.number = itertools.count()
		self.names = itertools.count(1001)
		self.random = random.Random(4)
		self.begun = utc_now()
		self.last_milestone = 0
		self.behind = {"milestones": 0, "webhooks": 0}

	# Deeds: the statements of a ticket system.

	def open_ticket(self, story, facts, opened):
		row = dict(facts, external_id=f"T-{next(self.names)}", org=self.random.choice(ORGS),
			assignee=self.random.choice(AGENTS), opened_at=opened.isoformat())
		columns, values = ", ".join(row), ", ".join(literal(value) for value in row.values())
		ticket = self.helpdesk.rows(f"INSERT INTO sla.ticket ({columns}) VALUES ({values}) RETURNING id")[0]
		self.screen.say(utc_now(), "ticket", f"{row['external_id']}  {row['plan']}, {row['severity']}: {story}")
		return ticket

	def reply(self, ticket, author, body, public="true"):
		self.helpdesk.rows(f"INSERT INTO sla.reply (ticket_id, author, public, body) "
			f"VALUES ({ticket}, {literal(author)}, {public}, {literal(body)})")

	def update(self, ticket, column, value):
		self.helpdesk.rows(f"UPDATE sla.ticket SET {column} = {literal(value)} WHERE id = {ticket}")

	def do(self, deed, ticket):
		if deed == "answer":
			self.reply(ticket, "agent", "We found the cause and are rolling out a fix.")
		elif deed == "note":
			self.reply(ticket, "agent", "Looks like the storage node again.", public="false")
		elif deed == "robot":
			self.reply(ticket, "system", "Thank you, we have received your message.")
		elif deed == "customer":
			self.reply(ticket, "customer", "It is back: three timeouts since this morning.")
		elif deed == "escalate":
			self.reply(ticket, "customer", "Nobody has looked at this yet. #escalate")
		elif deed in ("pend", "reopen", "solve"):
			self.update(ticket, "status", {"pend": "pending", "reopen": "open", "solve": "solved"}[deed])
		elif deed == "acknowledge":
			self.helpdesk.rows(f"INSERT INTO sla.ack (ticket_id, by) VALUES ({ticket}, 'ada')")
		elif deed == "dispute":
			self.helpdesk.rows(f"INSERT INTO sla.dispute (ticket_id, reason) VALUES ({ticket}, 'Graver than that.')")
		elif deed == "raise":
			self.update(ticket, "severity", "high")
		elif deed == "tier":
			self.update(ticket, "plan", "premium")

	# Tickets and their stories.

	def schedule(self, at, deed, ticket):
		heapq.heappush(self.plan, (at, next(self.number), deed, ticket))

	def begin(self, row, landing):
		story, point, facts = row
		reached = True
		if point is QUIET:
			opened = utc_now() - datetime.timedelta(seconds=self.random.randint(60, 600))
		else:
			opened, reached = self.promise.opened(facts, point, landing)
			if not reached and story not in LATE_STORIES:
				opened = utc_now() - datetime.timedelta(minutes=20)
		ticket = self.open_ticket(story, facts, opened)
		for offset, deed in STORIES[story]:
			self.schedule(landing + datetime.timedelta(seconds=offset), deed, ticket)
		return reached

	def first_tickets(self):
		rows = TICKETS[self.options.policy]
		now = utc_now()
		missed = 0
		for i, row in enumerate(rows):
			# In the order of the table, from 8 s on; what comes late in a story still fits into the minute.
			landing = now + datetime.timedelta(seconds=8 + 40 * i / len(rows))
			missed += not self.begin(row, landing)
		if missed:
			self.screen.say(utc_now(), "closed", f"it is out of office hours on {', '.join(sorted(self.promise.closed))}: "
				f"{missed} of these tickets cannot come due now, so some were due before this began")

	# What slated makes of it.

	def show_milestones(self):
		rows = self.reader.rows("SELECT row_to_json(x) FROM (SELECT m.*, t.external_id, t.plan FROM sla.milestone m "
			f"JOIN sla.ticket t ON t.id = m.ticket_id WHERE m.id > {self.last_milestone} ORDER BY m.id) x")
		for row in rows:
			m = json.loads(row)
			self.last_milestone = m["id"]
			at = instant(m["at"]).astimezone(datetime.timezone.utc)
			if at < self.begun and m["milestone"] != "breached":
				self.behind["milestones"] += 1
				continue
			self.screen.say(at, m["milestone"], self.describe(m, at))

	def describe(self, m, at):
		words = [m["external_id"], " ".join(str(w) for w in (m["metric"], m["level"]) if w)]
		if m["policy"]:
			words.append(f"{m['severity']}, policy {m['policy']}")
		if m["milestone"] == "escalated":
			words.append(f"{m['trigger']}: ladder {m['escalation']}, step {m['step']}, to {', '.join(m['notify'])}")
		if m["late_by"]:
			words.append(f"{float(m['late_by']):.1f} s late")
		if m["reason"]:
			words.append(m["reason"])
		found = (instant(m["recorded_at"]) - at).total_seconds()
		if m["milestone"] in ("at_risk", "breached") and at >= self.begun:
			words.append(f"recorded {1000 * found:.0f} ms after it")
		elif m["milestone"] == "breached":
			words.append(f"on {at.strftime('%A %H:%M')}, before this began")
		return "  ".join(word for word in words if word)

	def show_webhooks(self):
		for text in self.receiver:
			line = json.loads(text)
			if "verified" not in line:
				continue
			at = instant(line["time"]) if line.get("time") else utc_now()
			if line["verified"] and at < self.begun:
				self.behind["webhooks"] += 1
				continue
			kind = "verified" if line["verified"] else "refused"
			self.screen.say(utc_now(), kind, f"{line.get('subject')}  webhook {line['path']}  {line.get('type')}  "
				f"webhook-id {line.get('id')}  {line.get('reason') or ''}".rstrip())

	def list(self):
		if self.behind["milestones"]:
			print(f"\nBesides: {self.behind['milestones']} milestones and {self.behind['webhooks']} verified webhooks of "
				"instants before this began.")
		print("\nslatectl list", flush=True)
		subprocess.run([self.options.slatectl, "list", "--config", self.options.config], check=False)
		print(flush=True)

	def turn(self):
		now = utc_now()
		while self.plan and self.plan[0][0] <= now:
			_, _, deed, ticket = heapq.heappop(self.plan)
			self.do(deed, ticket)
		self.show_milestones()
		self.show_webhooks()

	def run(self):
		self.first_tickets()
		minute = self.begun + datetime.timedelta(seconds=FIRST_MINUTE)
		while utc_now() < minute:
			self.turn()
			time.sleep(0.2)
		self.list()
		if self.options.once:
			return
		print("It goes on until Ctrl-C.\n", flush=True)
		following = utc_now()
		while True:
			if utc_now() >= following:
				landing = utc_now() + datetime.timedelta(seconds=self.random.randint(10, 40))
				self.begin(self.random.choice(TICKETS[self.options.policy]), landing)
				following = utc_now() + datetime.timedelta(seconds=NEXT_TICKET)
			self.turn()
			time.sleep(0.2)


def main():
	parser = argparse.ArgumentParser()
	parser.add_argument("--policy", required=True, choices=TICKETS)
	parser.add_argument("--config", required=True)
	parser.add_argument("--slatectl", required=True)
	parser.add_argument("--receiver", required=True)
	parser.add_argument("--once", action="store_true")
	signal.signal(signal.SIGTERM, signal.default_int_handler)
	desk = Desk(parser.parse_args())
	try:
		desk.run()
	except KeyboardInterrupt:
		signal.signal(signal.SIGTERM, signal.SIG_IGN)
		desk.list()


if __name__ == "__main__":
	main()
