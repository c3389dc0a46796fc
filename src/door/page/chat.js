// The chat page. What people wrote reaches the document as text only, never as markup.

import { Cubby, byteLength } from './cubby.js';

/** @typedef {import('./cubby.js').RoomEvent} RoomEvent @typedef {import('./cubby.js').CubbyError} CubbyError */
/** @typedef {{ room: string } | { dm: string } | { userId: string }} Place  What a tab is about. */
/** @typedef {{ type: string, id?: number, name?: string, userId?: string, body?: any, time?: number, own?: boolean,
 *   text?: string, status?: string, shown?: number }} Item  One line of a log. */
/** @typedef {{ text: string, state: 'waiting' | 'sending' | 'unsure' | 'failed', why?: string, id?: number }} Unsent */

/** Rows in the document; items kept in memory of each tab, and the characters in them. */
const ROWS = 300;
const STEP = 60;
const ITEMS = 4000;
const CHARS = 8e6;
const CUT = 1500;
const CUT_LINES = 25;
const MEMBERS = 200;

const SENTENCES = {
  join: ' joined', add: ' joined once more', remove: ' left with one of several connections', leave: ' left',
};
const STATUS = { queued: '', forwarded: '', stored: 'kept until they come back' };
const UNSENT = {
  waiting: 'Waits for the connection', sending: 'Sending…', unsure: 'Connection lost while sending: looking whether it arrived',
};

/** @param {string} id @returns {any} */
const $ = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const number = new Intl.NumberFormat('en');
const socket = new URL('ws', location.href);
socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
socket.search = socket.hash = '';
const hub = new Cubby(socket.href, { maxDelay: 15000 });

/** @type {View[]} */ const views = [];
/** @type {View | undefined} */ let active;
/** @type {Set<string>} our user ids, of this connection and of earlier ones */ const mine = new Set();
/** What of the page has to be drawn in the next frame. @type {Set<() => void>} */ const dirty = new Set();
let retryAt = 0;

/**
 * @param {string} tag @param {string | object} [props]  its class, or properties
 * @param {(Node | string)[]} children @returns {any}
 */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  Object.assign(node, typeof props === 'string' ? { className: props } : props);
  node.append(...children);
  return node;
}

/** A name for where marks that turn or hide text would mislead. @param {string} text */
function plain(text) {
  return text.replace(/[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, '\ufffd');
}

/** @param {string} name @param {string} [userId] */
function label(name, userId = '') {
  return plain(name) || `unnamed ${userId.slice(-5)}`;
}

/** @param {string} name */
function hue(name) {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + /** @type {number} */ (char.codePointAt(0))) % 9973;
  return `c${sum % 8}`;
}

/** Draws in the next frame, or soon where a hidden page has none. @param {(() => void)[]} parts */
function draw(...parts) {
  if (!dirty.size) {
    if (document.hidden) setTimeout(flush, 200);
    else requestAnimationFrame(flush);
  }
  for (const part of parts) dirty.add(part);
}

function flush() {
  const parts = [...dirty];
  dirty.clear();
  for (const part of parts) part();
}

/** A tab: a room, or the talk with one person. */
class View {
  /** @type {Item[]} */ items = [];
  /** @type {Unsent[]} */ outbox = [];
  /** User ids and names of those in the room. @type {Map<string, string>} */ members = new Map();
  /** Which items are in the document while the tab is open. */
  start = 0;
  end = 0;
  stick = true;
  top = 0;
  unread = 0;
  /** The first item that was not seen. @type {Item | undefined} */ fresh;
  more = false;
  loading = false;
  ready = false;
  closed = false;
  draft = '';
  chars = 0;
  /** The newest event id, to know which of our own messages have come. */ last = 0;

  /** @param {any} place */
  constructor({ room, dm, userId }) {
    this.room = room;
    this.dm = dm;
    this.userId = userId;
    this.label = room ? plain(room) : label(dm ?? '', userId);
    this.badge = el('span', 'badge');
    const mark = el('span', 'mark', room ? '#' : '@');
    mark.ariaHidden = 'true';
    this.tab = el('button', { id: `tab-${View.count++}` }, mark, el('bdi', 'label', this.label), this.badge);
    this.tab.role = 'tab';
    this.tab.setAttribute('role', 'tab');
    this.tab.setAttribute('aria-controls', 'panel');
    Object.assign(this.tab.dataset, room ? { room } : { dm: dm ?? userId });
    this.tab.onclick = () => { select(this); focusCompose(); };
  }
  static count = 1;

