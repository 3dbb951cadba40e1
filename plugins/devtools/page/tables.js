// Panels that are one document as a table with a filter: routes, effects, configuration.

import { bytes, count, duration, empty, h, replace, search } from './dom.js';
import { documents } from './stream.js';

/** Rows are { cells, class }; the first cell heads its row. */
export function table(caption, headings, rows, numbers = []) {
  const kind = (i) => (numbers.includes(i) ? 'number' : null);
  return h('div', { class: 'table-box', tabindex: '0', role: 'region', 'aria-label': caption }, h('table', { class: 'list' }, h('caption', null, caption),
    h('thead', null, h('tr', null, headings.map((heading, i) => h('th', { scope: 'col', class: kind(i) }, heading)))),
    h('tbody', null, rows.map((row) => h('tr', { class: row.class || null }, row.cells.map((cell, i) => h(i ? 'td' : 'th', i ? { class: kind(i) } : { scope: 'row' }, cell)))))));
}

/** `row` makes the cells of one; `live`: an event brings the document anew; `group`: a line between those that differ in it. */
function tablePanel({ id, title, icon, caption, headings, row, controls, none, live, group, numbers }) {
  let data = null;
  let words = [];
  let box, told;
  const state = {};
  const draw = () => {
    if (!data) return;
    const found = data.filter((one) => words.every((word) => Object.values(one).join(' ').toLowerCase().includes(word)) && (!state.only || state.only(one)));
    replace(box, found.length ? table(caption, headings, found.map((one, i) => ({ class: group && i && group(one) !== group(found[i - 1]) ? 'begins' : '', cells: row(one, state) })), numbers)
      : empty(data.length ? 'Nothing matches' : none));
    told.textContent = `${found.length === data.length ? '' : `${found.length} of `}${count(data.length, 'row')}`;
  };
  return {
    id,
    title,
    icon,
    make(panel, app) {
      box = h('div', { class: 'page' });
      told = h('p', { class: 'told quiet' });
      panel.append(h('div', { class: 'toolbar', role: 'search', 'aria-label': `Filter ${title.toLowerCase()}` },
        search('Find', `in ${title.toLowerCase()}`, (value) => { words = value.split(/\s+/).filter(Boolean); draw(); }), controls?.(state, draw), told), box);
      if (live) documents.addEventListener(id, ({ detail }) => { data = detail; if (app.isShown(id)) draw(); });
    },
    async show(rest, load) {
      data = await load(id);
      draw();
    },
  };
}

export const routes = tablePanel({
  id: 'routes',
  title: 'Routes',
  icon: 'M4 3v6a3 3 0 0 0 3 3h5M10 9.5l2.5 2.5L10 14.5M4 3 2.5 5M4 3l1.5 2',
  caption: 'Routes, by path',
  headings: ['Method', 'Path', 'Module', 'Time limit', 'Largest body', 'Kind'],
  none: 'No module has a route.',
  row: (route) => [h('span', { class: 'method' }, route.method), h('code', null, route.path), route.module, route.timeout ? duration(route.timeout) : h('span', { class: 'quiet' }, 'default'),
    route.max_body ? bytes(route.max_body) : h('span', { class: 'quiet' }, 'default'), route.streams ? 'body in pieces' : ''],
});

const policyOf = (effect) => (effect.policy ? effect.policy.split('; ').map((part) => h('span', { class: 'tag' }, part)) : h('span', { class: 'quiet' }, effect.raw ? 'none: raw' : 'none'));

export const effects = tablePanel({
  id: 'effects',
  title: 'Effects',
  icon: 'M2 9.5h2.5L6.5 4l3 9 2-5.5H14',
  caption: 'Capability calls, by who makes them; counts are of all who call the method',
  headings: ['Method', 'Consumer', 'Provider', 'Policy', 'Succeeded', 'Failed', 'On average'],
  none: 'No module calls another.',
  numbers: [4, 5, 6],
  live: true,
  row: (effect) => [h('code', null, effect.method ?? `${effect.capability}/${effect.major}`), effect.consumer, effect.provider, policyOf(effect),
    String(effect.succeeded ?? '–'), h('span', { class: effect.failed ? 'is-bad' : null }, String(effect.failed ?? '–')),
    effect.seconds ? duration(Math.round(effect.seconds / (effect.succeeded + effect.failed) * 1e9)) : '–'],
});

export const configuration = tablePanel({
  id: 'config',
  title: 'Configuration',
  icon: 'M2 4.5h5M11 4.5h3M2 11.5h3M9 11.5h5M9 2.5v4M7 9.5v4',
  caption: 'Settings in effect, and where each comes from',
  headings: ['Setting', 'Value', 'Where from'],
  none: 'There are no settings.',
  group: (one) => (one.path.includes('.') ? one.path.split('.')[0] : ''),
  controls: (state, draw) => h('label', { class: 'check' }, h('input', { type: 'checkbox', onchange: (event) => {
    state.only = event.target.checked ? (one) => !one.origin.startsWith('default') : null;
    draw();
  } }), ' Only what was set'),
  row: (one) => [h('code', null, one.path), one.value === '<redacted>' ? h('span', { class: 'tag', 'data-word': 'secret' }, 'secret, hidden') : h('code', { class: 'value' }, one.value),
    one.origin.startsWith('default') ? h('span', { class: 'quiet' }, one.origin) : one.origin],
});
