// The frame: panels in tabs, the address, the theme, keys, and what the stream says of itself.

import { h, replace, roving, s } from './dom.js';
import { diagnostics } from './diagnostics.js';
import { logs } from './logs.js';
import { mail } from './mail.js';
import { modulePanel } from './modules.js';
import { requests } from './requests.js';
import { connect, documents, loadDocument, setPaused } from './stream.js';
import { store } from './store.js';
import { configuration, effects, routes } from './tables.js';

// A further kind of what is captured (messages, jobs, the cache) is a row here.
const panels = [requests, logs, mail, modulePanel, routes, effects, configuration, diagnostics];

const byId = (id) => document.getElementById(id);
const tabs = new Map();
let shown = null;

/* --- panels ----------------------------------------------------------------------------------- */

const app = { isShown: (id) => shown?.id === id, navigate, rebadge };

/** `quiet`: the address changes and nothing else does. */
function navigate(address, quiet) {
  if (location.hash === `#${address}`) return;
  if (quiet) history.replaceState(null, '', `#${address}`);
  else location.hash = address;
}

function makeTab(panel, number) {
  const badge = h('span', { class: 'badge', hidden: true, 'data-tone': panel.badgeTone ?? 'plain' });
  const tab = h('button', { type: 'button', role: 'tab', id: `tab-${panel.id}`, 'aria-controls': `panel-${panel.id}`, 'aria-selected': 'false', tabindex: '-1', title: `${panel.title} (${number + 1})`, onclick: () => navigate(panel.id) },
    s('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, s('path', { d: panel.icon })), h('span', { class: 'tab-title' }, panel.title), badge);
  const section = h('section', { role: 'tabpanel', id: `panel-${panel.id}`, class: `panel panel-${panel.id}`, 'aria-labelledby': `tab-${panel.id}`, hidden: true }, h('h2', { class: 'hidden' }, panel.title));
  tabs.set(panel.id, { tab, section, badge });
  panel.make(section, app);
  return { tab, section };
}

function rebadge() {
  for (const panel of panels) {
    const number = panel.badge?.() ?? '';
    const { badge } = tabs.get(panel.id);
    badge.hidden = number === '';
    if (badge.textContent === String(number)) continue;
    replace(badge, String(number), number !== '' && h('span', { class: 'hidden' }, ` ${panel.badgeTitle(number)}`));
  }
}

const load = (name) => loadDocument(name);

async function show() {
  const [id, ...rest] = decodeURIComponent(location.hash.slice(1)).split('/');
  const panel = panels.find((one) => one.id === id) ?? panels[0];
  shown = panel;
  for (const [name, { tab, section }] of tabs) {
    const mine = name === panel.id;
    tab.setAttribute('aria-selected', String(mine));
    tab.tabIndex = mine ? 0 : -1;
    section.hidden = !mine;
  }
  tabs.get(panel.id).tab.scrollIntoView?.({ block: 'nearest', inline: 'nearest' });
  document.title = `${panel.title} – rt developer tools`;
  try {
    await panel.show(rest.join('/'), load);
  } catch (error) {
    console.warn(error.message); // the server may be restarting: it is asked again then
  }
  rebadge();
}

/* --- theme ------------------------------------------------------------------------------------ */

const THEMES = ['auto', 'light', 'dark'];

function setTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId('theme').textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem('rt-dev-theme', theme);
  } catch {
    // then it lasts as long as the page
  }
}

const theme = () => document.documentElement.dataset.theme ?? 'auto';
const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);

/* --- keys ------------------------------------------------------------------------------------- */

function togglePause() {
  const on = byId('pause').getAttribute('aria-pressed') !== 'true';
  byId('pause').setAttribute('aria-pressed', String(on));
  byId('pause').textContent = on ? 'Resume' : 'Pause';
  setPaused(on);
  documents.dispatchEvent(new CustomEvent('held', { detail: 0 }));
}

const keys = [
  [`1 – ${panels.length}`, 'Show a panel', null],
  ['/', 'Find in the panel', () => tabs.get(shown.id).section.querySelector('[data-find]')?.focus()],
  ['p', 'Pause or resume', togglePause],
  ['t', 'Next theme', nextTheme],
  ['?', 'This list', () => byId('shortcuts').showModal()],
  ['Esc', 'Close what is open', null],
  ['↑ ↓', 'Next or previous, in a list or among the panels', null],
  ['Enter', 'Open what has the focus', null],
];

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || byId('shortcuts').open) return;
  if (event.key === 'Escape' && shown.escape?.()) return;
  if (!byId('keys-on').checked || event.target.closest('input, select, textarea, [contenteditable]')) return;
  const panel = /^[1-9]$/.test(event.key) && panels[Number(event.key) - 1];
  const action = panel ? () => { navigate(panel.id); tabs.get(panel.id).tab.focus(); } : keys.find(([key]) => key === event.key)?.[2];
  if (!action) return;
  event.preventDefault();
  action();
}

/* --- begin ------------------------------------------------------------------------------------ */

function listen() {
  const connection = byId('connection');
  let state = 'connecting';
  let held = 0;
  const tell = () => {
    const paused = byId('pause').getAttribute('aria-pressed') === 'true';
    const text = paused ? 'paused' : state;
    connection.dataset.state = text;
    byId('held').textContent = held ? `${held} held` : ''; // no part of what is read aloud: it changes all the time
    const word = connection.querySelector('.word');
    if (word.textContent !== text) word.textContent = text;
  };
  documents.addEventListener('connection', ({ detail }) => { state = detail; tell(); });
  documents.addEventListener('held', ({ detail }) => { held = detail; tell(); });
  documents.addEventListener('process', ({ detail }) => {
    byId('service').textContent = detail.name;
    replace(byId('process'), h('span', { class: 'tag' }, detail.environment), ` rt ${detail.version}, process ${detail.pid}`);
  });
  documents.addEventListener('missed', ({ detail }) => { byId('missed').textContent = `${detail.toLocaleString('en')} records missed`; });
  documents.addEventListener('restart', show);
  store.addEventListener('units', rebadge);
}

function begin() {
  const made = panels.map(makeTab);
  byId('tabs').append(...made.map(({ tab }) => tab));
  byId('panels').append(...made.map(({ section }) => section));
  roving(byId('tabs'), '[role=tab]');
  roving(byId('tabs'), '[role=tab]', ['ArrowLeft', 'ArrowRight']);
  byId('tabs').addEventListener('focusin', (event) => {
    const id = event.target.closest('[role=tab]')?.id.slice(4);
    if (id && shown && id !== shown.id) navigate(id);
  });
  replace(byId('keys'), keys.map(([key, what]) => h('tr', null, h('th', { scope: 'row' }, h('kbd', null, key)), h('td', null, what))));
  byId('pause').addEventListener('click', togglePause);
  byId('theme').addEventListener('click', nextTheme);
  byId('help').addEventListener('click', () => byId('shortcuts').showModal());
  setTheme(theme());
  addEventListener('hashchange', show);
  addEventListener('keydown', onKey);
  listen();
  show();
  connect();
  diagnostics.ahead(load).then(rebadge, () => {});
}

begin();
