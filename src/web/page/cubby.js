/*
 * Cubby's client library for browsers and Node 22:
 *
 *   import { connect } from './cubby.js';
 *   const hub = await connect('ws://localhost:8080/ws', { name: 'ann' });
 *   hub.on('message', (event) => console.log(event.room, event.id, event.name, event.body));
 *   hub.on('mail', (mail) => console.log(mail.name, mail.body));
 *   await hub.join('lobby', { backlog: 50 });  // with the newest 50 events of its history
 *   await hub.publish('lobby', 'hi');          // resolves to the event's id
 *   await hub.send(['bob'], 'psst');           // ['queued'], or ['unknown'] if there is no bob
 *   await hub.bye();
 *
 * It connects again by itself, joins its rooms again, and asks the hub's history for what it missed: the events of
 * a room come in the order of their ids, each once; if the hub has forgotten some, `gap` says so. User ids are
 * strings, bodies strings or Uint8Arrays. For an older Node: connect(url, { WebSocket }) with that of package ws.
 */

/** @typedef {string | Uint8Array} Body  Bytes if it is not UTF-8. */
/** @typedef {'queued' | 'unknown' | 'refused' | 'stored' | 'forwarded'} Status */
/** @typedef {'message' | 'join' | 'add' | 'remove' | 'leave' | 'close'} EventType */
/** @typedef {'idle' | 'connecting' | 'open' | 'waiting' | 'closed'} State */
/** @typedef {{ userId: string, name: string }} Member  The name is empty if there is none. */
/** @typedef {Member & { room: string, id: number, type: EventType, time: number, replay: boolean,
 *   body?: Body }} RoomEvent  `time` in ms since 1970; `body` in a message only. */
/** @typedef {{ events: RoomEvent[], oldest: number, newest: number, sent: number, epoch: string }} Page */
/** @typedef {{ room: string, sessions: number, newest: number, epoch: string }} Joined  Ids compare only within an epoch. */
/** @typedef {Member & { maxBody: number, maxReceivers: number, heartbeatSecs: number, server: string }} Welcome */
/** @typedef {{ mailId: string, time: number, from: string, name: string, body: Body, ack: boolean }} Mail */

/**
 * The events of `on`. `state`: if it waits, it tries again in `retryIn` ms. `open`: connected, rooms are joined again from
 * here on. `refused`: the hub refuses us, and would again: no further try; `field` of the error says what to change.
 * `event`: all of our rooms', `message` those of this type. `ready`: a room is joined, and all missed events were given.
 * `renewed`: its ids began at 1 again, as the hub or the room is new. `gap`: the hub no longer has these events.
 * `deliver`: relayed to our user id. `error`: one that belongs to no request.
 * @typedef {{ state: { state: State, retryIn: number }, open: Welcome, close: CubbyError, refused: CubbyError,
 *   event: RoomEvent, message: RoomEvent, ready: { room: string }, left: { room: string, error?: CubbyError },
 *   renewed: { room: string }, gap: { room: string, from: number, to: number }, deliver: { from: string, body: Body },
 *   mail: Mail, beat: { time: number }, closing: CubbyError, error: CubbyError }} Events
 */

const DEFAULTS = {
	name: '',
	token: '',
	/** Longest wait for an answer, in ms. */ timeout: 15000,
	/** First pause before connecting again, in ms; it doubles each time, ... */ minDelay: 500,
	/** ... up to this, and is cut at random by up to a half. */ maxDelay: 30000,
	/** Acknowledge kept mail once its listeners have run. */ autoAck: true,
};
/** @typedef {Partial<typeof DEFAULTS> & { WebSocket?: any }} Options  A class in place of the global WebSocket. */

const [MALFORMED, TOO_LARGE, NOT_SIGNED_IN, BAD_NAME, RATE_LIMITED, VERSION] = [1, 3, 5, 6, 9, 10];
/** What ends a connection, and would end each further one. */
const REFUSALS = [NOT_SIGNED_IN, VERSION];
/** Of the answers to HELLO those that may be another one next time: a limit, a rate, the hub's end, what is away. */
const PASSING = [8, RATE_LIMITED, 11, 12, 13, 14, 16];
const [PAGE, STEADY_MS, AGAIN_MS, QUIET_SECS, MAIL_IDS, TAGS] = [500, 5000, 2000, 30, 1000, 65535];
/** The longest pause that a timer knows: after a longer one it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;
/** What is kept of one answer, and of a room's live events while its history is asked for, in characters of JSON. */
const [ANSWER_CHARS, LIVE_CHARS] = [64e6, 8e6];

