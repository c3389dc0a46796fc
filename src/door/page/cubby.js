/*
 * Cubby's client library for browsers and Node 22. One module, nothing else needed:
 *
 *   import { connect } from './cubby.js';
 *   const hub = await connect('ws://localhost:8080/ws', { name: 'ann' });
 *   hub.on('message', (event) => console.log(event.room, event.id, event.name, event.body));
 *   hub.on('mail', (mail) => console.log(mail.name, mail.body));
 *   await hub.join('lobby', { backlog: 50 });              // with the newest 50 events of its history
 *   await hub.publish('lobby', 'hi');                      // resolves to the event's id
 *   await hub.send(['bob'], 'psst');                       // ['queued'], or ['unknown'] where there is no bob
 *   await hub.bye();
 *
 * It connects again by itself, joins its rooms again, and asks the hub's history for what it missed: the events of
 * a room come in the order of their ids, each once, and where the hub has forgotten some, `gap` says so. User ids
 * are strings, bodies strings or Uint8Arrays. On an older Node: connect(url, { WebSocket }) with that of package ws.
 */

/** @typedef {string | Uint8Array} Body  Text, or bytes that are not UTF-8. */
/** @typedef {'queued' | 'unknown' | 'refused' | 'stored' | 'forwarded'} Status  What became of one receiver's copy. */
/** @typedef {'message' | 'join' | 'add' | 'remove' | 'leave' | 'close'} EventType */
/** @typedef {'idle' | 'connecting' | 'open' | 'waiting' | 'closed'} State */
/** @typedef {{ userId: string, name: string }} Member */
/** @typedef {new (url: string, protocols?: string | string[]) => any} SocketClass  Like the global WebSocket. */

/**
 * What happened in a room. `name` is empty for a session without one; `body` is there in a message only.
 * @typedef {{ room: string, id: number, type: EventType, name: string, userId: string, body?: Body,
 *   time: number, replay: boolean }} RoomEvent
 */

/** @typedef {{ events: RoomEvent[], oldest: number, newest: number, sent: number }} Page  A piece of history. */
/** @typedef {{ room: string, sessions: number, newest: number, again: boolean }} Joined */
/** @typedef {{ userId: string, name: string, maxBody: number, maxReceivers: number, heartbeatSecs: number,
 *   server: string }} Welcome */
/** @typedef {{ state: State, attempt: number, retryAt: number, error?: CubbyError }} Condition */

/**
 * The names that `on` knows, and what a listener gets.
 * @typedef {object} Events
 * @property {Condition} state        The connection's state has changed; `retryAt` is the next try, in ms since 1970.
 * @property {Welcome} open           Connected and greeted; rooms are joined again from here on.
 * @property {CubbyError} close       The connection was lost, or given up.
 * @property {CubbyError} refused     The hub will not have us (name, token, version): there is no further try.
 * @property {RoomEvent} event        Every event of every room.
 * @property {RoomEvent} message      Those of type message.
 * @property {Joined} joined          A room was joined, `again` after a loss of connection.
 * @property {{ room: string }} ready The room's history has been caught up with.
 * @property {{ room: string, error?: CubbyError }} left       We are no longer in the room.
 * @property {{ room: string }} renewed                        Its ids began at 1 again: the hub or the room is new.
 * @property {{ room: string, from: number, to: number }} gap  The hub no longer has these events.
 * @property {{ from: string, body: Body }} deliver            Relayed to our user id.
 * @property {{ mailId: string, time: number, from: string, name: string, body: Body, ack: boolean }} mail
 * @property {{ time: number }} beat  The hub's clock, while nothing else was said.
 * @property {CubbyError} closing     The hub says why it is about to close.
 * @property {CubbyError} error       An error that belongs to no request.
 */

