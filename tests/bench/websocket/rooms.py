"""Rooms on the package websockets, with its broadcast: no compression, each event is encoded once."""

import asyncio
import collections
import itertools
import json
import sys
import time

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

members = collections.defaultdict(set)
newest = collections.Counter()
sessions = itertools.count(1)


def dumps(value):
    return json.dumps(value, separators=(",", ":"))


def publish(session, room, body):
    newest[room] += 1
    unix_ms = time.time_ns() // 1_000_000
    event = {
        "id": newest[room],
        "chatroomId": room,
        "type": "message",
        "sessionId": session,
        "message": body,
        "unixTime": unix_ms // 1000,
        "unixMs": unix_ms,
    }
    broadcast(members[room], dumps(event))


async def serve_one(client):
    session = str(next(sessions))
    joined = set()
    try:
        async for text in client:
            request = json.loads(text)
            if request["type"] == "hello":
                await client.send(dumps({"type": "welcome", "userId": session}))
            elif request["type"] == "join":
                room = request["room"]
                joined.add(room)
                members[room].add(client)
                said = {"type": "joined", "room": room, "sessions": len(members[room]), "newest": newest[room]}
                await client.send(dumps(said))
            elif request["type"] == "publish":
                publish(session, request["room"], request["body"])
            else:
                break
    except ConnectionClosed:
        pass
    finally:
        for room in joined:
            members[room].discard(client)


async def main():
    subprotocols = ["cubby.json.v1"]
    plain = {"compression": None, "ping_interval": None, "subprotocols": subprotocols}
    async with serve(serve_one, "127.0.0.1", int(sys.argv[1]), **plain) as server:
        await server.serve_forever()


asyncio.run(main())
