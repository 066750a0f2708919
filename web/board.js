// The board: every open clock, the most urgent first.

import {byId, h, icon, setText} from "./dom.js";
import {readClocks} from "./api.js";
import {acknowledge, readSilences, silence} from "./forms.js";
import {formatDate, formatInstant, here, words, zoneName} from "./format.js";
import {List} from "./list.js";
import {announce, everySecond, followDaemon, now, readStatus, setNow} from "./page.js";
import {URGENCIES, budgetText, dueTexts, leftTexts, stateWord, takeClock, urgencyOf, usedOf} from "./clock.js";

const TEXTS = ["org", "plan", "severity", "assignee", "team", "policy"];
const NAMES = ["state", "within", "metric", ...TEXTS];
const WITHIN = {"30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "24h": 1440};
const SUGGESTIONS_MAX = 200;

const tickets = new Map(); // the clocks of each ticket, by its number
const patterns = new Map();
let filters = {};
let loads = 0;
let missed; // changes that came during a load
let wake = Infinity; // when the order changes by itself
let stale = Infinity; // when opening hours begin or end, so that `rate` is another one
let drawn = 0; // a timer

/* Filters ---------------------------------------------------------------------------------------------------------- */

function readFilters() {
	const query = new URLSearchParams(location.search);
	filters = Object.fromEntries(NAMES.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
	for (const name of NAMES.filter((each) => each !== "state"))
		byId("filters").elements[name].value = filters[name] ?? "";
	const texts = Object.entries(filters).filter(([name]) => name !== "state");
	setText(byId("filter-words"), texts.length === 0 ? "none" :
		texts.map(([name, value]) => name === "within" ? `due within ${value}` : `${name} ${value}`).join(", "));
}

function setFilters(change) {
	const all = {...filters, ...change};
	const query = new URLSearchParams(Object.entries(all).filter(([, value]) => value));
	history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
	readFilters();
}

// A glob with * and ?, as the API has it.
function fits(pattern, text) {
	if (!patterns.has(pattern)) {
		const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
		patterns.set(pattern, new RegExp(`^${source}$`, "is"));
	}
	return patterns.get(pattern).test(text ?? "");
}

// What the daemon sorts out by itself when it is asked for everything.
function askedOf() {
	return Object.fromEntries(Object.entries(filters).filter(([name]) => name === "metric" || TEXTS.includes(name)));
}

function isAskedFor(clock) {
	return Object.entries(askedOf()).every(([name, pattern]) => fits(pattern, clock[name]));
}

function isInView(clock, time) {
	if (filters.within && (clock.due === undefined || clock.due > time + WITHIN[filters.within] * 60_000))
		return false;
	return !filters.state || URGENCIES[urgencyOf(clock, time)] === filters.state;
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

function cell(name, ...children) {
	return h("div", {role: "cell", class: name}, ...children);
}

function makeRow() {
	const part = Object.fromEntries(["word", "digits", "caption", "metric", "org", "plan", "severity", "rank", "assignee",
		"team", "budget", "due", "zone", "ack", "mark"].map((name) => [name, h("span", {class: name})]));
	const row = {part, link: h("a", {}), used: h("div", {class: "used"})};
	const button = (text, act) => h("button", {class: "small change", onclick: () => act(row.item)}, text);
	row.acknowledge = button("Ack", (clock) => acknowledge(clock));
	row.silence = button("Silence", async (clock) => await silence(clock) && showSilences());
	row.element = h("div", {role: "row", class: "row"},
		cell("state", part.mark, part.word), cell("time", part.digits, part.caption),
		cell("ticket", row.link, part.metric), cell("customer", part.org, part.plan),
		cell("grade", part.severity, part.rank), cell("owner", part.assignee, h("span", {}, part.ack, part.team)),
		cell("bar", h("div", {class: "track", "aria-hidden": "true"}, row.used), part.budget),
		cell("when", part.due, part.zone),
		cell("actions", row.acknowledge, row.silence));
	row.show = (clock) => showRow(row, clock);
	row.tick = (clock, time) => tickRow(row, clock, time);
	return row;
}

function showRow(row, clock) {
	const {part, link} = row;
	row.urgency = undefined;
	setText(link, clock.name);
	link.href = `/ticket/${clock.ticket_id}`;
	setText(part.metric, words(clock.metric) + (clock.cycle > 1 ? ` ${clock.cycle}` : ""));
	setText(part.org, clock.org ?? "–");
	part.org.title = clock.org ?? "";
	setText(part.plan, clock.plan ?? "");
	setText(part.severity, clock.severity ?? "–");
	setText(part.rank, clock.rank === 0 ? "" : `rank ${clock.rank}`);
	part.rank.title = clock.rank === 0 ? "" : `the rank of policy ${clock.policy}`;
	setText(part.assignee, clock.assignee ?? "nobody");
	part.assignee.classList.toggle("nobody", !clock.assignee);
	setText(part.team, clock.team ?? "");
	setText(part.ack, ackText(clock));
	row.acknowledge.setAttribute("aria-label", `Ack ${clock.name}`);
	row.silence.setAttribute("aria-label", `Silence ${clock.name}`);
	tickRow(row, clock, now());
}

// What changes each second.
function tickRow(row, clock, time) {
	const {part} = row;
	const urgency = urgencyOf(clock, time);
	const secondsUsed = usedOf(clock, time);
	const share = clock.budget > 0 ? Math.min(1, secondsUsed / clock.budget) : 1;
	const clip = `inset(0 ${(100 - 100 * share).toFixed(1)}% 0 0)`;
	const [digits, caption] = leftTexts(clock, time);
	const [due, zone] = dueTexts(clock, time);
	if (row.urgency !== urgency) {
		row.urgency = urgency;
		row.element.className = `row ${URGENCIES[urgency]}`;
		part.mark.replaceChildren(icon(URGENCIES[urgency]));
	}
	if (row.clip !== clip) {
		row.clip = clip;
		row.used.style.clipPath = clip;
	}
	setText(part.word, stateWord(clock, time));
	setText(part.digits, digits);
	setText(part.caption, caption);
	setText(part.budget, budgetText(clock, secondsUsed));
	setText(part.due, due);
	setText(part.zone, zone);
	part.zone.title = `calendar ${clock.calendar}, ${clock.timezone}`;
}

function ackText(clock) {
	if (!clock.acknowledged)
		return "";
	return clock.ack_until ? `✓ until ${formatInstant(Date.parse(clock.ack_until), now())}` : "✓ acknowledged";
}

const list = new List(byId("rows"), makeRow);

/* What is shown ---------------------------------------------------------------------------------------------------- */

// The most urgent first; among these those of policies with a higher rank; then what is due first.
function compare(a, b) {
	return a.urgency - b.urgency || b.rank - a.rank || (a.due ?? 0) - (b.due ?? 0) || a.ticket_id - b.ticket_id ||
		a.metric.localeCompare(b.metric);
}

function draw() {
	const time = now();
	const counts = [0, 0, 0, 0];
	const view = [];
	clearTimeout(drawn);
	drawn = 0;
	wake = filters.within ? time + 15_000 : Infinity;
	stale = Infinity;
	for (const clocks of tickets.values()) {
		for (const clock of clocks) {
			clock.urgency = urgencyOf(clock, time);
			counts[clock.urgency]++;
			if (clock.state === "running" && clock.due > time)
				wake = Math.min(wake, clock.due);
			if (clock.rateUntil > clock.at)
				stale = Math.min(stale, clock.rateUntil);
			if (isInView(clock, time))
				view.push(clock);
		}
	}
	showCounts(counts);
	showEmptiness(view.length);
	list.set(view.sort(compare));
	byId("clocks").setAttribute("aria-rowcount", view.length + 1);
	document.title = counts[0] > 0 ? `${counts[0]} breached – slated` : "slated";
}

// Changes come in crowds.
function drawSoon() {
	drawn ||= setTimeout(draw, 100);
}

function showCounts(counts) {
	for (const [index, name] of URGENCIES.entries()) {
		const tile = byId(`tile-${name}`);
		setText(tile.querySelector(".count"), counts[index].toLocaleString());
		tile.setAttribute("aria-pressed", filters.state === name);
	}
}

function showEmptiness(n) {
	const isFiltered = Object.keys(filters).length > 0;
	byId("clocks").hidden = n === 0;
	byId("empty").hidden = n > 0;
	byId("clear").hidden = !isFiltered;
	setText(byId("empty-words"), isFiltered ? "No open clock fits these filters." : "No open clocks: all is calm.");
}

function suggest() {
	for (const name of TEXTS) {
		const values = new Set();
		for (const clocks of tickets.values())
			if (clocks[0][name] && values.size < SUGGESTIONS_MAX)
				values.add(clocks[0][name]);
		byId(`known-${name}`).replaceChildren(...[...values].sort().map((value) => h("option", {value})));
	}
}

function showSilences() {
	return readSilences(now(), showSilences);
}

/* What comes in ---------------------------------------------------------------------------------------------------- */

function apply(data) {
	const at = Date.parse(data.now);
	for (const {ticket_id: id, clocks} of data.tickets) {
		const kept = clocks.filter(isAskedFor).map((clock) => takeClock(clock, at));
		const former = tickets.get(id) ?? [];
		for (const clock of kept) {
			const before = former.find((each) => each.key === clock.key);
			if (before?.state === "running" && clock.state === "breached")
				announce(`Breached: ${clock.name}, ${words(clock.metric)}, ${clock.org ?? ""}`);
		}
		if (kept.length > 0)
			tickets.set(id, kept);
		else
			tickets.delete(id);
	}
}

function change(data) {
	missed?.push(data);
	apply(data);
	drawSoon();
}

function takeAll(clocks, at) {
	tickets.clear();
	for (const clock of clocks) {
		const taken = takeClock(clock, at);
		if (tickets.has(clock.ticket_id))
			tickets.get(clock.ticket_id).push(taken);
		else
			tickets.set(clock.ticket_id, [taken]);
	}
}

async function load() {
	const turn = ++loads;
	const came = missed = [];
	try {
		await readStatus();
		const {now: text, clocks} = await readClocks(askedOf());
		if (turn !== loads)
			return;
		setNow(text);
		takeAll(clocks, Date.parse(text));
		came.forEach(apply);
	} finally {
		if (turn === loads)
			missed = undefined;
	}
	byId("loading").hidden = true;
	draw();
	suggest();
	await showSilences();
}

// Where this fails the stream has failed, too, and tells of it.
function loadAgain() {
	load().catch(() => {});
}

function tick() {
	const time = now();
	if (time >= stale + 2000) {
		stale = Infinity;
		loadAgain();
	}
	if (time >= wake)
		draw();
	else
		list.tick(time);
	setText(byId("time"), formatDate(time, {hour: "2-digit", minute: "2-digit", second: "2-digit"}));
}

/* What people do --------------------------------------------------------------------------------------------------- */

let typing = 0;
byId("filters").addEventListener("input", (event) => {
	clearTimeout(typing);
	typing = setTimeout(() => {
		setFilters({[event.target.name]: event.target.value.trim()});
		loadAgain();
	}, 300);
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", () => {
	setFilters(Object.fromEntries(NAMES.map((name) => [name, ""])));
	loadAgain();
});
for (const name of URGENCIES) {
	byId(`tile-${name}`).addEventListener("click", () => {
		setFilters({state: filters.state === name ? "" : name});
		draw();
	});
}
byId("new-silence").addEventListener("click", async () => await silence() && showSilences());
addEventListener("popstate", () => {
	readFilters();
	loadAgain();
});
addEventListener("keydown", (event) => {
	if (event.key === "/" && !event.target.matches("input, select, dialog *")) {
		event.preventDefault();
		byId("filter-box").open = true;
		byId("filters").elements.org.focus();
	}
});

setText(byId("zone"), zoneName(here));
readFilters();
byId("filter-box").open = false;
everySecond(tick);
followDaemon(load, change);
