// Words for times, lengths of time and what the daemon calls things. Times are milliseconds since 1970 unless said
// otherwise.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const formats = new Map();

export const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Of the parts given, in a zone; a name that the browser does not know gives the reader's zone.
function dateFormat(zone, parts) {
	const key = `${zone} ${JSON.stringify(parts)}`;
	if (!formats.has(key)) {
		try {
			formats.set(key, new Intl.DateTimeFormat(undefined, {...parts, timeZone: intlZone(zone)}));
		} catch {
			formats.set(key, new Intl.DateTimeFormat(undefined, parts));
		}
	}
	return formats.get(key);
}

// The configuration writes a fixed offset as UTC-08:00, browsers as -08:00.
function intlZone(zone) {
	return zone === "UTC" ? zone : zone.replace(/^UTC(?=[+-])/, "");
}

// "America/Los_Angeles" is known as Los Angeles.
export function zoneName(zone) {
	return zone.slice(zone.lastIndexOf("/") + 1).replaceAll("_", " ");
}

export function formatDate(at, parts, zone = here) {
	return dateFormat(zone, parts).format(at);
}

function dayOf(at, zone) {
	return formatDate(at, {year: "numeric", month: "numeric", day: "numeric"}, zone);
}

// "14:30", "Mon 14:30" in this week, else "27 Nov, 14:30", as the reader's language has it.
export function formatInstant(at, now, zone = here) {
	const time = {hour: "2-digit", minute: "2-digit"};
	if (dayOf(at, zone) === dayOf(now, zone))
		return formatDate(at, time, zone);
	if (Math.abs(at - now) < 6 * DAY * 1000)
		return formatDate(at, {weekday: "short", ...time}, zone);
	return formatDate(at, {day: "numeric", month: "short", ...time}, zone);
}

export function formatFull(at, zone = here) {
	return formatDate(at, {dateStyle: "medium", timeStyle: "medium"}, zone);
}

// How far a zone is ahead of UTC at an instant, in milliseconds.
export function zoneOffset(at, zone) {
	const parts = {};
	const format = dateFormat(zone, {year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
		second: "numeric", hourCycle: "h23", calendar: "gregory", numberingSystem: "latn"});
	for (const {type, value} of format.formatToParts(at))
		parts[type] = Number(value);
	return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) -
		Math.floor(at / 1000) * 1000;
}

function two(number) {
	return String(number).padStart(2, "0");
}

// Seconds as digits that count: "04:59", "3:04:59", "2d 03:04", "120d". What is left of a second counts as a whole one.
export function formatCountdown(seconds) {
	const n = Math.ceil(Math.abs(seconds));
	if (n < HOUR)
		return `${two(Math.floor(n / MINUTE))}:${two(n % MINUTE)}`;
	if (n < DAY)
		return `${Math.floor(n / HOUR)}:${two(Math.floor(n / MINUTE) % 60)}:${two(n % MINUTE)}`;
	if (n >= 100 * DAY)
		return `${Math.floor(n / DAY)}d`;
	return `${Math.floor(n / DAY)}d ${two(Math.floor(n / HOUR) % 24)}:${two(Math.floor(n / MINUTE) % 60)}`;
}

// Seconds as a length: "45s", "4m30s", "1h30m", "40h". Never days: of open time they have other lengths.
export function formatLength(seconds) {
	const n = Math.round(Math.abs(seconds));
	const [hours, minutes, rest] = [Math.floor(n / HOUR), Math.floor(n / MINUTE) % 60, n % MINUTE];
	const parts = hours > 0 ? [[hours, "h"], [minutes, "m"]] : [[minutes, "m"], [rest, "s"]];
	return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`).join("") || "0s";
}

// "first_response" is "First response".
export function words(name) {
	const text = name.replaceAll("_", " ");
	return text.charAt(0).toUpperCase() + text.slice(1);
}
