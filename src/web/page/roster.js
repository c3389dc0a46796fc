// Who is in a room: people by their names, each with the number of its sessions. What one event changes costs little,
// however many people there are.

const { compare } = new Intl.Collator();
const ordered = (a, b) => compare(a.words, b.words) || (a.key < b.key ? -1 : Number(a.key > b.key));

/** Tells people apart, named or not. @param {string} [name] @param {string} [userId] */
export function key(name, userId) {
	return name ? `@${name}` : userId;
}

export class Roster {
	/** Names by user id. */
	#names = new Map();
	#people = new Map();
	/** The people in the order of the alphabet, from the first time on that somebody looks. */
	#sorted;

	/** @param {number} most  Sessions that it keeps. @param {(name: string, userId: string) => string} label */
	constructor(most, label) {
		this.most = most;
		this.label = label;
	}

	/** How many people there are. */
	get size() {
		return this.#people.size;
	}

	/** It keeps no more: there may be others. */
	get isFull() {
		return this.#names.size >= this.most;
	}

	/** What a session calls itself. */
	name(userId) {
		return this.#names.get(userId);
	}

	/** The first people by the alphabet. */
	first(count) {
		this.#sorted ??= [...this.#people.values()].sort(ordered);
		return this.#sorted.slice(0, count);
	}

	add(userId, name) {
		this.remove(userId);
		if (this.isFull) return;
		this.#names.set(userId, name);
		const id = key(name, userId);
		const person = this.#people.get(id) ?? { key: id, name, userId, words: this.label(name, userId), sessions: 0 };
		if (!person.sessions++) this.#sorted?.splice(this.#place(person), 0, person);
		this.#people.set(id, person);
	}

	remove(userId) {
		if (!this.#names.has(userId)) return;
		const id = key(this.#names.get(userId), userId);
		this.#names.delete(userId);
		const person = this.#people.get(id);
		if (--person.sessions) return;
		this.#people.delete(id);
		this.#sorted?.splice(this.#place(person), 1);
	}

	/** Where a person stands, or would. */
	#place(person) {
		let [from, to] = [0, this.#sorted.length];
		while (from < to) {
			const middle = (from + to) >> 1;
			if (ordered(this.#sorted[middle], person) < 0) from = middle + 1;
			else to = middle;
		}
		return from;
	}
}
