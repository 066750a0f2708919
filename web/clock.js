// What a clock of the API is at an instant: how urgent, how much is used, what is left.

import {formatCountdown, formatInstant, formatLength, zoneName, zoneOffset, here, words} from "./format.js";

export const URGENCIES = ["breached", "at_risk", "on_track", "paused"];

function instant(text) {
	return text === undefined ? undefined : Date.parse(text);
}

// What people call a ticket.
export function nameOf(ticket) {
	return ticket.external_id ?? `#${ticket.ticket_id}`;
}

// `at`: the instant at which the daemon said it.
export function takeClock(clock, at) {
	return {
		...clock,
		key: `${clock.ticket_id}/${clock.metric}/${clock.cycle}`,
		at,
		due: instant(clock.due_at),
		rateUntil: instant(clock.rate_until),
		rank: clock.rank ?? 0,
		name: nameOf(clock),
	};
}

function isOverdue(clock, now) {
	return clock.state === "running" && clock.due <= now;
}

// Which of URGENCIES: a deadline that has passed is breached, whether or not that has been recorded.
export function urgencyOf(clock, now) {
	if (clock.state === "breached" || isOverdue(clock, now))
		return 0;
	if (clock.state === "paused")
		return 3;
	return clock.at_risk ? 1 : 2;
}

export function stateWord(clock, now) {
	if (isOverdue(clock, now))
		return "Overdue";
	if (clock.state === "running")
		return clock.at_risk ? "At risk" : "On track";
	if (clock.state === "met" && clock.breached_at !== undefined)
		return "Met late";
	return words(clock.state);
}

// Open time used, in seconds; known for as long as the rate is.
export function usedOf(clock, now) {
	const until = Math.min(now, clock.rateUntil ?? now);
	return clock.used + (clock.rate ?? 0) * Math.max(0, until - clock.at) / 1000;
}

// What is left, as digits and words. Of a paused clock it is open time, which does not count down.
export function leftTexts(clock, now) {
	if (clock.due === undefined)
		return [formatLength(Math.max(0, clock.budget - usedOf(clock, now))), "of open time left"];
	return [formatCountdown((clock.due - now) / 1000), clock.due > now ? "left" : "overdue"];
}

export function budgetText(clock, used) {
	const share = clock.budget > 0 ? Math.floor(100 * used / clock.budget) : 100;
	return `${clock.estimated ? "about " : ""}${share}% of ${formatLength(clock.budget)}`;
}

// An instant as the calendar's own people read it, and where that is.
export function zoneText(at, now, zone) {
	if (zoneOffset(at, zone) === zoneOffset(at, here))
		return zoneName(zone);
	return `${formatInstant(at, now, zone)} ${zoneName(zone)}`;
}

// Two lines: in the reader's time, and what is to be known of the calendar.
export function dueTexts(clock, now) {
	if (clock.due === undefined) {
		const since = instant(clock.paused_at);
		return [since === undefined ? "paused" : `since ${formatInstant(since, now)}`, zoneName(clock.timezone)];
	}
	const closed = clock.rate === 0 && clock.state === "running" && clock.rateUntil > now;
	return [
		`${clock.due > now ? "due" : "was due"} ${formatInstant(clock.due, now)}`,
		closed ? `closed until ${formatInstant(clock.rateUntil, now)}` : zoneText(clock.due, now, clock.timezone),
	];
}