  /** @param {Item} item */
  push(item) {
    this.items.push(item);
    this.chars += item.body?.length ?? 0;
    if ((this.items.length > ITEMS || this.chars > CHARS) && (this.stick || this !== active)) this.trim();
    if (this === active) draw(drawLog);
  }

  /** Forgets the oldest, which the hub's history may still have. */
  trim() {
    let count = 0;
    let { chars } = this;
    const most = Math.max(0, this.items.length - ROWS * 2);
    while (count < most && (this.items.length - count > ITEMS / 2 || chars > CHARS / 2)) {
      chars -= this.items[count++].body?.length ?? 0;
    }
    if (!count) return;
    this.items.splice(0, count);
    Object.assign(this, { chars, more: Boolean(this.room), start: 0, end: 0 });
    if (this === active) $('log').replaceChildren();
  }

  /** @param {string} text @param {string} [type] */
  note(text, type = 'strong') {
    this.push({ type, text });
  }
}

/** @param {any} place */
function find({ room, dm, userId }) {
  return views.find((view) => view.room === room && view.dm === dm && view.userId === userId);
}

/** The tab of a place, made where there is none. @param {any} place */
function open(place) {
  const known = find(place);
  if (known) return known;
  const view = new View(place);
  views.push(view);
  $('tabs').append(view.tab);
  if (view.room) hub.join(view.room, { backlog: STEP }).catch(() => undefined);
  else view.note('Direct messages are not kept by the hub: they are on this page only.', 'note');
  draw(drawTabs);
  return view;
}

/** @param {View | undefined} view */
function select(view) {
  if (active && active !== view) Object.assign(active, { draft: $('compose').value, fresh: undefined });
  if (view && view !== active) {
    $('log').replaceChildren();
    $('compose').value = view.draft;
    $('compose-error').textContent = '';
    Object.assign(view, { start: 0, end: 0 });
    document.body.classList.remove('people');
  }
  active = view;
  seen();
  draw(drawTabs, drawHead, drawLog, drawOutbox, drawMembers);
  writeAddress();
}

/** @param {View} view */
function close(view) {
  if (view.outbox.length && !confirm('There are messages here that were not sent. Drop them?')) return;
  const at = views.indexOf(view);
  views.splice(at, 1);
  view.tab.remove();
  if (view.room) hub.leave(view.room).catch(() => undefined);
  if (view === active) {
    active = undefined;
    select(views[at] ?? views[at - 1]);
    active?.tab.focus();
  }
  if (!views.length) showEntry();
}

function seen() {
  if (active && !document.hidden) active.unread = 0;
}

// The address: #name=ann&room=lobby&room=dev&dm=bob&at=2, or the same as a query.

function readAddress() {
  const params = [...new URLSearchParams(location.search), ...new URLSearchParams(location.hash.slice(1))];
  const last = Object.fromEntries(params);
  const places = params.filter(([key, value]) => (key === 'room' || key === 'dm') && value);
  return { name: last.name ?? '', at: Number(last.at) || 1, places: places.map(([key, value]) => ({ [key]: value })) };
}

function writeAddress() {
  const lasting = views.filter((view) => view.room || view.dm);
  const params = new URLSearchParams({ name: hub.options.name });
  for (const { room, dm } of lasting) params.append(room ? 'room' : 'dm', room ?? dm);
  const at = active ? lasting.indexOf(active) + 1 : 0;
  if (at > 1) params.set('at', String(at));
  history.replaceState(null, '', `${location.pathname}#${params}`);
  if (!active?.room) return;
  $('link').href = `${location.pathname}#${new URLSearchParams({ room: active.room })}`;
}

/** Does what the address says. */
function follow() {
  const { name, at, places } = readAddress();
  if (!name) return showEntry(places[0]?.room);
  const wanted = places.length ? places : [{ room: 'lobby' }];
  for (const view of [...views]) {
    if (!wanted.some((place) => find(place) === view) && !view.userId && !view.outbox.length) close(view);
  }
  const opened = wanted.map(open);
  enter(name);
  select(opened[at - 1] ?? opened[0]);
}

/** @param {string} name */
function enter(name) {
  const anew = name !== hub.options.name;
  hub.options.name = name;
  if (hub.state === 'idle' || hub.state === 'closed') hub.open();
  else if (anew) hub.restart();
  if ($('entry').hidden) $('app').hidden = false;
}

