// A person's walk through the pages: reads what to do from the environment, prints what was seen as JSON.
import { chromium } from 'playwright-core';

const { XINYIN_ADDRESS: address, XINYIN_TOKEN: token, XINYIN_FILE: file, XINYIN_CHANGED: changed,
  XINYIN_USERNAME: username, XINYIN_PASSWORD: password, XINYIN_ADMIN_PASSWORD: adminPassword,
  XINYIN_NEW_PASSWORD: newPassword,
  XINYIN_CHROMIUM: executablePath, XINYIN_PICTURES: pictures } = process.env;

const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update'];
const browser = await chromium.launch({ executablePath, args: quiet });
const seen = {};
const refused = [];

async function person(options, walk) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) refused.push(message.text());
  });
  page.on('pageerror', (error) => refused.push(String(error)));
  try {
    await walk(page);
  } finally {
    await context.close();
  }
}

async function look(page, name) {
  await page.waitForLoadState('load');
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  seen[name] = {
    verdict: (await page.locator('.verdict').allInnerTexts()).join(' '),
    heading: await page.locator('h1').first().innerText(),
    language: await page.getAttribute('html', 'lang'),
    overflows: width[0] > width[1],
  };
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
}

async function upload(page, path, name) {
  await page.goto(`${address}/v/`);
  await page.setInputFiles('input[type=file]', path);
  await Promise.all([page.waitForNavigation(), page.locator('main form button').first().click()]);
  await look(page, name);
}

async function logIn(page, path, name, firstPassword) {
  await page.goto(`${address}${path}`);
  await page.keyboard.type(name);
  await page.keyboard.press('Tab');
  await page.keyboard.type(firstPassword);
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  await page.fill('#password', firstPassword);
  await page.fill('#new_password', newPassword);
  await page.fill('#new_password_again', newPassword);
  await Promise.all([page.waitForURL(`**${path}`), page.locator('main button').click()]);
}

try {
  await person({ locale: 'zh-CN', viewport: { width: 390, height: 844 }, isMobile: true }, async (page) => {
    await page.goto(`${address}/v/${token}`);
    await look(page, 'licence-zh');
    await Promise.all([page.waitForURL('**lang=en'), page.locator('nav a[hreflang=en]').click()]);
    await look(page, 'licence-en');
    await upload(page, file, 'file');
    await upload(page, changed, 'changed-file');
    await page.goto(`${address}/v/NOSUCHLICENCE`);
    await look(page, 'unknown');
  });

  await person({ locale: 'zh-CN', viewport: { width: 1100, height: 800 } }, async (page) => {
    await page.goto(`${address}/admin/licences`);
    await look(page, 'login');
    await logIn(page, '/admin/licences', username, password);
    await look(page, 'licences');
    await page.locator('tbody a').first().click();
    await page.selectOption('#target', 'suspended');
    await page.fill('#reason', '查处中');
    await Promise.all([page.waitForNavigation(), page.locator('main button.danger').click()]);
    await look(page, 'suspended');
    seen.suspended.badge = await page.locator('.badge').first().innerText();
    await Promise.all([page.waitForNavigation(), page.locator('header form button').click()]);
    await page.goto(`${address}/admin/licences`);
    await look(page, 'logged-out');
  });

  await person({ locale: 'zh-CN', viewport: { width: 1300, height: 900 } }, async (page) => {
    await logIn(page, '/admin/machines', 'admin', adminPassword);
    await look(page, 'machines');
    await page.goto(`${address}/admin/machines/machine-2`);
    await Promise.all([page.waitForNavigation(), page.locator('button.danger').click()]);
    await page.locator('#state .badge', { hasText: '维护中' }).waitFor({ timeout: 20000 });
    await look(page, 'drained');
    await Promise.all([page.waitForNavigation(), page.locator('button[value=resume]').click()]);
    // The page keeps itself fresh: nobody reloads it.
    await page.locator('#state .badge', { hasText: '正常' }).waitFor({ timeout: 20000 });
    await look(page, 'resumed');
    seen.resumed.events = await page.locator('#events .badge').allInnerTexts();
    await page.goto(`${address}/admin/keys`);
    await look(page, 'keys');
    await page.locator('tbody a').first().click();
    await look(page, 'key');
    for (const name of ['approvals', 'events']) {
      await page.goto(`${address}/admin/${name}?lang=en`);
      await look(page, name);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    for (const name of ['machines', 'machines/machine-1', 'keys', 'approvals']) {
      await page.goto(`${address}/admin/${name}`);
      await look(page, `phone-${name.replace('/', '-')}`);
    }
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ seen, refused }));