/**
 * @typedef {object} Options
 * @property {string} [name]           The user's name; without one the session is unnamed.
 * @property {string} [token]          For a hub that wants a sign-in.
 * @property {SocketClass} [WebSocket] In place of the global one.
 * @property {number} [timeout]        Longest wait for an answer, in ms (15,000).
 * @property {number} [minDelay]       First pause before connecting again, in ms (500); it doubles each time.
 * @property {number} [maxDelay]       Longest pause, in ms (30,000). Each pause is cut at random by up to a half.
 * @property {boolean} [autoAck]       Acknowledge kept mail once its listeners have run (true).
 */

const REFUSALS = new Set([5, 6, 10]);
const RATE_LIMITED = 9;
const PAGE = 500;
const STEADY_MS = 5000;
const QUIET_SECS = 30;
const MAIL_IDS = 1000;
const TOO_LARGE = 3;

/** Why a request or a connection failed. */
export class CubbyError extends Error {
  /**
   * @param {string} text
   * @param {{ code?: number, reason?: 'hub' | 'offline' | 'unsent' | 'timeout' | 'lost' | 'closed', request?: string,
   *   fatal?: boolean }} [about]
   */
  constructor(text, { code = 0, reason = 'hub', request = '', fatal = false } = {}) {
    super(text);
    this.name = 'CubbyError';
    /** The hub's error code; 0 where the hub did not say it. */
    this.code = code;
    /** `offline`, `unsent`: not sent. `lost`, `timeout`: perhaps carried out, perhaps not. */
    this.reason = reason;
    this.request = request;
    this.fatal = fatal;
  }
}

/**
 * Connects, and resolves once the hub has greeted us. Rejects where it refuses, or can't be reached within `timeout`.
 * @param {string} url
 * @param {Options} [options]
 * @returns {Promise<Cubby>}
 */
export function connect(url, options = {}) {
  return new Promise((resolve, reject) => {
    const hub = new Cubby(url, options);
    const fail = (/** @type {CubbyError} */ error) => {
      hub.close();
      reject(error);
    };
    const timer = setTimeout(() => fail(hub.lastError ?? timedOut('connect')), options.timeout ?? 15000);
    const stop = [
      hub.on('open', () => settle(() => resolve(hub))),
      hub.on('refused', (error) => settle(() => fail(error))),
    ];
    const settle = (/** @type {() => void} */ then) => {
      clearTimeout(timer);
      for (const off of stop) off();
      then();
    };
    hub.open();
  });
}

/**
 * A room that we are in, or want to be in. While `held`, live events wait in `live` until history has been told.
 * @typedef {{ name: string, backlog: number, entered: boolean, held: boolean, last: number, mark?: RoomEvent,
 *   live: RoomEvent[], promise: Promise<Joined>, resolve: (joined: Joined) => void,
 *   reject: (error: CubbyError) => void }} Room
 */

/** @typedef {{ type: string, resolve: (reply: any) => void, reject: (error: CubbyError) => void, parts: any[],
 *   timer: any }} Pending */

/** A connection to a hub that comes back by itself. */
export class Cubby {
  /** @type {any} */ #socket = null;
  /** @type {any} */ #timer = 0;
  /** @type {Map<number, Pending>} */ #pending = new Map();
  /** @type {Map<string, Room>} */ #rooms = new Map();
  /** @type {Map<string, Set<(detail: any) => void>>} */ #listeners = new Map();
  /** @type {Set<string>} */ #mailIds = new Set();
  #tag = 0;
  #attempt = 0;
  #openedAt = 0;
  #heard = 0;
  /** What the hub said before it closed. @type {CubbyError | undefined} */ #farewell;

  /**
   * @param {string} url  `ws://…/ws` or `wss://…/ws`
   * @param {Options} [options]
   */
  constructor(url, options = {}) {
    this.url = url;
    /** Changes hold from the next connection on. */
    this.options = { name: '', token: '', timeout: 15000, minDelay: 500, maxDelay: 30000, autoAck: true, ...options };
    /** @type {State} */ this.state = 'idle';
    /** @type {Welcome | undefined} */ this.welcome = undefined;
    /** @type {CubbyError | undefined} */ this.lastError = undefined;
  }

