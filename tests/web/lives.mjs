// Run by a test, with the library in place of this word: a room whose ids begin anew, and have passed the old ones.
import assert from 'node:assert';
import { connect } from 'LIBRARY';

/** What the room has in each of its lives: its epoch, and how many events. */
let life = { epoch: '1', newest: 3 };
let socket;

class Hub {
	readyState = 0;
	constructor() {
		socket = this;
		queueMicrotask(() => { this.readyState = 1; this.onopen(); });
	}
	tell(message) {
		this.onmessage({ data: JSON.stringify(message) });
	}
	send(data) {
		const request = JSON.parse(data);
		setImmediate(() => this.answer(request));
	}
	answer({ type, tag, after, limit }) {
		const { epoch, newest } = life;
		const room = { room: 'lobby', tag };
		if (type === 'hello') {
			this.tell({ type: 'welcome', tag, userId: '7', name: 'ann', maxBody: 1e6, maxReceivers: 9, heartbeatSecs: 0 });
		} else if (type === 'join') {
			this.tell({ type: 'joined', ...room, sessions: 1, newest, epoch });
		} else if (type === 'publish') {
			this.tell({ type: 'published', ...room, id: ++life.newest });
		} else if (type === 'history') {
			const ids = Array.from({ length: newest }, (_, at) => at + 1).filter((id) => id > after).slice(0, limit);
			for (const id of ids) {
				const event = { id, chatroomId: 'lobby', type: 'message', sessionId: '9', message: epoch, unixMs: id };
				this.tell({ ...event, replay: true, tag });
			}
			this.tell({ type: 'historyEnd', ...room, oldest: 1, newest, sent: ids.length, epoch });
		}
	}
	close() {}
}

const hub = await connect('ws://hub', { WebSocket: Hub, minDelay: 1 });
const told = [];
hub.on('renewed', () => told.push('renewed'));
hub.on('gap', ({ from, to }) => told.push(`gap ${from} to ${to}`));
hub.on('event', ({ id, body }) => told.push(`${body}:${id}`));
const comesBack = () => new Promise((done) => {
	const off = hub.on('ready', () => { off(); done(); });
	socket.onclose({ code: 1006, reason: '' });
});

const joined = await hub.join('lobby', { backlog: 1 });
assert.deepEqual([joined.newest, joined.epoch, told.splice(0)], [3, '1', ['1:2', '1:3']]);
// Our own message is not told, so we have no event by which to know this life again.
assert.equal(await hub.publish('lobby', 'mine', { noEcho: true }), 4);

life.newest = 6;
await comesBack();
assert.deepEqual(told.splice(0), ['1:5', '1:6'], 'the same life goes on');

life = { epoch: '2', newest: 8 };
await comesBack();
assert.deepEqual(told.splice(0), ['renewed', ...Array.from({ length: 8 }, (_, at) => `2:${at + 1}`)], 'all of it is new');
hub.close();
console.log('all is well');
