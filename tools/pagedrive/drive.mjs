// pagedrive uses the page of a running packstone run as a person does, in headless Chromium: it logs
// in, looks at every page in light, in dark and as wide as a phone, downloads a file and compares
// it with the source. It fails on an error in the console, a request to elsewhere, a page wider than
// its window, and what axe-core finds serious. With OUT it keeps a picture of each page.
//
//   apt-get install chromium && npm install
//   PAGE_URL=http://127.0.0.1:8484 PAGE_TOKEN=$(cat token) FILES=/srv/files FILE=reports/sum.csv node drive.mjs
//
// SET is platform and HOST p1 unless they say otherwise. FILES is what the source files backs up, as
// it was backed up last; TEXT, a text in the source TEXT_SOURCE that several snapshots have in
// several versions, is optional, and so is TABLE, a table with other rows in the last snapshot but one
// of the source DATABASE.
import assert from 'node:assert';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const { PAGE_URL: base, PAGE_TOKEN: token, OUT: out, FILES: files, FILE: file, TEXT: text, TEXT_SOURCE: textSource = 'settings', DATABASE: database, TABLE: table, SET: set = 'platform', HOST: host = 'p1' } = process.env;
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

async function drive(browser, mode) {
  const context = await browser.newContext({ viewport: mode, colorScheme: mode.colorScheme, javaScriptEnabled: mode.javaScriptEnabled });
  const page = await context.newPage();
  watch(page, mode);
  await logIn(page, mode);
  await visit(page, mode, 'overview', '/');
  await visit(page, mode, 'timeline', `/timeline?set=${set}&host=${host}`);
  const ids = (await page.locator('tbody th a').evaluateAll((all) => all.map((a) => a.getAttribute('href')))).map((link) => new URL(link, base).searchParams.get('id'));
  await visit(page, mode, 'snapshot', `/snapshot?id=${ids[1]}`);
  await visit(page, mode, 'browse', `/browse?id=${ids[0]}&source=files`);
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
  for (const [name, path] of [['restore', '/restore?source=files'], ['storage', '/storage?measure=yes'], ['jobs', '/jobs'], ['drills', '/drills']]) await visit(page, mode, name, path);
  await download(page);
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
