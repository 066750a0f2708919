// The email channel, end to end: mail.mjs SEND_MAIL [FOLDER] starts mail servers and sends to them. With FOLDER, the
// HTML bodies are left there, to be looked at.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import readline from 'node:readline';
import { after, before, test } from 'node:test';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

const [sender, samples] = process.argv.slice(2);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'slated-mail-'));
const from = 'sla@desk.example.com';
const user = 'slated';
const password = 'pass "word" \u00fc';
const closers = [];

// Certificates ------------------------------------------------------------------------------------------------------

const at = (name) => path.join(scratch, name);

function openssl(...given) {
	execFileSync('openssl', given, { cwd: scratch, stdio: 'ignore' });
}

function makeAuthority() {
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key',
		'-out', 'ca.pem', '-days', '2', '-subj', '/CN=slated test CA');
}

function makeCertificate(name, subject) {
	openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`,
		'-out', `${name}.csr`, '-subj', '/CN=slated test server');
	fs.writeFileSync(at(`${name}.ext`), `subjectAltName=${subject}\nbasicConstraints=CA:FALSE\n`);
	openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
		'-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

before(() => {
	makeAuthority();
	makeCertificate('right', 'IP:127.0.0.1');
	makeCertificate('wrong', 'DNS:elsewhere.example');
});
after(async () => {
	await Promise.all(closers.map((close) => close()));
	fs.rmSync(scratch, { recursive: true });
});

// Servers -----------------------------------------------------------------------------------------------------------

function refusal(responseCode, message) {
	return Object.assign(new Error(message), { responseCode });
}

// A server that answers `refuse[COMMAND]`, if there is one, with the error it returns; recipients are told apart by it.
class Server {
	static async start({ refuse = {}, certificate = 'right', ...options } = {}) {
		const server = new Server();
		server.mails = [];
		server.logins = [];
		server.refusals = 0;
		const judge = (command, ...given) => {
			const error = refuse[command]?.(server.refusals, ...given) ?? null;
			server.refusals += error ? 1 : 0;
			return error;
		};
		server.smtp = new SMTPServer({
			authOptional: true,
			key: fs.readFileSync(at(`${certificate}.key`)),
			cert: fs.readFileSync(at(`${certificate}.pem`)),
			onConnect: (session, done) => done(judge('CONNECT')),
			onAuth: (auth, session, done) => {
				server.logins.push(auth.username);
				if (auth.username === user && auth.password === password && !judge('AUTH'))
					done(null, { user });
				else
					done(refusal(535, '5.7.8 no such user or password'));
			},
			onMailFrom: (address, session, done) => done(judge('MAIL', address.address)),
			onRcptTo: (address, session, done) => done(judge('RCPT', address.address)),
			onData: (stream, session, done) => {
				const chunks = [];
				stream.on('data', (chunk) => chunks.push(chunk));
				stream.on('end', async () => {
					const error = judge('DATA');
					if (!error)
						server.mails.push(await Mail.read(Buffer.concat(chunks), session));
					done(error);
				});
			},
			...options,
		});
		server.smtp.on('error', () => {});
		const listener = server.smtp.listen(0, '127.0.0.1');
		await once(listener, 'listening');
		server.port = listener.address().port;
		closers.push(() => new Promise((resolve) => { server.smtp.close(resolve); }));
		return server;
	}

	url(scheme = 'smtp') {
		return `${scheme}://127.0.0.1:${this.port}`;
	}

	of(key) {
		return this.mails.filter((mail) => mail.parsed.messageId === `<${key}@desk.example.com>`);
	}
}

class Mail {
	static async read(raw, session) {
		const mail = new Mail();
		mail.raw = raw.toString('latin1');
		mail.parsed = await simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true });
		mail.recipients = session.envelope.rcptTo.map((to) => to.address);
		mail.sender = session.envelope.mailFrom.address;
		mail.secure = session.secure;
		mail.user = session.user;
		return mail;
	}

	header(name) {
		return this.parsed.headers.get(name);
	}
}

