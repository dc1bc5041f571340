// pagedrive uses the page of a running packstone run as a person does, in headless Chromium: it logs
// in, looks at every page in light, in dark and as wide as a phone, downloads a file and compares
// it with the source. It restores into a scratch place, once stopped and once to its end, compares
// that with the source, and removes it; and it starts, withdraws and stops jobs. It fails on an error
// in the console, a request to elsewhere, a page wider than its window, and what axe-core finds
// serious. With OUT it keeps a picture of each page. The script pictures makes a platform for it.
//
//   apt-get install chromium && npm install
//   PAGE_URL=http://127.0.0.1:8484 PAGE_TOKEN=$(cat token) FILES=/srv/files FILE=reports/sum.csv node drive.mjs
//
// SET is platform and HOST p1 unless they say otherwise. FILES is what the source files backs up, as
// it was backed up last, and FOLDER one in it that is looked at; TEXT, a text in the source TEXT_SOURCE
// that several snapshots have in several versions, is optional, and so is TABLE, a table with other
// rows in the last snapshot but one of the source DATABASE. It restores and starts jobs only where serve.scratch is set and JOB names
// a job that takes some seconds, as does the restore of the source files: --limit-download helps.
import assert from 'node:assert';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const { PAGE_URL: base, PAGE_TOKEN: token, OUT: out, FILES: files, FILE: file, FOLDER: folder = '', TEXT: text, TEXT_SOURCE: textSource = 'settings', DATABASE: database, TABLE: table, JOB: job, SET: set = 'platform', HOST: host = 'p1' } = process.env;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const modes = [
  { name: '', width: 1280, height: 860, colorScheme: 'light' },
  { name: '-dark', width: 1280, height: 860, colorScheme: 'dark' },
  { name: '-phone', width: 390, height: 844, colorScheme: 'light' },
  { name: '-noscript', width: 360, height: 740, colorScheme: 'light', javaScriptEnabled: false },
];
const problems = [];

// watch notes what a browser complains of.
function watch(page, mode) {
  page.on('console', (m) => { if (m.type() === 'error') problems.push(`${mode.name} ${page.url()}: ${m.text()}`); });
  page.on('pageerror', (e) => problems.push(`${mode.name} ${page.url()}: ${e}`));
  page.on('request', (r) => { if (!r.url().startsWith(base)) problems.push(`${mode.name}: asks ${r.url()}`); });
}

// look examines the page that is open, and keeps a picture of it.
async function look(page, mode, name) {
  if (mode.javaScriptEnabled !== false) {
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) problems.push(`${mode.name} ${name}: wider than the window by ${over}`);
    await page.evaluate(axe); // by the debugger, which no policy holds back
    for (const v of (await page.evaluate(() => window.axe.run())).violations) {
      if (v.impact !== 'minor') problems.push(`${mode.name} ${name}: ${v.impact}: ${v.help}: ${v.nodes[0].html.slice(0, 150)}`);
    }
  }
  if (out && mode.name !== '-noscript') await page.screenshot({ path: `${out}/${name}${mode.name}.png` });
}

// visit opens a page and looks at it.
async function visit(page, mode, name, path) {
  const answer = await page.goto(base + path);
  assert.equal(answer.status(), 200, `${path}: ${answer.status()}`);
  await look(page, mode, name);
}

async function logIn(page, mode) {
  await page.goto(base + '/');
  await look(page, mode, 'login');
  await page.fill('#token', token);
  await page.click('main button');
  await page.waitForURL(base + '/');
}

// download takes a file as a person does, and compares it with the source.
async function download(page) {
  await page.goto(`${base}/file?source=files&path=${encodeURIComponent(file)}`);
  const [got] = await Promise.all([page.waitForEvent('download'), page.click('a:text-is("Download")')]);
  assert.deepEqual(fs.readFileSync(await got.path()), fs.readFileSync(`${files}/${file}`), `${file} is not what the source has`);
}

// differences are the files below a folder that another has otherwise, or lacks.
function differences(a, b) {
  return fs.readdirSync(a, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => path.relative(a, path.join(e.parentPath, e.name)))
    .filter((name) => !fs.existsSync(path.join(b, name)) || !fs.readFileSync(path.join(a, name)).equals(fs.readFileSync(path.join(b, name))));
}

// settled waits until a page shows something, which it does by itself with script only.
async function settled(page, mode, selector) {
  for (let i = 0; i < 200; i++) {
    if (await page.locator(selector).count() > 0) return;
    if (mode.javaScriptEnabled === false) await page.click('a.reload, nav a[aria-current]');
    else await page.waitForTimeout(250);
  }
  assert.fail(`${mode.name} ${page.url()}: ${selector} does not come`);
}

