// Why a clock is as it is: the daemon's sentences, fit to be pasted to a customer, and every stretch of time.

import {request} from "./api.js";
import {h, setText} from "./dom.js";
import {formatFull, formatLength, zoneName} from "./format.js";

function what(stretch) {
	if (stretch.paused !== undefined)
		return "paused";
	if (!stretch.counted)
		return "skipped";
	return stretch.ahead ? "will count" : "counted";
}

function why(stretch) {
	const change = stretch.clocks_change;
	return [stretch.paused ?? stretch.why, stretch.business_day && `business day ${stretch.business_day}`,
		change && `clocks change from ${change.from} to ${change.to}`].filter(Boolean).join("; ");
}

function stretchRow(stretch, zone) {
	const cells = [what(stretch), formatFull(Date.parse(stretch.from), zone), formatFull(Date.parse(stretch.to), zone),
		formatLength(stretch.seconds), formatLength(stretch.sum_seconds), why(stretch)];
	return h("tr", {class: what(stretch).replace(" ", "-")}, ...cells.map((text) => h("td", {}, text)));
}

function stretchTable({stretches, timezone, stretches_truncated: truncated}) {
	if (stretches.length === 0)
		return [];
	return [
		h("p", {class: "hint"}, `Times of ${zoneName(timezone)}, where the calendar lies.`),
		h("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "Table: stretches of time"},
			h("table", {class: "stretches"},
				h("thead", {}, h("tr", {}, ...["", "From", "To", "Length", "In all", "Why"]
					.map((text) => (text === "" ? h("td", {}) : h("th", {scope: "col"}, text))))),
				h("tbody", {}, ...stretches.map((each) => stretchRow(each, timezone))))),
		truncated && h("p", {class: "hint"}, "There are more."),
	];
}

function sentences(lines) {
	return h("ul", {}, ...lines.map((line) => h("li", {}, line)));
}

async function show(place, id, clock) {
	try {
		const told = await request(`/api/v1/tickets/${id}/explanation`);
		const found = told.clocks.find((each) => each.metric === clock.metric && each.cycle === clock.cycle);
		if (found)
			place.replaceChildren(...[sentences(found.sentences), ...stretchTable(found)].filter(Boolean));
	} catch (error) {
		setText(place.querySelector(".hint"), `The stretches of time cannot be read: ${error.message}`);
	}
}

// Opens to the outline that came with the ticket, and then to the whole.
export function makeExplanation(id, clock) {
	const place = h("div", {}, sentences(clock.explanation ?? []), h("p", {class: "hint"}, "Reading the stretches of time …"));
	const details = h("details", {ontoggle: () => details.open && show(place, id, clock)}, h("summary", {}, "Why"), place);
	return details;
}

// Why a ticket has no clock.
export async function explainNone(place, id) {
	const {sentences: lines} = await request(`/api/v1/tickets/${id}/explanation`);
	if (lines)
		place.append(sentences(lines));
}
