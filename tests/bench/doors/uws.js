// Rooms on the package uWebSockets.js, by its own topics: an event is put into JSON once, and the library sends it.
'use strict';
const { App } = require('uWebSockets.js');

const newest = new Map();
let sessions = 0;

function publish(app, session, { room, body }) {
  const unixMs = Date.now();
  newest.set(room, (newest.get(room) || 0) + 1);
  const event = {
    id: newest.get(room),
    chatroomId: room,
    type: 'message',
    sessionId: session,
    message: body,
    unixTime: Math.floor(unixMs / 1000),
    unixMs,
  };
  app.publish(room, JSON.stringify(event));
}

const app = App();
const decoder = new TextDecoder();
app.ws('/ws', {
  idleTimeout: 0,
  maxBackpressure: 64 * 1024 * 1024,
  open(client) {
    client.getUserData().session = String(++sessions);
  },
  message(client, bytes) {
    const { session } = client.getUserData();
    const request = JSON.parse(decoder.decode(bytes));
    if (request.type === 'hello') {
      client.send(JSON.stringify({ type: 'welcome', userId: session }));
    } else if (request.type === 'join') {
      client.subscribe(request.room);
      const joined = { sessions: app.numSubscribers(request.room), newest: newest.get(request.room) || 0 };
      client.send(JSON.stringify({ type: 'joined', room: request.room, ...joined }));
    } else if (request.type === 'publish') {
      publish(app, session, request);
    } else {
      client.end(1000);
    }
  },
});
app.listen('127.0.0.1', Number(process.argv[2]), (socket) => {
  if (!socket) process.exit(1);
});
