#!/usr/bin/env node
// Signs with npm's standardwebhooks. Reads lines {"secret", "id", "timestamp", "body"}, prints a signature for each.
import process from 'node:process';
import readline from 'node:readline';
import { Webhook } from 'standardwebhooks';

for await (const line of readline.createInterface({ input: process.stdin })) {
	const { secret, id, timestamp, body } = JSON.parse(line);
	const webhook = new Webhook(secret, { format: 'raw' });
	process.stdout.write(`${webhook.sign(id, new Date(timestamp * 1000), body)}\n`);
}
