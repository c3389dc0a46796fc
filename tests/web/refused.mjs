// Run by a test, with the library in place of this word: which answers to HELLO are final.
import assert from 'node:assert';
import { Cubby, connect } from 'LIBRARY';

/** A hub that answers what it is sent by these messages; a fatal error ends the connection, with or without its tag. */
const hubOf = (answer, said = []) => {
	class Socket {
		readyState = 0;
		constructor() {
			Socket.dialled++;
			queueMicrotask(() => { this.readyState = 1; this.onopen(); });
		}
		static dialled = 0;
		send(data) {
			said.push(data);
			for (const reply of answer(JSON.parse(data))) {
				queueMicrotask(() => this.onmessage({ data: JSON.stringify(reply) }));
				if (reply.fatal || reply.type === 'closing') queueMicrotask(() => this.onclose());
			}
		}
		close() {}
	}
	return Socket;
};
const welcome = ({ tag }) => ({ type: 'welcome', tag, userId: '7', maxBody: 1e6, maxReceivers: 255, heartbeatSecs: 0 });

/** What comes of an answer to HELLO: refused with a field, or the number of tries. */
const outcome = async (answer, options) => {
	const WebSocket = hubOf(answer);
	const hub = new Cubby('ws://hub', { WebSocket, minDelay: 1, maxDelay: 1, ...options });
	const refused = new Promise((done) => hub.on('refused', done));
	const tried = new Promise((done) => hub.on('state', () => WebSocket.dialled >= 3 && done(undefined)));
	hub.open();
	const error = await Promise.race([refused, tried]);
	if (error) assert.equal(hub.state, 'closed');
	hub.close();
	return error && { code: error.code, field: error.field };
};

const [LONG, fatal] = ['x'.repeat(70000), true];
const cases = [
	[1, {}, 'name'], [1, { token: LONG }, 'token'], [2, {}, ''], [3, { name: LONG }, 'name'], [3, { token: LONG }, 'token'],
	[4, {}, ''], [5, {}, 'token'], [6, {}, 'name'], [7, {}, ''], [8], [9], [10, {}, ''], [11], [12], [13], [14], [15, {}, ''],
	[16], [999, {}, ''],
];
for (const [code, options, field] of cases) {
	const expected = field === undefined ? undefined : { code, field };
	const error = { type: 'error', code, error: 'no', request: 'hello' };
	assert.deepEqual(await outcome(({ tag }) => [{ ...error, tag }], options), expected, `${code}`);
	assert.deepEqual(await outcome(() => [{ ...error, fatal }], options), expected, `${code}, fatal`);
	assert.deepEqual(await outcome(() => [{ type: 'closing', code, error: 'no' }], options), expected, `closing ${code}`);
}

// Nothing that is sent has half a character in it, and no name is anything but text.
const said = [];
const half = (text) => `${text}\ud83d`;
const WebSocket = hubOf((request) => (request.tag ? [{ ...welcome(request), statuses: [], id: 1 }] : []), said);
for (const name of [half('ann'), 7, 7n, null, undefined]) {
	(await connect('ws://hub', { WebSocket, name, token: name })).close();
}
const names = said.map((data) => JSON.parse(data).name);
assert.deepEqual(names, ['ann\ufffd', '7', '7', '', '']);
const hub = await connect('ws://hub', { WebSocket });
await hub.publish('lobby', half('hi'));
await hub.send([half('bob')], half('hi'));
await hub.leave(half('den'));
assert.ok(said.length > 5 && said.every((data) => !/\\ud[89a-f]/i.test(data)), `${said}`);
hub.close();

// A room is known by what the hub calls it.
for (const [asked, room] of [[half('den'), 'den\ufffd'], ['de\u0301n', 'd\u00e9n']]) {
	const told = [];
	const event = { id: 1, chatroomId: room, type: 'message', sessionId: '9', message: 'hi', unixMs: 1 };
	const inRoom = await connect('ws://hub', { WebSocket: hubOf((request) => {
		const { type, tag } = request;
		if (type === 'join') return [{ type: 'joined', tag, room, sessions: 1, newest: 0 }, event];
		if (type === 'history') return [{ type: 'historyEnd', tag, oldest: 0, newest: 0, sent: 0 }];
		return [welcome(request)];
	}) });
	inRoom.on('message', (message) => told.push(message.room));
	await inRoom.join(asked);
	assert.deepEqual(told, [room]);
	inRoom.close();
}
console.log('all is well');