// A server that only says what the script has for a command ("" = nothing, ever), and "250 yes" otherwise.
async function scripted(script) {
	const sockets = new Set();
	const server = net.createServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {});
		const say = (command, otherwise) => {
			const words = script[command] ?? otherwise;
			if (words === 'reset')
				socket.resetAndDestroy();
			else if (words)
				socket.write(`${words}\r\n`);
		};
		let inText = false;
		say('CONNECT', '220 here');
		readline.createInterface({ input: socket }).on('error', () => {}).on('line', (line) => {
			if (inText && line !== '.')
				return;
			const command = inText ? 'END' : line.split(/[ :]/)[0];
			inText = command === 'DATA';
			say(command, inText ? '354 go on' : '250 yes');
		});
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	closers.push(() => {
		for (const socket of sockets)
			socket.destroy();
		return new Promise((resolve) => { server.close(resolve); });
	});
	return { url: () => `smtp://127.0.0.1:${server.address().port}` };
}

// Deliveries --------------------------------------------------------------------------------------------------------

let number = 0;
function delivery(more = {}, ticket = {}, payload = {}) {
	number++;
	const id = more.ticket_id ?? number;
	return {
		key: `sla-${id}-${number}abc`, ticket_id: id, external_id: `${4000 + id}`, kind: 'escalated',
		at: '2026-07-03T09:00:00.250000Z',
		payload: {
			ticket: {
				id, external_id: `${4000 + id}`, org: 'ACME', plan: 'enterprise-gold', severity: 'critical',
				assignee: 'Ada', team: 'Database', link: `https://desk.example.com/t/${4000 + id}?a=1&b=2`, ...ticket,
			},
			milestone: { at: '2026-07-03T09:00:00.25Z', milestone: 'escalated', metric: 'first_response', trigger: '50%' },
			clock: {
				state: 'running', due_at: new Date(Date.now() + 15.5 * 60000).toISOString(), due_local: '3 July, 11:15 CEST',
				target: '1h', policy: 'enterprise', severity: 'critical',
			},
			alert: { key: `a-${id}`, state: 'firing', severity: 'warning' },
			notified: ['pager', 'lead'],
			...payload,
		},
		...more,
	};
}

const kinds = {
	risk: { given: delivery(), subject: /^First response to ACME #\d+ due in 15 min \(Critical, enterprise-gold\)$/,
		importance: 'normal' },
	breached: {
		given: delivery({}, {}, {
			alert: { key: 'a', state: 'firing', severity: 'critical' }, late_by: 7200,
			clock: { state: 'breached', due_at: new Date(Date.now() - 7230000).toISOString(), target: '1h', policy: 'e' },
		}),
		subject: /^First response to ACME #\d+ overdue by 2 h(?: 1 min)? \(Critical, enterprise-gold\)$/,
		importance: 'high',
	},
	error: { given: delivery({}, {}, { alert: { key: 'a', severity: 'error' } }), subject: /due in/, importance: 'high' },
	info: { given: delivery({}, {}, { alert: { key: 'a', severity: 'info' } }), subject: /due in/, importance: 'low' },
	met: {
		given: delivery({ kind: 'resolved' }, {}, {
			milestone: { milestone: 'met', metric: 'first_response', severity: 'critical' },
			alert: { key: 'a', state: 'resolved', severity: 'critical' },
		}),
		subject: /^First response to ACME #\d+ met in time \(Critical, enterprise-gold\)$/, importance: 'normal',
	},
	late: {
		given: delivery({ kind: 'resolved' }, {}, {
			milestone: { milestone: 'met', metric: 'resolution', severity: 'high', late_by: 5400 },
			alert: { key: 'a', state: 'resolved', severity: 'critical' },
		}),
		subject: /^Resolution of ACME #\d+ met 1 h 30 min late/, importance: 'normal',
	},
	withdrawn: {
		given: delivery({ kind: 'resolved' }, {}, {
			milestone: { milestone: 'withdrawn', metric: 'update', reason: 'the plan changed' },
			alert: { key: 'a', state: 'resolved', severity: 'warning' },
		}),
		subject: /no longer promised: the plan changed/, importance: 'normal',
	},
	acknowledged: {
		given: delivery({ kind: 'acknowledged' }, {}, {
			ack: { by: 'Grace', until: '2026-07-03T11:00:00Z' }, alert: { key: 'a', severity: 'critical' },
		}),
		subject: /^ACME #\d+ acknowledged by Grace$/, importance: 'normal',
	},
	test: {
		given: { ...delivery({ kind: 'test', key: 'test-1' }), payload: { test: { by: 'root' } } },
		subject: /^Test message from slated to channel mail/, importance: 'normal', alone: true,
	},
};

