// How many promises were kept, for each policy and week.

import {byId, h, setText, svg} from "./dom.js";
import {request} from "./api.js";
import {askToken} from "./forms.js";
import {formatDate, here, zoneOffset} from "./format.js";
import {announce, setNow} from "./page.js";

const NAMES = ["weeks", "metric", "policy", "timezone"];
const DAY = 24 * 3600 * 1000;
const WEEK = 7 * DAY;
const HEIGHT = 150; // of the bars, in pixels
const TOP = 22;
const FOOT = 40;
const LEFT = 44;
const LABEL_WIDTH = 58;
let turn = 0;

/* The figures ------------------------------------------------------------------------------------------------------ */

// A week is known by its Monday; that at noon in UTC, so that no change of the clocks makes it another day.
function noonOf(text) {
	return Date.parse(`${text}T12:00:00Z`);
}

function weekText(at) {
	return formatDate(at, {day: "numeric", month: "short"}, "UTC");
}

// All weeks that were asked for, up to the present one, also those in which nothing was due.
function weeksOf(rows, n, now, zone) {
	const today = new Date(now + zoneOffset(now, zone));
	const monday = noonOf(today.toISOString().slice(0, 10)) - (today.getUTCDay() + 6) % 7 * DAY;
	const end = Math.max(monday, ...rows.map((row) => noonOf(row.week)));
	return Array.from({length: n}, (_, index) => end - (n - 1 - index) * WEEK);
}

// {policy: [{week, inTime, missed}]}, the metrics added up.
function sumUp(rows, weeks) {
	const policies = new Map();
	for (const {policy, week, in_time: inTime, missed} of rows) {
		if (!policies.has(policy))
			policies.set(policy, weeks.map((at) => ({week: at, inTime: 0, missed: 0})));
		const sum = policies.get(policy).find((each) => each.week === noonOf(week));
		sum.inTime += inTime;
		sum.missed += missed;
	}
	return [...policies].sort(([a], [b]) => a.localeCompare(b));
}

function share({inTime, missed}) {
	return inTime + missed === 0 ? undefined : inTime / (inTime + missed);
}

// Only what is all is 100%.
function percent(part) {
	if (part === undefined)
		return "–";
	return `${part === 1 ? 100 : Math.min(99.9, Math.floor(part * 1000) / 10)}%`;
}

/* The charts ------------------------------------------------------------------------------------------------------- */

function drawWeek(sum, index, step) {
	const part = share(sum);
	const gap = Math.min(12, step * 0.25);
	const x = LEFT + index * step + gap / 2;
	const width = step - gap;
	const kept = HEIGHT * (part ?? 0);
	const middle = x + width / 2;
	const every = Math.ceil(LABEL_WIDTH / step); // labels that would lie on each other are left out
	return svg("g", {},
		svg("title", {}, `Week of ${weekText(sum.week)}: ${percent(part)}, ${sum.inTime} in time, ${sum.missed} missed`),
		part !== undefined && svg("rect", {class: "missed", x, y: TOP, width, height: HEIGHT - kept}),
		part !== undefined && svg("rect", {class: "kept", x, y: TOP + HEIGHT - kept, width, height: kept}),
		every === 1 && svg("text", {x: middle, y: TOP - 7, class: part < 1 ? "short" : ""}, percent(part)),
		index % every === 0 && svg("text", {x: middle, y: TOP + HEIGHT + 17}, weekText(sum.week)),
		every === 1 && svg("text", {x: middle, y: TOP + HEIGHT + 34, class: "count"}, String(sum.inTime + sum.missed)));
}

function drawChart(sums, width) {
	const step = (width - LEFT) / sums.length;
	const height = TOP + HEIGHT + FOOT;
	const lines = [0, 0.5, 1].map((part) => svg("g", {class: "grid"},
		svg("line", {x1: LEFT, x2: width, y1: TOP + HEIGHT * (1 - part), y2: TOP + HEIGHT * (1 - part)}),
		svg("text", {x: LEFT - 6, y: TOP + HEIGHT * (1 - part) + 4}, `${part * 100}%`)));
	return svg("svg", {class: "attainment", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"},
		...lines, ...sums.map((sum, index) => drawWeek(sum, index, step)));
}

function makeTable(policy, sums) {
	const row = (sum) => h("tr", {}, h("th", {scope: "row"}, formatDate(sum.week, {dateStyle: "medium"}, "UTC")),
		h("td", {}, percent(share(sum))), h("td", {}, String(sum.inTime)), h("td", {}, String(sum.missed)));
	return h("details", {}, h("summary", {}, `Figures of ${policy}`), h("table", {class: "figures"},
		h("thead", {}, h("tr", {}, ...["Week of", "In time", "Kept", "Missed"].map((text) =>
			h("th", {scope: "col"}, text)))),
		h("tbody", {}, ...sums.map(row))));
}

function makePolicy([policy, sums]) {
	const total = sums.reduce((sum, each) => ({inTime: sum.inTime + each.inTime, missed: sum.missed + each.missed}),
		{inTime: 0, missed: 0});
	const words = `${percent(share(total))} of ${total.inTime + total.missed} in time, ${total.missed} missed`;
	const draw = () => chart.clientWidth > 0 && chart.replaceChildren(drawChart(sums, chart.clientWidth));
	const chart = h("div", {class: "chart", role: "img", "aria-label": `Attainment of ${policy} by week: ${words}`});
	new ResizeObserver(draw).observe(chart);
	return h("section", {class: "policy"}, h("h2", {}, policy), h("p", {class: "total"}, words), chart,
		makeTable(policy, sums));
}

/* What comes in ---------------------------------------------------------------------------------------------------- */

async function read(query) {
	for (;;) {
		try {
			return await request(`/api/v1/attainment?${query}`);
		} catch (problem) {
			if (problem.status !== 401)
				throw problem;
			await askToken(problem.message);
		}
	}
}

async function load() {
	const mine = ++turn;
	const query = new URLSearchParams(location.search);
	for (const name of NAMES)
		byId("filters").elements[name].value = query.get(name) ?? {weeks: "12", timezone: here}[name] ?? "";
	query.set("timezone", query.get("timezone") ?? here);
	query.set("weeks", query.get("weeks") ?? "12");
	try {
		const {now, weeks: rows} = await read(query);
		if (mine !== turn)
			return;
		setNow(now);
		const weeks = weeksOf(rows, Number(query.get("weeks")), Date.parse(now), query.get("timezone"));
		byId("policies").replaceChildren(...sumUp(rows, weeks).map(makePolicy));
		byId("empty").hidden = rows.length > 0;
		byId("notice").hidden = true;
		announce(`${byId("policies").childElementCount} policies`);
	} catch (problem) {
		setText(byId("notice"), problem.message);
		byId("notice").hidden = false;
	}
	byId("loading").hidden = true;
}

let typing = 0;
byId("filters").addEventListener("input", ({target}) => {
	clearTimeout(typing);
	typing = setTimeout(() => {
		const query = new URLSearchParams(location.search);
		query.set(target.name, target.value.trim());
		for (const name of NAMES.filter((each) => !query.get(each)))
			query.delete(name);
		history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
		load();
	}, 300);
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
addEventListener("popstate", load);
load();
