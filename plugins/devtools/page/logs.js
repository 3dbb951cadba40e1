// Log lines, the newest last, followed while the end is in view.

import { choice, clock, count, duration, empty, h, hue, plain, replace, search, setOptions, throttled } from './dom.js';
import { store } from './store.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const SHOWN = 1000;
const filter = { level: 0, module: '', text: '', trace: '' };
let list, nothing, told, modules, chip, follow, scroll, navigate;
let drawn = []; // of the lines in the list

/** A line; `from`: the time is told from there on (µs). */
export function logLine(line, { from, link } = {}) {
  const fields = Object.entries(line.attributes ?? {}).filter(([name]) => name !== 'correlation.id'); // searched, not shown: it is on every line
  const time = from === undefined ? clock(line.time) : `+${duration(Math.max(0, line.time - from) * 1e3)}`;
  return h('li', { class: 'log', 'data-level': line.level },
    h('span', { class: 'log-time number' }, time), h('span', { class: 'log-level' }, line.level),
    h('span', { class: `log-module ${hue(line.module ?? '')}` }, line.module ?? ''),
    h('span', { class: 'log-text' }, line.name ?? '',
      fields.map(([name, value]) => h('span', { class: 'log-field' }, h('span', { class: 'log-key' }, ` ${name}=`), plain(value))),
      link && line.unit && h('button', { type: 'button', class: 'log-link', onclick: () => link(line), 'aria-label': `trace of: ${line.name ?? ''}` }, 'trace')));
}

function matches(line) {
  if (LEVELS.indexOf(line.level) < filter.level) return false;
  if (filter.module && line.module !== filter.module) return false;
  if (filter.trace && line.trace !== filter.trace) return false;
  if (!filter.text) return true;
  const hay = `${line.name ?? ''} ${Object.entries(line.attributes ?? {}).flat().map(plain).join(' ')} ${line.trace ?? ''}`.toLowerCase();
  return filter.text.split(/\s+/).every((word) => hay.includes(word));
}

const showWork = (line) => navigate(`requests/${line.unit.id}`);

/* Only what is new is added: what stands in the list stays as it is. */
function draw() {
  const wanted = store.logs.filter(matches).slice(-SHOWN);
  const first = wanted[0]?.number ?? Infinity;
  while (drawn.length && drawn[0] < first) {
    drawn.shift();
    list.firstChild.remove();
  }
  const last = drawn.at(-1) ?? 0;
  for (const line of wanted) {
    if (line.number <= last) continue;
    drawn.push(line.number);
    list.append(logLine(line, { link: showWork }));
  }
  nothing.hidden = wanted.length !== 0;
  scroll.hidden = wanted.length === 0;
  replace(nothing, store.logs.length ? empty('Nothing matches', 'No line is like this filter.') : empty('No logs yet', 'Lines appear here as they are written.'));
  told.textContent = `${wanted.length === store.logs.length ? '' : `${wanted.length.toLocaleString('en')} of `}${count(store.logs.length, 'line')}`;
  setOptions(modules, [['', 'Any module'], ...[...store.modules].sort()]);
  if (follow.checked) scroll.scrollTop = scroll.scrollHeight;
}

function redraw() {
  drawn = [];
  replace(list);
  draw();
}

function setTrace(trace) {
  filter.trace = trace;
  chip.hidden = !trace;
  replace(chip, trace && ['Trace ', h('code', null, trace.slice(0, 8)), ' ', h('button', { type: 'button', class: 'button is-quiet', 'aria-label': 'Show all traces', onclick: () => navigate('logs') }, 'Show all')]);
  redraw();
}

export const logs = {
  id: 'logs',
  title: 'Logs',
  icon: 'M3 3h10v10H3zM5.5 6h5M5.5 8.5h5M5.5 11h3',
  make(panel, app) {
    ({ navigate } = app);
    told = h('p', { class: 'told quiet' });
    chip = h('p', { class: 'chip', hidden: true });
    follow = h('input', { type: 'checkbox', checked: true, onchange: () => follow.checked && draw() });
    list = h('ol', { class: 'log-list' });
    scroll = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Log lines' }, list);
    nothing = h('div');
    const module = choice('Module', [['', 'Any module']], (value) => { filter.module = value; redraw(); });
    modules = module.querySelector('select');
    scroll.addEventListener('scroll', () => {
      follow.checked = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 24;
    });
    panel.append(
      h('div', { class: 'toolbar', role: 'search', 'aria-label': 'Filter logs' },
        search('Find', 'text, field or trace', (value) => { filter.text = value; redraw(); }),
        choice('Level', LEVELS.map((level, i) => [String(i), i ? `${level} and above` : 'All levels']), (value) => { filter.level = Number(value); redraw(); }),
        module, h('label', { class: 'check' }, follow, ' Follow'),
        h('button', { type: 'button', class: 'button', onclick: () => { store.clearLogs(); redraw(); } }, 'Clear'), chip, told),
      scroll, nothing);
    store.addEventListener('logs', throttled(() => app.isShown('logs') && draw()));
  },
  show(rest) {
    setTrace(rest ?? '');
  },
};
