// A clock's time, drawn over its calendar:
//
//     Mon 14:00      18:00      ...        the reader's time
//     ████▒▒▒▒▒▒▒▒▒▒████████▒▒▒▒           open hours, and hatched the closed ones
//     ━━━━━━━  ┄┄ paused ┄┄  ━━━━━━╺╺╺╺╺╺┃ when it ran, and what is left until the deadline
//     1  2     3             4           5 milestones, numbered as in the table
//     Mon 05:00      09:00      ...        the calendar's time, where that is another one

import {formatFull, formatInstant, formatDate, here, words, zoneName, zoneOffset} from "./format.js";
import {h, svg} from "./dom.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
	2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY];
const TICK_WIDTH = 90;
const SIDE = 36; // "now" has room there
const AXIS = 24; // heights, in pixels
const HOURS = 34;
const MARK = 20;
const BAR_TOP = AXIS + 10;

const parse = (text) => (text === undefined ? undefined : Date.parse(text));

// From when on and until when the daemon has told of the calendar, and the end of all.
function knownOf(clock, now) {
	const start = parse(clock.started_at);
	const ended = parse(clock.ended_at);
	const end = Math.max(...[parse(clock.due_at), ended, parse(clock.breached_at), ended ? start : now]
		.filter((at) => at !== undefined), start + MINUTE);
	return [start, clock.open_truncated ? parse(clock.open.at(-1)[1]) : end, end];
}

// Instants at which the zone's clocks show a round time, `n` of them at most.
export function ticksOf(from, to, zone, n) {
	const step = STEPS.find((each) => (to - from) / each <= n) ?? STEPS.at(-1);
	const ticks = [];
	let at = from;
	for (;;) {
		const local = Math.floor((at + zoneOffset(at, zone)) / step + 1) * step;
		at = local - zoneOffset(local - zoneOffset(at, zone), zone);
		if (at > to || ticks.length > 2 * n)
			return {step, ticks};
		ticks.push(at);
	}
}

function tickText(at, step, zone, isFirst) {
	if (step >= DAY)
		return formatDate(at, {weekday: "short", day: "numeric", month: "short"}, zone);
	const time = formatDate(at, {hour: "2-digit", minute: "2-digit"}, zone);
	const isMidnight = (at + zoneOffset(at, zone)) % DAY === 0;
	return isFirst || isMidnight ? `${formatDate(at, {weekday: "short"}, zone)} ${time}` : time;
}

// `y`: of the text; the lines go from `top` to `bottom`.
function drawAxis(scale, range, width, zone, [y, top, bottom]) {
	const {step, ticks} = ticksOf(...range, zone, Math.max(4, Math.floor(width / TICK_WIDTH)));
	const isWhole = (at) => scale(at) > TICK_WIDTH / 2 && scale(at) < width - TICK_WIDTH / 2;
	return ticks.filter(isWhole).map((at, index) => svg("g", {class: "tick"},
		svg("line", {x1: scale(at), x2: scale(at), y1: top, y2: bottom}),
		svg("text", {x: scale(at), y}, tickText(at, step, zone, index === 0))));
}

function drawBand(scale, range, from, to, name, y, height) {
	const left = scale(Math.max(range[0], from));
	const right = scale(Math.min(range[1], to));
	return right > left && svg("rect", {class: name, x: left, width: Math.max(1, right - left), y, height});
}

function drawSpans(scale, range, clock, now) {
	const spans = (clock.spans ?? []).map(([from, to]) => [parse(from), to === undefined ? now : parse(to)]);
	const due = parse(clock.due_at);
	const y = BAR_TOP + HOURS / 2 - 7;
	const parts = spans.map(([from, to]) => drawBand(scale, range, from, to, "ran", y, 14));
	for (const [index, [, to]] of spans.entries()) {
		const next = spans[index + 1]?.[0] ?? (clock.state === "paused" ? now : undefined);
		if (next > to)
			parts.push(svg("line", {class: "rest", x1: scale(to), x2: scale(next), y1: y + 7, y2: y + 7}));
	}
	if (clock.state === "running" && due > now)
		parts.push(drawBand(scale, range, now, due, "ahead", y + 4, 6));
	if (clock.breached_at !== undefined)
		parts.push(drawBand(scale, range, parse(clock.breached_at), parse(clock.ended_at) ?? now, "late", y, 14));
	return parts;
}