// restore restores into a scratch place from the folder that one has browsed to.
async function restore(page, mode) {
  await page.goto(`${base}/browse?source=files`);
  await page.click('main a:text-is("Restore")');
  assert.equal(await page.inputValue('#source'), 'files');
  await page.click('button:text-is("Restore into a scratch place")');
  await settled(page, mode, '.working');
  await settled(page, mode, '.working .state:text-is("at work")');
  if (mode.javaScriptEnabled !== false) await page.waitForFunction(() => document.querySelector('.working progress')?.value >= 30);
  await look(page, mode, 'restore-working');
  await page.click('#stop');
  await settled(page, mode, '#scratch .notice');
  assert.match(await page.textContent('#scratch .notice'), /Not restored: files.*stopped by/s);
  await look(page, mode, 'restore-stopped');
  assert.equal(await page.locator('#places tbody tr').count(), 0, 'a stopped restore has left something');

  await page.selectOption('#source', '');
  await page.click('button:text-is("Restore into a scratch place")');
  await settled(page, mode, '#scratch .notice.good');
  const row = page.locator('#places tbody tr');
  assert.equal(await row.count(), 1);
  const place = (await row.locator('code').textContent()).trim();
  await look(page, mode, 'restore-done');
  assert.deepEqual([...differences(files, `${place}/files`), ...differences(`${place}/files`, files)], [], 'what came back is not what the source has');
  await row.locator('button').click();
  await page.waitForURL(/restore/);
  assert.equal(await page.locator('#places tbody tr').count(), 0);
  assert.ok(!fs.existsSync(place), `${place} is still there`);
}

// jobs starts a job, lets another wait for it, withdraws that, and stops the first.
async function jobs(page, mode) {
  await page.goto(`${base}/jobs`);
  await page.click(`button[aria-label="Start now: ${job}"]`);
  await settled(page, mode, '.working .state:text-is("at work")');
  await page.locator('button[aria-label^="Start now"]').first().click();
  await page.waitForURL(/jobs/);
  if (mode.javaScriptEnabled !== false) await page.waitForFunction(() => document.querySelector('.working progress')?.value >= 10);
  await look(page, mode, 'jobs-working');
  await page.locator('button:text-is("Withdraw")').click();
  await page.waitForURL(/jobs/);
  assert.equal(await page.locator('button:text-is("Withdraw")').count(), 0);
  await page.click('#stop');
  await settled(page, mode, '#now .empty');
  assert.match(await page.locator('#runs tbody tr').first().textContent(), /interrupted.*stopped by a holder of the token/s);
  await page.locator('#runs summary').first().click();
  await look(page, mode, 'jobs-stopped');
}

async function drive(browser, mode) {
  const context = await browser.newContext({ viewport: mode, colorScheme: mode.colorScheme, javaScriptEnabled: mode.javaScriptEnabled });
  const page = await context.newPage();
  watch(page, mode);
  await logIn(page, mode);
  await visit(page, mode, 'overview', '/');
  await visit(page, mode, 'timeline', `/timeline?set=${set}&host=${host}`);
  const ids = (await page.locator('tbody th a').evaluateAll((all) => all.map((a) => a.getAttribute('href')))).map((link) => new URL(link, base).searchParams.get('id'));
  await visit(page, mode, 'snapshot', `/snapshot?id=${ids[1]}`);
  await visit(page, mode, 'browse', `/browse?id=${ids[0]}&source=files&path=${encodeURIComponent(folder)}`);
  await visit(page, mode, 'file', `/file?id=${ids[0]}&source=files&path=${encodeURIComponent(file)}`);
  if (text) {
    await visit(page, mode, 'versions-list', `/versions?source=${textSource}&path=${encodeURIComponent(text)}`);
    await page.locator('a:text-is("Difference")').first().click();
    await look(page, mode, 'versions');
  }
  if (table) {
    const at = `id=${ids[0]}&source=${database}`;
    await visit(page, mode, 'database', `/database?${at}`);
    await page.locator(`tbody a:text-is("${table}")`).click();
    await look(page, mode, 'table');
    await page.selectOption('#before', ids.at(-1));
    await page.click('main button:text-is("Compare")');
    await look(page, mode, 'table-changes');
    await visit(page, mode, 'database-changes', `/database?${at}&before=${ids.at(-1)}`);
  }
  await visit(page, mode, 'search', '/search?all=yes&q=' + encodeURIComponent(file.split('/').pop()));
  await visit(page, mode, 'compare', `/compare?before=${ids.at(-1)}&after=${ids[0]}`);
  for (const [name, path] of [['restore', '/restore?source=files'], ['jobs', '/jobs'], ['drills', '/drills'], ['unlock', '/unlock']]) await visit(page, mode, name, path);
  await page.goto(`${base}/storage`);
  await page.click('#measure');
  await settled(page, mode, '#measured td[data-label="Needs alone"]');
  await look(page, mode, 'storage');
  await download(page);
  if (job) {
    await restore(page, mode);
    await jobs(page, mode);
  }
  await context.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  for (const mode of modes) await drive(browser, mode);
} finally {
  await browser.close();
}
console.log(problems.join('\n') || 'no problem found');
process.exitCode = problems.length > 0 ? 1 : 0;