  /** Our user id on this connection; empty before the first. */
  get userId() {
    return this.welcome?.userId ?? '';
  }

  /** The rooms that we are in, or shall be in once connected. */
  get rooms() {
    return [...this.#rooms.keys()];
  }

  /**
   * Calls `listener` whenever it happens; the result takes it off again.
   * @template {keyof Events} K
   * @param {K} type
   * @param {(detail: Events[K]) => void} listener
   * @returns {() => void}
   */
  on(type, listener) {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set.add(listener));
    return () => void set.delete(listener);
  }

  /** Starts to connect, and to connect again for as long as it takes. */
  open() {
    if (this.state === 'idle' || this.state === 'closed') this.retry();
  }

  /** Tries now instead of waiting for the pause to end. */
  retry() {
    if (this.state === 'open' || this.state === 'connecting') return;
    clearTimeout(this.#timer);
    this.#dial();
  }

  /** Connects anew, with what `options` say now; rooms are kept. */
  restart() {
    if (this.#socket) this.#lost(this.#socket, new CubbyError('connecting anew', { reason: 'lost' }));
    this.retry();
  }

  /** Asks for a sign of life, and takes the connection for lost where none comes in good time. */
  async check() {
    if (this.state !== 'open') return this.state === 'waiting' ? this.retry() : undefined;
    const socket = this.#socket;
    await this.#request({ type: 'ping', body: '' }, 10000).catch((error) => this.#lost(socket, error));
  }

  /** Closes at once. Rooms are forgotten, and nothing is tried again. */
  close() {
    const error = new CubbyError('closed by this side', { reason: 'closed' });
    const rooms = [...this.#rooms.values()];
    this.#rooms.clear();
    this.#drop(error);
    for (const room of rooms) room.reject(error);
    this.#become('closed');
  }

  /** Asks the hub to send what it still holds for us and to close, then closes. */
  async bye() {
    if (this.state === 'open') await this.#request({ type: 'bye' }, 5000).catch(() => undefined);
    this.close();
  }

  /** @returns {Promise<string>} our user id */
  async identity() {
    return (await this.#request({ type: 'identity' })).userId;
  }

  /** @returns {Promise<string[]>} the user ids of everyone else on the hub */
  async list() {
    return (await this.#request({ type: 'list' })).userIds;
  }

  /**
   * Sends a body to user ids.
   * @param {string[]} to
   * @param {Body} body
   * @returns {Promise<Status[]>} in the order of `to`
   */
  async relay(to, body) {
    return (await this.#request({ type: 'relay', to, ...this.#packed(body), receipt: true })).statuses;
  }

  /**
   * Sends a body to names, wherever they are; with `store` it is kept for those who are away.
   * @param {string[]} names
   * @param {Body} body
   * @param {{ store?: boolean }} [options]
   * @returns {Promise<Status[]>} in the order of `names`
   */
  async send(names, body, { store = false } = {}) {
    return (await this.#request({ type: 'send', names, ...this.#packed(body), receipt: true, store })).statuses;
  }

  /**
   * Acknowledges kept mail, so that it does not come again. Done by itself unless `autoAck` is false.
   * @param {string} mailId
   */
  ack(mailId) {
    this.#say({ type: 'ack', mailId });
  }

  /**
   * Joins a room for good: also after each loss of connection, until `leave`. Resolves once it was joined and its
   * newest `backlog` events were told. Not connected, it waits for the connection.
   * @param {string} room
   * @param {{ backlog?: number }} [options]
   * @returns {Promise<Joined>}
   */
  join(room, { backlog = 0 } = {}) {
    const known = this.#rooms.get(room);
    if (known) return known.promise;
    /** @type {any} */ const fresh = { name: room, backlog, entered: false, held: true, last: -1, live: [] };
    fresh.promise = new Promise((resolve, reject) => Object.assign(fresh, { resolve, reject }));
    this.#rooms.set(room, fresh);
    if (this.state === 'open') this.#enter(fresh);
    return fresh.promise;
  }

  /**
   * Leaves a room, also while not connected.
   * @param {string} room
   */
  async leave(room) {
    this.#forget(room, new CubbyError('the room was left', { reason: 'closed' }));
    if (this.state === 'open') await this.#request({ type: 'leave', room });
  }

  /**
   * Says something in a room. With `noEcho` the sender is not told its own message.
   * @param {string} room
   * @param {Body} body
   * @param {{ noEcho?: boolean }} [options]
   * @returns {Promise<number>} the event's id
   */
  async publish(room, body, { noEcho = false } = {}) {
    const reply = await this.#request({ type: 'publish', room, ...this.#packed(body), noEcho, receipt: true });
    const here = this.#rooms.get(room);
    if (noEcho && here?.last === reply.id - 1 && !here.held) Object.assign(here, { last: reply.id, mark: undefined });
    return reply.id;
  }

  /**
   * The events after an id, oldest first. They are not told as `event`. Fewer than `limit` may come: ask again
   * after the last while it is not the newest.
   * @param {string} room
   * @param {{ after?: number, limit?: number }} [options]
   * @returns {Promise<Page>}
   */
  history(room, { after = 0, limit = 100 } = {}) {
    return this.#request({ type: 'history', room, after, limit });
  }

  /**
   * @param {string} room
   * @returns {Promise<Member[]>} who is in the room, one entry for each session
   */
  async who(room) {
    return (await this.#request({ type: 'who', room })).members;
  }

  /**
   * @param {string} [body]
   * @returns {Promise<number>} how long the answer took, in ms
   */
  async ping(body = '') {
    const start = performance.now();
    await this.#request({ type: 'ping', body });
    return performance.now() - start;
  }

  // The connection.

  #dial() {
    const Socket = this.options.WebSocket ?? globalThis.WebSocket;
    const socket = (this.#socket = new Socket(this.url, ['cubby.json.v1']));
    this.#farewell = undefined;
    const lost = (/** @type {string} */ text) => this.#lost(socket, new CubbyError(text, { reason: 'lost' }));
    this.#timer = setTimeout(() => lost('no answer from the hub'), this.options.timeout);
    socket.onopen = () => this.#greet(socket);
    socket.onmessage = (/** @type {{ data: any }} */ { data }) => socket === this.#socket && this.#take(data);
    socket.onclose = () => lost('the connection was lost');
    socket.onerror = () => undefined;
    this.#become('connecting');
  }

  /** @param {any} socket */
  async #greet(socket) {
    if (socket !== this.#socket) return;
    const { name, token } = this.options;
    try {
      const { type, tag, ...welcome } = await this.#request({ type: 'hello', name, token });
      if (socket !== this.#socket) return;
      this.welcome = welcome;
      this.lastError = undefined;
      this.#openedAt = Date.now();
      clearTimeout(this.#timer);
      this.#watch();
      this.#become('open');
      this.#emit('open', welcome);
      for (const room of this.#rooms.values()) this.#enter(room);
    } catch (error) {
      this.#lost(socket, /** @type {CubbyError} */ (error));
    }
  }

  /**
   * Gives a socket up, and plans the next try unless the hub refuses us.
   * @param {any} socket
   * @param {CubbyError} error
   */
  #lost(socket, error) {
    if (socket !== this.#socket) return;
    const why = this.#farewell ?? error;
    if (this.#openedAt && Date.now() - this.#openedAt > STEADY_MS) this.#attempt = 0;
    this.#drop(error);
    this.lastError = why;
    if (REFUSALS.has(why.code)) {
      this.#become('closed');
      this.#emit('refused', why);
    } else {
      const { minDelay, maxDelay } = this.options;
      const pause = Math.min(maxDelay, minDelay * 2 ** this.#attempt++) * (1 - Math.random() / 2);
      this.#timer = setTimeout(() => this.#dial(), pause);
      this.#become('waiting', Date.now() + pause);
    }
    this.#emit('close', why);
  }

  /** @param {CubbyError} error  for all that is still waiting */
  #drop(error) {
    const socket = this.#socket;
    this.#socket = null;
    this.#openedAt = 0;
    clearTimeout(this.#timer);
    for (const room of this.#rooms.values()) Object.assign(room, { held: true, live: [] });
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer, reject, type } of pending) {
      clearTimeout(timer);
      const { message, code, reason, fatal } = error;
      reject(new CubbyError(message, { code, reason, fatal, request: type }));
    }
    if (socket) socket.close();
  }

  /** Looks after a connection that may go silent. */
  #watch() {
    const quiet = (this.welcome?.heartbeatSecs || QUIET_SECS) * 1500;
    const rest = this.#heard + quiet - Date.now();
    if (rest <= 0) this.check();
    this.#timer = setTimeout(() => this.#watch(), rest > 0 ? rest : quiet);
  }

  /**
   * @param {State} state
   * @param {number} [retryAt]
   */
  #become(state, retryAt = 0) {
    this.state = state;
    this.#emit('state', { state, attempt: this.#attempt, retryAt, error: this.lastError });
  }

  /**
   * A listener that throws does not keep the others from being told.
   * @template {keyof Events} K
   * @param {K} type
   * @param {Events[K]} detail
   */
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

  /** @param {object} message */
  #say(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  /**
   * @param {{ type: string, [key: string]: unknown }} message
   * @param {number} [timeout]
   * @returns {Promise<any>} the reply, its parts put together
   */
  #request(message, timeout = this.options.timeout) {
    const { type } = message;
    const ready = this.state === 'open' || (type === 'hello' && this.#socket);
    if (!ready) return Promise.reject(new CubbyError('not connected', { reason: 'offline', request: type }));
    return new Promise((resolve, reject) => {
      const tag = this.#nextTag();
      const timer = setTimeout(() => {
        this.#pending.delete(tag);
        reject(timedOut(type));
      }, timeout);
      this.#pending.set(tag, { type, resolve, reject, parts: [], timer });
      this.#say({ ...message, tag });
    });
  }

  /** A body over the limit would cost us the connection, so it is not sent. @param {Body} body */
  #packed(body) {
    const most = this.welcome?.maxBody ?? Infinity;
    const size = body.length * 3 <= most ? 0 : byteLength(body);
    if (size > most) {
      const text = `too large: ${size} bytes, the hub takes ${most}`;
      throw new CubbyError(text, { code: TOO_LARGE, reason: 'unsent' });
    }
    return typeof body === 'string' ? { body } : { bodyBase64: base64(body) };
  }

  #nextTag() {
    do this.#tag = (this.#tag % 65535) + 1;
    while (this.#pending.has(this.#tag));
    return this.#tag;
  }

  /** @param {any} data  one message of the hub */
  #take(data) {
    /** @type {any} */ let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    this.#heard = Date.now();
    if ('chatroomId' in message) return this.#takeEvent(roomEvent(message), message.tag);
    switch (message.type) {
      case 'error': return this.#takeError(message);
      case 'deliver': return this.#emit('deliver', { from: message.from, body: unpacked(message) });
      case 'mail': return this.#takeMail(message);
      case 'beat': return this.#takeBeat(message);
      case 'closing': return this.#takeClosing(message);
      default: return this.#takeReply(message);
    }
  }

  /** @param {any} message */
  #takeReply(message) {
    const pending = this.#pending.get(message.tag);
    if (!pending) return;
    if (message.userIds) pending.parts.push(...message.userIds);
    if (message.members) pending.parts.push(...message.members.map(member));
    if (message.more) return;
    this.#settle(message.tag);
    const key = { list: 'userIds', who: 'members', historyEnd: 'events' }[/** @type {string} */ (message.type)];
    pending.resolve(key ? { ...message, [key]: pending.parts } : message);
  }

  /** @param {any} message */
  #takeError({ tag, code, error: text, request, fatal }) {
    const pending = this.#pending.get(tag);
    const error = new CubbyError(text, { code, request, fatal });
    if (fatal) this.#farewell = error;
    if (pending) {
      this.#settle(tag);
      pending.reject(error);
    } else {
      this.#emit('error', error);
    }
  }

  /** @param {number} tag */
  #settle(tag) {
    clearTimeout(this.#pending.get(tag)?.timer);
    this.#pending.delete(tag);
  }

  /** @param {any} message */
  #takeBeat({ unixTime }) {
    this.#say({ type: 'alive' });
    this.#emit('beat', { time: unixTime * 1000 });
  }

  /** @param {any} message */
  #takeClosing({ code, error: text }) {
    this.#farewell = new CubbyError(text, { code, fatal: true });
    this.#emit('closing', this.#farewell);
  }

  /** Kept mail may come again until it is acknowledged: it is told once. @param {any} message */
  #takeMail(message) {
    const { mailId, from, name = '', ack = false } = message;
    if (!ack || !this.#mailIds.has(mailId)) {
      const time = message.unixMs ?? message.unixTime * 1000;
      this.#emit('mail', { mailId, time, from, name: name ?? '', body: unpacked(message), ack });
    }
    if (!ack) return;
    this.#mailIds.add(mailId);
    if (this.#mailIds.size > MAIL_IDS) this.#mailIds.delete(/** @type {string} */ (this.#mailIds.values().next().value));
    if (this.options.autoAck) this.ack(mailId);
  }

  // Rooms.

  /**
   * @param {RoomEvent} event
   * @param {number} tag
   */
  #takeEvent(event, tag) {
    if (event.replay) return void this.#pending.get(tag)?.parts.push(event);
    const room = this.#rooms.get(event.room);
    if (!room) return;
    if (room.held) return void room.live.push(event);
    if (event.id <= room.last + 1) return this.#tell(room, event);
    room.live.push(event);
    this.#repair(room);
  }

  /** Tells an event unless it was told before. @param {Room} room @param {RoomEvent} event */
  #tell(room, event) {
    if (event.id <= room.last || this.#rooms.get(room.name) !== room) return;
    this.#miss(room, event.id - 1);
    room.last = event.id;
    room.mark = event;
    this.#emit('event', event);
    if (event.type === 'message') this.#emit('message', event);
    if (event.type === 'close') this.#forget(room.name);
  }

  /** Joins, and tells what the room's history holds since we last knew. @param {Room} room */
  async #enter(room) {
    const socket = this.#socket;
    try {
      const { sessions, newest } = await this.#request({ type: 'join', room: room.name });
      const joined = { room: room.name, sessions, newest, again: room.entered };
      room.entered = true;
      this.#emit('joined', joined);
      await this.#findPlace(room, newest);
      await this.#catchUp(room, newest);
      room.resolve(joined);
      if (this.#rooms.get(room.name) === room) this.#emit('ready', { room: room.name });
    } catch (error) {
      if (socket !== this.#socket || this.#rooms.get(room.name) !== room) return;
      this.#failedEnter(room, /** @type {CubbyError} */ (error));
    }
  }

  /** @param {Room} room @param {CubbyError} error */
  #failedEnter(room, error) {
    if (error.code !== RATE_LIMITED && error.reason !== 'timeout') return this.#forget(room.name, error);
    const socket = this.#socket;
    setTimeout(() => socket === this.#socket && this.#rooms.get(room.name) === room && this.#enter(room), 2000);
  }

  /** Sets where the telling goes on: at the last event told, or anew. @param {Room} room @param {number} newest */
  async #findPlace(room, newest) {
    if (room.last < 0) {
      // The newest event is our own joining, which comes live as well.
      const before = newest - 1;
      const { oldest } = await this.history(room.name, { after: newest, limit: 0 });
      room.last = oldest ? Math.max(0, before - room.backlog, oldest - 1) : before;
    } else if (!(await this.#isSameLife(room, newest))) {
      this.#emit('renewed', { room: room.name });
      Object.assign(room, { last: 0, mark: undefined });
    }
  }

  /** A restarted hub counts from 1 again: the event that we told last is then not there, or another one. */
  async #isSameLife(/** @type {Room} */ room, /** @type {number} */ newest) {
    const { mark } = room;
    if (newest < room.last) return false;
    if (!mark) return true;
    const { events: [first] } = await this.history(room.name, { after: mark.id - 1, limit: 1 });
    return first?.id !== mark.id || (first.time === mark.time && first.userId === mark.userId);
  }

  /** Tells history up to an id, then the live events held meanwhile, and lets the room run. */
  async #catchUp(/** @type {Room} */ room, /** @type {number} */ newest) {
    await this.#fill(room, room.live[0] ? room.live[0].id - 1 : newest);
    for (let next = room.live[0]; next; next = room.live[0]) {
      if (next.id > room.last + 1) await this.#fill(room, next.id - 1);
      if (room.live[0] !== next) return;
      room.live.shift();
      this.#tell(room, next);
    }
    room.held = false;
  }

  async #fill(/** @type {Room} */ room, /** @type {number} */ upTo) {
    while (room.last < upTo) {
      const limit = Math.min(PAGE, upTo - room.last);
      const { events } = await this.history(room.name, { after: room.last, limit });
      for (const event of events) this.#tell(room, event);
      if (!events.length) return this.#miss(room, Math.min(upTo, (room.live[0]?.id ?? Infinity) - 1));
    }
  }

  /** Goes on after events that the hub no longer has. @param {Room} room @param {number} to  the last of them */
  #miss(room, to) {
    if (to <= room.last) return;
    this.#emit('gap', { room: room.name, from: room.last + 1, to });
    room.last = to;
  }

