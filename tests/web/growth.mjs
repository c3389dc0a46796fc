// Run by a test, with the library in place of this word: hubs that never come to an end.
import assert from 'node:assert';
import { connect } from 'LIBRARY';

/** A socket to a hub that greets, and leaves all else to `answer`. */
const hubOf = (answer) => class {
	readyState = 0;
	constructor() {
		queueMicrotask(() => { this.readyState = 1; this.onopen(); });
	}
	tell(message) {
		this.onmessage({ data: JSON.stringify(message) });
	}
	send(data) {
		const { tag, ...request } = JSON.parse(data);
		const welcome = { type: 'welcome', tag, userId: '7', name: 'ann', maxBody: 1e6, maxReceivers: 255, heartbeatSecs: 0 };
		setImmediate(() => (request.type === 'hello' ? this.tell(welcome) : answer(this, request, tag)));
	}
	close() {}
};
const event = (id, body = 'x') =>
	({ id, chatroomId: 'lobby', type: 'message', userId: 'eve', sessionId: '9', message: body, unixMs: id });
const end = (tag, sent, newest) => ({ type: 'historyEnd', tag, room: 'lobby', oldest: 1, newest, sent });
const joined = (tag, newest) => ({ type: 'joined', tag, room: 'lobby', sessions: 2, newest });

// An answer in parts without end.
const ids = Array.from({ length: 512 }, () => '123456789012345678');
let parts = 0;
const endless = await connect('ws://hub', { WebSocket: hubOf((socket, { type }, tag) => {
	for (; parts < 20000; parts++) socket.tell({ type, tag, userIds: ids, more: true });
}) });
await assert.rejects(endless.list(), (error) => error.code === 3 && error.message === 'the answer has no end');
endless.close();

// A room that never pauses while its history is asked for: what does not fit is asked for as well.
const [BODY, LAST] = ['w'.repeat(1e5), 300];
let flooded = false;
let asked = 0;
const busy = await connect('ws://hub', { WebSocket: hubOf((socket, { type, after, limit }, tag) => {
	if (type === 'join') return socket.tell(joined(tag, 1));
	if (!flooded) for (let id = 1; id <= LAST; id++) socket.tell(event(id, BODY));
	flooded = true;
	const events = Array.from({ length: Math.min(limit, LAST - after) }, (_, at) => event(after + 1 + at, BODY));
	asked += events.length;
	for (const one of events) socket.tell({ ...one, replay: true, tag });
	socket.tell(end(tag, events.length, LAST));
}) });
const told = [];
busy.on('event', ({ id, body }) => { told.push(id); assert.equal(body, BODY); });
await busy.join('lobby');
assert.deepEqual(told, Array.from({ length: LAST }, (_, at) => at + 1));
assert.ok(asked > LAST / 2, `${asked} of them did not fit`);
busy.close();

// A history that has always the same to tell.
let pages = 0;
const stuck = await connect('ws://hub', { WebSocket: hubOf((socket, { type, limit }, tag) => {
	if (type === 'join') return socket.tell(joined(tag, 1000));
	if (limit && pages++ < 1000) socket.tell({ ...event(5), replay: true, tag });
	socket.tell(end(tag, 1, 1000));
}) });
const gaps = [];
stuck.on('gap', (gap) => gaps.push(gap));
await stuck.join('lobby', { backlog: 999 });
assert.ok(pages < 5, `${pages} pages`);
assert.equal(gaps.at(-1).to, 1000);
stuck.close();

// A single event may be as large as the hub allows.
const large = await connect('ws://hub', { WebSocket: hubOf((socket, request, tag) => {
	socket.tell({ ...event(1, 'w'.repeat(65e6)), replay: true, tag });
	socket.tell(end(tag, 1, 1));
}) });
assert.equal((await large.history('lobby')).events[0].body.length, 65e6);
large.close();

// Requests that are never answered, as those of a program that answers every message of a flood.
const silent = await connect('ws://hub', { WebSocket: hubOf(() => {}) });
const asking = Array.from({ length: 65536 }, () => silent.ping());
await assert.rejects(asking.pop(), (error) => error.reason === 'unsent');
asking.forEach((one) => one.catch(() => {}));
silent.close();

console.log('all is well');