/** Why a request or a connection failed. */
export class CubbyError extends Error {
	/** `code` is the hub's, or 0. Of the reasons, `offline` and `unsent` mean that nothing was sent, `lost` and `timeout`
	 * that it was perhaps carried out, perhaps not. `field` is the option at fault if the hub refuses us, or empty.
	 * @param {string} text @param {{ code?: number, request?: string, fatal?: boolean, field?: '' | 'name' | 'token',
	 *   reason?: 'hub' | 'offline' | 'unsent' | 'timeout' | 'lost' | 'closed' }} [about] */
	constructor(text, { code = 0, reason = 'hub', request = '', fatal = false, field = '' } = {}) {
		super(text);
		this.name = 'CubbyError';
		this.code = code;
		this.field = field;
		this.reason = reason;
		this.request = request;
		this.fatal = fatal;
	}
}

/** Resolves once the hub has greeted us; rejects if it refuses us, or can't be reached in time.
 * @param {string} url @param {Options} [options] @returns {Promise<Cubby>} */
export function connect(url, options) {
	const hub = new Cubby(url, options);
	return new Promise((resolve, reject) => {
		const timer = later(() => {
			reject(hub.lastError ?? timedOut('hello'));
			hub.close();
		}, hub.options.timeout);
		hub.on('state', ({ state }) => (state === 'open' || state === 'closed') && clearTimeout(timer));
		hub.on('open', () => resolve(hub));
		hub.on('refused', reject);
		hub.open();
	});
}

/** A connection to a hub that comes back by itself. */
export class Cubby {
	#socket;
	#timer;
	#tag = 0;
	#attempt = 0;
	#openedAt = 0;
	#heard = 0;
	/** What the hub said before it closed. */
	#farewell;
	/** Requests under way, by tag. */
	#pending = new Map();
	/** Those that we are in, or want to be in. While one is `held`, its live events wait for its history; `chars` is what
	 * they take, and `newest` the last of them, also if it did not fit. */
	#rooms = new Map();
	#listeners = new Map();
	#mailIds = new Set();

	/** @param {string} url  `ws://…/ws` or `wss://…/ws` @param {Options} [options] */
	constructor(url, options = {}) {
		this.url = url;
		/** Changes hold from the next connection on. @type {Options & typeof DEFAULTS} */
		this.options = { ...DEFAULTS, ...options };
		/** @type {State} */ this.state = 'idle';
		/** @type {Welcome | undefined} */ this.welcome = undefined;
		/** Why we are not connected. @type {CubbyError | undefined} */
		this.lastError = undefined;
	}

	/** Our user id on this connection, or on the last one. */
	get userId() {
		return this.welcome?.userId ?? '';
	}

	/** Calls `listener` whenever it happens; the result takes it off again.
	 * @template {keyof Events} K @param {K} type @param {(detail: Events[K]) => void} listener
	 * @returns {() => void} */
	on(type, listener) {
		const set = this.#listeners.get(type) ?? new Set();
		this.#listeners.set(type, set.add(listener));
		return () => void set.delete(listener);
	}

	/** Starts to connect, and to connect again for as long as it takes. */
	open() {
		if (this.state === 'idle' || this.state === 'closed') this.#dial();
	}

	/** Tries now instead of waiting for the pause to end. */
	retry() {
		if (this.state === 'waiting') this.#dial();
	}

