// One unit of work in detail: its spans over time, what each says, and the logs that belong to it.

import { clock, copyable, count, duration, h, hue, plain } from './dom.js';
import { spansOf, summary } from './store.js';
import { logLine } from './logs.js';

let open = null; // the span whose attributes are shown, by id

function range(rows, lost) {
  const start = Math.min(...rows.map(({ span }) => span.time));
  const now = lost ? 0 : Date.now() * 1e3; // what runs still has come this far
  const end = Math.max(...rows.map(({ span }) => (span.ended ? span.time + span.duration / 1e3 : Math.max(now, span.time))));
  return { start, length: Math.max(end - start, 1) };
}

function ruler({ length }) {
  const marks = [0, 0.25, 0.5, 0.75, 1];
  return h('div', { class: 'ruler', 'aria-hidden': 'true' }, marks.map((part) => h('span', { style: { '--at': part } }, duration(length * 1e3 * part))));
}

function bar(span, { start, length }) {
  const at = (span.time - start) / length;
  const part = span.ended ? span.duration / 1e3 / length : 1 - at;
  const marks = (span.events ?? []).map((event) =>
    h('i', { class: 'event', title: event.name, style: { '--at': Math.min(1, Math.max(0, (event.time - start) / length)) } }));
  const state = !span.ended ? 'is-open' : span.status === 'error' ? 'is-bad' : '';
  return h('span', { class: `lane ${at > 0.7 ? 'is-late' : ''}`, 'aria-hidden': 'true', style: { '--at': at, '--part': Math.max(part, 0.002) } },
    h('span', { class: `bar ${hue(span.module)} ${state}` }), marks,
    h('span', { class: 'bar-text' }, span.ended ? duration(span.duration) : 'running'));
}

/* The bar in words, for who does not see it. */
function spoken(span) {
  const state = !span.ended ? 'running' : `${duration(span.duration)}${span.status === 'error' ? ', failed' : ''}`;
  return h('span', { class: 'hidden' }, ` ${state}`);
}

function spanRow({ span, depth }, time, redraw) {
  const toggle = () => { open = open === span.id ? null : span.id; redraw(); };
  return h('li', { class: `span-row ${span.status === 'error' ? 'has-failed' : ''}` },
    h('button', { type: 'button', class: 'span-button', 'aria-expanded': String(open === span.id), 'data-span': span.id, onclick: toggle, style: { '--depth': depth } },
      h('span', { class: 'span-name' }, h('span', { class: `swatch ${hue(span.module)}` }), h('span', { class: 'span-title' }, span.name), ' ', h('span', { class: 'span-module quiet' }, span.module), spoken(span)),
      bar(span, time)),
    open === span.id && facts(span));
}

function pairs(title, entries) {
  if (!entries.length) return null;
  return h('table', { class: 'pairs' }, h('caption', null, title),
    h('tbody', null, entries.map(([name, value]) => h('tr', null, h('th', { scope: 'row' }, name), h('td', null, plain(value))))));
}

function facts(span) {
  const events = (span.events ?? []).map((event) => h('div', { class: 'event-fact' },
    h('p', null, h('i', { class: 'event', 'aria-hidden': 'true' }), h('strong', null, event.name), h('span', { class: 'quiet' }, ` ${clock(event.time)}`)),
    pairs('Attributes of the event', Object.entries(event.attributes ?? {}))));
  return h('div', { class: 'facts' },
    span.error && h('p', { class: 'alert' }, span.error),
    pairs('Span', [['span.id', span.id], ...(span.parentId ? [['parent.id', span.parentId]] : []), ['kind', span.kind ?? 'internal'], ['status', span.status ?? 'running'], ...(span.dropped ? [['dropped', span.dropped]] : [])]),
    pairs('Attributes', Object.entries(span.attributes ?? {})),
    events.length > 0 && h('div', { class: 'event-list' }, h('h4', null, 'Events'), events));
}

function heading(unit, about, close) {
  const { root } = unit;
  const failure = root.error ?? (about.failed ? root.attributes?.['error.type'] : null);
  const correlation = root.attributes?.['correlation.id'];
  return [
    h('div', { class: 'detail-head' },
      h('h2', { class: 'detail-title' }, about.method && h('span', { class: 'method' }, about.method, ' '), about.path),
      h('button', { type: 'button', class: 'button is-quiet', onclick: close, 'aria-label': 'Close details' }, 'Close')),
    h('dl', { class: 'summary' },
      [['Status', about.lost ? 'lost' : about.running ? 'in flight' : about.status ?? (about.failed ? 'error' : 'ok')],
        ['Took', root.ended ? duration(root.duration) : about.lost ? 'unknown' : `${duration(Math.max(0, Date.now() * 1e6 - root.time * 1e3))} so far`], ['Began', clock(root.time)], ['Route', about.route || '–'], ['Module', root.module]]
        .map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, String(value)))),
      h('div', null, h('dt', null, 'Trace'), h('dd', null, copyable(unit.trace.id, 'trace id'))),
      correlation && h('div', null, h('dt', null, 'Correlation'), h('dd', null, copyable(correlation, 'correlation id')))),
    failure && h('p', { class: 'alert' }, String(failure)),
    about.lost && h('p', { class: 'alert is-mild' }, 'Its end was not seen: its process is gone, or more happened than could be followed.'),
  ];
}

export function detailOf(unit, { close, redraw, navigate }) {
  const rows = spansOf(unit);
  const time = range(rows, unit.lost);
  const logs = [...unit.logs].sort((a, b) => a.time - b.time);
  return [
    heading(unit, summary(unit), close),
    h('h3', { class: 'section' }, 'Waterfall', h('span', { class: 'quiet' }, ` ${count(rows.length, 'span')}${unit.trace.left ? `, ${count(unit.trace.left, 'further one')} not kept` : ''}`)),
    h('div', { class: 'waterfall' }, ruler(time), h('ol', { class: 'spans' }, rows.map((row) => spanRow(row, time, redraw)))),
    h('h3', { class: 'section' }, 'Logs', h('span', { class: 'quiet' }, ` ${count(logs.length, 'line')}`),
      logs.length > 0 && h('button', { type: 'button', class: 'button is-quiet', onclick: () => navigate(`logs/${unit.trace.id}`) }, 'Show among all')),
    logs.length ? h('ol', { class: 'log-list' }, logs.map((line) => logLine(line, { from: unit.root.time }))) : h('p', { class: 'quiet' }, 'Nothing was logged.'),
  ];
}
