// The plan as a drawing: who requires stands left of who provides. The tables below say the same.

import { s } from './dom.js';

const WIDTH = 176;
const HEIGHT = 52; // at least: each line needs its own place
const LINE = 20;
const ACROSS = 132; // between columns: room for the names of capabilities
const DOWN = 22;
const EDGE = 12;

/* A module stands one column right of the rightmost that requires it; the plan has no cycles. */
function columns(modules) {
  const column = new Map(modules.map((module) => [module.name, 0]));
  for (let round = 0; round < modules.length; round++) {
    for (const module of modules) {
      for (const provider of module.bindings.flatMap((binding) => binding.providers)) {
        column.set(provider, Math.max(column.get(provider) ?? 0, column.get(module.name) + 1));
      }
    }
  }
  return column;
}

function place(modules) {
  const column = columns(modules);
  const rows = [];
  const at = new Map();
  /* Beside those who require it, so that few lines cross; roots start last, and come first. */
  const middle = (module) => {
    const above = modules.filter((one) => one.bindings.some((binding) => binding.providers.includes(module.name)) && at.has(one.name));
    return above.length ? above.reduce((sum, one) => sum + at.get(one.name).row, 0) / above.length : 0;
  };
  for (let x = 0; x <= Math.max(...column.values()); x++) {
    const here = [...modules].reverse().filter((module) => column.get(module.name) === x);
    here.map((module) => [module, middle(module)]).sort((a, b) => a[1] - b[1]).forEach(([module], row) => at.set(module.name, { column: x, row }));
    rows[x] = here.length;
  }
  const required = modules.flatMap((module) => module.bindings.flatMap((binding) => binding.providers));
  const ends = (module) => Math.max(required.filter((name) => name === module.name).length, module.bindings.flatMap((binding) => binding.providers).length);
  const heights = rows.map(() => -DOWN);
  for (const module of [...modules].sort((a, b) => at.get(a.name).row - at.get(b.name).row)) {
    const place = at.get(module.name);
    place.height = Math.max(HEIGHT, ends(module) * LINE + 12);
    place.y = EDGE + heights[place.column] + DOWN;
    heights[place.column] += place.height + DOWN;
  }
  const tallest = Math.max(...heights);
  for (const place of at.values()) {
    place.x = EDGE + place.column * (WIDTH + ACROSS);
    place.y += (tallest - heights[place.column]) / 2;
  }
  return { at, width: EDGE * 2 + rows.length * WIDTH + (rows.length - 1) * ACROSS, height: EDGE * 2 + tallest };
}

const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function edges(modules, at) {
  const lines = [];
  for (const place of at.values()) Object.assign(place, { required: 0, taken: 0 });
  for (const provider of modules.flatMap((module) => module.bindings.flatMap((binding) => binding.providers))) at.get(provider).required++;
  const byHeight = [...modules].sort((a, b) => at.get(a.name).y - at.get(b.name).y);
  for (const module of byHeight) {
    const bound = module.bindings.flatMap((binding) => binding.providers.map((provider) => ({ binding, provider })))
      .sort((a, b) => at.get(a.provider).y - at.get(b.provider).y);
    bound.forEach(({ binding, provider }, i) => {
      const from = at.get(module.name);
      const to = at.get(provider);
      const x1 = from.x + WIDTH;
      const y1 = from.y + from.height * (i + 1) / (bound.length + 1);
      const x2 = to.x;
      const y2 = to.y + to.height * ++to.taken / (to.required + 1);
      const bend = Math.max(36, (x2 - x1) / 2);
      const name = `${binding.capability}/${binding.major}`;
      lines.push(s('g', { class: `edge ${binding.optional ? 'is-optional' : ''}`, 'data-from': module.name, 'data-to': provider },
        s('title', null, `${module.name} → ${provider}: ${name}, ${binding.reason}`),
        s('path', { d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 5} ${y2}`, 'marker-end': 'url(#arrow)' }),
        s('text', { x: x2 - 14, y: y2 - 5, 'text-anchor': 'end' }, shortened(name, 18))));
    });
  }
  return lines;
}

function node(module, place, health, chosen, choose) {
  const roles = module.root ? `serves ${module.serves.join(', ')}` : module.provides.map((offer) => `${offer.tier}`).filter((tier, i, all) => all.indexOf(tier) === i).join(', ');
  const label = `${shortened(module.name, 20)} ${shortened(roles, 24)}${module.development_only ? ', development-only' : ''}, ${health ?? 'unknown'}`;
  const press = (event) => {
    if (event.type === 'keydown' && event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    choose(module.name);
  };
  return s('g', { class: `node ${module.root ? 'is-root' : ''} ${module.development_only ? 'is-development' : ''}`, transform: `translate(${place.x} ${place.y})`,
    tabindex: '0', role: 'button', 'aria-pressed': String(chosen === module.name), 'aria-label': label, 'data-node': module.name, onclick: press, onkeydown: press },
  s('rect', { width: WIDTH, height: place.height, rx: 8 }),
  s('circle', { class: 'health', cx: 16, cy: place.height / 2 - 7, r: 4, 'data-condition': health ?? 'unknown' }),
  s('text', { class: 'node-name', x: 28, y: place.height / 2 - 3 }, shortened(module.name, 20)), ' ',
  s('text', { class: 'node-role', x: 28, y: place.height / 2 + 14 }, shortened(roles, 24)));
}

/** `choose` is called with the name of a module; what it is bound to stands out. */
export function graph(modules, health, chosen, choose) {
  const { at, width, height } = place(modules);
  const drawing = s('svg', { class: 'graph', viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': 'Modules and their bindings; the tables below say the same' },
    s('defs', null, s('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto-start-reverse' }, s('path', { d: 'M0 .8 6.5 4 0 7.2z' }))),
    edges(modules, at), modules.map((module) => node(module, at.get(module.name), health.get(module.name)?.condition, chosen, choose)));
  if (chosen) {
    drawing.classList.add('has-choice');
    for (const edge of drawing.querySelectorAll('.edge')) {
      edge.classList.toggle('is-near', edge.dataset.from === chosen || edge.dataset.to === chosen);
    }
  }
  return drawing;
}