// The form at the door.

/** @param {string} [room] */
function showEntry(room) {
  $('entry-name').value = hub.options.name || readAddress().name || recall();
  $('entry-room').value = room ?? active?.room ?? 'lobby';
  $('entry-cancel').hidden = hub.state !== 'open' || !views.length;
  $('entry').hidden = false;
  $('app').hidden = true;
  ($('entry-name').value ? $('entry-room') : $('entry-name')).focus();
  draw(drawTabs);
}

function hideEntry() {
  $('entry').hidden = true;
  $('app').hidden = false;
  draw(drawLog);
  focusCompose();
}

/** Says beside a field what is wrong with it. @param {string} field @param {string} text */
function complain(field, text) {
  $(`${field}-error`).textContent = text;
  const input = $(field === 'room' ? 'room-name' : field);
  input.setAttribute('aria-invalid', String(text !== ''));
  if (text) input.focus();
}

/** @param {CubbyError} error @param {string} what */
function advice({ code, message }, what) {
  if (code === 6) {
    return `The hub does not take this ${what}: ${message}. Choose one of 1 to 64 bytes, without line breaks, `
      + 'control characters, or spaces at its ends.';
  }
  if (code === 8) return `The hub is at a limit: ${message}. Leave another room first, or try later.`;
  return `The hub refuses: ${message}.`;
}

/** @param {Event} event */
function submitEntry(event) {
  event.preventDefault();
  for (const field of ['entry-name', 'entry-room', 'entry-token']) complain(field, '');
  const [name, room] = [$('entry-name').value, $('entry-room').value];
  if (!room) complain('entry-room', 'Say which room to enter.');
  if (!name) complain('entry-name', 'Say who you are: others see this name.');
  if (!room || !name) return;
  $('entry-status').textContent = 'Connecting…';
  hub.options.token = $('entry-token').value;
  const view = open({ room });
  enter(name);
  select(view);
  hub.join(room).then(entered, () => undefined);
}

function entered() {
  $('entry-status').textContent = '';
  remember(hub.options.name);
  if (!$('entry').hidden) hideEntry();
}

/** @param {string} name */
function remember(name) {
  try { localStorage.setItem('cubby-name', name); } catch { /* a private window keeps nothing */ }
}

function recall() {
  try { return localStorage.getItem('cubby-name') ?? ''; } catch { return ''; }
}

/** @param {Event} event */
function submitRoom(event) {
  event.preventDefault();
  const room = $('room-name').value;
  complain('room', room ? '' : 'Say which room to open.');
  if (!room) return;
  const known = find({ room });
  const view = known ?? open({ room });
  select(view);
  if (hub.state !== 'open' || known) return $('room-dialog').close();
  hub.join(room).then(() => { $('room-dialog').close(); focusCompose(); }, () => undefined);
}

// What the hub says.

/** @param {RoomEvent} event */
function takeEvent(event) {
  const view = find({ room: event.room });
  if (!view) return;
  const { type, id, name, userId, body, replay } = event;
  if (type === 'join' || type === 'add') view.members.set(userId, name);
  if (type === 'remove' || type === 'leave') view.members.delete(userId);
  view.last = id;
  view.closed = type === 'close';
  view.push(asItem(event));
  if (type === 'message') heard(view, name, userId, body, replay);
  else draw(drawHead, drawMembers);
}

/** @param {RoomEvent} event @returns {Item} */
function asItem({ id, type, name, userId, body, time }) {
  return { id, type, name, userId, body, time, own: isOwn(name, userId) };
}

/** @param {string} name @param {string} userId */
function isOwn(name, userId) {
  return mine.has(userId) || (name !== '' && name === hub.options.name);
}

/** Counts and announces a message, or crosses our own off. */
function heard(/** @type {View} */ view, name = '', userId = '', body = /** @type {any} */ (''), replay = false) {
  if (mine.has(userId) && view.room) arrived(view, body);
  if (isOwn(name, userId)) return;
  if (view !== active || document.hidden) {
    // What was said before this page came is not unread.
    if (replay && !view.ready) return;
    view.fresh ??= view.items.at(-1);
    view.unread++;
    draw(drawTabs);
  }
  if (!replay && (view === active || !view.room)) announce(`${label(name, userId)}: ${preview(body)}`);
}

/** @param {any} body */
function preview(body) {
  return typeof body === 'string' ? body.slice(0, 300) : 'a binary message';
}

/** @type {string[]} */ let spoken = [];

