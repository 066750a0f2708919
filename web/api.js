// The HTTP API: the token, requests, and the stream of changes.

const TOKEN = "slated.token";
// The server says something every 15 s.
const SILENCE_MAX = 40_000;
const WAIT_MIN = 500;
const WAIT_MAX = 15_000;
const POLL = 15_000;
const PAGE = 1000;

export function token() {
	return sessionStorage.getItem(TOKEN) ?? localStorage.getItem(TOKEN) ?? "";
}

// An empty one forgets it.
export function setToken(value, remember) {
	sessionStorage.removeItem(TOKEN);
	localStorage.removeItem(TOKEN);
	if (value)
		(remember ? localStorage : sessionStorage).setItem(TOKEN, value);
}

// `status` is that of HTTP, 0 where there was no answer; `message` is for people.
export class Problem extends Error {
	constructor(status, message, after) {
		super(message);
		this.status = status;
		this.after = after;
	}
}

async function ask(path, options = {}) {
	const headers = {Accept: "application/json", ...options.headers};
	if (token())
		headers.Authorization = `Bearer ${token()}`;
	let response;
	try {
		response = await fetch(path, {...options, headers, cache: "no-store"});
	} catch {
		throw new Problem(0, "slated does not answer. Check the network, and whether the daemon runs.");
	}
	if (response.ok)
		return response;
	const problem = await response.json().catch(() => ({}));
	throw new Problem(response.status, problem.detail ?? problem.title ?? `HTTP status ${response.status}`);
}

// Answers what the daemon answers. Throws a Problem.
export async function request(path, method = "GET", body = undefined) {
	const options = {method};
	if (body) {
		options.body = JSON.stringify(body);
		options.headers = {"Content-Type": "application/json"};
	}
	const response = await ask(path, options);
	try {
		return await response.json();
	} catch {
		throw new Problem(0, "The daemon's answer broke off.");
	}
}

// All clocks that the filters let through, page by page: {now, clocks}.
export async function readClocks(filters) {
	const query = new URLSearchParams({...filters, limit: PAGE});
	const clocks = [];
	for (;;) {
		const page = await request(`/api/v1/clocks?${query}`);
		clocks.push(...page.clocks);
		if (!page.next)
			return {now: page.now, clocks};
		query.set("after", page.next);
	}
}

function parseEvent(text) {
	let name = "message";
	const data = [];
	for (const line of text.split(/\r?\n/)) {
		if (line.startsWith("event:"))
			name = line.slice(6).trim();
		else if (line.startsWith("data:"))
			data.push(line.slice(5).trim());
	}
	return data.length > 0 ? {name, data: JSON.parse(data.join("\n"))} : undefined;
}

// Until somebody looks at the page.
function inSight() {
	return new Promise((resolve) => {
		const look = () => {
			if (document.hidden)
				return;
			document.removeEventListener("visibilitychange", look);
			resolve();
		};
		document.addEventListener("visibilitychange", look);
		look();
	});
}

// The events of the stream, as {name, data}. It ends with a Problem. EventSource could send no token.
async function* readStream(onlyInSight) {
	const control = new AbortController();
	const look = () => onlyInSight && document.hidden && control.abort();
	document.addEventListener("visibilitychange", look);
	let watch = setTimeout(() => control.abort(), SILENCE_MAX);
	try {
		const response = await ask("/api/v1/stream", {headers: {Accept: "text/event-stream"}, signal: control.signal});
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (;;) {
			const {value, done} = await reader.read();
			if (done)
				throw new Problem(0, "The connection was closed.");
			clearTimeout(watch);
			watch = setTimeout(() => control.abort(), SILENCE_MAX);
			const parts = (rest + value).split(/\r?\n\r?\n/);
			rest = parts.pop();
			yield* parts.map(parseEvent).filter(Boolean);
		}
	} catch (error) {
		throw error instanceof Problem ? error : new Problem(0, "The connection was lost.");
	} finally {
		clearTimeout(watch);
		control.abort();
		document.removeEventListener("visibilitychange", look);
	}
}

function later(milliseconds) {
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			removeEventListener("online", done);
			resolve();
		};
		const timer = setTimeout(done, milliseconds);
		addEventListener("online", done);
	});
}

// What to do after the stream ended; answers how long to wait, or undefined for a little longer than last time.
async function recover(error, {load, state, refused}) {
	let problem = error;
	if (problem.status === 503) {
		try {
			await load();
			state("polling", problem);
			return POLL;
		} catch (second) {
			problem = second;
		}
	}
	if (problem.status === 401) {
		await refused(problem);
		return 0;
	}
	state("lost", problem);
	return undefined;
}

// Follows the daemon for good. `load()` reads everything anew, `change(data)` takes what has changed and
// `status(data)` how the daemon is, `state(word, problem)` hears "live", "polling" (a daemon that stands by has no
// stream) or "lost", and `refused(problem)` gets a token. With `onlyInSight` there is a stream only while the page is
// looked at, as a browser has no more than six connections to one host.
// What changes during a load waits in the stream, so it is applied to what was loaded.
export async function follow(handlers) {
	let wait = WAIT_MIN;
	for (;;) {
		if (handlers.onlyInSight)
			await inSight();
		try {
			for await (const {name, data} of readStream(handlers.onlyInSight)) {
				if (name === "clocks") {
					handlers.change(data);
				} else if (name === "status") {
					handlers.status(data);
				} else if (name === "hello" || name === "reset") {
					await handlers.load();
					handlers.state("live");
					wait = WAIT_MIN;
				}
			}
		} catch (error) {
			if (!(error instanceof Problem))
				throw error;
			await later(await recover(error, handlers) ?? wait * (0.75 + Math.random() / 2));
			wait = Math.min(wait * 2, WAIT_MAX);
		}
	}
}
