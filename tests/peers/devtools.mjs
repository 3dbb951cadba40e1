// A person at the developer tools, for tests: node devtools.mjs BASE SCENE FOLDER
//
// Plays a scene in headless Chromium and prints what it saw as one object of JSON, with whatever
// the page complained about (`complaints`) and asked of others (`foreign`). Pictures go to FOLDER.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [base, scene, folder] = process.argv.slice(2);
const LIMIT = 60000;
const complaints = [];
const foreign = [];

const settle = (page) => page.waitForSelector('#connection[data-state="live"]', { timeout: LIMIT });
const rows = (page, text) => page.locator('.requests tbody tr', { hasText: text });
const shown = (page, selector) => page.locator(selector).filter({ visible: true });
const picture = (page, name) => page.screenshot({ path: join(folder, `${name}.png`) });
const text = (locator) => locator.first().innerText();
const get = (path, options) => fetch(base + path, options);
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());

async function axe(page, values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], type = 'tag') {
  const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(source);
  const found = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly, resultTypes: ['violations'], iframes: false }), { type, values });
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
}

const PANELS = ['requests', 'logs', 'mail', 'modules', 'routes', 'effects', 'config', 'diagnostics'];

const scenes = {
  // A request appears while it runs, with its spans; they end when it does.
  async live(page) {
    const held = get('/held/assam');
    const row = rows(page, '/held/assam');
    await row.waitFor({ timeout: LIMIT });
    const running = await text(row.locator('.pill'));
    await row.locator('button').click();
    const spans = page.locator('.span-title');
    await spans.filter({ hasText: 'tea.brew_again' }).waitFor({ timeout: LIMIT });
    await page.locator('.span-row:nth-child(2) .bar:not(.is-open)').waitFor({ timeout: LIMIT });
    const before = await page.locator('.span-button').first().textContent();
    await picture(page, 'live-in-flight');
    await get('/release');
    await held;
    await row.locator('.pill[data-tone="good"]').waitFor({ timeout: LIMIT });
    await page.locator('.span-row:first-child .bar:not(.is-open)').waitFor({ timeout: LIMIT });
    const boxes = await page.locator('.bar').evaluateAll((bars) => bars.map((bar) => { const { left, right } = bar.getBoundingClientRect(); return [left, right]; }));
    await spans.filter({ hasText: /^GET/ }).click();
    await picture(page, 'live-ended');
    return { running, before, status: await text(row.locator('.pill')), spans: await spans.allInnerTexts(), boxes,
      attributes: Object.fromEntries(await page.locator('.facts .pairs tr').evaluateAll((all) => all.map((one) => [...one.children].map((cell) => cell.textContent)))),
      logs: await page.locator('.detail .log-text').allInnerTexts() };
  },

  async failure(page) {
    await get('/refused');
    await rows(page, '/refused').locator('button').click();
    await page.locator('.span-title', { hasText: 'email.send' }).click();
    await page.locator('.event-fact').waitFor({ timeout: LIMIT });
    await picture(page, 'failure');
    return { alerts: await page.locator('.detail .alert').allInnerTexts(), event: await text(page.locator('.event-fact')), levels: await page.locator('.detail .log').evaluateAll((all) => all.map((one) => one.dataset.level)) };
  },

  async filters(page) {
    await get('/hello');
    await get('/orders/nowhere');
    await get('/refused');
    await rows(page, '/refused').waitFor({ timeout: LIMIT });
    const names = () => page.locator('.requests tbody tr .path').allInnerTexts();
    const seen = { all: await names() };
    await page.locator('.panel-requests select').first().selectOption('4');
    await rows(page, '/hello').waitFor({ state: 'detached', timeout: LIMIT });
    seen.status = await names();
    await page.locator('.panel-requests select').first().selectOption('');
    await page.locator('.panel-requests select').nth(1).selectOption('/hello');
    await rows(page, '/refused').waitFor({ state: 'detached', timeout: LIMIT });
    seen.route = await names();
    await page.locator('.panel-requests select').nth(1).selectOption('');
    await page.keyboard.press('/');
    await page.keyboard.type('nowhere');
    await rows(page, '/hello').waitFor({ state: 'detached', timeout: LIMIT });
    seen.text = await names();
    await page.locator('#tab-logs').click();
    const lines = () => shown(page, '.panel-logs .log').evaluateAll((all) => all.map((one) => one.dataset.level));
    await page.locator('.panel-logs select').first().selectOption('4');
    seen.levels = [...new Set(await lines())];
    await page.locator('.panel-logs input[type=search]').fill('no line has this');
    seen.none = await text(shown(page, '.panel-logs .empty-title'));
    await page.locator('.panel-logs input[type=search]').fill('');
    await page.locator('.panel-logs .log-link').first().click();
    await shown(page, '.detail .detail-title').waitFor({ timeout: LIMIT });
    seen.linked = await text(shown(page, '.detail .detail-title'));
    await page.locator('.detail button', { hasText: 'Show among all' }).click();
    await page.locator('.panel-logs .chip').waitFor({ timeout: LIMIT });
    seen.traces = new Set(await page.locator('.panel-logs .log').evaluateAll((all) => all.map(() => 1))).size;
    return seen;
  },

  async keyboard(page) {
    await get('/hello');
    await get('/orders');
    await rows(page, '/orders').waitFor({ timeout: LIMIT });
    const seen = {};
    await page.keyboard.press('Tab');
    seen.first = await focused(page);
    await page.locator('#tab-requests').focus();
    await page.keyboard.press('ArrowDown');
    seen.down = [await focused(page), await page.locator('[role=tab][aria-selected=true]').getAttribute('id')];
    await page.keyboard.press('End');
    seen.end = await focused(page);
    await page.keyboard.press('Home');
    seen.home = await focused(page);
    seen.stops = await page.locator('[role=tab][tabindex="0"]').count();
    await page.keyboard.press('4');
    await shown(page, '.graph').waitFor({ timeout: LIMIT });
    seen.number = await focused(page);
    await page.locator('[data-node="orders"]').focus();
    await page.keyboard.press('Enter');
    seen.node = await page.locator('[data-node="orders"]').getAttribute('aria-pressed');
    seen.nodeFocus = await page.evaluate(() => document.activeElement.dataset.node);
    await page.keyboard.press('1');
    await shown(page, '.row-button[tabindex="0"]').first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await shown(page, '.detail').waitFor({ timeout: LIMIT });
    seen.opened = await text(page.locator('.detail-title'));
    await page.keyboard.press('Escape');
    await page.locator('.panel-requests .detail').waitFor({ state: 'hidden', timeout: LIMIT });
    seen.back = await focused(page);
    await page.keyboard.press('?');
    seen.dialog = await page.locator('#shortcuts').evaluate((dialog) => dialog.open);
    await page.locator('#keys-on').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('2');
    seen.off = await page.locator('[role=tab][aria-selected=true]').getAttribute('id');
    seen.ring = await page.evaluate(() => {
      document.getElementById('pause').focus({ focusVisible: true });
      return getComputedStyle(document.getElementById('pause')).outlineStyle;
    });
    return seen;
  },

  async themes(page, context) {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const seen = { light: await ground() };
    await page.emulateMedia({ colorScheme: 'dark' });
    seen.dark = await ground();
    await page.keyboard.press('t');
    seen.chosen = [await text(page.locator('#theme')), await ground()];
    const again = await context.newPage();
    await again.emulateMedia({ colorScheme: 'dark' });
    await again.goto(`${base}/_dev`);
    seen.kept = await again.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.setViewportSize({ width: 320, height: 640 });
    seen.overflow = {};
    for (const panel of PANELS) {
      await page.evaluate((id) => { location.hash = id; }, panel);
      await shown(page, `#panel-${panel}`).waitFor({ timeout: LIMIT });
      seen.overflow[panel] = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      await picture(page, `narrow-${panel}`);
    }
    return seen;
  },

  async accessible(page) {
    await get('/refused');
    await get('/letter', { method: 'POST' });
    await rows(page, '/refused').locator('button').click();
    await page.locator('.span-button').first().click();
    const found = {};
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const panel of PANELS) {
        if (panel !== 'requests' || !(await page.locator('#panel-requests').isVisible())) {
          await page.locator(`#tab-${panel}`).click();
          await page.waitForFunction((id) => document.querySelector(`#panel-${id} :is(table, .graph, .findings, .log, .empty)`), panel, { timeout: LIMIT });
        }
        if (panel === 'mail') await page.locator('.panel-mail .row-button').first().click();
        await picture(page, `${scheme}-${panel}`);
        const violations = scheme === 'light' ? await axe(page) : await axe(page, ['color-contrast'], 'rule');
        if (violations.length) found[`${scheme} ${panel}`] = violations;
      }
    }
    await page.locator('#help').click();
    const dialog = await axe(page);
    if (dialog.length) found.dialog = dialog;
    return { found };
  },

  async mail(page) {
    await get('/letter', { method: 'POST' });
    await page.locator('#tab-mail').click();
    await page.locator('.panel-mail .row-button', { hasText: 'Your tea' }).click();
    const frame = page.frameLocator('.mail-frame');
    await frame.locator('h1').waitFor({ timeout: LIMIT });
    const seen = { sandbox: await page.locator('.mail-frame').getAttribute('sandbox'), heading: await frame.locator('h1').innerText(),
      colour: await frame.locator('h1').evaluate((one) => getComputedStyle(one).color), title: await page.title(), attachment: await text(page.locator('.attachments li')) };
    await picture(page, 'mail');
    await page.locator('.switch button', { hasText: 'Text' }).click();
    seen.text = await text(page.locator('.mail-text'));
    await page.locator('button', { hasText: 'Forget all' }).click();
    await shown(page, '.panel-mail .empty-title').waitFor({ timeout: LIMIT });
    seen.left = await text(shown(page, '.panel-mail .empty-title'));
    return seen;
  },

  async documents(page) {
    await page.locator('#tab-modules').click();
    await shown(page, '.graph').waitFor({ timeout: LIMIT });
    const cells = (panel) => shown(page, `${panel} tbody tr`).evaluateAll((all) => all.map((one) => [...one.children].map((cell) => cell.innerText)));
    const seen = { nodes: await page.locator('[data-node]').evaluateAll((all) => all.map((one) => one.dataset.node).sort()), modules: await cells('.panel-modules') };
    for (const panel of ['routes', 'effects', 'config']) {
      await page.locator(`#tab-${panel}`).click();
      await shown(page, `.panel-${panel} tbody`).waitFor({ timeout: LIMIT });
      seen[panel] = await cells(`.panel-${panel}`);
    }
    await page.locator('#tab-diagnostics').click();
    await shown(page, '.finding').first().waitFor({ timeout: LIMIT });
    seen.diagnostics = await shown(page, '.finding h3').allInnerTexts();
    return seen;
  },

  async pause(page) {
    await page.keyboard.press('p');
    await get('/hello');
    await page.locator('.connection[data-state="paused"]').waitFor({ timeout: LIMIT });
    await page.locator('#held', { hasText: 'held' }).waitFor({ timeout: LIMIT });
    const held = await rows(page, '/hello').count();
    await page.keyboard.press('p');
    await rows(page, '/hello').waitFor({ timeout: LIMIT });
    return { held, after: await rows(page, '/hello').count() };
  },

  // The test reloads the server when it reads `waiting`; the page goes on with the new process.
  async reload(page) {
    await get('/hello');
    await rows(page, '/hello').waitFor({ timeout: LIMIT });
    const before = await text(page.locator('#process'));
    console.log('waiting');
    await page.waitForFunction((old) => document.querySelector('#process').innerText !== old, before, { timeout: LIMIT });
    await get('/orders');
    await rows(page, '/orders').waitFor({ timeout: LIMIT });
    return { before, after: await text(page.locator('#process')), kept: await rows(page, '/hello').count() };
  },

  async plain(page) {
    await picture(page, 'plain');
    return { captions: await shown(page, 'caption').allInnerTexts(), note: await text(page.locator('.note')), tabs: await page.locator('[role=tab]').count(),
      setting: await page.locator('th', { hasText: /^http\.listen$/ }).count() };
  },
};

const data = mkdtempSync(join(tmpdir(), 'rt-chromium-'));
const context = await chromium.launchPersistentContext(data, {
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  javaScriptEnabled: scene !== 'plain',
  viewport: { width: 1280, height: 800 },
  colorScheme: 'light',
  reducedMotion: 'reduce',
});
try {
  const page = context.pages()[0] ?? (await context.newPage());
  context.on('request', (request) => { if (!request.url().startsWith(`${base}/_dev`) && !request.url().startsWith('data:')) foreign.push(request.url()); });
  context.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${base}/_dev`, { timeout: LIMIT });
  if (scene !== 'plain') await settle(page);
  const seen = await scenes[scene](page, context);
  console.log(JSON.stringify({ ...seen, complaints, foreign }));
} finally {
  await context.close();
  rmSync(data, { recursive: true, force: true });
}
