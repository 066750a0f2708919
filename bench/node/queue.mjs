// A queue for Node that is given jobs for later. Prints when they were done, in seconds after each one's instant: the
// median, the 99th percentile and the last, as the database has committed it or the library says that it is complete.
//
//	queue.mjs pg-boss|graphile-worker CONNECTION-STRING JOBS LEAD SPREAD
//
// The first is due LEAD seconds from now, the last SPREAD seconds later.
import process from 'node:process';

const [kind, connectionString] = process.argv.slice(2, 4);
const [count, lead, spread] = process.argv.slice(4).map(Number);
const begin = Date.now() + lead * 1000;
const due = Array.from({ length: count }, (_, i) => begin + (spread * 1000 * i) / count);
const late = [];
let finish;
const finished = new Promise((resolve) => { finish = resolve; });

function done(number, at) {
	late.push((at - due[number]) / 1000);
	if (late.length === count)
		finish();
}

// All are to be there before the first is due: otherwise it is not the queue that is late.
function expectLead() {
	if (Date.now() > begin)
		throw new Error(`${count} jobs could not be added within ${lead} s`);
}

// What their documentation says of throughput: large batches, a local queue, completion in batches, the least interval.
async function runBoss() {
	const { PgBoss } = await import('pg-boss');
	const boss = new PgBoss({ connectionString, max: 8, supervise: false, schedule: false });
	boss.on('error', (error) => { // a poll may still be on its way when all is done
		if (late.length < count)
			throw error;
	});
	await boss.start();
	await boss.createQueue('bench');
	for (let from = 0; from < count; from += 5000)
		await boss.insert('bench', due.slice(from, from + 5000).map((at, i) => ({
			data: { number: from + i }, startAfter: new Date(at) })));
	expectLead();
	const seen = [];
	await boss.work('bench', { batchSize: Math.min(count, 2000), pollingIntervalSeconds: 0.5 }, async (jobs) => {
		for (const job of jobs)
			seen.push(job.data.number);
	});
	const { default: pg } = await import('pg');
	const client = new pg.Client({ connectionString });
	await client.connect();
	while (seen.length < count)
		await new Promise((resolve) => { setTimeout(resolve, 20); });
	let rows = [];
	while (rows.length < count) {
		({ rows } = await client.query("SELECT (data->>'number')::int AS number, completed_on FROM pgboss.job WHERE state = 'completed'"));
		await new Promise((resolve) => { setTimeout(resolve, 20); });
	}
	for (const { number, completed_on } of rows)
		done(number, completed_on.getTime());
	await finished;
	await boss.stop({ graceful: false });
	await client.query('DROP SCHEMA pgboss CASCADE');
	await client.end();
}

async function runGraphile() {
	const { run, makeWorkerUtils, WorkerEvents } = await import('graphile-worker').then((m) => m.default ?? m);
	const { EventEmitter } = await import('node:events');
	const { default: pg } = await import('pg');
	const utils = await makeWorkerUtils({ connectionString });
	await utils.migrate();
	for (let from = 0; from < count; from += 5000)
		await utils.addJobs(due.slice(from, from + 5000).map((at, i) => ({
			identifier: 'bench', payload: { number: from + i }, runAt: new Date(at) })));
	await utils.release();
	const client = new pg.Client({ connectionString });
	await client.connect();
	await client.query('ANALYZE');
	expectLead();
	const events = new EventEmitter();
	events.on('job:complete', ({ job }) => done(job.payload.number, Date.now()));
	const quiet = { error() {}, warn() {}, info() {}, debug() {} };
	const { Logger } = await import('graphile-worker').then((m) => m.default ?? m);
	const runner = await run({ connectionString, taskList: { bench: async () => {} }, events, noHandleSignals: true,
		logger: new Logger(() => (level) => quiet[level]?.()),
		preset: { worker: { concurrentJobs: 24, pollInterval: 100, maxPoolSize: 10, localQueue: { size: 500 },
			completeJobBatchDelay: 5 } } });
	// In a large burst some completions are not told of; those are as late as the end of all.
	const look = setInterval(async () => {
		const { rows } = await client.query('SELECT FROM graphile_worker.jobs LIMIT 1');
		for (const at = Date.now(); rows.length === 0 && at > due[count - 1] && late.length < count;)
			late.push((at - due[count - 1]) / 1000);
		if (late.length === count)
			finish();
	}, 100);
	await finished;
	clearInterval(look);
	await runner.stop();
	await client.query('DROP SCHEMA graphile_worker CASCADE');
	await client.end();
}

await (kind === 'pg-boss' ? runBoss() : runGraphile());
late.sort((a, b) => a - b);
console.log(late[Math.floor(count / 2)], late[Math.floor(count * 0.99)], late[count - 1]);
process.exit(0);
