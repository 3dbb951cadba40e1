// Requests and other units of work: those in flight and those that ended, each with its waterfall.

import { choice, clock, count, duration, empty, h, hue, replace, roving, search, setOptions, throttled } from './dom.js';
import { store, summary } from './store.js';
import { detailOf } from './waterfall.js';

const SHOWN = 300;
const STATUSES = [['', 'Any status'], ['running', 'In flight'], ['2', '2xx'], ['3', '3xx'], ['4', '4xx'], ['5', '5xx'], ['failed', 'Failed']];
const KINDS = [['', 'All work'], ['http', 'HTTP requests'], ['other', 'Other work']];

const filter = { text: '', status: '', route: '', kind: '' };
const rows = new Map(); // unit id → its row, kept while it is shown so that the focus stays
let body, table, nothing, told, routes, pane, list, navigate;
let selected = null;
let drawnVersion = -1;
let drawnAt = 0;

function matchesStatus(unit, about) {
  if (!filter.status) return true;
  if (filter.status === 'running') return about.running;
  if (filter.status === 'failed') return about.failed;
  return about.status !== null && String(about.status).startsWith(filter.status);
}

function matchesText(unit, about) {
  if (!filter.text) return true;
  const hay = [about.method, about.path, about.query, about.route, about.status ?? '', unit.trace.id, unit.root.module,
    unit.root.error ?? '', unit.root.attributes?.['correlation.id'] ?? ''].join(' ').toLowerCase();
  return filter.text.split(/\s+/).every((word) => hay.includes(word));
}

function matches(unit, about) {
  if (filter.kind && (filter.kind === 'http') !== about.http) return false;
  if (filter.route && about.route !== filter.route) return false;
  return matchesStatus(unit, about) && matchesText(unit, about);
}

const tone = (about) =>
  about.lost ? 'lost' : about.running ? 'running' : about.failed ? 'bad' : about.status >= 400 ? 'warn' : about.status >= 300 ? 'info' : 'good';

function statusWord(about) {
  if (about.lost) return 'lost';
  if (about.running) return 'in flight';
  return about.status ?? (about.failed ? 'error' : 'ok');
}

function age(unit) {
  return unit.root.ended ? unit.root.duration : Math.max(0, Date.now() * 1e6 - unit.root.time * 1e3);
}

