// Dialogs: a form that carries out one thing, the token, acknowledge, assess, silences.

import {byId, h} from "./dom.js";
import {request, setToken, token} from "./api.js";
import {formatInstant} from "./format.js";
import {nameOf} from "./clock.js";

const NAME = "slated.name";
const LENGTHS = [["30m", "30 minutes"], ["1h", "1 hour"], ["2h", "2 hours"], ["4h", "4 hours"], ["8h", "8 hours"],
	["24h", "1 day"], ["72h", "3 days"], ["168h", "1 week"]];
const FACTS = {org: "Customer", plan: "Plan", severity: "Severity", policy: "Policy", metric: "Metric",
	assignee: "Assignee", team: "Team"};
const PROPOSED = ["org", "plan"];

const person = () => ({name: "by", label: "Your name", value: localStorage.getItem(NAME) ?? "", required: true,
	autocomplete: "name"});

function control({name, value = "", type = "text", options, required = false, autocomplete = "off"}, id) {
	if (options)
		return h("select", {id, name, required},
			...options.map(([key, text]) => h("option", {value: key, selected: key === value}, text)));
	if (type === "checkbox")
		return h("input", {id, name, type, checked: Boolean(value)});
	return h("input", {id, name, type, value, required, autocomplete});
}

function field(spec) {
	const id = `field-${spec.name.replaceAll(".", "-")}`;
	const label = h("label", {for: id}, spec.label);
	const parts = spec.type === "checkbox" ? [control(spec, id), label] : [label, control(spec, id)];
	return h("p", {class: spec.type === "checkbox" ? "choice" : "field"}, ...parts);
}

const tokenFields = () => [
	field({name: "token", label: "Token", type: "password", required: true}),
	field({name: "remember", label: "Remember it on this device", type: "checkbox"}),
];

function readForm(form) {
	return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
}

// Shows a dialog. `run(values)` is called with what was entered, and again until it throws no Problem. Resolves with
// true, or false where somebody has thought better of it.
function showForm({title, text, fields, action, run, canCancel = true}) {
	const error = h("p", {class: "error", role: "alert"});
	const authority = h("div", {}, ...(token() ? [] : tokenFields()));
	const submit = h("button", {class: "primary"}, action);
	const cancel = h("button", {type: "button", onclick: () => dialog.close()}, "Cancel");
	const form = h("form", {}, h("h2", {id: "dialog-title"}, title), text && h("p", {}, text), ...fields, authority, error,
		h("p", {class: "buttons"}, canCancel && cancel, submit));
	const dialog = h("dialog", {"aria-labelledby": "dialog-title"}, form);
	return new Promise((resolve) => {
		let done = false;
		form.addEventListener("submit", async (event) => {
			event.preventDefault();
			submit.disabled = true;
			error.textContent = "";
			const {token: given, remember, ...values} = readForm(form);
			if (given)
				setToken(given, Boolean(remember));
			if (values.by)
				localStorage.setItem(NAME, values.by);
			try {
				await run(values);
				done = true;
				dialog.close();
			} catch (problem) {
				error.textContent = problem.message;
				if (problem.status === 401) {
					setToken("");
					authority.replaceChildren(...tokenFields());
				}
			}
			submit.disabled = false;
		});
		dialog.addEventListener("close", () => {
			dialog.remove();
			resolve(done);
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}

// Asks until there is one that the daemon takes.
export async function askToken(reason) {
	const form = {title: "Token", text: reason, fields: [], action: "Go on", run: () => request("/api/v1/status"),
		canCancel: false};
	setToken("");
	while (!await showForm(form))
		;
}

// Resolve with true where something was done.
export function acknowledge(ticket) {
	return showForm({
		title: `Acknowledge ${nameOf(ticket)}`,
		text: "Somebody takes care of it: its escalation stops, or is held for the time chosen. Its clocks run on.",
		fields: [field(person()), field({name: "for", label: "Hold", options: [["", "until it is over"], ...LENGTHS]})],
		action: "Acknowledge",
		run: ({by, for: time}) => request(`/api/v1/tickets/${ticket.ticket_id}/ack`, "POST", time ? {by, for: time} : {by}),
	});
}

export function assess(ticket) {
	return showForm({
		title: `Assess ${nameOf(ticket)}`,
		text: "An agent's word on the severity. The deadlines follow it.",
		fields: [
			field(person()),
			field({name: "severity", label: "Severity", required: true, value: ticket.severity}),
			field({name: "reason", label: "Reason", required: true}),
		],
		action: "Assess",
		run: (values) => request(`/api/v1/tickets/${ticket.ticket_id}/assess`, "POST", values),
	});
}

export function silence(clock = {}) {
	const patterns = Object.entries(FACTS).map(([name, label]) =>
		field({name: `match.${name}`, label, value: PROPOSED.includes(name) ? clock[name] : ""}));
	return showForm({
		title: "Silence",
		text: "Nobody is told of alerts of tickets that are all of this; * and ? may stand for letters, an empty field " +
			"for anything. Clocks run on.",
		fields: [
			h("div", {class: "pairs"}, ...patterns),
			field({name: "for", label: "For", options: LENGTHS, value: "2h"}),
			field({name: "reason", label: "Reason", required: true}),
			field(person()),
		],
		action: "Silence",
		run: (values) => {
			const match = Object.fromEntries(Object.entries(values)
				.filter(([name, value]) => name.startsWith("match.") && value)
				.map(([name, value]) => [name.slice("match.".length), value]));
			const {by, reason, for: time} = values;
			return request("/api/v1/silences", "POST", {match, by, reason, for: time});
		},
	});
}

function endSilence(entry) {
	return showForm({
		title: `End silence ${entry.id}`,
		fields: [field(person())],
		action: "End it",
		run: ({by}) => request(`/api/v1/silences/${entry.id}?${new URLSearchParams({by})}`, "DELETE"),
	});
}

// The silences that hold now or will, each with a button that ends it.
export async function readSilences(now, changed) {
	const {silences} = await request("/api/v1/silences");
	const open = silences.filter((entry) => Date.parse(entry.ends_at) > now && entry.active !== false);
	byId("silences").replaceChildren(...open.map((entry) => h("li", {},
		h("strong", {}, Object.entries(entry.match).map(([name, value]) => `${name}=${value}`).join(", ")),
		` until ${formatInstant(Date.parse(entry.ends_at), now)}: ${entry.reason}${entry.by ? ` (${entry.by})` : ""} `,
		h("button", {class: "small change", onclick: async () => await endSilence(entry) && changed()},
			`End silence ${entry.id}`))));
	byId("silences").hidden = open.length === 0;
}
