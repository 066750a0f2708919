// A ticket: its facts, its clocks over their calendars, what happened and who was told.

import {byId, h, icon, setText} from "./dom.js";
import {Problem, request} from "./api.js";
import {explainNone, makeExplanation} from "./explain.js";
import {acknowledge, assess, silence} from "./forms.js";
import {formatDate, formatFull, formatLength, here, words, zoneName} from "./format.js";
import {everySecond, followDaemon, now, readStatus, setNow} from "./page.js";
import {URGENCIES, budgetText, leftTexts, nameOf, stateWord, takeClock, urgencyOf, usedOf, zoneText} from "./clock.js";
import {makeTimeline} from "./timeline.js";

const id = Number(location.pathname.split("/").at(-1));
const FACTS = ["status", "severity", "org", "plan", "assignee", "team", "channel", "category", "product", "environment",
	"version", "source"];
const REDRAW = 30_000;
let shown; // what the daemon said last
let clocks = []; // {clock, tick(now), timeline}
let redrawn = 0;

// Both of the reader's and the calendar's time.
function instantText(text, zone) {
	if (text === undefined)
		return "–";
	const at = Date.parse(text);
	return zone === undefined ? formatFull(at) : `${formatFull(at)} (${zoneText(at, now(), zone)})`;
}

function table(caption, heads, rows, none = "Nothing.") {
	if (rows.length === 0)
		return h("p", {class: "hint"}, none);
	return h("div", {class: "wide", tabindex: "0", role: "region", "aria-label": `Table: ${caption}`}, h("table", {},
		h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", {scope: "col"}, text)))),
		h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((each) => h("td", {}, each ?? "")))))));
}

/* Facts ------------------------------------------------------------------------------------------------------------ */

