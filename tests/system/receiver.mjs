#!/usr/bin/env node
// A receiver of webhooks that judges what it gets with other people's libraries: the signature with
// standardwebhooks, the event with cloudevents. It prints {"listening": PORT} and then one JSON object a request.
//
//	receiver.mjs [--port N] [--secret SECRET]...
//
// Several secrets: every one must verify. "whsec_..." is base64, anything else is taken as it is. What it answers is
// told by the URL, so that tests can share one receiver:
//
//	/...?answer=204             that status to every request; 200 without it
//	/...?answer=500,429,200     one status after the other for each webhook-id, the last one again and again
//	/...?retry_after=2          with that Retry-After, where the status is no 2xx ("date:2" = as a date, 2 s from now)
//	/...?body=TEXT              with that body ("big" = 1 MiB)
//	answers besides a status: "hang" (never answers), "reset" (cuts the connection)
import http from 'node:http';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';

const { values: options } = parseArgs({
	options: {
		port: { type: 'string', default: '0' },
		secret: { type: 'string', multiple: true, default: [] },
	},
});
const webhooks = options.secret.map((secret) =>
	secret.startsWith('whsec_') ? new Webhook(secret) : new Webhook(secret, { format: 'raw' }));
const attempts = new Map();

// null, or why the request is not what it should be.
function judge(request, body) {
	if (request.method !== 'POST')
		return `method ${request.method}`;
	if (request.headers['content-type'] !== 'application/cloudevents+json; charset=utf-8')
		return `content type ${request.headers['content-type']}`;
	try {
		for (const webhook of webhooks)
			webhook.verify(body, request.headers);
		const signatures = (request.headers['webhook-signature'] ?? '').split(' ').filter(Boolean);
		if (signatures.length !== webhooks.length)
			return `${signatures.length} signatures`;
		// Throws where the event does not conform to the specification.
		HTTP.toEvent({ headers: request.headers, body }).validate();
	} catch (error) {
		return `${error.name}: ${error.message} ${JSON.stringify(error.errors ?? '')}`;
	}
	if (JSON.parse(body).id !== request.headers['webhook-id'])
		return 'webhook-id is not the id of the event';
	return null;
}

function report(request, body, attempt) {
	const reason = judge(request, body);
	let event = {};
	try {
		event = JSON.parse(body);
	} catch {
		// judge() has said so.
	}
	const line = {
		id: request.headers['webhook-id'],
		type: event.type,
		source: event.source,
		subject: event.subject,
		time: event.time,
		verified: reason === null,
		reason: reason ?? undefined,
		attempt,
		timestamp: Number(request.headers['webhook-timestamp']),
		signature: request.headers['webhook-signature'],
		user_agent: request.headers['user-agent'],
		path: request.url,
		connection: request.socket.remotePort,
		received_at: new Date().toISOString(),
		data: event.data,
	};
	process.stdout.write(`${JSON.stringify(line)}\n`);
}

function answer(request, response, attempt, query) {
	const answers = (query.get('answer') ?? '200').split(',');
	const what = answers[Math.min(attempt, answers.length) - 1];
	if (what === 'hang')
		return;
	if (what === 'reset') {
		request.socket.resetAndDestroy();
		return;
	}
	const status = Number(what);
	const after = query.get('retry_after');
	if (after && (status < 200 || status > 299))
		response.setHeader('Retry-After', after.startsWith('date:')
			? new Date(Date.now() + 1000 * Number(after.slice(5))).toUTCString() : after);
	if (status >= 300 && status <= 399)
		response.setHeader('Location', '/redirected');
	response.writeHead(status);
	const text = query.get('body') ?? '';
	response.end(text === 'big' ? 'x'.repeat(1024 * 1024) : text);
}

const server = http.createServer((request, response) => {
	const chunks = [];
	request.on('data', (chunk) => chunks.push(chunk));
	request.on('end', () => {
		const query = new URL(request.url, 'http://localhost').searchParams;
		const key = `${query} ${request.headers['webhook-id']}`;
		const attempt = (attempts.get(key) ?? 0) + 1;
		attempts.set(key, attempt);
		report(request, Buffer.concat(chunks).toString(), attempt);
		answer(request, response, attempt, query);
	});
});
server.listen(Number(options.port), '127.0.0.1', () => {
	process.stdout.write(`${JSON.stringify({ listening: server.address().port })}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT'])
	process.on(signal, () => process.exit(0));