function digest(n) {
	const members = Array.from({ length: n }, (_, i) => delivery({}, {}, {
		alert: { key: `d-${i}`, state: 'firing', severity: ['warning', 'error', 'critical', 'info'][i % 4] },
	})).map((d, i) => ({ key: d.key, kind: i % 5 === 4 ? 'acknowledged' : 'escalated', payload: d.payload }));
	return { ...delivery({ kind: 'digest', key: `digest-${n}` }), payload: { messages: members } };
}

function start(url, { tls = 'offered', login = ['', ''], timeout = 10000, ca = at('ca.pem'), sentFrom = from,
	to = ['lead@example.com'] } = {}) {
	return spawn(sender, [url, tls, String(timeout), ...login, ca, sentFrom, ...to],
		{ stdio: ['pipe', 'pipe', 'inherit'] });
}

function feed(child, deliveries) {
	child.stdin.on('error', () => {});
	child.stdin.end(deliveries.map((d) => `${JSON.stringify(d)}\n`).join(''));
}

// What send_mail says of each outcome, until all are delivered or dead.
async function send(url, deliveries, { status = 0, ...options } = {}) {
	const child = start(url, options);
	let text = '';
	child.stdout.on('data', (chunk) => { text += chunk; });
	feed(child, deliveries);
	const [code] = await once(child, 'close');
	assert.equal(code, status, text);
	return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

// What it says of the first attempt, where the next ones would be no better.
async function attempt(url, given, options) {
	const child = start(url, options);
	const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	feed(child, [given]);
	const { value } = await lines.next();
	child.kill();
	return JSON.parse(value);
}

// Mails -------------------------------------------------------------------------------------------------------------

function checkForm(mail) {
	const [head] = mail.raw.split('\r\n\r\n');
	assert.ok(mail.raw.endsWith('\r\n'));
	assert.equal(mail.raw.replaceAll('\r\n', '').search(/[\r\n]/), -1, 'lines end in CRLF');
	assert.equal(mail.raw.search(/[^\t\r\n -~]/), -1, 'all is ASCII');
	for (const line of mail.raw.split('\r\n'))
		assert.ok(line.length <= 78, line);
	const names = head.split('\r\n').filter((line) => /^\S/.test(line)).map((line) => line.split(':')[0].toLowerCase());
	assert.equal(new Set(names).size, names.length, 'no header comes twice');
	for (const name of ['bcc', 'cc', 'reply-to'])
		assert.ok(!names.includes(name), name);
}

test('each kind of message', async (t) => {
	const server = await Server.start();
	for (const [name, { given, subject, importance, alone }] of Object.entries(kinds))
		await t.test(name, async () => {
			const outcomes = await send(server.url(), [given]);
			assert.deepEqual(outcomes, [{ key: given.key, outcome: 'delivered', attempts: 1, wait_ms: 0 }]);
			const [mail] = server.of(given.key);
			checkForm(mail);
			assert.match(mail.parsed.subject, subject);
			assert.match(mail.raw, new RegExp(`^Importance: ${importance}\r$`, 'm'));
			assert.equal(mail.header('priority'), importance);
			assert.equal(mail.header('auto-submitted'), 'auto-generated');
			assert.equal(mail.header('x-auto-response-suppress'), 'All');
			assert.deepEqual(mail.parsed.from.value, [{ address: from, name: 'slated' }]);
			assert.deepEqual(mail.parsed.to.value, [{ address: 'lead@example.com', name: '' }]);
			assert.equal(mail.sender, from);
			assert.ok(Math.abs(mail.parsed.date - Date.now()) < 60000);
			const { link } = given.payload.ticket ?? {};
			for (const body of [mail.parsed.text, mail.parsed.html]) {
				assert.ok(body.includes(mail.parsed.subject));
				assert.ok(body.includes('slated (test 1)'));
				assert.equal(body.includes('desk.example.com/t/'), !alone);
			}
			assert.ok(alone || mail.parsed.text.includes(`\n${link}\n`));
			assert.ok(alone || mail.parsed.html.includes(`href="${link.replaceAll('&', '&amp;')}"`));
			const root = alone ? undefined : `<slated-ticket-${given.ticket_id}@desk.example.com>`;
			assert.equal(mail.parsed.inReplyTo, root);
			assert.equal(mail.parsed.references, root);
			if (samples)
				fs.writeFileSync(path.join(samples, `${name}.html`), mail.parsed.html);
		});
});

test('the facts stand in both bodies', async () => {
	const server = await Server.start();
	await send(server.url(), [kinds.risk.given]);
	const [{ parsed }] = server.mails;
	for (const [name, value] of [['Customer', 'ACME'], ['Plan', 'enterprise-gold'], ['Due', '3 July, 11:15 CEST'],
		['Assignee', 'Ada'], ['Sent to', 'pager, lead']]) {
		assert.match(parsed.text, new RegExp(`^${name}: +${value}$`, 'm'));
		assert.ok(parsed.html.includes(`<tr><th>${name}</th><td>${value}</td></tr>`), name);
	}
});

test('a ticket is a thread, and a repetition has the same id', async () => {
	const server = await Server.start();
	const [one, two, other] = [77, 77, 78].map((id) => delivery({ ticket_id: id }));
	await send(server.url(), [one, other]);
	await send(server.url(), [two]);
	await send(server.url(), [one]);
	assert.equal(server.of(one.key).length, 2);
	const roots = [one, two, other].map((d) => server.of(d.key)[0].parsed.references);
	assert.equal(roots[0], roots[1]);
	assert.notEqual(roots[0], roots[2]);
	assert.equal(new Set(server.mails.map((mail) => mail.parsed.messageId)).size, 3);
});

const names = {
	'umlauts and a sign': 'Zürich & Söhne ☎',
	'beyond the first plane': '😀'.repeat(40),
	'markup': '<script>alert("x")</script> \'&amp;\'',
	'what looks like an encoded word': '=?UTF-8?Q?x?=',
	'a long word': 'x'.repeat(150),
	'a long word, not ASCII': 'ü'.repeat(70),
	'lines that end in equals signs and blanks': '=20 = .',
};
for (const [name, org] of Object.entries(names))
	test(`a name of ${name}`, async () => {
		const server = await Server.start();
		await send(server.url(), [delivery({}, { org })]);
		const [mail] = server.mails;
		checkForm(mail);
		// Where the name is long, the title has its head.
		const shown = Buffer.byteLength(org) > 50 ? [...org].slice(0, 12).join('') : `${org} #`;
		assert.ok(mail.parsed.subject.startsWith(`First response to ${shown}`), mail.parsed.subject);
		assert.ok(mail.parsed.text.includes(`Customer: ${org}\n`));
		const escaped = org.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
			.replaceAll('\'', '&#39;');
		assert.ok(mail.parsed.html.includes(`<td>${escaped}</td>`));
	});

test('a long subject is cut, between characters', async () => {
	const server = await Server.start();
	const long = 'ü'.repeat(300);
	await send(server.url(), [delivery({}, { org: long, plan: long, severity: long })]);
	const [mail] = server.mails;
	checkForm(mail);
	assert.ok(Buffer.byteLength(mail.parsed.subject) <= 250);
	assert.match(mail.parsed.subject, /^First response to ü+…? .*…/u);
	assert.doesNotMatch(mail.parsed.subject, /\ufffd/);
});

test('no text becomes a header', async () => {
	const server = await Server.start();
	const evil = 'x\r\nBcc: evil@example.com\r\n\r\n<b>';
	await send(server.url(), [delivery({ key: evil }, { org: evil, external_id: evil, assignee: evil })]);
	const [mail] = server.mails;
	checkForm(mail);
	assert.equal(mail.header('message-id'), '<x%20Bcc%3A%20evil%40example%2Ecom%20%3Cb%3E@desk.example.com>');
	assert.deepEqual(mail.recipients, ['lead@example.com']);
});

test('a link that is none is not shown', async () => {
	const server = await Server.start();
	await send(server.url(), [delivery({}, { link: 'javascript:alert(1)' }), delivery({}, { link: undefined })]);
	for (const { parsed } of server.mails) {
		assert.ok(!parsed.html.includes('href='));
		assert.ok(!parsed.text.includes('javascript'));
	}
});

for (const n of [1, 200])
	test(`a digest of ${n}`, async () => {
		const server = await Server.start();
		const given = digest(n);
		const [outcome] = await send(server.url(), [given]);
		assert.equal(outcome.outcome, 'delivered');
		const [mail] = server.mails;
		checkForm(mail);
		assert.equal(mail.parsed.references, undefined);
		assert.equal(mail.header('priority'), n > 1 ? 'high' : 'normal');
		// Gmail cuts a body off there.
		assert.ok(Buffer.byteLength(mail.parsed.html) < 102 * 1024);
		for (const { payload: { ticket } } of given.payload.messages) {
			const name = `ACME #${ticket.external_id}`;
			assert.ok(mail.parsed.html.includes(`<a href="${ticket.link.replaceAll('&', '&amp;')}">${name}</a>`), name);
			assert.ok(mail.parsed.text.includes(`\n  ${ticket.link}\n`), name);
		}
		assert.equal(mail.parsed.html.split('<tr>').length - 1, n);
		if (samples)
			fs.writeFileSync(path.join(samples, `digest-${n}.html`), mail.parsed.html);
	});

// Recipients --------------------------------------------------------------------------------------------------------

test('several recipients are told in one mail', async () => {
	const server = await Server.start();
	const to = ['lead@example.com', 'o\'hara+sla@example.com', 'c@a-b.example'];
	await send(server.url(), [delivery()], { to });
	assert.equal(server.mails.length, 1);
	assert.deepEqual(server.mails[0].recipients, to);
	assert.deepEqual(server.mails[0].parsed.to.value.map((value) => value.address), to);
});

test('an address of the delivery takes the place of the channel\'s', async () => {
	const server = await Server.start();
	await send(server.url(), [delivery({ address: 'ada@example.com' })], { to: ['a@example.com', 'b@example.com'] });
	assert.deepEqual(server.mails[0].recipients, ['ada@example.com']);
	assert.equal(server.mails[0].parsed.to.text, 'ada@example.com');
});

for (const address of ['', 'ada', '@example.com', 'ada@', 'a b@example.com', 'ada@example.com>\r\nRCPT TO:<b@example.com',
	'ada@example.com, b@example.com', 'Ada <ada@example.com>', 'ädä@example.com', `${'a'.repeat(65)}@example.com`])
	test(`"${address.slice(0, 30)}" is no address: dead`, async () => {
		const server = await Server.start();
		const outcomes = await send(server.url(), [delivery({ address })]);
		assert.deepEqual(outcomes.map((o) => o.outcome), ['dead']);
		assert.equal(server.mails.length, 0);
	});

const later = (n) => (refused) => refused < n ? refusal(451, '4.7.1 greylisted, come back') : null;
const nobody = (refused, address) =>
	address?.startsWith('nobody') ? refusal(550, `5.1.1 ${address} is unknown`) : null;

test('one refused recipient does not stop the others', async () => {
	const server = await Server.start({ refuse: { RCPT: nobody } });
	const to = ['a@example.com', 'nobody@example.com', 'b@example.com'];
	const outcomes = await send(server.url(), [delivery()], { to });
	assert.equal(outcomes.length, 1);
	assert.equal(outcomes[0].outcome, 'delivered');
	assert.equal(outcomes[0].error,
		'1 of 3 recipients refused: nobody@example.com: 550 5.1.1 nobody@example.com is unknown');
	assert.deepEqual(server.mails[0].recipients, ['a@example.com', 'b@example.com']);
});

test('all refused for good: dead, with the words of the server', async () => {
	const server = await Server.start({ refuse: { RCPT: nobody } });
	const outcomes = await send(server.url(), [delivery()], { to: ['nobody@example.com', 'nobody2@example.com'] });
	assert.deepEqual(outcomes.map((o) => [o.outcome, o.error]), [['dead',
		'all recipients refused: nobody@example.com: 550 5.1.1 nobody@example.com is unknown; ' +
		'nobody2@example.com: 550 5.1.1 nobody2@example.com is unknown']]);
});

test('all refused, one of them for now: tried again', async () => {
	const server = await Server.start({ refuse: {
		RCPT: (refused, address) => nobody(refused, address) ?? later(2)(refused),
	} });
	const outcomes = await send(server.url(), [delivery()], { to: ['nobody@example.com', 'a@example.com'] });
	assert.deepEqual(outcomes.map((o) => o.outcome), ['retry', 'delivered']);
});

// What is in the way ------------------------------------------------------------------------------------------------

for (const [command, responseCode, outcome] of [
	['RCPT', 451, 'retry'], ['RCPT', 421, 'retry'], ['RCPT', 530, 'retry'], ['RCPT', 554, 'dead'],
	['MAIL', 451, 'retry'], ['MAIL', 530, 'retry'], ['MAIL', 550, 'dead'],
	['DATA', 452, 'retry'], ['DATA', 554, 'dead'], ['CONNECT', 554, 'retry'], ['CONNECT', 421, 'retry'],
])
	test(`${responseCode} to ${command}: ${outcome}`, async () => {
		const server = await Server.start({ refuse: {
			[command]: (refused) => refused < 1 ? refusal(responseCode, 'no such luck') : null,
		} });
		const given = delivery();
		const outcomes = await send(server.url(), [given]);
		assert.deepEqual(outcomes.map((o) => o.outcome), outcome === 'dead' ? ['dead'] : ['retry', 'delivered']);
		assert.match(outcomes[0].error, new RegExp(`${responseCode} no such luck`));
		assert.equal(server.of(given.key).length, outcome === 'dead' ? 0 : 1);
	});

test('a reply of several lines is told whole', async () => {
	const server = await scripted({ RCPT: '550-5.1.1 The account\r\n550-5.1.1 that you tried\r\n550 5.1.1 is gone' });
	const [outcome] = await send(server.url(), [delivery()]);
	assert.equal(outcome.outcome, 'dead');
	assert.equal(outcome.error,
		'all recipients refused: lead@example.com: 550 5.1.1 The account 5.1.1 that you tried 5.1.1 is gone');
});

for (const [where, script] of Object.entries({
	greeting: { CONNECT: '' }, recipient: { RCPT: '' }, verdict: { END: '' },
}))
	test(`a server that hangs before its ${where} is tried again`, async () => {
		const server = await scripted(script);
		const outcome = await attempt(server.url(), delivery(), { timeout: 700 });
		assert.equal(outcome.outcome, 'retry');
		assert.match(outcome.error, /time/i);
	});

test('a server that hangs holds nobody else up', async () => {
	// Were the client to wait for one verdict after the other, the sender's half minute would be over.
	const server = await scripted({ END: '' });
	const begin = Date.now();
	const child = start(server.url(), { timeout: 2000 });
	feed(child, Array.from({ length: 40 }, () => delivery()));
	const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	for (let i = 0; i < 40; i++)
		assert.equal(JSON.parse((await lines.next()).value).outcome, 'retry');
	child.kill();
	assert.ok(Date.now() - begin < 20000);
});

test('a server that hangs on good-bye has taken the mail', async () => {
	const server = await scripted({ QUIT: '' });
	const [outcome] = await send(server.url(), [delivery()]);
	assert.equal(outcome.outcome, 'delivered');
});

for (const where of ['CONNECT', 'RCPT', 'END'])
	test(`a connection that is reset at ${where} is tried again`, async () => {
		const server = await scripted({ [where]: 'reset' });
		assert.equal((await attempt(server.url(), delivery())).outcome, 'retry');
	});

test('a port on which nobody listens is tried again', async () => {
	const server = net.createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	server.close();
	await once(server, 'close');
	const outcome = await attempt(`smtp://127.0.0.1:${port}`, delivery());
	assert.equal(outcome.outcome, 'retry');
	assert.match(outcome.error, /connect/i);
});

test('a hundred mails at once', async () => {
	const server = await Server.start();
	const many = Array.from({ length: 100 }, () => delivery());
	const outcomes = await send(server.url(), many, { tls: 'required' });
	assert.ok(outcomes.every((outcome) => outcome.outcome === 'delivered'));
	assert.equal(server.mails.length, 100);
});

// TLS and login -----------------------------------------------------------------------------------------------------

for (const { tls, scheme = 'smtp', offers = true, secure } of [
	{ tls: 'offered', secure: true }, { tls: 'offered', offers: false, secure: false },
	{ tls: 'required', secure: true }, { tls: 'never', secure: false },
	{ tls: 'offered', scheme: 'smtps', secure: true }, { tls: 'required', scheme: 'smtps', secure: true },
	{ tls: 'never', scheme: 'smtps', secure: true },
])
	test(`${scheme}, TLS ${tls}, ${offers ? '' : 'not '}offered by the server`, async () => {
		const server = await Server.start({
			secure: scheme === 'smtps', disabledCommands: offers ? [] : ['STARTTLS'],
		});
		const [outcome] = await send(server.url(scheme), [delivery()], { tls });
		assert.equal(outcome.outcome, 'delivered', outcome.error);
		assert.equal(server.mails[0].secure, secure);
	});

test('TLS that is required and not offered: tried again, and nothing is told in the clear', async () => {
	const server = await Server.start({ disabledCommands: ['STARTTLS'], allowInsecureAuth: true });
	const outcome = await attempt(server.url(), delivery(), { tls: 'required', login: [user, password] });
	assert.equal(outcome.outcome, 'retry');
	assert.match(outcome.error, /STARTTLS/);
	assert.equal(server.mails.length, 0);
	assert.equal(server.logins.length, 0);
});

for (const scheme of ['smtp', 'smtps'])
	for (const [what, options, ca] of [['of an unknown authority', {}, ''], ['of another host', { certificate: 'wrong' }]])
		test(`${scheme}: a certificate ${what}: tried again, and nothing is told`, async () => {
			const server = await Server.start({ secure: scheme === 'smtps', ...options });
			const outcome = await attempt(server.url(scheme), delivery(), { ca, login: [user, password] });
			assert.equal(outcome.outcome, 'retry');
			assert.match(outcome.error, /certificate/i);
			assert.equal(server.mails.length, 0);
			assert.equal(server.logins.length, 0);
		});

for (const method of ['PLAIN', 'LOGIN'])
	test(`a login by ${method}`, async () => {
		const server = await Server.start({ authOptional: false, authMethods: [method] });
		const [outcome] = await send(server.url(), [delivery()], { tls: 'required', login: [user, password] });
		assert.equal(outcome.outcome, 'delivered', outcome.error);
		assert.equal(server.mails[0].user, user);
	});

test('a wrong password: tried again, since somebody may mend it; no secret is told', async () => {
	const server = await Server.start({ authOptional: false });
	const outcome = await attempt(server.url(), delivery(), { tls: 'required', login: [user, 'not it'] });
	assert.equal(outcome.outcome, 'retry');
	assert.match(outcome.error, /535 5\.7\.8 no such user or password/);
	assert.doesNotMatch(outcome.error, /not it/);
	assert.equal(server.mails.length, 0);
});

test('a login that the server wants and nobody gave: tried again', async () => {
	const server = await Server.start({ authOptional: false });
	const outcome = await attempt(server.url(), delivery());
	assert.equal(outcome.outcome, 'retry');
	assert.match(outcome.error, /530/);
});

// Settings ----------------------------------------------------------------------------------------------------------

for (const url of ['', 'nowhere', 'http://127.0.0.1/', 'smtp://'])
	test(`"${url}" is no mail server`, async () => {
		await send(url, [], { status: 2 });
	});

for (const [what, options] of Object.entries({
	'a sender with a blank': { sentFrom: 'a b@example.com' },
	'a sender without a host': { sentFrom: 'a@' },
	'a recipient in brackets': { to: ['a@example.com', '<b@example.com>'] },
	'a recipient of two lines': { to: ['a@example.com\r\nb@example.com'] },
}))
	test(`${what} is refused`, async () => {
		await send('smtp://127.0.0.1:1', [], { ...options, status: 2 });
	});
