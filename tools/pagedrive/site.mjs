// site.mjs opens every page of the website of the documentation in headless Chromium: wide, as wide as a
// phone, light, dark, and without script. It fails on an error in the console, a request to elsewhere, a page
// wider than its window, and what axe-core finds serious. With OUT it keeps pictures of PICTURES.
//
//   apt-get install chromium && npm install
//   make -C ../.. site && SITE=../../site node site.mjs
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const { SITE: site = '../../site', OUT: out, PICTURES: pictures = 'index quick-start page settings' } = process.env;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const modes = [
  { name: '', width: 1440, height: 900, colorScheme: 'light' },
  { name: '-dark', width: 1440, height: 900, colorScheme: 'dark' },
  { name: '-phone', width: 390, height: 844, colorScheme: 'light' },
  { name: '-phone-dark', width: 390, height: 844, colorScheme: 'dark', javaScriptEnabled: false },
];
const types = { '.html': 'text/html', '.css': 'text/css', '.png': 'image/png' };
const server = http.createServer((request, response) => {
  const file = path.join(site, decodeURIComponent(new URL(request.url, 'http://x').pathname));
  if (!fs.existsSync(file)) { response.writeHead(404).end(); return; }
  response.writeHead(200, { 'Content-Type': types[path.extname(file)] ?? 'text/plain' }).end(fs.readFileSync(file));
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const base = `http://127.0.0.1:${server.address().port}/`;
const pages = fs.readdirSync(site).filter((name) => name.endsWith('.html'));
const problems = [];

async function look(page, name, mode) {
  await page.goto(base + name);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problems.push(`${name}${mode.name}: ${wide} pixels wider than its window`);
  if (mode.javaScriptEnabled !== false) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    for (const v of found.violations.filter((v) => ['serious', 'critical'].includes(v.impact))) problems.push(`${name}${mode.name}: ${v.id}: ${v.nodes[0].html}`);
  }
  const title = name.replace('.html', '');
  if (out && pictures.split(' ').includes(title)) await page.screenshot({ path: path.join(out, title + mode.name + '.png') });
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
for (const mode of modes) {
  const { name: _, width, height, ...rest } = mode;
  const context = await browser.newContext({ viewport: { width, height }, ...rest });
  const page = await context.newPage();
  page.on('console', (m) => { if (m.type() === 'error') problems.push(`${page.url()}${mode.name}: ${m.text()}`); });
  page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:')) problems.push(`${page.url()} asks for ${r.url()}`); });
  for (const name of pages) await look(page, name, mode);
  if (width === 390) {
    await page.goto(base + 'index.html');
    await page.getByRole('button', { name: 'All pages' }).click();
    await page.getByRole('link', { name: 'Restore drills' }).click();
    if (!page.url().endsWith('/drills.html')) problems.push(`the menu${mode.name} leads to ${page.url()}`);
    await page.goto(base + 'settings.html');
    await page.getByRole('button', { name: 'All pages' }).click();
    if (out) await page.screenshot({ path: path.join(out, 'menu' + mode.name + '.png') });
  }
  await context.close();
}
await browser.close();
server.close();
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages in ${modes.length} ways, ${problems.length} problems`);
process.exitCode = problems.length ? 1 : 0;