function fact(name, value) {
	return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function showFacts(ticket) {
	const name = nameOf({...ticket, ticket_id: id});
	setText(byId("title"), `Ticket ${name}${ticket.org ? `, ${ticket.org}` : ""}`);
	document.title = `${name} – slated`;
	const facts = FACTS.filter((each) => ticket[each])
		.map((each) => fact(each === "org" ? "Customer" : words(each), ticket[each]));
	facts.push(fact("Opened", instantText(ticket.opened_at)));
	for (const [key, value] of Object.entries(ticket.attributes ?? {}))
		facts.push(fact(key, typeof value === "string" ? value : JSON.stringify(value)));
	if (ticket.acknowledged)
		facts.push(fact("Acknowledged", ticket.ack_until ? `until ${instantText(ticket.ack_until)}` : "yes"));
	if (ticket.events_waiting)
		facts.push(fact("Changes not read yet", String(ticket.events_waiting)));
	byId("facts").replaceChildren(...facts);
	byId("link").hidden = !/^https?:/.test(ticket.link ?? "");
	byId("link").href = ticket.link ?? "";
}

/* Clocks ----------------------------------------------------------------------------------------------------------- */

function makeClock(raw, milestones, at) {
	const clock = {...takeClock({...raw, ticket_id: id}, at), timezone: raw.timezone ?? "UTC"};
	const isOpen = clock.ended_at === undefined;
	const digits = h("span", {class: "digits"});
	const word = h("span", {class: "word"});
	const budget = h("span", {class: "budget"});
	const mark = h("span", {class: "mark"});
	const timeline = makeTimeline(clock, milestones, now);
	const title = words(clock.metric) + (clock.cycle > 1 ? ` ${clock.cycle}` : "");
	const article = h("article", {},
		h("h3", {}, title),
		h("p", {class: "state"}, mark, word, isOpen && digits, budget),
		h("p", {}, clock.due_at ? `Deadline ${instantText(clock.due_at, clock.timezone)}. ` : "",
			`Policy ${clock.policy}, calendar ${clock.calendar ?? "–"} (${clock.timezone}), `,
			`severity ${clock.severity ?? "–"}.`),
		timeline.element,
		makeExplanation(id, clock));
	const tick = (time) => {
		const urgency = URGENCIES[urgencyOf(clock, time)];
		const name = isOpen ? urgency : clock.state;
		const look = `clock-card ${name}${clock.breached_at !== undefined ? " late" : ""}`;
		if (article.className !== look) {
			article.className = look;
			mark.replaceChildren(icon(name));
		}
		setText(word, stateWord(clock, time));
		setText(digits, leftTexts(clock, time).join(" "));
		setText(budget, `${budgetText(clock, usedOf(clock, time))} used`);
	};
	tick(now());
	return {element: article, tick, timeline};
}

function showClocks(raws, milestones, at) {
	const order = (clock) => (clock.ended_at === undefined ? 0 : 1);
	const ofClock = (clock) => milestones.filter((each) => each.metric === clock.metric && each.cycle === clock.cycle);
	// What somebody has opened stays open.
	const open = new Set([...byId("clocks").querySelectorAll("details[open]")]
		.map((each) => each.closest("article").dataset.clock));
	clocks = [...raws].sort((a, b) => order(a) - order(b) || Date.parse(a.started_at) - Date.parse(b.started_at))
		.map((raw) => {
			const made = makeClock(raw, ofClock(raw), at);
			made.element.dataset.clock = `${raw.metric}/${raw.cycle}`;
			made.element.querySelector("details").open = open.has(made.element.dataset.clock);
			return made;
		});
	byId("clocks").replaceChildren(...(clocks.length > 0 ? clocks.map((each) => each.element) :
		[h("p", {class: "hint"}, "No promise has been made on this ticket.")]));
	if (clocks.length === 0)
		explainNone(byId("clocks"), id).catch(() => {}); // where this fails the stream has failed, too
	for (const {timeline} of clocks)
		timeline.draw();
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

function milestoneNote(each) {
	const notes = [
		each.level && `level ${each.level}`,
		each.due_at && `due ${instantText(each.due_at)}`,
		each.late_by !== undefined && `${formatLength(each.late_by)} late`,
		each.reason,
		each.by_reassessment && "by a change of severity",
		each.escalation && `ladder ${each.escalation}, step ${each.step}, for ${each.trigger}`,
		each.told?.length > 0 && `told ${each.told.join(", ")}`,
		each.unset?.length > 0 && `nobody behind ${each.unset.join(", ")}`,
		each.silenced_by !== undefined && `held back by silence ${each.silenced_by}`,
	];
	return notes.filter(Boolean).join("; ");
}

function eventNote(each) {
	const notes = [
		each.status && `status ${each.status}`,
		each.severity && `severity ${each.severity}`,
		each.public === false && "internal",
		each.escalate && "asks for escalation",
		each.for !== undefined && `for ${each.for}`,
		each.into !== undefined && `into ${each.into}`,
		each.reason,
		each.late && "came late",
		each.refused && `refused: ${each.refused}`,
	];
	return notes.filter(Boolean).join("; ");
}

function showTables({events = [], reassessments = [], deliveries = []}, milestones) {
	byId("milestones").replaceChildren(table("Milestones", ["No.", "Time", "Metric", "Milestone", "More"],
		milestones.map((each) => [String(each.number), instantText(each.text),
			each.metric ? words(each.metric) + (each.cycle > 1 ? ` ${each.cycle}` : "") : "", words(each.milestone),
			milestoneNote(each)])));
	byId("events").replaceChildren(table("Events", ["Time", "Event", "By", "More"],
		events.map((each) => [instantText(each.at), words(each.event), each.by, eventNote(each)])));
	byId("reassessments").parentElement.hidden = reassessments.length === 0;
	byId("reassessments").replaceChildren(table("Reassessments", ["Time", "Rule", "From", "To", "Reason", "Outcome"],
		reassessments.map((each) => [instantText(each.at), each.rule ?? each.by, each.former, each.severity, each.reason,
			each.failure ?? each.outcome])));
	byId("deliveries").replaceChildren(table("Deliveries",
		["Time", "What", "Channel", "Address", "State", "Attempts", "Error"],
		deliveries.map((each) => [instantText(each.created_at), words(each.kind), each.channel, each.address, each.state,
			String(each.attempts ?? 0), each.last_error]), "Nobody."));
}

/* What comes in ---------------------------------------------------------------------------------------------------- */

async function load() {
	await readStatus();
	try {
		shown = await request(`/api/v1/tickets/${id}`);
	} catch (error) {
		if (!(error instanceof Problem) || error.status !== 404)
			throw error;
		setText(byId("loading"), "There is no such ticket.");
		return;
	}
	setNow(shown.now);
	const milestones = shown.milestones.map((each, index) =>
		({...each, number: index + 1, text: each.at, at: Date.parse(each.at)}));
	byId("ticket").hidden = false;
	byId("loading").hidden = true;
	showFacts(shown.ticket);
	showClocks(shown.clocks, milestones, Date.parse(shown.now));
	showTables(shown, milestones);
}

function change({tickets}) {
	if (tickets.some((each) => each.ticket_id === id))
		loadAgain();
}

// Where this fails the stream has failed, too, and tells of it.
function loadAgain() {
	load().catch(() => {});
}

function tick() {
	const time = now();
	setText(byId("time"), formatDate(time, {hour: "2-digit", minute: "2-digit", second: "2-digit"}));
	for (const clock of clocks)
		clock.tick(time);
	if (time > redrawn + REDRAW) {
		redrawn = time;
		for (const {timeline} of clocks)
			timeline.draw();
	}
}

async function act(form) {
	if (await form)
		loadAgain();
}

const ticketOf = () => ({...shown.ticket, ticket_id: id});
byId("ack").addEventListener("click", () => act(acknowledge(ticketOf())));
byId("silence").addEventListener("click", () => act(silence(ticketOf())));
byId("assess").addEventListener("click", () => act(assess(ticketOf())));
setText(byId("zone"), zoneName(here));
everySecond(tick);
followDaemon(load, change, true);