/** Has a screen reader say it; a flood is only counted. @param {string} text */
function announce(text) {
  spoken.push(text);
  draw(speak);
}

function speak() {
  const lines = spoken.length > 4 ? [`${spoken.length} new messages`] : spoken;
  spoken = [];
  $('announcer').append(...lines.map((line) => el('p', {}, line)));
  while ($('announcer').childElementCount > 8) $('announcer').firstChild.remove();
}

/** @param {View} view */
async function count(view) {
  const members = await hub.who(view.room).catch(() => []);
  if (members.length) view.members = new Map(members.map(({ userId, name }) => [userId, name]));
  draw(drawHead, drawMembers);
}

/** @param {string} room */
function takeReady(room) {
  const view = find({ room });
  if (!view) return;
  for (const unsent of view.outbox) {
    if (unsent.state === 'unsure') Object.assign(unsent, { state: 'failed', why: 'It did not arrive.' });
  }
  if (!view.ready && view.items.length) view.more = (view.items.find(({ id }) => id)?.id ?? 1) > 1;
  Object.assign(view, { ready: true });
  count(view);
  pump(view);
  draw(drawOutbox, drawLog);
}

/** A room that we are not let into. @param {string} room @param {CubbyError | undefined} error */
function takeLeft(room, error) {
  const view = find({ room });
  if (!view || !error || error.reason === 'closed') return;
  const [dialog, text] = [$('room-dialog').open, advice(error, 'room name')];
  view.outbox = [];
  close(view);
  if (dialog) return complain('room', text);
  showEntry(room);
  $('entry-status').textContent = '';
  complain('entry-room', text);
}

/** @param {CubbyError} error */
function takeRefused(error) {
  $('entry-status').textContent = '';
  showEntry(active?.room);
  if (error.code === 5) {
    $('entry-token-field').hidden = false;
    complain('entry-token', `The hub wants a token: ${error.message}.`);
  } else {
    complain('entry-name', advice(error, 'name'));
  }
}

/** A message to us alone. @param {{ name?: string, from: string, body: any, time?: number }} mail */
function takeMail({ name, from, body, time = Date.now() }) {
  const known = name ?? views.map(({ members }) => members.get(from)).find(Boolean);
  const view = open(known ? { dm: known } : { userId: from });
  view.push({ type: 'message', name: known ?? '', userId: from, body, time });
  heard(view, known, from, body);
  writeAddress();
}

hub.on('open', ({ userId }) => { mine.add(userId); views.forEach(pump); });
hub.on('state', (state) => {
  retryAt = state.retryAt;
  draw(drawStatus);
});
hub.on('close', () => {
  for (const { outbox } of views) {
    for (const unsent of outbox) if (unsent.state === 'sending') unsent.state = 'unsure';
  }
  for (const view of views) view.ready &&= !view.room;
  draw(drawOutbox);
});
hub.on('event', takeEvent);
hub.on('ready', ({ room }) => takeReady(room));
hub.on('left', ({ room, error }) => takeLeft(room, error));
hub.on('refused', takeRefused);
hub.on('mail', takeMail);
hub.on('deliver', takeMail);
hub.on('renewed', ({ room }) => {
  const view = find({ room });
  view?.note('The room began anew: the hub no longer has what is above.');
  if (view) Object.assign(view, { more: false, last: 0 });
});
hub.on('gap', ({ room, from, to }) => {
  const view = find({ room });
  view?.note(`${number.format(to - from + 1)} events are missing here: the hub no longer has them.`);
  if (view?.ready) count(view);
});

// What we say.

/** @param {Event} [event] */
function say(event) {
  event?.preventDefault();
  const text = $('compose').value;
  if (!active || !text.trim()) return;
  const [size, most] = [byteLength(text), hub.welcome?.maxBody ?? Infinity];
  const over = size > most ? `Too long by ${number.format(size - most)} bytes: shorten it.` : '';
  $('compose-error').textContent = over;
  if (over) return;
  $('compose').value = '';
  active.outbox.push({ text, state: 'waiting' });
  active.stick = true;
  if (active.end < active.items.length) Object.assign(active, { start: 0, end: 0 });
  pump(active);
  draw(drawLog, drawOutbox);
}

