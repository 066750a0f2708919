// Writes the holiday feeds of conf/holidays/ into a folder: node make.mjs FOLDER, after `npm ci` here.
import {createRequire} from "node:module";
import fs from "node:fs";
import path from "node:path";

import Holidays from "date-holidays";

const FIRST = 2024;
const LAST = 2035;
const FEEDS = [
	{file: "us-federal", place: ["US"], title: "Federal holidays of the United States"},
	{file: "england-and-wales", place: ["GB", "ENG"], title: "Bank holidays of England and Wales"},
	{file: "northern-ireland", place: ["GB", "NIR"], title: "Bank holidays of Northern Ireland"},
	{file: "germany", place: ["DE"], language: "en", title: "Holidays in all of Germany; the states have more"},
	{file: "japan", place: ["JP"], language: "en", title: "National holidays of Japan", between: "Citizens' Holiday"},
	{file: "india-national", place: ["IN"],
		title: "Holidays in all of India that have a fixed date or go by Easter; those announced each year are not in it"},
];
const {version} = createRequire(import.meta.url)("date-holidays/package.json");

// A line is cut at 75 octets and goes on behind a blank (RFC 5545, section 3.1).
function fold(line) {
	const pieces = [""];
	for (const letter of line) {
		const room = pieces.length > 1 ? 74 : 75;
		if (Buffer.byteLength(pieces.at(-1) + letter) > room)
			pieces.push("");
		pieces[pieces.length - 1] += letter;
	}
	return pieces.join("\r\n ");
}

function escape(text) {
	return text.replace(/[\\;,]/g, "\\$&");
}

const compact = (date) => date.slice(0, 10).replaceAll("-", "");

function nextDay(date) {
	return new Date(Date.parse(`${date.slice(0, 10)}T00:00:00Z`) + 86_400_000).toISOString();
}

// Japan's law makes a holiday of a working day between two holidays (Act on National Holidays, article 3, paragraph 3).
function closeBetween(found, name) {
	for (const day of [...found.keys()]) {
		const next = nextDay(day).slice(0, 10);
		if (!found.has(next) && found.has(nextDay(next).slice(0, 10)) && new Date(`${next}T00:00:00Z`).getUTCDay() !== 0)
			found.set(next, [name]);
	}
}

// What the law closes: public holidays and the days on which they are observed instead. One date may have two.
function holidaysOf({place, language, between}) {
	const source = new Holidays(...place, language ? {languages: [language]} : {});
	const found = new Map();
	for (let year = FIRST; year <= LAST; year++)
		for (const {date, name, type, substitute} of source.getHolidays(year)) {
			if (type !== "public" && !(type === "bank" && substitute))
				continue;
			const day = date.slice(0, 10);
			found.set(day, [...(found.get(day) ?? []), name.replaceAll("’", "'")]);
		}
	if (between)
		closeBetween(found, between);
	return [...found].sort();
}

function feed({file, title, ...rules}) {
	const events = holidaysOf(rules).flatMap(([day, names]) => [
		"BEGIN:VEVENT",
		`UID:${day}-${file}@holidays.slated`,
		"DTSTAMP:20240101T000000Z",
		`DTSTART;VALUE=DATE:${compact(day)}`,
		`DTEND;VALUE=DATE:${compact(nextDay(day))}`,
		`SUMMARY:${escape(names.join(", "))}`,
		"END:VEVENT",
	]);
	return ["BEGIN:VCALENDAR", "VERSION:2.0", `PRODID:-//slated//holidays by date-holidays ${version}//EN`,
		`X-WR-CALNAME:${escape(title)}`,
		`X-WR-CALDESC:${escape(`${FIRST} to ${LAST}. Made by date-holidays, whose data are under CC BY 3.0.`)}`,
		...events, "END:VCALENDAR"].map((line) => `${fold(line)}\r\n`).join("");
}

for (const each of FEEDS)
	fs.writeFileSync(path.join(process.argv[2], `${each.file}.ics`), feed(each));
