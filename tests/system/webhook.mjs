// The webhook channel, end to end: webhook.mjs SEND_WEBHOOK starts a receiver and sends to it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import readline from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const sender = process.argv[2];
const here = path.dirname(fileURLToPath(import.meta.url));
const secrets = [
	`whsec_${Buffer.from('a secret of thirty-two bytes ...').toString('base64')}`,
	`whsec_${Buffer.from('one whose base64 has padding.').toString('base64')}`,
	'as it stands',
];
const receivers = [];

class Receiver {
	constructor(given) {
		this.requests = [];
		this.child = spawn(process.execPath, [path.join(here, 'receiver.mjs'),
			...given.flatMap((secret) => ['--secret', secret])], { stdio: ['ignore', 'pipe', 'inherit'] });
		this.lines = readline.createInterface({ input: this.child.stdout });
		this.port = new Promise((resolve) => {
			this.lines.on('line', (line) => {
				const object = JSON.parse(line);
				if (object.listening)
					resolve(object.listening);
				else
					this.requests.push(object);
			});
		});
		receivers.push(this);
	}

	// The requests so far whose id begins so. A request of our own comes last through the same pipe.
	async of(prefix) {
		const mark = `mark ${randomUUID()}`;
		await fetch(await this.url(), { headers: { 'webhook-id': mark } });
		while (!this.requests.some((request) => request.id === mark))
			await once(this.lines, 'line');
		return this.requests.filter((request) => request.id.startsWith(prefix));
	}

	async url(query = '') {
		return `http://127.0.0.1:${await this.port}/sla?${query}`;
	}
}

let signed, unsigned;
before(() => {
	signed = new Receiver(secrets);
	unsigned = new Receiver([]);
});
after(() => {
	for (const receiver of receivers)
		receiver.child.kill();
});

let number = 0;
function delivery(prefix, more = {}) {
	number++;
	return {
		key: `${prefix}-${number}`, ticket_id: number, external_id: `T-${number}`, kind: 'escalated',
		at: '2026-07-03T09:00:00.250000Z', payload: { ticket: `T-${number}`, late_by: 0.25 }, ...more,
	};
}

// What send_webhook says of each outcome; `env` on top of ours.
function send(url, deliveries, { given = secrets, timeout = 10000, env = {}, status = 0 } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(sender, [url, String(timeout), ...given],
			{ stdio: ['pipe', 'pipe', status ? 'ignore' : 'inherit'], env: { ...process.env, ...env } });
		let text = '';
		child.stdout.on('data', (chunk) => { text += chunk; });
		child.stdin.on('error', () => {});
		child.on('error', reject);
		child.on('close', (code) => {
			try {
				assert.equal(code, status, text);
				resolve(text.split('\n').filter(Boolean).map((line) => JSON.parse(line)));
			} catch (error) {
				reject(error);
			}
		});
		child.stdin.end(deliveries.map((d) => `${JSON.stringify(d)}\n`).join(''));
	});
}

test('a delivery arrives as a signed event', async () => {
	const given = delivery('one', { external_id: 'Zürich "7"', payload: { text: 'ü ☎ "\\', n: 12345678901234 } });
	const outcomes = await send(await signed.url(), [given]);
	assert.deepEqual(outcomes, [{ key: given.key, outcome: 'delivered', attempts: 1, wait_ms: 0 }]);
	const [request] = await signed.of('one');
	assert.equal(request.verified, true, request.reason);
	assert.equal(request.type, 'io.slated.escalated.v1');
	assert.equal(request.source, '/slated/test%201');
	assert.equal(request.subject, given.external_id);
	assert.equal(request.time, '2026-07-03T09:00:00.250000Z');
	assert.deepEqual(request.data, given.payload);
	assert.match(request.user_agent, /^slated\/\d/);
	assert.equal(request.signature.split(' ').length, secrets.length);
	assert.ok(Math.abs(request.timestamp - Date.now() / 1000) < 60);
});

test('without a secret: no signature, id and timestamp all the same', async () => {
	await send(await unsigned.url(), [delivery('plain', { external_id: undefined })], { given: [] });
	const [request] = await unsigned.of('plain');
	assert.equal(request.verified, true, request.reason);
	assert.equal(request.signature, undefined);
	assert.equal(request.subject, undefined);
	assert.ok(request.timestamp > 0);
});

test('a wrong secret does not verify', async () => {
	await send(await signed.url(), [delivery('wrong')], { given: [secrets[0], secrets[1], 'another'] });
	assert.equal((await signed.of('wrong'))[0].verified, false);
});

for (const status of [200, 201, 204])
	test(`${status} is delivered`, async () => {
		const [outcome] = await send(await signed.url(`answer=${status}`), [delivery(`ok${status}`)]);
		assert.equal(outcome.outcome, 'delivered');
	});

for (const status of [301, 302, 307, 400, 401, 403, 404, 410])
	test(`${status} is dead`, async () => {
		const outcomes = await send(await signed.url(`answer=${status}&body=no%0A%00such`), [delivery(`dead${status}`)]);
		assert.equal(outcomes.length, 1);
		assert.equal(outcomes[0].outcome, 'dead');
		assert.equal(outcomes[0].error, `HTTP ${status}: no such`);
		assert.equal((await signed.of(`dead${status}`)).length, 1);
		assert.equal(signed.requests.filter((request) => request.path === '/redirected').length, 0);
	});

