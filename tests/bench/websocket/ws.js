// Rooms on the package ws, written for speed: no compression, each event is encoded into one WebSocket frame, and the
// same bytes are written to every member's socket.
'use strict';
const { Sender, WebSocketServer } = require('ws');

const rooms = new Map();
let sessions = 0;

function room(name) {
  if (!rooms.has(name)) rooms.set(name, { members: new Set(), newest: 0 });
  return rooms.get(name);
}

function publish(session, { room: name, body }) {
  const { members } = room(name);
  const unixMs = Date.now();
  const event = {
    id: ++room(name).newest,
    chatroomId: name,
    type: 'message',
    sessionId: session,
    message: body,
    unixTime: Math.floor(unixMs / 1000),
    unixMs,
  };
  const payload = Buffer.from(JSON.stringify(event));
  const text = { fin: true, opcode: 1, mask: false, readOnly: true, rsv1: false };
  const frame = Buffer.concat(Sender.frame(payload, text));
  for (const member of members) member._socket.write(frame);
}

function answer(client, session, joined, request) {
  switch (request.type) {
    case 'hello':
      return client.send(JSON.stringify({ type: 'welcome', userId: session }));
    case 'join': {
      const { members, newest } = room(request.room);
      members.add(client);
      joined.add(members);
      return client.send(JSON.stringify({ type: 'joined', room: request.room, sessions: members.size, newest }));
    }
    case 'publish':
      return publish(session, request);
    default:
      return client.close();
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false });
server.on('connection', (client) => {
  const session = String(++sessions);
  const joined = new Set();
  client.on('message', (text) => answer(client, session, joined, JSON.parse(text)));
  client.on('close', () => joined.forEach((members) => members.delete(client)));
  client.on('error', () => client.terminate());
});