function makeRow(unit) {
  const cells = {
    status: h('span', { class: 'pill' }),
    method: h('span', { class: 'method' }),
    path: h('span', { class: 'path' }),
    query: h('span', { class: 'query' }),
    module: h('span', { class: 'module-name' }),
    time: h('span'),
    took: h('span'),
    bar: h('span', { class: 'meter', 'aria-hidden': 'true' }, h('i')),
  };
  const button = h('button', { type: 'button', class: 'row-button', tabindex: '-1', 'data-row': '' }, cells.method, ' ', cells.path, cells.query);
  const row = h('tr', { onclick: () => select(unit.id, true) },
    h('td', { class: 'cell-status' }, cells.status), h('th', { scope: 'row', class: 'cell-name' }, button), h('td', { class: 'cell-module' }, cells.module),
    h('td', { class: 'cell-time number' }, cells.time), h('td', { class: 'cell-took number' }, h('span', { class: 'took' }, cells.bar, cells.took)));
  return { unit, row, button, cells, version: -1 };
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function drawRow(entry, about, longest) {
  const { unit, row, cells } = entry;
  write(cells.status, String(statusWord(about)));
  cells.status.dataset.tone = tone(about);
  write(cells.method, about.method || unit.root.kind || 'work');
  write(cells.path, about.path);
  write(cells.query, about.query ? `?${about.query}` : '');
  write(cells.module, unit.root.module);
  cells.module.className = `module-name ${hue(unit.root.module)}`;
  write(cells.time, clock(unit.root.time));
  write(cells.took, about.lost ? '' : duration(age(unit)));
  cells.bar.firstChild.style.setProperty('--part', Math.max(0.02, Math.min(1, age(unit) / longest)).toFixed(3));
  row.classList.toggle('is-running', about.running);
  row.classList.toggle('is-selected', unit.id === selected);
  entry.button.setAttribute('aria-pressed', String(unit.id === selected));
  entry.version = unit.version;
}

function visible() {
  const found = [];
  for (let i = store.units.length - 1; i >= 0 && found.length < SHOWN; i--) {
    const about = summary(store.units[i]);
    if (matches(store.units[i], about)) found.push([store.units[i], about]);
  }
  return found;
}

function tell(shown) {
  const flying = store.units.filter((unit) => !unit.root.ended && !unit.lost).length;
  const filtered = shown.length === store.units.length || shown.length === SHOWN ? '' : `${shown.length} of `;
  write(told, `${filtered}${count(store.units.length, 'unit')} of work, ${flying} in flight`);
}

function drawList() {
  const shown = visible();
  const longest = Math.max(1e6, ...shown.map(([unit]) => (unit.root.ended ? unit.root.duration : 0)));
  const wanted = new Set(shown.map(([unit]) => unit.id));
  for (const [id, entry] of rows) {
    if (wanted.has(id)) continue;
    entry.row.remove();
    rows.delete(id);
  }
  let before = null;
  for (const [unit, about] of [...shown].reverse()) {
    let entry = rows.get(unit.id);
    if (!entry) rows.set(unit.id, entry = makeRow(unit));
    if (entry.row.nextSibling !== before || entry.row.parentNode !== body) body.insertBefore(entry.row, before);
    drawRow(entry, about, longest);
    before = entry.row;
  }
  const stop = rows.get(selected) ?? rows.get(shown[0]?.[0].id);
  for (const entry of rows.values()) entry.button.tabIndex = entry === stop ? 0 : -1;
  table.hidden = shown.length === 0;
  nothing.hidden = shown.length !== 0;
  replace(nothing, store.units.length
    ? empty('Nothing matches', 'No unit of work is like this filter.')
    : empty('No requests yet', 'Send one to the application: it appears here while it runs.'));
  setOptions(routes, [['', 'Any route'], ...[...new Set(store.units.map((unit) => summary(unit).route).filter(Boolean))].sort()]);
  tell(shown);
}

function drawDetail() {
  const unit = selected && store.unit(selected);
  list.classList.toggle('has-detail', Boolean(unit));
  pane.hidden = !unit;
  const running = unit && !unit.root.ended && !unit.lost;
  if (!unit || (unit.version === drawnVersion && !(running && performance.now() - drawnAt > 1000))) return;
  drawnVersion = unit.version;
  drawnAt = performance.now();
  const held = pane.contains(document.activeElement) ? document.activeElement.dataset.span : null;
  replace(pane, detailOf(unit, { close: () => select(null, true), redraw: () => { drawnVersion = -1; drawDetail(); }, navigate }));
  if (held) pane.querySelector(`[data-span="${held}"]`)?.focus();
}

export function select(id, byHand) {
  const before = selected;
  selected = id === selected && byHand ? selected : id;
  drawnVersion = -1;
  if (byHand) navigate(id ? `requests/${id}` : 'requests', true);
  draw();
  if (byHand && !id) rows.get(before)?.button.focus();
}

function draw() {
  drawList();
  drawDetail();
}

export const requests = {
  id: 'requests',
  title: 'Requests',
  icon: 'M2 4h12M2 8h8M2 12h5',
  make(panel, app) {
    ({ navigate } = app);
    told = h('p', { class: 'told quiet' });
    const route = choice('Route', [['', 'Any route']], (value) => { filter.route = value; draw(); });
    routes = route.querySelector('select');
    body = h('tbody');
    table = h('table', { class: 'list requests' }, h('caption', { class: 'hidden' }, 'Units of work, the newest first'),
      h('thead', null, h('tr', null, [['Status', 'cell-status'], ['Name', 'cell-name'], ['Module', 'cell-module'], ['Began', 'cell-time number'], ['Took', 'cell-took number']].map(([text, name]) => h('th', { scope: 'col', class: name }, text)))), body);
    nothing = h('div');
    pane = h('section', { class: 'detail', 'aria-label': 'Selected unit of work', hidden: true });
    list = h('div', { class: 'split' }, h('div', { class: 'scroll', tabindex: '-1' }, table, nothing), pane);
    panel.append(
      h('div', { class: 'toolbar', role: 'search', 'aria-label': 'Filter requests' },
        search('Find', 'path, trace or correlation id', (value) => { filter.text = value; draw(); }),
        choice('Status', STATUSES, (value) => { filter.status = value; draw(); }), route,
        choice('Kind', KINDS, (value) => { filter.kind = value; draw(); }),
        h('button', { type: 'button', class: 'button', onclick: () => { select(null, false); store.clearUnits(); } }, 'Clear'), told),
      list);
    roving(body, '[data-row]');
    body.addEventListener('focusin', (event) => event.target.closest('tr')?.scrollIntoView({ block: 'nearest' }));
    const soon = throttled(() => app.isShown('requests') && draw());
    store.addEventListener('units', soon);
    setInterval(() => app.isShown('requests') && store.units.some((unit) => !unit.root.ended && !unit.lost) && draw(), 250);
  },
  show(rest) {
    if (rest) select(rest, false);
    else draw();
  },
  badge: () => store.units.filter((unit) => !unit.root.ended && !unit.lost).length || '',
  badgeTitle: () => 'in flight',
  escape: () => selected && (select(null, true), true),
};