for (const answers of ['408,200', '425,200', '429,200', '500,503,200', 'reset,200', 'hang,200'])
	test(`${answers} is tried again, under the same id, signed anew`, async () => {
		const tries = answers.split(',').length;
		const prefix = `again-${answers.split(',')[0]}`;
		const outcomes = await send(await signed.url(`answer=${answers}`), [delivery(prefix)],
			{ timeout: answers.startsWith('hang') ? 500 : 10000 });
		assert.deepEqual(outcomes.map((o) => o.outcome), [...Array(tries - 1).fill('retry'), 'delivered']);
		assert.deepEqual(outcomes.map((o) => o.attempts), [...Array(tries).keys()].map((n) => n + 1));
		for (const outcome of outcomes.slice(0, -1)) {
			assert.ok(outcome.wait_ms >= 0 && outcome.wait_ms <= 2000);
			assert.ok(outcome.error);
		}
		const requests = await signed.of(prefix);
		assert.equal(requests.length, tries);
		assert.equal(new Set(requests.map((request) => request.id)).size, 1);
		for (const request of requests)
			assert.equal(request.verified, true, request.reason);
	});

for (const after of ['7', 'date:7'])
	test(`Retry-After ${after} is kept`, async () => {
		const [first, second] = await send(await signed.url(`answer=429,200&retry_after=${after}`),
			[delivery('asked')]);
		assert.ok(first.wait_ms > 5000 && first.wait_ms <= 8000, `${first.wait_ms} ms`);
		assert.equal(second.outcome, 'delivered');
		const [earlier, later] = (await signed.of('asked')).slice(-2);
		assert.ok(later.timestamp - earlier.timestamp >= 5, 'the timestamp is of the attempt');
	});

test('order within a ticket holds through retries, others pass', async () => {
	const lane = [1, 2, 3].map(() => delivery('lane', { ticket_id: 1000 }));
	const others = [1, 2, 3].map(() => delivery('other'));
	await send(await signed.url('answer=500,500,200'), [...lane, ...others]);
	const ids = (await signed.of('lane')).map((request) => request.id);
	assert.deepEqual(ids, lane.flatMap((d) => [d.key, d.key, d.key]));
	assert.equal((await signed.of('other')).length, 9);
});

test('200 deliveries share connections', async () => {
	const many = Array.from({ length: 200 }, () => delivery('many'));
	const outcomes = await send(await signed.url(), many);
	assert.equal(outcomes.filter((outcome) => outcome.outcome === 'delivered').length, 200);
	const requests = await signed.of('many');
	assert.equal(new Set(requests.map((request) => request.id)).size, 200);
	assert.ok(requests.every((request) => request.verified));
	assert.ok(new Set(requests.map((request) => request.connection)).size <= 64);
});

test('a big answer is cut off, the status counts', async () => {
	const [outcome] = await send(await signed.url('body=big'), [delivery('big')]);
	assert.equal(outcome.outcome, 'delivered');
	const [dead] = await send(await signed.url('answer=422&body=big'), [delivery('big')]);
	assert.equal(dead.error, `HTTP 422: ${'x'.repeat(200)}`);
});

test('no proxy of the environment is used', async () => {
	const proxy = 'http://127.0.0.1:9';
	const [outcome] = await send(await signed.url(), [delivery('direct')],
		{ env: { http_proxy: proxy, ALL_PROXY: proxy, no_proxy: '', NO_PROXY: '' } });
	assert.equal(outcome.outcome, 'delivered');
});

test('a port on which nobody listens is tried again', async () => {
	// Taken and given back, so that it is free.
	const server = net.createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	server.close();
	await once(server, 'close');
	const child = spawn(sender, [`http://127.0.0.1:${port}/`, '5000'], { stdio: ['pipe', 'pipe', 'inherit'] });
	child.stdin.end(`${JSON.stringify(delivery('nobody'))}\n`);
	const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	for (let attempt = 1; attempt <= 3; attempt++) {
		const outcome = JSON.parse((await lines.next()).value);
		assert.equal(outcome.attempts, attempt);
		assert.equal(outcome.outcome, 'retry');
		assert.match(outcome.error, /connect/i);
	}
	child.kill();
});

test('a key that would be a header of its own is dead', async () => {
	const outcomes = await send(await signed.url(), [delivery('x', { key: 'bad\r\nx-evil: 1' })]);
	assert.equal(outcomes[0].outcome, 'dead');
	assert.equal((await signed.of('bad')).length, 0);
});

for (const url of ['', 'nowhere', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'http://'])
	test(`"${url}" is no URL for a webhook`, async () => {
		await send(url, [], { status: 2 });
	});

for (const secret of ['', 'whsec_', 'whsec_a', 'whsec_!!!!', 'whsec_YQ=a'])
	test(`"${secret}" is no secret`, async () => {
		await send(await signed.url(), [], { given: [secret], status: 2 });
	});
