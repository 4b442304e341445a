// A person reads a sealed document in the viewer: prints what was seen as JSON.
import { chromium } from 'playwright-core';

const { XINYIN_ADDRESS: address, XINYIN_CHROMIUM: executablePath, XINYIN_PICTURES: pictures,
  XINYIN_WORD: word } = process.env;
const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update'];
const browser = await chromium.launch({ executablePath, args: quiet });
const seen = {};
const refused = [];

async function reader(options, walk) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') refused.push(message.text());
  });
  page.on('pageerror', (error) => refused.push(String(error)));
  page.on('response', (answer) => {
    if (answer.status() >= 400) refused.push(`${answer.status()} ${answer.url()}`);
  });
  try {
    await page.goto(address);
    await page.waitForSelector('.page img');
    await page.waitForFunction(() => [...document.querySelectorAll('.page img')].every((image) => image.complete && image.naturalWidth > 0));
    await page.waitForSelector('#verdict.valid, #verdict.invalid, #verdict.indeterminate');
    await walk(page);
  } finally {
    await context.close();
  }
}

async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
}

try {
  await reader({ locale: 'zh-CN', viewport: { width: 1280, height: 900 } }, async (page) => {
    seen.title = await page.locator('#title').innerText();
    seen.verdict = await page.locator('#verdict').innerText();
    seen.count = await page.locator('#count').innerText();
    seen.overflows = await overflow(page);
    await page.screenshot({ path: `${pictures}/viewer.png` });

    const width = () => page.locator('.page').first().evaluate((node) => node.offsetWidth);
    await page.keyboard.press('0');
    const before = await width();
    await page.keyboard.press('+');
    seen.zoomed = (await width()) / before;
    await page.keyboard.press('0');
    seen.fitted = (await width()) / before;
    await page.keyboard.press('End');
    seen.last = await page.inputValue('#page');
    await page.keyboard.press('Home');

    await page.keyboard.press('/');
    await page.keyboard.type(word);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.hit.current');
    seen.found = await page.locator('#found').innerText();
    seen.hits = await page.locator('.hit').count();
    await page.fill('#query', 'no such word anywhere');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#found').textContent === '没有找到');
    seen.cleared = await page.locator('.hit').count();

    const line = page.locator('.text span').first();
    await line.click({ clickCount: 3 });
    seen.selected = await page.evaluate(() => getSelection().toString().trim());
    seen.line = (await line.textContent()).trim();

    await page.locator('.stamp').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    seen.report = await page.locator('#report-title').innerText();
    seen.facts = await page.locator('#facts').innerText();
    seen.steps = await page.locator('#steps li').count();
    await page.screenshot({ path: `${pictures}/viewer-report.png` });
    await page.keyboard.press('Escape');
    seen.closed = await page.locator('dialog[open]').count();

    await page.locator('#coverage').click();
    await page.waitForFunction(() => document.querySelector('img.coverage')?.naturalWidth > 0);
    seen.covered = await page.locator('#coverage').getAttribute('aria-pressed');
    await page.screenshot({ path: `${pictures}/viewer-coverage.png` });
  });
  await reader({ locale: 'en-GB', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, async (page) => {
    seen.english = await page.locator('#verdict').innerText();
    seen.language = await page.getAttribute('html', 'lang');
    seen.phoneOverflows = await overflow(page);
    await page.locator('.stamp').first().tap();
    await page.waitForSelector('dialog[open]');
    seen.phoneReport = await page.locator('#report-title').innerText();
    await page.locator('dialog button').tap();
    await page.locator('#language').tap();
    seen.chinese = await page.locator('#verdict').innerText();
    await page.screenshot({ path: `${pictures}/viewer-phone.png` });
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ seen, refused }));