	/** Connects anew, with what `options` say now; rooms are kept. */
	restart() {
		if (this.#socket) this.#lost(this.#socket, new CubbyError('connecting anew', { reason: 'lost' }));
		this.#dial();
	}

	/** Asks for a sign of life, and takes the connection for lost if none comes in time. */
	async check() {
		this.retry();
		if (this.state !== 'open') return;
		const socket = this.#socket;
		await this.#request({ type: 'ping', body: '' }, 10000).catch((error) => this.#lost(socket, error));
	}

	/** Closes at once. Rooms are forgotten, and nothing is tried again. */
	close() {
		const error = new CubbyError('closed by this side', { reason: 'closed' });
		this.#drop(error);
		for (const name of [...this.#rooms.keys()]) this.#forget(name, error);
		this.#become('closed');
	}

	/** Asks the hub to send what it still holds for us and to close, then closes. */
	async bye() {
		await this.#request({ type: 'bye' }, 5000).catch(() => {});
		this.close();
	}

	/** Our user id, as the hub says. @returns {Promise<string>} */
	async identity() {
		return (await this.#request({ type: 'identity' })).userId;
	}

	/** The user ids of everyone else on the hub. @returns {Promise<string[]>} */
	async list() {
		return (await this.#request({ type: 'list' })).userIds;
	}

	/** Sends a body to user ids. @param {string[]} to @param {Body} body @returns {Promise<Status[]>} in their order */
	async relay(to, body) {
		return (await this.#request({ type: 'relay', to, ...this.#packed(body), receipt: true })).statuses;
	}

	/** Sends a body to names, wherever they are; with `store` it is kept for those who are away.
	 * @param {string[]} names @param {Body} body @param {{ store?: boolean }} [options]
	 * @returns {Promise<Status[]>} in their order */
	async send(names, body, { store = false } = {}) {
		return (await this.#request({ type: 'send', names, ...this.#packed(body), receipt: true, store })).statuses;
	}

	/** Acknowledges kept mail, so that it does not come again. @param {string} mailId */
	ack(mailId) {
		this.#say({ type: 'ack', mailId });
	}

	/** Joins a room for good: also after each loss of connection, until `leave`. Resolves once it was joined and its
	 * newest `backlog` events were told. While not connected, it waits.
	 * @param {string} room @param {{ backlog?: number }} [options] @returns {Promise<Joined>} */
	join(room, { backlog = 0 } = {}) {
		const name = canonical(room);
		const known = this.#rooms.get(name);
		if (known) return known.promise;
		const fresh = { name, backlog, held: true, last: -1, live: [], chars: 0, newest: 0,
			epoch: '', promise: undefined };
		fresh.promise = new Promise((resolve, reject) => Object.assign(fresh, { resolve, reject }));
		this.#rooms.set(name, fresh);
		if (this.state === 'open') this.#enter(fresh);
		return fresh.promise;
	}

	/** Leaves a room, also while not connected. @param {string} room */
	async leave(room) {
		this.#forget(canonical(room));
		if (this.state === 'open') await this.#request({ type: 'leave', room });
	}

	/** Says something in a room. With `noEcho` the sender is not told its own message.
	 * @param {string} room @param {Body} body @param {{ noEcho?: boolean }} [options]
	 * @returns {Promise<number>} the event's id */
	async publish(room, body, { noEcho = false } = {}) {
		const { id } = await this.#request({ type: 'publish', room, ...this.#packed(body), noEcho, receipt: true });
		const here = this.#rooms.get(canonical(room));
		if (noEcho && here?.last === id - 1 && !here.held) here.last = id;
		return id;
	}

	/** The events after an id, oldest first, not told as `event`. Fewer than `limit` may come: ask again after the last.
	 * @param {string} room @param {{ after?: number, limit?: number }} [options] @returns {Promise<Page>} */
	history(room, { after = 0, limit = 100 } = {}) {
		return this.#request({ type: 'history', room, after, limit });
	}

	/** Who is in a room, one entry for each session. @param {string} room @returns {Promise<Member[]>} */
	async who(room) {
		return (await this.#request({ type: 'who', room })).members;
	}

	/** @param {string} [body] @returns {Promise<string>} the same body */
	async ping(body = '') {
		return (await this.#request({ type: 'ping', body })).body;
	}

	// The connection.

	#dial() {
		clearTimeout(this.#timer);
		const Socket = this.options.WebSocket ?? globalThis.WebSocket;
		const socket = new Socket(this.url, ['cubby.json.v1']);
		const lost = (text) => this.#lost(socket, new CubbyError(text, { reason: 'lost' }));
		this.#socket = socket;
		this.#farewell = undefined;
		this.#timer = later(() => lost('no answer from the hub'), this.options.timeout);
		socket.onopen = () => this.#greet(socket);
		socket.onmessage = ({ data }) => socket === this.#socket && this.#take(data);
		socket.onclose = () => lost('the connection was lost');
		socket.onerror = () => {};
		this.#become('connecting');
	}

	/** A program may have given what is no text, which the hub would refuse for ever. */
	get #credentials() {
		const { name, token } = this.options;
		return { name: canonical(String(name ?? '')), token: String(token ?? '') };
	}

	async #greet(socket) {
		if (socket !== this.#socket) return;
		const { name, token } = this.#credentials;
		try {
			const { type, tag, ...welcome } = await this.#request({ type: 'hello', name, token });
			if (socket !== this.#socket) return;
			this.welcome = welcome;
			this.lastError = undefined;
			this.#openedAt = performance.now();
			clearTimeout(this.#timer);
			this.#watch();
			this.#become('open');
			this.#emit('open', welcome);
			for (const room of this.#rooms.values()) this.#enter(room);
		} catch (error) {
			this.#lost(socket, error);
		}
	}

	/** Gives a socket up, and plans the next try unless the hub refuses us. */
	#lost(socket, error) {
		if (socket !== this.#socket) return;
		const why = this.#farewell ?? error;
		const refused = this.state === 'connecting' ? why.code && !PASSING.includes(why.code) : REFUSALS.includes(why.code);
		if (this.#openedAt && performance.now() - this.#openedAt > STEADY_MS) this.#attempt = 0;
		this.#drop(error);
		this.lastError = why;
		if (refused) {
			why.field = fieldAtFault(why.code, this.#credentials);
			this.#become('closed');
			this.#emit('refused', why);
		} else {
			const { minDelay, maxDelay } = this.options;
			const most = Math.min(maxDelay, minDelay * 2 ** Math.min(this.#attempt++, 31));
			const pause = clamped(most * (1 - Math.random() / 2));
			this.#timer = later(() => this.#dial(), pause);
			this.#become('waiting', pause);
		}
		this.#emit('close', why);
	}

	#drop({ message, code, reason }) {
		const socket = this.#socket;
		this.#socket = undefined;
		this.#openedAt = 0;
		clearTimeout(this.#timer);
		for (const room of this.#rooms.values()) Object.assign(room, { held: true, live: [], newest: 0 });
		for (const [tag, { type }] of [...this.#pending]) {
			this.#settle(tag).reject(new CubbyError(message, { code, reason, request: type }));
		}
		socket?.close();
	}

	/** Looks after a connection that may go silent. */
	#watch() {
		const quiet = Math.max(1, this.welcome?.heartbeatSecs || QUIET_SECS) * 1500;
		const rest = this.#heard + quiet - performance.now();
		if (rest <= 0) this.check();
		this.#timer = later(() => this.#watch(), rest > 0 ? rest : quiet);
	}

	#become(state, retryIn = 0) {
		this.state = state;
		this.#emit('state', { state, retryIn });
	}

	/** A listener that throws does not keep the others from being told. */
	#emit(type, detail) {
		for (const listener of [...(this.#listeners.get(type) ?? [])]) {
			try {
				listener(detail);
			} catch (error) {
				queueMicrotask(() => { throw error; });
			}
		}
	}

	// Requests and replies.

	#say(message) {
		if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message, (_, value) => wellFormed(value)));
	}

	/** @returns {Promise<any>} the reply, its parts put together */
	#request(message, timeout = this.options.timeout) {
		const { type } = message;
		return new Promise((resolve, reject) => {
			const ready = this.state === 'open' || type === 'hello';
			if (!ready) return reject(new CubbyError('not connected', { reason: 'offline', request: type }));
			const full = this.#pending.size >= TAGS;
			if (full) return reject(new CubbyError('too many requests wait', { reason: 'unsent', request: type }));
			const tag = this.#nextTag();
			const timer = later(() => this.#settle(tag).reject(timedOut(type)), timeout);
			this.#pending.set(tag, { type, resolve, reject, parts: [], chars: 0, timer });
			this.#say({ ...message, tag });
		});
	}

	/** A body over the limit would cost us the connection, so it is not sent. */
	#packed(body) {
		const most = this.welcome?.maxBody ?? Infinity;
		const size = byteLength(body);
		if (size > most) {
			const text = `too large: ${size} bytes, the hub takes ${most}`;
			throw new CubbyError(text, { code: TOO_LARGE, reason: 'unsent' });
		}
		return typeof body === 'string' ? { body } : { bodyBase64: base64(body) };
	}

	#nextTag() {
		do this.#tag = (this.#tag % TAGS) + 1;
		while (this.#pending.has(this.#tag));
		return this.#tag;
	}

	#take(data) {
		this.#heard = performance.now();
		let message;
		try {
			message = JSON.parse(data);
		} catch {
			return;
		}
		if ('chatroomId' in message) return this.#takeEvent(roomEvent(message), message.tag, data.length);
		switch (message.type) {
			case 'error': return this.#takeError(message);
			case 'deliver': return this.#emit('deliver', { from: message.from, body: unpacked(message) });
			case 'mail': return this.#takeMail(message);
			case 'beat':
				this.#say({ type: 'alive' });
				return this.#emit('beat', { time: message.unixTime * 1000 });
			case 'closing': return this.#emit('closing', (this.#farewell = hubError(message)));
			default: return this.#takeReply(message, data.length);
		}
	}

	#takeReply(message, chars) {
		const { type, tag, more, userIds, members } = message;
		const parts = this.#gather(tag, userIds ?? members?.map(member) ?? [], chars);
		if (!parts || more) return;
		const key = { list: 'userIds', who: 'members', historyEnd: 'events' }[type];
		this.#settle(tag).resolve(key ? { ...message, [key]: parts } : message);
	}

	/** Adds to an answer that comes in parts, which it returns. One without end is given up, but not a single event. */
	#gather(tag, parts, chars) {
		const pending = this.#pending.get(tag);
		if (!pending) return;
		pending.chars += chars;
		for (const part of parts) pending.parts.push(part);
		if (pending.chars < ANSWER_CHARS || pending.parts.length < 2) return pending.parts;
		this.#settle(tag).reject(new CubbyError('the answer has no end', { code: TOO_LARGE, request: pending.type }));
	}

	#takeError(message) {
		const { tag } = message;
		const error = hubError(message);
		if (error.fatal) this.#farewell = error;
		if (this.#pending.has(tag)) this.#settle(tag).reject(error);
		else this.#emit('error', error);
	}

	#settle(tag) {
		const pending = this.#pending.get(tag);
		this.#pending.delete(tag);
		clearTimeout(pending.timer);
		return pending;
	}

	/** Kept mail may come again until it is acknowledged: it is told once. */
	#takeMail(message) {
		const { mailId, from, name, unixTime, ack = false } = message;
		if (!this.#mailIds.has(mailId)) {
			this.#emit('mail', { mailId, from, name: name ?? '', time: unixTime * 1000, body: unpacked(message), ack });
		}
		if (!ack) return;
		this.#mailIds.add(mailId);
		if (this.#mailIds.size > MAIL_IDS) this.#mailIds.delete(this.#mailIds.values().next().value);
		if (this.options.autoAck) this.ack(mailId);
	}

	// Rooms.

	#takeEvent(event, tag, chars) {
		if (event.replay) return void this.#gather(tag, [event], chars);
		const room = this.#rooms.get(event.room);
		if (!room) return;
		if (!room.held && event.id <= room.last + 1) return this.#tell(room, event);
		// What does not fit is asked for as well, when its turn comes.
		room.newest = event.id;
		room.chars = chars + (room.live.length && room.chars);
		if (room.chars < LIVE_CHARS) room.live.push(event);
		if (!room.held) this.#repair(room);
	}

	#tell(room, event) {
		if (event.id <= room.last || this.#rooms.get(room.name) !== room) return;
		this.#miss(room, event.id - 1);
		room.last = event.id;
		this.#emit('event', event);
		if (event.type === 'message') this.#emit('message', event);
		if (event.type === 'close') this.#forget(room.name);
	}

	/** Goes on after events that the hub no longer has. */
	#miss(room, to) {
		if (to <= room.last || this.#rooms.get(room.name) !== room) return;
		this.#emit('gap', { room: room.name, from: room.last + 1, to });
		room.last = to;
	}

	/** Joins, and tells what happened in the room since we last knew. */
	async #enter(room) {
		const stale = this.#staleness(room);
		try {
			const { sessions, newest, epoch } = await this.#request({ type: 'join', room: room.name });
			await this.#findPlace(room, newest, epoch);
			await this.#catchUp(room, newest);
			if (stale()) return;
			room.resolve({ room: room.name, sessions, newest, epoch });
			this.#emit('ready', { room: room.name });
		} catch (error) {
			if (stale()) return;
			if (error.code !== RATE_LIMITED && error.reason !== 'timeout') this.#forget(room.name, error);
			else later(() => stale() || this.#enter(room), AGAIN_MS);
		}
	}

	/** Tells later whether the room, or the connection, is another one. */
	#staleness(room) {
		const socket = this.#socket;
		return () => socket !== this.#socket || this.#rooms.get(room.name) !== room;
	}

	/** Sets where the telling goes on: after the last event told, or anew. */
	async #findPlace(room, newest, epoch) {
		if (room.last < 0) {
			// The newest event is our own joining, which comes live as well.
			const { oldest } = await this.history(room.name, { after: newest, limit: 0 });
			room.last = oldest ? Math.max(0, newest - 1 - room.backlog, oldest - 1) : newest - 1;
		} else if (epoch !== room.epoch) {
			// A restarted hub counts from 1 again, and so does a room that was made again.
			this.#emit('renewed', { room: room.name });
			room.last = 0;
		}
		room.epoch = epoch;
	}

	/** Tells history up to an id, then the live events held meanwhile, and lets the room run. */
	async #catchUp(room, newest) {
		await this.#fill(room, room.live[0] ? room.live[0].id - 1 : newest);
		const { live } = room;
		while (live.length || room.last < room.newest) {
			const [next] = live;
			await this.#fill(room, next ? next.id - 1 : room.newest);
			if (room.live !== live || this.#rooms.get(room.name) !== room) return;
			if (!next) continue;
			live.shift();
			this.#tell(room, next);
		}
		room.held = false;
	}

	async #fill(room, upTo) {
		while (room.last < upTo) {
			const { last } = room;
			const { events } = await this.history(room.name, { after: last, limit: Math.min(PAGE, upTo - last) });
			for (const event of events) this.#tell(room, event);
			if (room.last === last) return this.#miss(room, Math.min(upTo, (room.live[0]?.id ?? Infinity) - 1));
		}
	}

	/** Live events have a hole: the hub passed us over, and its history has them. */
	async #repair(room) {
		const stale = this.#staleness(room);
		room.held = true;
		await this.#catchUp(room, room.last).catch(() => later(() => stale() || this.#repair(room), AGAIN_MS));
	}

	#forget(name, error = new CubbyError('no longer in the room', { reason: 'closed' })) {
		const room = this.#rooms.get(name);
		if (!room) return;
		this.#rooms.delete(name);
		room.promise.catch(() => {});
		room.reject(error);
		this.#emit('left', { room: name, error });
	}
}

/** Runs it after so many ms. */
function later(run, ms) {
	return setTimeout(run, clamped(ms));
}

/** A pause that a timer can keep; what is not a number is none. */
function clamped(ms) {
	return ms > 0 ? Math.min(ms, LONGEST_MS) : 0;
}

function hubError({ error, fatal = true, ...about }) {
	return new CubbyError(error, { ...about, fatal });
}

function timedOut(request) {
	return new CubbyError('no answer in time', { reason: 'timeout', request });
}

/** @returns {RoomEvent} */
function roomEvent(message) {
	const { chatroomId: room, id, type, userId: name, sessionId: userId, unixMs: time, replay = false } = message;
	const body = type === 'message' ? unpacked({ body: message.message, bodyBase64: message.messageBase64 }) : undefined;
	return { room, id, type, ...member({ userId, name }), time, replay, body };
}

/** @returns {Member} */
function member({ userId, name }) {
	return { userId: userId ?? '', name: name ?? '' };
}

/** Which option the hub refuses. An answer of these two codes does not say, but only the longer one can cause it. */
function fieldAtFault(code, { name, token }) {
	if (code === MALFORMED || code === TOO_LARGE) return token.length > name.length ? 'token' : 'name';
	return { [BAD_NAME]: 'name', [NOT_SIGNED_IN]: 'token' }[code] ?? '';
}

/** Text without halves of characters, which no hub takes; all else as it is.
 * @template T @param {T} value @returns {T} */
export function wellFormed(value) {
	return typeof value === 'string' ? value.replace(/\p{Cs}/gu, '\ufffd') : value;
}

/** A name of a user or a room as the hub knows it: in Normalization Form C. @param {string} name */
export function canonical(name) {
	return wellFormed(name).normalize('NFC');
}

/** @param {Body} body */
export function byteLength(body) {
	return typeof body === 'string' ? new TextEncoder().encode(body).length : body.length;
}

function base64(bytes) {
	return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** @returns {Body} */
function unpacked({ body = '', bodyBase64 }) {
	return bodyBase64 === undefined ? body : Uint8Array.from(atob(bodyBase64), (char) => char.charCodeAt(0));
}