function drawFlag(x, name, text, bottom, isLeft) {
	return svg("g", {class: name}, svg("line", {x1: x, x2: x, y1: AXIS + 2, y2: bottom}),
		svg("text", {x: isLeft ? x - 5 : x + 5, y: bottom, class: isLeft ? "left" : ""}, text));
}

// Neither word lies on the other, nor on the other's line: "now" stands a line higher and looks away from the deadline.
function drawFlags(scale, {now, due, isOpen}, top, width) {
	const isRight = scale(due) > width * 0.7;
	return [isOpen && drawFlag(scale(now), "now", "now", top, now < due),
		due !== undefined && drawFlag(scale(due), "deadline", `deadline ${formatInstant(due, now)}`, top + 18, isRight)];
}

// Marks that would lie on each other go a line down.
function drawMarks(scale, range, milestones, top) {
	const ends = [];
	const parts = milestones.filter(({at}) => at >= range[0] && at <= range[1]).map(({at, number, milestone}) => {
		const x = scale(at);
		let line = ends.findIndex((end) => x - end > MARK + 2);
		line = line < 0 ? ends.length : line;
		ends[line] = x;
		const y = top + line * (MARK + 2);
		return svg("g", {class: `milestone ${milestone}`},
			svg("title", {}, `${number}: ${words(milestone)}, ${formatFull(at)}`),
			svg("rect", {x: x - MARK / 2, y, width: MARK, height: MARK, rx: milestone === "breached" ? 0 : MARK / 2}),
			svg("text", {x, y: y + 14}, String(number)));
	});
	return {parts, height: ends.length * (MARK + 2)};
}

function drawChart(clock, milestones, now, width) {
	const [start, told, end] = knownOf(clock, now);
	const margin = (end - start) * 0.03;
	const range = [start - margin, end + margin];
	const scale = (at) => SIDE + (at - range[0]) / (range[1] - range[0]) * (width - 2 * SIDE);
	const isElsewhere = zoneOffset(range[0], clock.timezone) !== zoneOffset(range[0], here) ||
		zoneOffset(range[1], clock.timezone) !== zoneOffset(range[1], here);
	const top = BAR_TOP + HOURS + 6;
	const marks = drawMarks(scale, range, milestones, top);
	const flags = top + marks.height + 12; // two lines
	const height = flags + 24 + (isElsewhere ? AXIS + 4 : 0);
	const due = parse(clock.due_at);
	const isOpen = clock.ended_at === undefined;
	return svg("svg", {class: "timeline", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"},
		drawBand(scale, range, start, told, "closed", BAR_TOP, HOURS),
		...(clock.open ?? []).map(([from, to]) => drawBand(scale, range, parse(from), parse(to), "open", BAR_TOP, HOURS))
			.filter(Boolean),
		...drawAxis(scale, range, width, here, [AXIS - 8, AXIS - 3, BAR_TOP]),
		...(isElsewhere ? drawAxis(scale, range, width, clock.timezone, [height - 6, flags + 22, flags + 28]) : []),
		...drawSpans(scale, range, clock, now).filter(Boolean),
		...drawFlags(scale, {now, due, isOpen}, flags, width),
		...marks.parts);
}

function describe(clock, now) {
	const ran = (clock.spans ?? []).map(([from, to]) =>
		`from ${formatInstant(Date.parse(from), now)} to ${to === undefined ? "now" : formatInstant(Date.parse(to), now)}`);
	const due = clock.due_at === undefined ? "no deadline while it is paused" :
		`deadline ${formatFull(Date.parse(clock.due_at))}`;
	return `Timeline of ${words(clock.metric)}: ran ${ran.join(", ") || "not yet"}; ${due}. ` +
		"The table of milestones has the rest.";
}

// `milestones`: {at, number, milestone} of the clock. `now()` is asked at each drawing.
export function makeTimeline(clock, milestones, now) {
	const chart = h("div", {class: "chart", role: "img", "aria-label": describe(clock, now())});
	const zone = zoneName(clock.timezone);
	const legend = h("p", {class: "hint"},
		`Above: your time (${zoneName(here)}). Below, where it is another one: ${zone}. `,
		"Plain ground: open hours; hatched: closed. Numbers: milestones, as in the table.",
		clock.open_truncated ? " Open hours are drawn for the first part only." : "");
	const draw = () => chart.clientWidth > 0 &&
		chart.replaceChildren(drawChart(clock, milestones, now(), chart.clientWidth));
	new ResizeObserver(draw).observe(chart);
	return {element: h("figure", {}, chart, h("figcaption", {}, legend)), draw};
}
