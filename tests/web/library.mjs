// Run by a test, with the library and the hub in place of these two words.
import assert from 'node:assert';
import WebSocket from 'ws';
import { connect } from 'LIBRARY';

const ann = await connect('HUB', { name: 'ann', WebSocket });
const bob = await connect('HUB', { name: 'bob', WebSocket });
const next = (hub, event) => new Promise((done) => { const off = hub.on(event, (what) => { off?.(); done(what); }); });

await ann.join('lobby');
await bob.join('lobby');
const heard = next(bob, 'message');
const id = await ann.publish('lobby', 'hi');
const message = await heard;
assert.deepEqual([message.room, message.id, message.name, message.body], ['lobby', id, 'ann', 'hi']);

const bytes = next(bob, 'message');
await ann.publish('lobby', new Uint8Array([255, 0, 254]));
assert.deepEqual([...(await bytes).body], [255, 0, 254]);

const mail = next(bob, 'mail');
assert.deepEqual(await ann.send(['bob', 'nobody'], 'psst'), ['queued', 'unknown']);
assert.equal((await mail).body, 'psst');

const delivered = next(ann, 'deliver');
assert.deepEqual(await bob.relay([ann.userId], 'straight'), ['queued']);
assert.equal((await delivered).body, 'straight');
assert.deepEqual(await ann.list(), [bob.userId]);
assert.deepEqual((await ann.who('lobby')).map((member) => member.name).sort(), ['ann', 'bob']);

await assert.rejects(ann.leave('den'), (error) => error.code === 7);
await ann.bye();
await bob.bye();
console.log('all is well');
