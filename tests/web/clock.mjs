// Run by a test, with the library in place of this word: the wall clock is set while a connection is open.
import assert from 'node:assert';
import { Cubby, connect } from 'LIBRARY';

const wall = Date.now;
const set = (ms) => { Date.now = () => wall() + ms; };
const rest = (ms) => new Promise((done) => { setTimeout(done, ms); });
const [HOUR, MONTH] = [3.6e6, 2.6e9];

/** A hub that greets, and then says nothing: what it is asked for, by type. */
const silent = () => {
	const asked = [];
	class Socket {
		readyState = 0;
		constructor() {
			queueMicrotask(() => { this.readyState = 1; this.onopen(); });
		}
		send(data) {
			const { type, tag } = JSON.parse(data);
			asked.push(type);
			const welcome = { type: 'welcome', tag, userId: '7', maxBody: 1e6, maxReceivers: 255, heartbeatSecs: 1 };
			if (type === 'hello') queueMicrotask(() => this.onmessage({ data: JSON.stringify(welcome) }));
		}
		close() {}
	}
	return { asked, WebSocket: Socket };
};

// Set back, a dead line is noticed all the same; set forward, the hub is asked once in a while and no more.
for (const step of [-HOUR, -MONTH, MONTH]) {
	const { asked, WebSocket } = silent();
	const hub = await connect('ws://hub', { WebSocket });
	set(step);
	await rest(3000);
	const pings = asked.filter((type) => type === 'ping').length;
	assert.ok(pings >= 1 && pings <= 3, `${pings} pings in 3 s, the clock set by ${step} ms`);
	hub.close();
	set(0);
}

// A pause longer than a timer's is the longest, and not none.
const real = globalThis.setTimeout;
const pauses = [];
globalThis.setTimeout = (run, ms, ...more) => { pauses.push(ms); return real(run, ms, ...more); };
let dialled = 0;
class Deaf {
	constructor() {
		dialled++;
		queueMicrotask(() => this.onclose());
	}
	close() {}
}
for (const pause of [1e12, Infinity]) {
	const hub = new Cubby('ws://hub', { WebSocket: Deaf, timeout: pause, minDelay: pause, maxDelay: pause });
	const told = [];
	hub.on('state', ({ retryIn }) => told.push(retryIn));
	dialled = 0;
	hub.open();
	await new Promise((done) => { real(done, 300); });
	assert.equal(dialled, 1);
	assert.ok(told.some((ms) => ms > 1e9));
	hub.close();
}
assert.ok(pauses.length && pauses.every((ms) => ms >= 0 && ms < 2 ** 31), `${pauses}`);
console.log('all is well');
