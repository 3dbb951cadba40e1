// The events of the server. The browser comes back by itself after a lost connection; after an
// answer that is an error it does not, and we do, from where we were.

import { store } from './store.js';

const documents = new EventTarget();
export { documents };

let paused = false;
const held = [];
let last = '';
let pid = null;

function parse(text) {
  return text.split('\n').map((line) => JSON.parse(line));
}

export function setPaused(value) {
  paused = value;
  if (!paused) {
    store.take(held.splice(0));
  }
}

function take(records) {
  if (!paused) {
    store.take(records);
    return;
  }
  held.push(...records);
  held.splice(0, Math.max(0, held.length - 20000));
  documents.dispatchEvent(new CustomEvent('held', { detail: held.length }));
}

function tell(name, detail) {
  documents.dispatchEvent(new CustomEvent(name, { detail }));
}

function hello(process) {
  if (pid !== null && pid !== process.pid) {
    store.lose();
    tell('restart', process);
  }
  pid = process.pid;
  tell('process', process);
}

export function connect() {
  const source = new EventSource(last ? `/_dev/api/stream?after=${last}` : '/_dev/api/stream');
  source.addEventListener('open', () => tell('connection', 'live'));
  source.addEventListener('hello', (event) => hello(JSON.parse(event.data)));
  source.addEventListener('records', (event) => {
    last = event.lastEventId;
    take(parse(event.data));
  });
  source.addEventListener('missed', (event) => {
    last = event.lastEventId;
    store.missed += Number(event.data);
    store.lose();
    tell('missed', store.missed);
  });
  for (const name of ['health', 'effects', 'mails']) source.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
  source.addEventListener('error', () => {
    tell('connection', 'reconnecting');
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  });
}

export async function loadDocument(name) {
  const answer = await fetch(`/_dev/api/documents/${name}`, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return answer.json();
}
