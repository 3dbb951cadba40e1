// The plan: modules, what they are bound to and why, and how they are.

import { empty, h, replace } from './dom.js';
import { graph } from './graph.js';
import { documents } from './stream.js';
import { table } from './tables.js';

let plan = null;
let health = new Map();
let chosen = null;
let drawing, modules, bindings, unused;

const tiers = (module) => [...new Set(module.provides.map((offer) => offer.tier))];

function flags(module) {
  return [module.root && 'root', ...tiers(module), module.development_only && 'development-only', module.lazy && 'lazy', module.acknowledged && 'acknowledged',
    ...module.needs.map((need) => `needs ${need}`)].filter(Boolean).map((word) => h('span', { class: 'tag', 'data-word': word }, word));
}

function condition(module) {
  const { condition: word = 'unknown', reason } = health.get(module.name) ?? {};
  return [h('span', { class: 'pill', 'data-tone': { healthy: 'good', degraded: 'warn', unhealthy: 'bad' }[word] ?? 'lost' }, word), reason && h('span', { class: 'reason' }, reason)];
}

function moduleTable() {
  return table('Modules, in the order of start', ['Module', 'Health', 'Kind', 'In the plan', 'Serves and provides', 'File'], plan.modules.map((module) => ({
    class: module.name === chosen ? 'is-selected' : '',
    cells: [
      [h('strong', null, module.name), h('span', { class: 'quiet' }, ` ${module.version}`), module.name !== module.module && h('span', { class: 'quiet block' }, `an instance of ${module.module}`), h('span', { class: 'quiet block' }, module.summary)],
      condition(module), flags(module), module.required_by ? `for ${module.required_by}` : 'a root',
      [...module.serves, ...module.provides.map((offer) => `${offer.capability}/${offer.major}`)].join(', '), h('code', null, module.file)],
  })));
}

function bindingTable() {
  const rows = plan.modules.flatMap((module) => module.bindings.map((binding) => ({
    class: module.name === chosen || binding.providers.includes(chosen) ? 'is-selected' : '',
    cells: [h('strong', null, module.name), [h('code', null, `${binding.capability}/${binding.major}`), binding.optional && h('span', { class: 'tag' }, 'optional'), binding.raw && h('span', { class: 'tag' }, 'raw'), binding.many && h('span', { class: 'tag' }, 'many')],
      binding.providers.length ? binding.providers.join(', ') : h('span', { class: 'quiet' }, 'nothing'), binding.reason],
  })));
  return table('Bindings, and why each was chosen', ['Consumer', 'Capability', 'Provider', 'Why'], rows);
}

function choose(name) {
  chosen = chosen === name ? null : name;
  draw();
  drawing.querySelector(`[data-node="${CSS.escape(name)}"]`)?.focus();
}

function draw() {
  if (!plan) return;
  const focused = document.activeElement?.dataset?.node;
  replace(drawing, plan.modules.length ? graph(plan.modules, health, chosen, choose) : empty('No modules', 'The plan is empty.'));
  if (focused) drawing.querySelector(`[data-node="${CSS.escape(focused)}"]`)?.focus();
  replace(modules, moduleTable());
  replace(bindings, bindingTable());
  replace(unused, h('details', null, h('summary', null, `Found and not needed (${plan.unused.length})`),
    table('Modules that nobody needs', ['Module', 'Version', 'What it is', 'File'], plan.unused.map((one) => ({ cells: [h('strong', null, one.module), one.version, one.summary, h('code', null, one.file)] })))));
}

const worst = () => [...health.values()].filter((one) => one.condition === 'unhealthy' || one.condition === 'degraded').length;

export const modulePanel = {
  id: 'modules',
  title: 'Modules',
  icon: 'M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM9.5 9.5h4v4h-4zM6.5 4.5h3M11.5 6.5v3',
  make(panel, app) {
    drawing = h('div', { class: 'drawing' });
    modules = h('div');
    bindings = h('div');
    unused = h('div');
    panel.append(h('div', { class: 'page' }, drawing, bindings, modules, unused));
    documents.addEventListener('health', ({ detail }) => {
      health = new Map(detail.map((one) => [one.module, one]));
      if (app.isShown('modules')) draw();
      app.rebadge();
    });
  },
  async show(rest, load) {
    plan = await load('plan');
    draw();
  },
  badge: () => worst() || '',
  badgeTitle: () => 'not healthy',
  badgeTone: 'warn',
};
