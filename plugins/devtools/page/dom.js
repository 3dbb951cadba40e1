// Small helpers: elements, and how numbers and times read.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An element: h('td', { class: 'number' }, '12'). Properties that begin with `on` are listeners. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same in SVG. */
export function s(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Nanoseconds as people read them. */
export function duration(nanoseconds) {
  if (nanoseconds < 1e3) return `${nanoseconds} ns`;
  if (nanoseconds < 1e6) return `${(nanoseconds / 1e3).toFixed(nanoseconds < 1e4 ? 1 : 0)} µs`;
  if (nanoseconds < 1e9) return `${(nanoseconds / 1e6).toFixed(nanoseconds < 1e7 ? 2 : nanoseconds < 1e8 ? 1 : 0)} ms`;
  if (nanoseconds < 6e10) return `${(nanoseconds / 1e9).toFixed(2)} s`;
  return `${Math.floor(nanoseconds / 6e10)} min ${Math.round((nanoseconds % 6e10) / 1e9)} s`;
}

const two = (number) => String(number).padStart(2, '0');

/** Microseconds since 1970 as the time of day. */
export function clock(microseconds) {
  const date = new Date(microseconds / 1000);
  const thousandths = String(Math.floor(microseconds / 1000) % 1000).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  if (count < 1048576) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1048576).toFixed(1)} MiB`;
}

/** A value of an attribute as text. */
export function plain(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function field(label, control) {
  return h('label', { class: 'field' }, h('span', null, label), control);
}

export function search(label, placeholder, listener) {
  return field(label, h('input', { type: 'search', placeholder, autocomplete: 'off', spellcheck: 'false', 'data-find': '', oninput: (event) => listener(event.target.value.trim().toLowerCase()) }));
}

/** A choice; `options` are values, or [value, label]. */
export function choice(label, options, listener) {
  const select = h('select', { onchange: (event) => listener(event.target.value) });
  setOptions(select, options);
  return field(label, select);
}

/** Keeps what was chosen, where it is still there. */
export function setOptions(select, options) {
  const chosen = select.value;
  const pairs = options.map((option) => (Array.isArray(option) ? option : [option, option]));
  if (select.options.length === pairs.length && pairs.every(([value], i) => select.options[i].value === value)) return;
  replace(select, pairs.map(([value, text]) => h('option', { value }, text)));
  if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

/** A button that copies a text, with the text shown. */
export function copyable(text, label) {
  const button = h('button', { type: 'button', class: 'copy', title: `Copy ${label}`, 'aria-label': `Copy ${label} ${text}` }, text);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.classList.add('copied');
      setTimeout(() => button.classList.remove('copied'), 900);
    } catch {
      getSelection().selectAllChildren(button); // where the clipboard is refused, the text is at hand
    }
  });
  return button;
}

export function empty(title, ...lines) {
  return h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), lines.map((line) => h('p', null, line)));
}

/** `12 requests`, `1 request`. */
export function count(number, word) {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}

/** Calls the function once a frame at most, and five times a second under load. */
export function throttled(draw) {
  let pending = false;
  let last = 0;
  return () => {
    if (pending) return;
    pending = true;
    const wait = Math.max(0, 200 - (performance.now() - last));
    setTimeout(() => requestAnimationFrame(() => {
      pending = false;
      last = performance.now();
      draw();
    }), last ? wait : 0);
  };
}

/** The same module always has the same one of the palette. */
const hues = new Map();
export function hue(module) {
  if (!hues.has(module)) hues.set(module, hues.size % 6);
  return `hue-${hues.get(module)}`;
}

/** Arrow keys, Home and End move the focus between elements of a list; the list is one tab stop. */
export function roving(container, selector, keys = ['ArrowUp', 'ArrowDown']) {
  container.addEventListener('keydown', (event) => {
    const items = [...container.querySelectorAll(selector)].filter((item) => item.offsetParent !== null);
    const at = items.indexOf(event.target.closest(selector));
    const to = { [keys[0]]: at - 1, [keys[1]]: at + 1, Home: 0, End: items.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    items[Math.min(items.length - 1, Math.max(0, to))]?.focus();
  });
}