/** Sends what waits, in its order. @param {View} view */
async function pump(view) {
  if (view.closed) await hub.join(view.room).catch(() => undefined);
  for (const unsent of view.outbox) {
    if (unsent.state !== 'waiting') continue;
    if (hub.state !== 'open' || (view.room && !view.ready)) break;
    unsent.state = 'sending';
    (view.room ? publish(view, unsent) : whisper(view, unsent)).catch((error) => failed(unsent, error));
  }
  draw(drawOutbox);
}

/** @param {View} view @param {Unsent} unsent */
async function publish(view, unsent) {
  unsent.id = await hub.publish(view.room, unsent.text);
  if (unsent.id <= view.last) arrived(view, unsent.text, unsent.id);
}

/** @param {View} view @param {Unsent} unsent */
async function whisper(view, unsent) {
  const { text: body } = unsent;
  const [status] = await (view.dm ? hub.send([view.dm], body) : hub.relay([view.userId], body));
  if (status === 'unknown') return failed(unsent, `Not delivered: ${view.label} is not here.`);
  if (status === 'refused') return failed(unsent, `Not delivered: too much is waiting for ${view.label}.`);
  cross(view, unsent);
  view.push({ type: 'message', name: hub.options.name, body, time: Date.now(), own: true, status: STATUS[status] });
}

/** Our own message came back from the room: it is no longer unsent. */
function arrived(/** @type {View} */ view, /** @type {string} */ text, /** @type {number} */ id = view.last) {
  const under = view.outbox.filter(({ state }) => state === 'sending' || state === 'unsure');
  const unsent = under.find((one) => one.id === id) ?? under.find((one) => !one.id && one.text === text);
  if (unsent) cross(view, unsent);
}

/** @param {View} view @param {Unsent} unsent */
function cross(view, unsent) {
  view.outbox = view.outbox.filter((one) => one !== unsent);
  draw(drawOutbox);
}

/** @param {Unsent} unsent @param {any} error */
function failed(unsent, error) {
  const { reason, message } = error;
  const perhaps = reason === 'lost' || reason === 'timeout';
  if (reason === 'offline') unsent.state = 'waiting';
  else if (perhaps && unsent.state === 'unsure' && active?.room) return;
  else Object.assign(unsent, { state: 'failed', why: perhaps ? 'It may not have arrived.' : message ?? error });
  if (unsent.why) announce(unsent.why);
  draw(drawOutbox);
}

// Drawing.

