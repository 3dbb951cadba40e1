// Mails that were kept instead of sent.

import { bytes, copyable, empty, h, replace, roving } from './dom.js';
import { documents } from './stream.js';

let list, pane, split, told, clear;
let mails = [];
let captured = true;
let kept = 0;
let chosen = null;
let view = 'html';
let navigate;

const of = (id) => mails.find((mail) => mail.id === id);

async function load() {
  const answer = await fetch('/_dev/api/mails');
  if (!answer.ok) throw new Error(`mails: ${answer.status}`);
  ({ mails, captured } = await answer.json());
}

function addresses(name, all) {
  return all?.length ? h('div', null, h('dt', null, name), h('dd', null, all.join(', '))) : null;
}

function attachment(mail, one, i) {
  return h('li', null, h('a', { href: `/_dev/mails/${encodeURIComponent(mail.id)}/attachments/${i}`, download: one.filename ?? `attachment-${i + 1}` }, one.filename ?? 'unnamed'),
    h('span', { class: 'quiet' }, ` ${one.content_type ?? 'application/octet-stream'}, ${bytes(one.length)}`));
}

function body(mail) {
  if (view === 'html' && mail.html) {
    // Its own document under a policy of its own, sandboxed: it runs nothing and loads nothing.
    return h('iframe', { class: 'mail-frame', sandbox: '', title: `HTML of the mail ${mail.subject ?? ''}`, src: `/_dev/mails/${encodeURIComponent(mail.id)}/html` });
  }
  return h('pre', { class: 'mail-text', tabindex: '0' }, mail.text ?? 'This mail has no text.');
}

function viewButton(word, label, possible) {
  return h('button', { type: 'button', class: 'button', 'aria-pressed': String(view === word), disabled: !possible, onclick: () => { view = word; draw(); } }, label);
}

function drawMail(mail) {
  if (!mail.html) view = 'text';
  else if (!mail.text) view = 'html';
  replace(pane,
    h('div', { class: 'detail-head' }, h('h2', { class: 'detail-title' }, mail.subject ?? '(no subject)'),
      h('button', { type: 'button', class: 'button is-quiet', onclick: () => navigate('mail'), 'aria-label': 'Close mail' }, 'Close')),
    mail.refused && h('p', { class: 'alert' }, `refused: ${mail.refused}`),
    h('dl', { class: 'summary' }, addresses('From', mail.from && [mail.from]), addresses('To', mail.to), addresses('Cc', mail.cc), addresses('Bcc', mail.bcc), addresses('Reply to', mail.reply_to && [mail.reply_to]),
      addresses('Tags', mail.tags), mail.headers.map((header) => addresses(header.name, [header.value])), h('div', null, h('dt', null, 'Id'), h('dd', null, copyable(mail.id ?? '', 'message id')))),
    mail.attachments.length > 0 && h('section', { class: 'attachments', 'aria-label': 'Attachments' }, h('h3', { class: 'section' }, 'Attachments'), h('ul', null, mail.attachments.map((one, i) => attachment(mail, one, i)))),
    h('div', { class: 'switch', role: 'group', 'aria-label': 'Form of the mail' }, viewButton('html', 'HTML', mail.html), viewButton('text', 'Text', mail.text !== null)),
    body(mail));
}

function row(mail) {
  const button = h('button', { type: 'button', class: 'row-button', 'data-row': '', tabindex: mail.id === chosen || (!chosen && mail === mails[0]) ? '0' : '-1', 'aria-pressed': String(mail.id === chosen) }, mail.subject ?? '(no subject)');
  return h('tr', { class: mail.id === chosen ? 'is-selected' : '', onclick: () => navigate(`mail/${mail.id}`) },
    h('th', { scope: 'row', class: 'cell-name' }, button), h('td', null, mail.to.join(', ')),
    h('td', { class: 'cell-status' }, h('span', { class: 'pill', 'data-tone': mail.refused ? 'bad' : 'good' }, mail.refused ? 'refused' : 'captured'), mail.attachments.length > 0 && h('span', { class: 'tag' }, `${mail.attachments.length} attached`)));
}

function draw() {
  const focused = list.contains(document.activeElement);
  const mail = chosen && of(chosen);
  told.textContent = mails.length ? `${mails.length} kept, the newest first` : '';
  clear.disabled = mails.length === 0;
  replace(list, mails.length
    ? h('table', { class: 'list mails' }, h('caption', { class: 'hidden' }, 'Captured mails, the newest first'), h('thead', null, h('tr', null, ['Subject', 'To', 'State'].map((text) => h('th', { scope: 'col' }, text)))), h('tbody', null, mails.map(row)))
    : captured ? empty('No mails captured', 'What the application sends appears here instead of in a mailbox.')
      : empty('Mail is not captured', 'No module of the plan keeps mails (outbox/1).'));
  if (focused) list.querySelector('[data-row][tabindex="0"]')?.focus();
  pane.hidden = !mail;
  split.classList.toggle('has-detail', Boolean(mail));
  if (mail) drawMail(mail);
}

export const mail = {
  id: 'mail',
  title: 'Mail',
  icon: 'M2 4h12v8.5H2zM2.5 4.5 8 9l5.5-4.5',
  make(panel, app) {
    ({ navigate } = app);
    told = h('p', { class: 'told quiet' });
    list = h('div', { class: 'scroll' });
    roving(list, '[data-row]');
    pane = h('section', { class: 'detail', 'aria-label': 'Selected mail', hidden: true });
    split = h('div', { class: 'split' }, list, pane);
    clear = h('button', { type: 'button', class: 'button', onclick: async () => { await fetch('/_dev/api/mails', { method: 'DELETE' }); chosen = null; await load(); draw(); } }, 'Forget all');
    panel.append(h('div', { class: 'toolbar' }, clear, told), split);
    documents.addEventListener('mails', async ({ detail }) => {
      kept = detail;
      app.rebadge();
      if (!app.isShown('mail')) return;
      await load();
      draw();
    });
  },
  async show(rest) {
    chosen = rest || null;
    await load();
    draw();
  },
  badge: () => kept || '',
  badgeTitle: () => 'kept',
  escape: () => chosen && (navigate('mail'), true),
};