  /** Live events have a hole: the hub passed us over, and its history has them. @param {Room} room */
  async #repair(room) {
    const socket = this.#socket;
    room.held = true;
    try {
      await this.#catchUp(room, room.last);
    } catch (error) {
      if (socket !== this.#socket || this.#rooms.get(room.name) !== room) return;
      setTimeout(() => socket === this.#socket && this.#repair(room), 2000);
    }
  }

  /** @param {string} name @param {CubbyError} [error] */
  #forget(name, error) {
    const room = this.#rooms.get(name);
    if (!room) return;
    this.#rooms.delete(name);
    room.reject(error ?? new CubbyError('the room was closed', { reason: 'closed' }));
    this.#emit('left', { room: name, error });
  }
}

/** @param {string} request */
function timedOut(request) {
  return new CubbyError('no answer in time', { reason: 'timeout', request });
}

/** @param {any} message @returns {RoomEvent} */
function roomEvent(message) {
  const { id, type, chatroomId: room, userId: name, sessionId: userId, unixTime, unixMs, replay } = message;
  const event = { room, id, type, name: name ?? '', userId: userId ?? '', time: unixMs ?? unixTime * 1000 };
  const body = type === 'message' ? { body: unpacked({ body: message.message, bodyBase64: message.messageBase64 }) } : {};
  return { ...event, ...body, replay: replay === true };
}

/** @param {{ userId: string, name?: string | null }} one @returns {Member} */
function member({ userId, name }) {
  return { userId, name: name ?? '' };
}

/** @param {Body} body */
export function byteLength(body) {
  return typeof body === 'string' ? new TextEncoder().encode(body).length : body.length;
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** @param {{ body?: string, bodyBase64?: string }} message @returns {Body} */
function unpacked({ body, bodyBase64 }) {
  return bodyBase64 === undefined ? body ?? '' : Uint8Array.from(atob(bodyBase64), (char) => char.charCodeAt(0));
}
