// The chat page. What people wrote reaches the document as text only, never as markup.

import { Cubby, byteLength, canonical, wellFormed } from './cubby.js';
import { Roster, key } from './roster.js';

/** Rows in the document, and more at once; what a tab keeps; where a long text is cut; members in the document, and
 * more at once. */
const [ROWS, STEP, ITEMS, CHARS, CUT, CUT_LINES, MEMBERS, SLICE] = [300, 60, 4000, 8e6, 1500, 25, 1000, 50];
/** What others could make grow: members kept of a room, tabs of a link, tabs that others opened, those we answered,
 * user ids that were ours, lines to be said. */
const [ROSTER, TABS, GUESTS, ANSWERED, IDS, SPOKEN] = [10000, 50, 8, 200, 100, 4];
/** How long what is not urgent waits to be drawn with more of its kind. */
const CALM_MS = 300;
const SENTENCES = { join: 'joined', add: 'joined once more', remove: 'left once of several times', leave: 'left' };
const UNSENT = {
	waiting: 'Waits for the connection', sending: 'Sending…', unsure: 'Connection lost; looking whether it arrived',
};

/** The elements of the page, by id. @type {any} */
const $ = Object.fromEntries([...document.querySelectorAll('[id]')].map((node) => [node.id, node]));
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const number = (value) => value.toLocaleString('en');
const badge = (count) => (count > 999 ? '999+' : String(count));
const hub = new Cubby(new URL('ws', location.href.replace('http', 'ws')).href, { maxDelay: 15000 });

const views = [];
let active;
/** Whose name the head has; whose members are listed, how many of them at most, and their entries, by key. */
let titled;
let listed;
let slice = SLICE;
const entries = new Map();
/** The members are shown on demand only. */
const narrow = matchMedia('(max-width: 46rem)');
const listEnd = new IntersectionObserver(growList, { root: $.members, rootMargin: '300px' });
/** Our user ids, of this connection and of earlier ones. */
const mine = new Set();
/** Those whom we have written to. Mail of all others goes into one tab. */
const answered = new Set();
let lastTop = 0;

/** @returns {any} an element of a class, or with properties */
function el(tag, props, ...children) {
	const node = Object.assign(document.createElement(tag), typeof props === 'string' ? { className: props } : props);
	node.append(...children);
	return node;
}

/** Adds to a set, and lets the oldest go if it has more than `most`. */
function remember(set, value, most) {
	set.add(value);
	if (set.size > most) set.delete(set.values().next().value);
}