function drawTabs() {
  for (const { tab, badge, unread, ...view } of views) {
    const chosen = tab === active?.tab;
    tab.setAttribute('aria-selected', String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    badge.hidden = !unread;
    badge.replaceChildren(unread > 99 ? '99+' : String(unread), el('span', 'sr', ' unread'));
    tab.title = `${view.label} (Delete closes)`;
    if (chosen) tab.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
  const unread = views.reduce((sum, view) => sum + view.unread, 0);
  const where = active && !$('app').hidden ? `${active.label} · Cubby` : 'Cubby';
  document.title = unread ? `(${unread}) ${where}` : where;
}

function drawHead() {
  if (!active) return;
  const { room, dm, userId, members } = active;
  const here = views.some((view) => [...view.members].some(([id, name]) => (dm ? name === dm : id === userId)));
  const size = new Set([...members].map(([id, name]) => name || id)).size;
  $('title').replaceChildren(room ? '#\u2009' : '@\u2009', el('bdi', {}, active.label));
  $('subtitle').textContent = room ? `${number.format(size)} here` : `Only between you two${here ? ' · here now' : ''}`;
  $('people').textContent = `${number.format(size)} members`;
  $('people').hidden = $('link').hidden = !room;
  $('leave').textContent = room ? 'Leave' : 'Close';
  $('me-name').textContent = plain(hub.options.name);
}

function drawStatus() {
  const online = hub.state === 'open';
  const why = hub.lastError?.code ? ` (${hub.lastError.message})` : '';
  $('status').dataset.state = hub.state;
  $('status-text').textContent = online ? 'Connected' : hub.welcome ? 'Disconnected' : 'Connecting…';
  $('banner').hidden = online || (hub.state === 'connecting' && !hub.welcome && !retryAt);
  const text = `${hub.welcome ? 'Disconnected' : 'The hub can’t be reached'}${why}. What you send is kept here and goes out once connected.`;
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  if (!$('entry').hidden && hub.state === 'waiting') $('entry-status').textContent = 'The hub can’t be reached; trying again…';
  document.body.dataset.online = String(online);
  $('send').textContent = online ? 'Send' : 'Keep';
  drawCountdown();
  drawHead();
}

function drawCountdown() {
  const secs = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  $('countdown').textContent = hub.state === 'waiting' ? `Next try in ${secs} s.` : 'Trying now…';
  if (hub.state === 'waiting') setTimeout(() => draw(drawCountdown), 1000);
}

function drawMembers() {
  if (!active) return;
  $('members').hidden = !active.room;
  /** @type {Map<string, { name: string, userId: string, count: number }>} */ const people = new Map();
  for (const [userId, name] of active.members) {
    const one = people.get(name || userId) ?? { name, userId, count: 0 };
    people.set(name || userId, { ...one, count: one.count + 1 });
  }
  const sorted = [...people.values()].sort((a, b) => label(a.name, a.userId).localeCompare(label(b.name, b.userId)));
  const items = sorted.slice(0, MEMBERS).map((one) => el('li', {}, memberButton(one)));
  if (sorted.length > MEMBERS) items.push(el('li', 'rest faint', `and ${number.format(sorted.length - MEMBERS)} more`));
  const focused = document.activeElement?.closest('.member')?.getAttribute('data-key');
  $('member-list').replaceChildren(...items);
  if (focused) $('member-list').querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/** @param {{ name: string, userId: string, count: number }} person */
function memberButton({ name, userId, count: sessions }) {
  const you = isOwn(name, userId);
  const text = you ? 'you' : sessions > 1 ? `×${sessions}` : '';
  const button = el('button', 'member', el('bdi', hue(name), label(name, userId)), el('span', 'faint', text));
  button.dataset.key = name || userId;
  button.disabled = you;
  button.title = you ? '' : `Write to ${label(name, userId)} alone`;
  button.onclick = () => { select(open(name ? { dm: name } : { userId })); focusCompose(); };
  return button;
}

/** Brings the rows in the document up to date with the open tab. */
function drawLog() {
  if (!active || $('app').hidden) return;
  const view = active;
  const fresh = !$('log').childElementCount;
  if (fresh || (view.stick && view.items.length - view.end > ROWS)) {
    const end = view.items.length;
    $('log').replaceChildren();
    show(view, Math.max(0, end - ROWS / 2), end);
  } else if (view.stick) {
    show(view, Math.max(view.start, view.items.length - ROWS), view.items.length);
  } else if (view.end - view.start < ROWS) {
    show(view, view.start, Math.min(view.items.length, view.start + ROWS));
  }
  if (view.stick) $('scroll').scrollTop = $('scroll').scrollHeight;
  drawEdges();
}

/** Puts the items from `start` to `end` into the document, and takes the others out. */
function show(/** @type {View} */ view, /** @type {number} */ start, /** @type {number} */ end) {
  const log = $('log');
  const empty = !log.childElementCount;
  const [from, to] = empty ? [start, start] : [view.start, view.end];
  for (let at = from; at < Math.min(start, to); at++) log.firstChild.remove();
  for (let at = Math.max(end, from); at < to; at++) log.lastChild.remove();
  if (start < from) log.prepend(...rows(view, start, from));
  if (end > to) log.append(...rows(view, to, end));
  // The row that was first may now follow one of the same person.
  if (start < from && !empty) log.children[from - start].replaceWith(row(view, from));
  Object.assign(view, { start, end });
}

/** @param {View} view @param {number} from @param {number} to */
function rows(view, from, to) {
  return Array.from({ length: to - from }, (_, at) => row(view, from + at));
}

/** @param {View} view @param {number} at */
function row(view, at) {
  const [item, before] = [view.items[at], view.items[at - 1]];
  const outer = el('div', 'row');
  Object.assign(outer.dataset, { id: item.id ?? '', type: item.type });
  const day = item.time && calendar.format(item.time);
  const newDay = day && (!before?.time || calendar.format(before.time) !== day);
  if (newDay) outer.append(el('p', 'day', day));
  if (item === view.fresh) outer.append(el('p', 'fresh', 'New'));
  const close = before?.type === 'message' && before.userId === item.userId && before.name === item.name;
  if (item.type === 'message') outer.append(messageRow(item, Boolean(close && !newDay && item !== view.fresh)));
  else if (item.text) outer.append(el('p', `note ${item.type}`, item.text));
  else outer.append(eventRow(item));
  return outer;
}

/** @param {Item} item */
function eventRow({ type, name = '', userId, time }) {
  if (type === 'close') return el('p', 'note', 'The room was closed. Write to open it again.');
  const words = SENTENCES[/** @type {keyof typeof SENTENCES} */ (type)] ?? ` ${type}`;
  return el('p', 'note', el('bdi', {}, label(name, userId)), words, ' · ', stamp(time));
}

/** @param {number | undefined} time */
function stamp(time = 0) {
  const date = new Date(time);
  return el('time', { dateTime: date.toISOString(), title: date.toLocaleString() }, clock.format(date));
}

/** @param {Item} item @param {boolean} more  of the same person as the one before */
function messageRow(item, more) {
  const { name = '', userId = '', own, time, status } = item;
  const node = el('div', `message${own ? ' own' : ''}${more ? ' more' : ''}`);
  const who = el('bdi', `who ${hue(name)}${more || own ? ' sr' : ''}`, own ? 'You' : label(name, userId));
  const bubble = el('div', 'bubble', ...text(item), stamp(time));
  node.append(who, bubble);
  if (status) node.append(el('p', 'faint', status));
  return node;
}

/** A message's words: of a very long one the beginning, and buttons for the rest. @param {Item} item */
function text(item) {
  const { body } = item;
  if (typeof body !== 'string') return [el('p', 'text binary', `binary, ${number.format(body.length)} bytes`)];
  const cut = cutAt(body, item.shown ?? CUT);
  const node = el('p', { className: 'text', dir: 'auto' }, cut < body.length ? `${body.slice(0, cut)}…` : body);
  if (cut === body.length && !item.shown) return [node];
  const buttons = el('p', 'reveal');
  const reveal = (/** @type {string} */ words, /** @type {number | undefined} */ shown) => {
    buttons.append(el('button', { onclick: () => {
      item.shown = shown;
      const stamped = buttons.parentNode.querySelector('time');
      buttons.parentNode.replaceChildren(...text(item), stamped);
    } }, words));
  };
  if (cut < body.length) reveal(`Show more (${number.format(body.length - cut)} characters)`, cut * 10);
  if (item.shown) reveal('Show less', undefined);
  return [node, buttons];
}

/** Where to cut a text: after so many characters or lines, never within a character. */
function cutAt(/** @type {string} */ body, /** @type {number} */ chars) {
  let end = Math.min(body.length, chars);
  let lines = Math.ceil((chars / CUT) * CUT_LINES);
  for (let at = body.indexOf('\n'); at >= 0 && at < end; at = body.indexOf('\n', at + 1)) if (!--lines) end = at;
  return /[\ud800-\udbff]/.test(body[end - 1] ?? '') && end < body.length ? end - 1 : end;
}

/** What stands at the log's two ends. */
function drawEdges() {
  if (!active) return;
  const { room, start, end, items, more, ready, loading, stick } = active;
  const oldest = items.find(({ id }) => id)?.id ?? 1;
  const top = oldest > 1 ? 'The hub keeps nothing older.' : ready ? 'The beginning.' : '';
  $('older').textContent = !room || start ? '' : loading ? 'Loading…' : more ? 'Scroll up for more' : top;
  const below = items.length - end;
  $('jump').hidden = stick;
  $('jump').textContent = below ? `${number.format(below)} more below ↓` : 'Newest ↓';
}

/** Changes the log while what one reads stays where it is. @param {() => void} change */
function still(change) {
  const scroll = $('scroll');
  const edge = scroll.getBoundingClientRect().top;
  const anchor = [...$('log').children].find((node) => node.getBoundingClientRect().bottom > edge);
  const before = anchor?.getBoundingClientRect().top;
  change();
  if (anchor?.isConnected) scroll.scrollTop += anchor.getBoundingClientRect().top - before;
}

function scrolled() {
  if (!active || $('app').hidden) return;
  const view = active;
  const { scrollTop, scrollHeight, clientHeight } = $('scroll');
  const below = scrollHeight - scrollTop - clientHeight;
  view.stick = below < 40 && view.end === view.items.length;
  if (scrollTop < 300 && view.start) {
    const start = Math.max(0, view.start - STEP);
    still(() => show(view, start, Math.min(view.end, start + ROWS)));
  } else if (scrollTop < 300 && view.more) {
    older(view);
  } else if (below < 300 && view.end < view.items.length) {
    const end = Math.min(view.items.length, view.end + STEP);
    still(() => show(view, Math.max(view.start, end - ROWS), end));
  }
  drawEdges();
}

/** Asks the hub for what was said before the oldest that we have. @param {View} view */
async function older(view) {
  const oldest = view.items.find(({ id }) => id)?.id ?? 1;
  if (view.loading || !view.ready) return;
  view.loading = true;
  const after = Math.max(0, oldest - 1 - STEP);
  try {
    const page = await hub.history(view.room, { after, limit: oldest - 1 - after });
    const items = page.events.filter(({ id }) => id < oldest).map(asItem);
    view.more = items.length > 0 && /** @type {number} */ (items[0].id) > Math.max(1, page.oldest);
    view.items.unshift(...items);
    for (const { body } of items) view.chars += body?.length ?? 0;
    Object.assign(view, { start: view.start + items.length, end: view.end + items.length });
  } catch {
    // Scrolling on asks again.
  }
  view.loading = false;
  if (view === active) scrolled();
}

function drawOutbox() {
  if (!active) return;
  const view = active;
  $('outbox').hidden = !view.outbox.length;
  $('outbox').replaceChildren(...view.outbox.map((unsent) => unsentRow(view, unsent)));
  if (view.stick) $('scroll').scrollTop = $('scroll').scrollHeight;
}

/** @param {View} view @param {Unsent} unsent */
function unsentRow(view, unsent) {
  const { state, why } = unsent;
  const line = el('p', 'state', state === 'failed' ? why ?? '' : UNSENT[state]);
  const act = (/** @type {string} */ words, /** @type {() => void} */ onclick) => line.append(el('button', { onclick }, words));
  if (state === 'failed') {
    act('Send again', () => { Object.assign(unsent, { state: 'waiting', id: undefined, why: '' }); pump(view); });
  }
  if (state !== 'sending') act('Discard', () => { cross(view, unsent); $('compose').focus(); });
  const node = el('div', `message own pending ${state}`, el('div', 'bubble', ...text({ type: 'message', body: unsent.text })), line);
  return el('div', 'row', node);
}

function focusCompose() {
  if (matchMedia('(pointer: fine)').matches) $('compose').focus();
}

// The keyboard, the mouse, and the browser.

/** @param {KeyboardEvent} event */
function tabKey(event) {
  const at = active ? views.indexOf(active) : 0;
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: views.length - 1 }[event.key];
  if (event.key === 'Delete' && active) close(active);
  else if (to !== undefined) select(views[(to + views.length) % views.length]);
  else return;
  event.preventDefault();
  active?.tab.focus();
}

/** @param {MouseEvent} event */
async function copyLink(event) {
  event.preventDefault();
  const { href } = $('link');
  const copied = await navigator.clipboard?.writeText(href).then(() => true, () => false);
  if (!copied) return void prompt('The link to this room:', href);
  $('link').textContent = 'Copied';
  announce('Link copied');
  setTimeout(() => { $('link').textContent = 'Copy link'; }, 2000);
}

function togglePeople() {
  const open = document.body.classList.toggle('people');
  $('people').setAttribute('aria-expanded', String(open));
}

function jump() {
  if (!active) return;
  active.stick = true;
  $('log').replaceChildren();
  draw(drawLog);
  focusCompose();
}

$('entry-form').onsubmit = submitEntry;
$('entry-cancel').onclick = hideEntry;
$('room-form').onsubmit = submitRoom;
$('room-cancel').onclick = () => $('room-dialog').close();
$('add').onclick = () => { complain('room', ''); $('room-name').value = ''; $('room-dialog').showModal(); };
$('me').onclick = () => showEntry();
$('tabs').onkeydown = tabKey;
$('retry').onclick = () => hub.retry();
$('link').onclick = copyLink;
$('people').onclick = togglePeople;
$('leave').onclick = () => active && close(active);
$('jump').onclick = jump;
$('composer').onsubmit = say;
$('scroll').onscroll = scrolled;
$('compose').onkeydown = (/** @type {KeyboardEvent} */ event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) say(event);
};
document.onkeydown = ({ key }) => { if (key === 'Escape' && document.body.classList.contains('people')) togglePeople(); };
document.onvisibilitychange = () => {
  if (document.hidden) return;
  seen();
  hub.check();
  draw(drawTabs, drawLog);
};
addEventListener('online', () => hub.check());
addEventListener('offline', () => hub.check());
addEventListener('hashchange', follow);
addEventListener('beforeunload', (event) => { if (views.some(({ outbox }) => outbox.length)) event.preventDefault(); });
new ResizeObserver(() => { if (active?.stick) $('scroll').scrollTop = $('scroll').scrollHeight; }).observe($('scroll'));

follow();
