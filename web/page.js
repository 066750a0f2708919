// What all pages share: the time by the daemon's clock, the state of the connection, colours, and the ask for a token.

import {byId, setText} from "./dom.js";
import {follow, request} from "./api.js";
import {askToken} from "./forms.js";
import {formatInstant} from "./format.js";

const THEMES = ["auto", "light", "dark"];
let version;
let ahead; // the daemon's clock before performance.now(), in milliseconds

// The daemon's time. An answer is on its way for a while, so the highest estimate is the best one, unless a clock was
// set.
export function setNow(text) {
	const estimate = Date.parse(text) - performance.now();
	if (ahead === undefined || estimate > ahead || ahead - estimate > 2000)
		ahead = estimate;
}

export function now() {
	return ahead === undefined ? Date.now() : performance.now() + ahead;
}

// Calls `tick` when a second of the daemon's clock begins.
export function everySecond(tick) {
	const again = () => {
		tick();
		setTimeout(again, 1000 - (now() % 1000) + 5);
	};
	again();
}

export function announce(text) {
	byId("announcer").textContent = text;
}

const STATES = {
	live: () => ["live", "Live", ""],
	polling: () => ["polling", "Every 15 s",
		"This daemon stands by for others, so the page is read anew every 15 s."],
	lost: (problem, since) => ["lost", "Offline",
		`${problem.message} ${since ? `What you see is of ${formatInstant(since, Date.now())}; trying` : "Trying"} again.`],
};

// Follows the stream with `load` and `change` and shows how it goes.
export function followDaemon(load, change, onlyInSight = false) {
	let since;
	const heard = () => {
		since = Date.now();
	};
	const state = (word, problem) => {
		if (word !== "lost")
			heard();
		const [name, label, text] = STATES[word](problem, since);
		document.body.dataset.connection = name;
		setText(byId("connection"), label);
		setText(byId("notice"), text);
		byId("notice").hidden = !text;
	};
	return follow({
		load,
		onlyInSight,
		change: (data) => {
			heard();
			setNow(data.now);
			change(data);
		},
		status: (data) => {
			heard();
			takeStatus(data);
		},
		state,
		refused: (problem) => askToken(problem.message),
	});
}

// Whether something may be changed here is known only once the daemon has said so. One of another version has other
// pages, which screens that nobody touches get so.
function takeStatus(status) {
	setNow(status.now);
	document.body.classList.toggle("changing", Boolean(status.changing));
	if (version !== undefined && status.version !== version)
		location.reload();
	version = status.version;
}

export async function readStatus() {
	takeStatus(await request("/api/v1/status"));
}

function setTheme(theme) {
	if (theme === "auto") {
		localStorage.removeItem("slated.theme");
		delete document.documentElement.dataset.theme;
	} else {
		localStorage.setItem("slated.theme", theme);
		document.documentElement.dataset.theme = theme;
	}
	setText(byId("theme-word"), theme);
}

const chosen = document.documentElement.dataset.theme ?? "auto";
setTheme(chosen);
byId("theme").addEventListener("click", () => {
	const current = document.documentElement.dataset.theme ?? "auto";
	setTheme(THEMES[(THEMES.indexOf(current) + 1) % THEMES.length]);
});
