// A WebSocket client for tests: node websocket_client.mjs URL
//
// Sends messages of many sizes to a server that echoes, compressed and not, and prints what came of
// it as one object of JSON.
import WebSocket from 'ws';

const [url] = process.argv.slice(2);
const sizes = [0, 1, 63, 125, 126, 127, 4096, 65535, 65536, 200000, 900000];

function open(options) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'echo', options);
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

const next = (socket, event) =>
  new Promise((resolve) => socket.once(event, (...values) => resolve(values)));

function bytes(size) {
  const data = Buffer.alloc(size);
  for (let i = 0; i < size; i++) data[i] = 97 + ((i * i) % 23);
  return data;
}

async function echoes(socket) {
  let equal = 0;
  for (const size of sizes)
    for (const binary of [true, false]) {
      const data = bytes(size);
      const answer = next(socket, 'message');
      socket.send(binary ? data : data.toString(), { binary });
      const [message, isBinary] = await answer;
      if (isBinary === binary && message.equals(data)) equal++;
    }
  return equal;
}

async function fragments(socket) {
  const answer = next(socket, 'message');
  for (const piece of ['é', 'ü', '']) socket.send(piece, { fin: piece === '' });
  return (await answer)[0].toString();
}

async function round(options) {
  const socket = await open(options);
  const equal = await echoes(socket);
  const joined = await fragments(socket);
  const pong = next(socket, 'pong');
  socket.ping('here?');
  const [payload] = await pong;
  const closed = next(socket, 'close');
  socket.close(4001, 'enough');
  const [code] = await closed;
  return { equal, joined, pong: payload.toString(), code, extensions: socket.extensions,
           protocol: socket.protocol };
}

const kinds = [
  { perMessageDeflate: false },
  { perMessageDeflate: { threshold: 0 } },
  { perMessageDeflate: { threshold: 0, serverNoContextTakeover: true,
                         clientNoContextTakeover: true } },
  { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 10 } },
];
const results = [];
for (const kind of kinds) results.push(await round(kind));
const many = await Promise.all(Array.from({ length: 20 }, () => round(kinds[1])));
console.log(JSON.stringify({ expected: sizes.length * 2, results,
                             equal: many.reduce((sum, one) => sum + one.equal, 0) }));