/** A name, less the marks that turn or hide text. */
function plain(text) {
	return text.replace(/[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, '\ufffd');
}

function label(name, userId = '') {
	return plain(name ?? '') || `unnamed ${userId.slice(-5)}`;
}

function hue(name) {
	return `--hue: ${([...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 9973, 0) % 8) * 45 + 25}`;
}

/** What has to be drawn in the next frame, or soon if the page is hidden and has no frames. */
const dirty = new Set();

function draw(...parts) {
	if (!dirty.size) document.hidden ? setTimeout(flush, 200) : requestAnimationFrame(flush);
	for (const part of parts) dirty.add(part);
}

/** What is drawn a few times a second at most: who comes and goes in a crowd. */
const calm = new Set();

function drawCalmly(...parts) {
	if (!calm.size) setTimeout(() => { draw(...calm); calm.clear(); }, CALM_MS);
	for (const part of parts) calm.add(part);
}

function flush() {
	const parts = [...dirty];
	dirty.clear();
	for (const part of parts) part();
}

/** A tab: a room, the talk with one person, by name or by user id, or the inbox, which is for neither. */
class View {
	room; dm; userId; inbox;
	/** A talk that the other side opened, and we have not written since. */
	guest = false;
	items = []; chars = 0;
	/** Which items are in the document while the tab is open, and whether it follows the newest. */
	start = 0; end = 0; stick = true;
	/** How many messages were not seen, and the first of them. */
	unread = 0; fresh = undefined;
	/** The hub may have older events; they are being asked for; how many older ones this page let go. */
	more = false; loading = false; gone = 0;
	/** In step with the room; it was so once; the room was closed; its ids began anew; the newest of them. */
	ready = false; known = false; closed = false; anew = false; last = 0;
	/** Who is here; they are being asked for, and have to be once more. */
	roster = new Roster(ROSTER, label); counting = false; recount = false;
	draft = ''; outbox = [];

	constructor({ room, dm, userId }) {
		const inbox = !(room || dm || userId);
		Object.assign(this, { room, dm, userId, inbox });
		this.label = room ? plain(room) : inbox ? 'Requests' : label(dm, userId);
		this.mark = room ? '#' : inbox ? '' : '@';
		this.badge = el('span', 'badge');
		const parts = [el('span', 'mark', this.mark), el('bdi', {}, this.label), this.badge];
		this.tab = el('button', { role: 'tab', onclick: () => go(this) }, ...parts);
		this.tab.setAttribute('aria-controls', 'panel');
		Object.assign(this.tab.dataset, room ? { room } : inbox ? { inbox: '' } : { dm: dm ?? userId });
	}

	push(item, drawn = draw) {
		this.items.push(item);
		this.chars += size(item);
		// Who reads further up keeps that, but not for as long as others write.
		const reading = this === active && !this.stick;
		if (this.load > (reading ? 2 : 1)) this.trim(reading);
		if (this === active) drawn(drawLog);
	}

	/** How much of what a tab keeps it has: 1 is all. */
	get load() {
		return Math.max(this.items.length / ITEMS, this.chars / CHARS);
	}

	/** Forgets all but the newest: the hub's history may still have the others. */
	trim(reading) {
		let start = this.items.length - 1;
		let chars = size(this.items[start]);
		const least = Math.max(0, this.items.length - ROWS / 2);
		while (start > least && chars + size(this.items[start - 1]) < CHARS / 2) chars += size(this.items[--start]);
		this.gone += start;
		this.keep(this.items.slice(start));
		this.more = Boolean(this.room) && !this.anew;
		this.stick = true;
		if (reading) this.items.unshift({ type: 'strong', text: 'So much arrived that what you were reading was let go.' });
	}

	/** Keeps these items and no others. */
	keep(items) {
		this.items = items;
		this.chars = items.reduce((sum, item) => sum + size(item), 0);
		if (this === active) $.log.replaceChildren();
	}

	get oldest() {
		return this.items.find(({ id }) => id)?.id ?? 1;
	}
}

function size({ body }) {
	return body?.length ?? 0;
}

/** The talk with a person. */
function talk({ name, userId }) {
	return name ? { dm: name } : { userId };
}

function find({ room = undefined, dm = undefined, userId = undefined }) {
	return views.find((view) => view.room === room && view.dm === dm && view.userId === userId);
}

function open({ room = undefined, dm = undefined, userId = undefined }) {
	const place = { room: room && canonical(room), dm: dm && canonical(dm), userId };
	const known = find(place);
	if (known) return known;
	const view = new View(place);
	views.push(view);
	$.tabs.append(view.tab);
	if (view.room) hub.join(view.room, { backlog: STEP }).catch(() => {});
	else view.push({ type: 'faint', text: 'Direct messages are not kept by the hub: they are on this page only.' });
	if (!view.room && !view.inbox) adopt(view);
	draw(drawTabs);
	return view;
}

/** Takes a person's requests out of the inbox into their own tab. */
function adopt(view) {
	const inbox = find({});
	const isTheirs = ({ type, name, userId }) => type === 'message' && key(name, userId) === key(view.dm, view.userId);
	const theirs = inbox?.items.filter(isTheirs) ?? [];
	if (!theirs.length) return;
	inbox.keep(inbox.items.filter((item) => !isTheirs(item)));
	inbox.unread = Math.min(inbox.unread, inbox.items.length);
	for (const message of theirs) view.push(message);
	if (!inbox.items.some(({ type }) => type === 'message')) close(inbox);
	else if (inbox === active) draw(drawLog);
}

function select(view) {
	if (view !== active) {
		if (active) Object.assign(active, { draft: $.compose.value, fresh: undefined });
		$.log.replaceChildren();
		$.compose.value = view?.draft ?? '';
		$['compose-error'].textContent = '';
		showPeople(false);
		if (view) view.stick = true;
	}
	active = view;
	$.app.hidden = !view;
	draw(drawTabs, drawHead, drawLog, drawOutbox, drawMembers);
	writeAddress();
}

function go(view) {
	select(view);
	focusCompose();
}

function close(view) {
	if (view.outbox.length && !confirm('Messages here were not sent. Drop them?')) return;
	const at = views.indexOf(view);
	views.splice(at, 1);
	view.tab.remove();
	if (view.room) hub.leave(view.room).catch(() => {});
	if (view === active) select(views[at] ?? views[at - 1]);
	if (active) writeAddress();
	else showEntry();
}

// The address: #name=ann&room=lobby&room=dev&dm=bob&at=2, or the same as a query.

function readAddress() {
	const params = [...new URLSearchParams(location.search), ...new URLSearchParams(location.hash.slice(1))];
	const { name = '', at = 1 } = Object.fromEntries(params);
	const places = params.filter(([key, value]) => (key === 'room' || key === 'dm') && value);
	// A link is written by others: it may not open tabs without end.
	return { name, at, places: places.slice(0, TABS).map(([key, value]) => ({ [key]: value })) };
}

/** Whether a tab belongs into the address: we opened it, and it can be found again. */
function lasts({ room, dm, guest }) {
	return Boolean(room || (dm && !guest));
}

function writeAddress() {
	const lasting = views.filter(lasts);
	const params = new URLSearchParams({ name: hub.options.name });
	for (const { room, dm } of lasting) params.append(room ? 'room' : 'dm', room ?? dm);
	const at = lasting.indexOf(active) + 1;
	if (at > 1) params.set('at', String(at));
	history.replaceState(null, '', `${location.pathname}#${params}`);
	if (active?.room) $.link.href = `${location.pathname}#${new URLSearchParams({ room: active.room })}`;
}

/** Does what the address says; a link without a name opens its room beside the others. */
function follow() {
	const { name, at, places } = readAddress();
	if (!name && !hub.options.name) return showEntry(places[0]?.room);
	const wanted = (places.length ? places : [{ room: 'lobby' }]).map(open);
	if (name) {
		for (const view of [...views]) if (!wanted.includes(view) && lasts(view)) close(view);
		enter(name);
	}
	select(wanted[Number(at) - 1] ?? wanted[0]);
}

function enter(wanted) {
	const name = canonical(wanted);
	const other = name !== hub.options.name;
	hub.options.name = name;
	if (other) hub.restart();
	else hub.open();
}

// The form for a name and a room, which is shown at first and for each further room.

function showEntry(room = '') {
	$['entry-name'].value = hub.options.name || readAddress().name;
	$['entry-room'].value = room || (views.length ? '' : 'lobby');
	$['entry-status'].textContent = '';
	$['entry-cancel'].hidden = !views.length || hub.state === 'closed';
	for (const field of ['entry-name', 'entry-room', 'entry-token']) complain(field, '');
	if (!$.entry.open) $.entry.showModal();
	($['entry-name'].value ? $['entry-room'] : $['entry-name']).focus();
}

function hideEntry() {
	$.entry.close();
	focusCompose();
}

function complain(field, text) {
	$[`${field}-error`].textContent = text;
	$[field].ariaInvalid = text !== '';
	if (text) $[field].focus();
}

function advice({ code, message }, what) {
	if (code !== 6) return `The hub refuses: ${message}.`;
	const rule = 'Choose one of 1 to 64 bytes, without control or invisible characters, or spaces at its ends.';
	return `The hub does not take this ${what}: ${message}. ${rule}`;
}

function submitEntry(event) {
	event.preventDefault();
	const [name, room] = [$['entry-name'].value, $['entry-room'].value];
	complain('entry-room', room ? '' : 'Say which room to enter.');
	complain('entry-name', name ? '' : 'Say who you are: others see this name.');
	if (!room || !name) return;
	$['entry-status'].textContent = 'Connecting…';
	hub.options.token = $['entry-token'].value;
	const view = open({ room });
	enter(name);
	select(view);
	// Not if the form asks for another one meanwhile.
	hub.join(room).then(() => $['entry-room'].value === room && hideEntry(), () => {});
}

// What the hub says.

function takeEvent(event) {
	const { type, id, name, userId, room } = event;
	const view = find({ room });
	if (!view) return;
	if (type === 'join' || type === 'add') view.roster.add(userId, name);
	if (type === 'remove' || type === 'leave') view.roster.remove(userId);
	if (type === 'close') Object.assign(view, { closed: true, ready: false, anew: true, more: false }, rosterOf([]));
	view.last = id;
	if (type === 'message') {
		view.push(asItem(event));
		return heard(view, event);
	}
	view.push(asItem(event), drawCalmly);
	drawCalmly(drawHead, drawMembers);
}

function asItem(event) {
	return { ...event, own: isOwn(event) };
}

function isOwn({ name, userId }) {
	return mine.has(userId) || Boolean(name && name === hub.options.name);
}

function heard(view, message) {
	const { name, userId, body, replay } = message;
	if (mine.has(userId) && view.room) arrived(view, body, view.last);
	// What was said before this page came is not new.
	if (isOwn(message) || (replay && !view.known)) return;
	if (view !== active || document.hidden) {
		view.fresh ??= view.items.at(-1);
		view.unread++;
		draw(drawTabs);
	}
	const words = typeof body === 'string' ? body.slice(0, 300) : 'a binary message';
	if (!replay && (view === active || !view.room)) announce(`${label(name, userId)}: ${words}`);
}

let spoken = [];
let unspoken = 0;

/** Has a screen reader say it; a flood is only counted. */
function announce(text) {
	if (spoken.length < SPOKEN) spoken.push(text);
	else unspoken++;
	draw(speak);
}

function speak() {
	const lines = unspoken ? [`${number(spoken.length + unspoken)} new messages`] : spoken;
	spoken = [];
	unspoken = 0;
	$.announcer.append(...lines.map((line) => el('p', {}, line)));
	while ($.announcer.childElementCount > 8) $.announcer.firstChild.remove();
}

function rosterOf(members) {
	const roster = new Roster(ROSTER, label);
	for (const { userId, name } of members) roster.add(userId, name);
	return { roster };
}

/** Asks who is in a room, one request at a time: others can cause gaps, and each asks for it. */
async function count(view) {
	if (view.counting) return void (view.recount = true);
	view.counting = true;
	const members = await hub.who(view.room).catch(() => {});
	if (members) Object.assign(view, rosterOf(members));
	draw(drawHead, drawMembers);
	setTimeout(() => {
		const again = view.recount && view.ready;
		Object.assign(view, { counting: false, recount: false });
		if (again) count(view);
	}, 1000);
}

function takeReady(view) {
	for (const unsent of view.outbox) {
		if (unsent.state === 'unsure') Object.assign(unsent, { state: 'failed', why: 'It is not in the room.' });
	}
	if (!view.known) view.more = view.oldest > 1;
	Object.assign(view, { ready: true, known: true });
	count(view);
	pump(view);
	draw(drawLog);
}

function takeLeft({ room, error }) {
	const view = find({ room });
	if (!view || !error || error.reason === 'closed') return;
	view.outbox = [];
	close(view);
	showEntry(room);
	complain('entry-room', advice(error, 'room name'));
}

function takeRefused(error) {
	showEntry(active?.room);
	const { code, field, message } = error;
	if (field === 'name') return complain('entry-name', advice(error, 'name'));
	if (!field) return void ($['entry-status'].textContent = advice(error, 'name'));
	$['entry-token-field'].hidden = false;
	complain('entry-token', code === 5 ? `The hub wants a token: ${message}.` : advice(error, 'token'));
}

function takeMail({ name, from, body, time = Date.now() }) {
	const known = name || views.map(({ roster }) => roster.name(from)).find(Boolean);
	const message = { type: 'message', name: known, userId: from, body, time };
	const view = mailbox(message);
	view.push(message);
	heard(view, message);
}

/** The tab for mail: theirs, if we have it open or once wrote to them; else the inbox, for names are for the taking. */
function mailbox({ name, userId }) {
	const place = talk({ name, userId });
	const known = find(place);
	if (known) return known;
	const guests = views.filter(({ guest }) => guest).length;
	if (!answered.has(key(name, userId)) || guests >= GUESTS) return open({});
	return Object.assign(open(place), { guest: true });
}

hub.on('close', () => {
	for (const view of views) {
		view.ready = false;
		for (const unsent of view.outbox) if (unsent.state === 'sending') unsent.state = 'unsure';
	}
	draw(drawOutbox);
});
hub.on('open', ({ userId }) => { remember(mine, userId, IDS); views.forEach(pump); });
hub.on('state', () => draw(drawStatus));
hub.on('event', takeEvent);
hub.on('ready', (place) => takeReady(find(place)));
hub.on('left', takeLeft);
hub.on('refused', takeRefused);
hub.on('mail', takeMail);
hub.on('deliver', takeMail);
hub.on('renewed', (place) => {
	const view = Object.assign(find(place), { more: false, anew: true, last: 0 });
	view.push({ type: 'strong', text: 'The room began anew: the hub no longer has what is above.' });
});
hub.on('gap', ({ room, from, to }) => {
	const view = find({ room });
	view.push({ type: 'strong', text: `${number(to - from + 1)} events are missing here: the hub no longer has them.` });
	if (view.ready) count(view);
});

// What we say.

function say(event) {
	event.preventDefault();
	// As it will come back from the room, so that it is known again.
	const text = wellFormed($.compose.value);
	if (!active || active.inbox || !text.trim()) return;
	const over = byteLength(text) - (hub.welcome?.maxBody ?? Infinity);
	$['compose-error'].textContent = over > 0 ? `Too long by ${number(over)} bytes: shorten it.` : '';
	if (over > 0) return;
	$.compose.value = '';
	active.outbox.push({ text, state: 'waiting' });
	pump(active);
	jump();
}

function pump(view) {
	draw(drawOutbox);
	if (view.closed) hub.join(view.room).catch(() => {});
	view.closed = false;
	for (const unsent of view.outbox) {
		if (unsent.state !== 'waiting') continue;
		if (hub.state !== 'open' || (view.room && !view.ready)) return;
		unsent.state = 'sending';
		(view.room ? publish(view, unsent) : whisper(view, unsent)).catch((error) => fail(view, unsent, error));
	}
}

async function publish(view, unsent) {
	unsent.id = await hub.publish(view.room, unsent.text);
	if (unsent.id <= view.last) cross(view, unsent);
}

async function whisper(view, unsent) {
	const { text: body } = unsent;
	const [status] = await (view.dm ? hub.send([view.dm], body) : hub.relay([view.userId], body));
	const why = { unknown: `${view.label} is not here`, refused: `too much is waiting for ${view.label}` }[status];
	if (why) return fail(view, unsent, { message: `Not delivered: ${why}.` });
	remember(answered, key(view.dm, view.userId), ANSWERED);
	view.guest = false;
	writeAddress();
	cross(view, unsent);
	view.push({ type: 'message', name: hub.options.name, body, time: Date.now(), own: true });
}

/** Our own message came back from the room: it is no longer unsent. */
function arrived(view, text, id) {
	const sent = view.outbox.filter(({ state }) => state !== 'waiting');
	const unsent = sent.find((one) => one.id === id) ?? sent.find((one) => !one.id && one.text === text);
	if (unsent) cross(view, unsent);
}

function cross(view, unsent) {
	view.outbox = view.outbox.filter((one) => one !== unsent);
	draw(drawOutbox);
}

function fail(view, unsent, { reason = '', message }) {
	const perhaps = reason === 'lost' || reason === 'timeout';
	draw(drawOutbox);
	if (reason === 'offline') unsent.state = 'waiting';
	// The room's history will tell.
	if (reason === 'offline' || (perhaps && view.room && unsent.state === 'unsure')) return;
	Object.assign(unsent, { state: 'failed', why: perhaps ? 'It may not have arrived.' : message });
	announce(unsent.why);
}

// Drawing.

function drawTabs() {
	let unread = 0;
	if (active && !document.hidden) active.unread = 0;
	for (const view of views) {
		const { tab, badge: mark } = view;
		const chosen = view === active;
		tab.ariaSelected = chosen;
		tab.tabIndex = chosen ? 0 : -1;
		mark.hidden = !view.unread;
		mark.replaceChildren(badge(view.unread), el('span', 'sr', ' unread'));
		if (chosen) tab.scrollIntoView({ block: 'nearest', inline: 'nearest' });
		unread += view.unread;
	}
	document.title = `${unread ? `(${badge(unread)}) ` : ''}${active ? `${active.label} · ` : ''}Cubby`;
}

/** Sets a text that is not there yet: all others cost nothing. */
function put(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

function drawHead() {
	put($['me-name'], plain(hub.options.name));
	if (!active) return;
	const { room, roster, inbox, mark } = active;
	const people = number(roster.size) + (roster.isFull ? '+' : '');
	if (titled !== active) $.title.replaceChildren(mark && `${mark}\u2009`, el('bdi', {}, active.label));
	titled = active;
	const what = inbox ? 'From people you have not written to' : 'Only between you two';
	put($.subtitle, room ? `${people} here` : what);
	$.composer.hidden = inbox;
	put($.people, `Members ${people}`);
	$.people.hidden = $.link.hidden = !room;
	put($.leave, room ? 'Leave' : 'Close');
}

function drawStatus() {
	const online = hub.state === 'open';
	const why = hub.lastError?.code ? ` (${hub.lastError.message})` : '';
	const trouble = `${hub.welcome ? 'Disconnected' : 'The hub can’t be reached'}${why}; trying again.`;
	const text = `${trouble} What you send is kept here and goes out once connected.`;
	$.banner.hidden = online || hub.state === 'closed' || !(hub.welcome || hub.lastError);
	$.status.textContent = online ? 'Connected' : $.banner.hidden ? 'Connecting…' : 'Disconnected';
	if ($['banner-text'].textContent !== text) $['banner-text'].textContent = text;
	if (hub.state === 'waiting') $['entry-status'].textContent = trouble;
	document.body.dataset.online = String(online);
	$.send.textContent = online ? 'Send' : 'Keep';
}

/** Draws the first of the members, and only if they are seen: more when one scrolls to the last of them. */
function drawMembers() {
	$.members.hidden = !active?.room;
	if ($.members.hidden || (narrow.matches && $.people.ariaExpanded === 'false')) return;
	if (listed !== active) showSlice(active);
	const { roster } = active;
	const people = roster.first(slice);
	const wanted = new Set(people.map((person) => person.key));
	for (const [id, item] of entries) if (!wanted.has(id)) entries.delete(id), item.remove();
	let next = $['member-list'].firstChild;
	for (const person of people) {
		const item = entries.get(person.key) ?? memberItem(person);
		entries.set(person.key, item);
		put(item.firstChild.lastChild, isOwn(person) ? 'you' : person.sessions > 1 ? `×${person.sessions}` : '');
		item.firstChild.disabled = isOwn(person);
		if (item === next) next = next.nextSibling;
		else $['member-list'].insertBefore(item, next);
	}
	const further = roster.size - people.length;
	put($['members-more'], further ? `and ${number(further)} more` : '');
}

/** Begins a list with its first slice. */
function showSlice(view) {
	[listed, slice] = [view, SLICE];
	entries.clear();
	$['member-list'].replaceChildren();
	$.members.scrollTop = 0;
}

/** The end of the list is seen: the next slice belongs there. */
function growList([{ isIntersecting }]) {
	if (!isIntersecting || !listed || slice >= Math.min(MEMBERS, listed.roster.size)) return;
	slice = Math.min(MEMBERS, slice + SLICE);
	drawMembers();
	// It tells again, should the end be seen still.
	listEnd.unobserve($['members-more']);
	listEnd.observe($['members-more']);
}

function memberItem(person) {
	const { name, words } = person;
	const props = { className: 'member', title: `Write to ${words} alone`, onclick: () => go(open(talk(person))) };
	return el('li', {}, el('button', props, el('bdi', { style: hue(name) }, words), el('span', 'faint')));
}

function drawLog() {
	if (!active) return;
	const view = active;
	const size = view.items.length;
	if (view.stick && size - view.end > ROWS) $.log.replaceChildren();
	if (!$.log.childElementCount) show(view, Math.max(0, size - ROWS / 2), size);
	else if (view.stick) show(view, Math.max(view.start, size - ROWS), size);
	else show(view, view.start, Math.max(view.end, Math.min(size, view.start + ROWS)));
	toEnd();
	scrolled();
}

function toEnd() {
	if (active?.stick) $.scroll.scrollTop = $.scroll.scrollHeight;
}

/** Puts the items from `start` to `end` into the document, and takes the others out. */
function show(view, start, end) {
	const log = $.log;
	const empty = !log.childElementCount;
	const [from, to] = empty ? [start, start] : [view.start, view.end];
	for (let at = from; at < Math.min(start, to); at++) log.firstChild.remove();
	for (let at = Math.max(end, from); at < to; at++) log.lastChild.remove();
	const rows = (first, last) => view.items.slice(first, last).map((_, at) => row(view, first + at));
	if (start < from) log.prepend(...rows(start, from));
	if (end > to) log.append(...rows(to, end));
	// The row that was first may now follow one of the same person.
	if (start < from && !empty) log.children[from - start].replaceWith(row(view, from));
	Object.assign(view, { start, end });
}

function row(view, at) {
	const [item, before] = [view.items[at], view.items[at - 1]];
	const outer = el('div', 'row');
	Object.assign(outer.dataset, { id: item.id, type: item.type });
	const day = calendar.format(item.time);
	if (item.time && (!before || calendar.format(before.time ?? item.time) !== day)) outer.append(el('p', 'day', day));
	if (item === view.fresh) outer.append(el('p', 'fresh', 'New'));
	const same = before?.type === 'message' && before.userId === item.userId && before.name === item.name;
	if (item.type === 'message') outer.append(messageRow(item, same && !outer.firstChild, view.inbox));
	else outer.append(item.text ? el('p', `note ${item.type}`, item.text) : eventRow(item));
	return outer;
}

function eventRow({ type, name, userId, time }) {
	if (type === 'close') return el('p', 'note', 'The room was closed. Write to open it again.');
	return el('p', 'note', el('bdi', {}, label(name, userId)), ` ${SENTENCES[type] ?? type} · `, stamp(time));
}

function stamp(time) {
	const date = new Date(time);
	return el('time', { dateTime: date.toISOString(), title: date.toLocaleString() }, clock.format(date));
}

function messageRow(item, same, asks) {
	const { name = '', userId, own, time } = item;
	const who = el('bdi', { className: 'who', style: hue(name) }, own ? 'You' : label(name, userId));
	const bubble = el('div', 'bubble', ...words(item), stamp(time));
	const answer = asks ? [el('button', { className: 'reveal', onclick: () => go(open(talk(item))) }, 'Answer')] : [];
	return el('div', `message${own ? ' own' : ''}${same ? ' same' : ''}`, who, bubble, ...answer);
}

/** A message's words: of a very long one the beginning, and buttons for the rest. */
function words(item) {
	const { body, shown } = item;
	if (typeof body !== 'string') return [el('p', 'text binary', `binary, ${number(body.length)} bytes`)];
	const cut = cutAt(body, shown ?? CUT);
	const rest = body.length - cut;
	const text = el('p', { className: 'text', dir: 'auto' }, rest ? `${body.slice(0, cut)}…` : body);
	if (!rest) return [text];
	const button = el('button', 'reveal', `Show more (${number(rest)} characters)`);
	button.onclick = () => {
		item.shown = (shown ?? CUT) * 10;
		button.parentNode.replaceChildren(...words(item), ...button.parentNode.querySelectorAll('time'));
	};
	return [text, button];
}

/** Where to cut a text: after this many characters or lines, never within a character. */
function cutAt(body, chars) {
	let end = Math.min(body.length, chars);
	let lines = (chars / CUT) * CUT_LINES;
	for (let at = body.indexOf('\n'); at >= 0 && at < end; at = body.indexOf('\n', at + 1)) if (!--lines) end = at;
	return end < body.length && /[\ud800-\udbff]/.test(body[end - 1] ?? '') ? end - 1 : end;
}

function drawEdges() {
	const { room, start, end, items, more, ready, stick, oldest, load, gone } = active;
	const further = load < 1 ? 'Scroll up for more' : 'This page keeps no more at once.';
	const top = more ? further : oldest > 1 ? 'The hub keeps nothing older.' : 'The beginning.';
	const lost = gone ? `${number(gone)} older messages were let go.` : '';
	$.older.textContent = start ? '' : room ? (ready ? top : '') : lost;
	$.jump.hidden = stick;
	$.jump.textContent = end < items.length ? `${number(items.length - end)} more ↓` : 'Newest ↓';
}

/** Changes the log while what one reads stays where it is. */
function still(change) {
	const box = (node) => node.getBoundingClientRect();
	const edge = box($.scroll).top;
	// Not the first row: it may be drawn anew.
	const anchor = [...$.log.children].find((node, at) => at && box(node).bottom > edge);
	const before = anchor && box(anchor).top;
	change();
	if (anchor?.isConnected) $.scroll.scrollTop += box(anchor).top - before;
}

function scrolled() {
	if (!active) return;
	const view = active;
	const { scrollTop, scrollHeight, clientHeight } = $.scroll;
	const below = scrollHeight - scrollTop - clientHeight;
	// Only scrolling up means to stay there: the end also moves by itself.
	if (below < 40) view.stick ||= view.end === view.items.length;
	else if (scrollTop < lastTop) view.stick = false;
	if (scrollTop < 300 && view.start) {
		const start = Math.max(0, view.start - STEP);
		still(() => show(view, start, Math.min(view.end, start + ROWS)));
	} else if (scrollTop < 300 && view.more) {
		older(view);
	} else if (below < 300 && view.end < view.items.length && !view.stick) {
		const end = Math.min(view.items.length, view.end + STEP);
		still(() => show(view, Math.max(view.start, end - ROWS), end));
	}
	// Not `scrollTop`: to keep what one reads still may have scrolled, and only the reader's scrolling counts.
	lastTop = $.scroll.scrollTop;
	drawEdges();
}

async function older(view) {
	const { oldest } = view;
	if (view.loading || !view.ready || view.load >= 1) return;
	view.loading = true;
	const after = Math.max(0, oldest - 1 - STEP);
	const page = await hub.history(view.room, { after, limit: oldest - 1 - after }).catch(() => {});
	view.loading = false;
	// If it failed, scrolling on asks again.
	if (!page || view.oldest !== oldest) return;
	const items = page.events.filter(({ id }) => id < oldest).map(asItem);
	view.more = items.length > 0 && items[0].id > Math.max(1, page.oldest);
	view.items.unshift(...items);
	view.chars += items.reduce((sum, item) => sum + size(item), 0);
	view.start += items.length;
	view.end += items.length;
	if (view === active) scrolled();
}

function drawOutbox() {
	$.outbox.replaceChildren(...(active?.outbox ?? []).map((unsent) => unsentRow(active, unsent)));
	toEnd();
}

function unsentRow(view, unsent) {
	const { state, why, text } = unsent;
	const line = el('p', 'state', why ?? UNSENT[state]);
	const act = (words, onclick) => line.append(el('button', { onclick }, words));
	const again = () => { Object.assign(unsent, { state: 'waiting', id: undefined, why: undefined }); pump(view); };
	if (why) act('Send again', again);
	if (state !== 'sending') act('Discard', () => { cross(view, unsent); $.compose.focus(); });
	return el('div', `row message own pending ${state}`, el('div', 'bubble', ...words({ body: text })), line);
}

function focusCompose() {
	if (matchMedia('(pointer: fine)').matches) $.compose.focus();
}

// The keyboard, the mouse, and the browser.

function tabKey(event) {
	const at = views.indexOf(active);
	const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
	if (event.key === 'Delete') close(active);
	else if (to !== undefined) select(views.at(to % views.length));
	else return;
	event.preventDefault();
	drawTabs();
	active?.tab.focus();
}

function showPeople(shown = $.people.ariaExpanded === 'false') {
	document.body.classList.toggle('people', shown);
	$.people.ariaExpanded = shown;
	draw(drawMembers);
}

function jump() {
	active.stick = true;
	draw(drawLog);
}

$['entry-form'].onsubmit = submitEntry;
$['entry-cancel'].onclick = hideEntry;
$.entry.oncancel = (event) => $['entry-cancel'].hidden && event.preventDefault();
$.entry.onclose = () => { if (!active) showEntry(); };
$.add.onclick = () => showEntry();
$.me.onclick = () => { showEntry(active.room); $['entry-name'].select(); };
$.tabs.onkeydown = tabKey;
$.retry.onclick = () => hub.retry();
$.people.onclick = () => showPeople();
$.leave.onclick = () => close(active);
$.jump.onclick = () => { jump(); focusCompose(); };
$.composer.onsubmit = say;
$.scroll.onscroll = scrolled;
$.compose.onkeydown = (event) => {
	// While one composes a character Enter only takes it; of Safari 229 alone tells, for it ends composing first.
	if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) say(event);
};
document.onvisibilitychange = () => {
	if (document.hidden) return;
	hub.check();
	draw(drawTabs, drawLog);
};
for (const type of ['online', 'offline']) addEventListener(type, () => hub.check());
addEventListener('hashchange', follow);
addEventListener('beforeunload', (event) => { if (views.some(({ outbox }) => outbox.length)) event.preventDefault(); });
narrow.onchange = () => draw(drawMembers);
listEnd.observe($['members-more']);
new ResizeObserver(toEnd).observe($.scroll);

follow();
