// What composition found: as `rtctl validate` says it.

import { count, empty, h, replace } from './dom.js';

let box;
let found = null;

function place(one) {
  if (!one.file) return null;
  return h('p', { class: 'finding-place' }, h('code', null, one.line ? `${one.file}:${one.line}:${one.column}` : one.file), one.label && h('span', { class: 'quiet' }, ` ${one.label}`));
}

function card(one) {
  const tone = { error: 'bad', warning: 'warn', info: 'info' }[one.severity];
  return h('li', { class: 'finding', 'data-tone': tone },
    h('h3', null, h('span', { class: 'pill', 'data-tone': tone }, one.severity), h('code', { class: 'finding-id' }, one.id), h('span', null, one.message)),
    place(one), one.notes.map((note) => h('p', { class: 'finding-note' }, h('span', { class: 'quiet' }, 'note '), note)),
    one.help.map((help) => h('p', { class: 'finding-note' }, h('span', { class: 'quiet' }, 'help '), help)),
    h('p', { class: 'finding-note quiet' }, h('code', null, `rtctl explain ${one.id}`), ' says more.'));
}

const serious = () => found?.diagnostics.filter((one) => one.severity !== 'info').length ?? 0;

export const diagnostics = {
  id: 'diagnostics',
  title: 'Diagnostics',
  icon: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.3',
  make(panel) {
    box = h('div', { class: 'page' });
    panel.append(box);
  },
  async show(rest, load) {
    found = await load('diagnostics');
    replace(box, found?.diagnostics.length
      ? [h('p', { class: 'told quiet' }, `${count(found.errors, 'error')}, ${count(found.warnings, 'warning')}, ${count(found.diagnostics.length - found.errors - found.warnings, 'hint')} in ${found.config}`), h('ol', { class: 'findings' }, found.diagnostics.map(card))]
      : empty('Nothing was found', 'Composition had no errors, warnings or hints.'));
  },
  async ahead(load) {
    found = await load('diagnostics');
  },
  badge: () => serious() || '',
  badgeTitle: (number) => (number === 1 ? 'warning' : 'warnings'),
  badgeTone: 'warn',
};
