// The viewer in the browser: asks for pages as they come into view, lays selectable text over them, and shows what the
// seals are worth. Everything it shows comes from the server beside it; it keeps nothing but the language.

const WORDS = {
  zh: {
    toolbar: "工具栏", outline: "大纲", previous: "上一页", page: "页码", next: "下一页", smaller: "缩小", larger: "放大",
    fit: "适合宽度", coverage: "未签名内容", report: "验证报告", search: "在文件中查找", find: "查找",
    hitPrevious: "上一处", hitNext: "下一处", pages: "页面", close: "关闭", untitled: "(无标题)",
    valid: "✔ 验证有效", invalid: "✘ 验证无效", indeterminate: "? 无法判定", verifying: "正在验证…", noneFound: "没有找到", unverified: "没有验证:打开时未给出受信任的根证书。",
    searching: (page, pages) => `正在查找 ${page} / ${pages}`, found: (at, count) => `第 ${at} 处,共 ${count} 处`,
    more: (at, count) => `第 ${at} 处,至少 ${count} 处`, seal: (id) => `印章 ${id}:查看验证报告`, sealTitle: (id) => `签名 ${id}`,
    link: (page) => `转到第 ${page} 页`, whole: "整个文件", unreachable: "服务器没有应答,请重试。", pageNumber: (n) => `第 ${n} 页`,
    pageFailed: (n, why) => `第 ${n} 页无法显示:${why}`,
    status: { passed: "通过", failed: "不通过", warning: "提示", indeterminate: "无法判定", skipped: "未执行" },
    facts: { signer: "签章人", seal_name: "印章名称", seal_code: "印章编码", signed_at: "签章时间", signed_at_proven: "时间已证明" },
  },
  en: {
    toolbar: "Tools", outline: "Outline", previous: "Previous page", page: "Page", next: "Next page", smaller: "Smaller",
    larger: "Larger", fit: "Fit width", coverage: "Unsigned content", report: "Report", search: "Find in the document",
    find: "Find", hitPrevious: "Previous place", hitNext: "Next place", pages: "Pages", close: "Close", untitled: "(no title)",
    valid: "✔ Valid", invalid: "✘ Not valid", indeterminate: "? Cannot tell", verifying: "Verifying…", noneFound: "Nothing found", unverified: "Nothing was verified: no trusted root was given when it was opened.",
    searching: (page, pages) => `Searching ${page} / ${pages}`, found: (at, count) => `${at} of ${count}`,
    more: (at, count) => `${at} of at least ${count}`, seal: (id) => `Seal ${id}: show its report`, sealTitle: (id) => `Signature ${id}`,
    link: (page) => `Go to page ${page}`, whole: "The whole document", unreachable: "The server does not answer. Try again.",
    pageNumber: (n) => `Page ${n}`, pageFailed: (n, why) => `Page ${n} cannot be shown: ${why}`,
    status: { passed: "passed", failed: "failed", warning: "note", indeterminate: "cannot tell", skipped: "not done" },
    facts: { signer: "Signer", seal_name: "Seal", seal_code: "Seal code", signed_at: "Signed at", signed_at_proven: "Time proven" },
  },
};
const PIXELS_PER_MM = 96 / 25.4;
const LARGEST_FIRST = 1.3; // of a page that nobody asked to be wider
const ZOOMS = [0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4];
const byId = (id) => document.getElementById(id);
const main = byId("pages");

const state = { language: "zh", about: null, report: null, zoom: 1, fit: true, largest: LARGEST_FIRST, coverage: false, current: 0, hits: [], hit: -1, search: 0 };
const pages = [];
const words = () => WORDS[state.language];

async function fetchJson(address) {
  const answer = await fetch(address);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body[state.language] ?? body.detail ?? answer.statusText);
  return body;
}

function complain(error) {
  const place = byId("problem");
  place.textContent = error instanceof TypeError ? words().unreachable : error.message;
  place.hidden = false;
  setTimeout(() => { place.hidden = true; }, 6000);
}

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function place(node, [x, y, width, height], page) {
  node.style.left = `${(100 * x) / page.width}%`;
  node.style.top = `${(100 * y) / page.height}%`;
  node.style.width = `${(100 * width) / page.width}%`;
  node.style.height = `${(100 * height) / page.height}%`;
  return node;
}

// ---- language

function speak(language) {
  state.language = language;
  document.documentElement.lang = language;
  try { localStorage.setItem("language", language); } catch { /* a browser that keeps nothing asks again */ }
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words()[node.dataset.text];
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", words()[node.dataset.label]);
    if (node instanceof HTMLButtonElement) node.title = words()[node.dataset.label];
  }
  const other = byId("language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh";
  byId("query").placeholder = words().search;
  if (state.about) describe();
  for (const page of pages) nameParts(page);
  tellHit();
}

function describe() {
  const title = state.about.title || words().untitled;
  byId("title").textContent = title;
  document.title = title;
  const verdict = byId("verdict");
  verdict.hidden = !state.about.verified;
  verdict.className = state.report?.verdict ?? "";
  verdict.textContent = words()[state.report?.verdict ?? "verifying"];
}

function nameParts(page) {
  page.node.setAttribute("aria-label", words().pageNumber(page.index + 1));
  for (const stamp of page.node.querySelectorAll(".stamp")) stamp.setAttribute("aria-label", words().seal(stamp.dataset.signature));
  for (const link of page.node.querySelectorAll(".link[data-page]")) link.setAttribute("aria-label", words().link(Number(link.dataset.page) + 1));
}

// ---- pages

function layOut() {
  if (state.fit) {
    const widest = Math.max(...pages.map((page) => page.width));
    state.zoom = Math.min(state.largest, Math.max(0.1, (main.clientWidth - 24) / (widest * PIXELS_PER_MM)));
  }
  for (const page of pages) resize(page);
}

function resize(page) {
  page.node.style.width = `${page.width * PIXELS_PER_MM * state.zoom}px`;
  page.node.style.height = `${page.height * PIXELS_PER_MM * state.zoom}px`;
  for (const span of page.node.querySelectorAll(".text span")) fitText(span, page);
}

function fitText(span, page) {
  const [, , width, height] = span.box;
  const scale = PIXELS_PER_MM * state.zoom;
  span.style.fontSize = `${height * scale}px`;
  span.style.transform = "none";
  const natural = span.getBoundingClientRect().width;
  if (natural > 0) span.style.transform = `scaleX(${(width * scale) / natural})`;
}

async function load(page) {
  if (page.loaded) return;
  page.loaded = true;
  try {
    const details = await fetchJson(`pages/${page.index}.json`);
    Object.assign(page, { width: details.width, height: details.height });
    const picture = element("img", { alt: "", src: `pages/${page.index}.svg` });
    picture.addEventListener("error", () => refuse(page, words().unreachable));
    const text = element("div", { className: "text" });
    for (const line of details.lines) {
      const span = place(element("span", { textContent: `${line.text}\n`, box: line.box }), line.box, page);
      span.style.width = span.style.height = "";
      text.append(span);
    }
    page.node.replaceChildren(picture, text);
    for (const link of details.links) page.node.append(linkNode(link, page));
    for (const stamp of details.stamps) page.node.append(stampNode(stamp, page));
    resize(page);
    nameParts(page);
    showCoverage(page);
    drawHits(page);
  } catch (error) {
    refuse(page, error.message);
  }
}

function refuse(page, why) {
  page.loaded = false;
  page.node.replaceChildren(element("p", { className: "failed", textContent: words().pageFailed(page.index + 1, why) }));
}

function unload(page) {
  if (!page.loaded || pages.length < 30) return;
  page.loaded = false;
  page.node.replaceChildren();
}

function linkNode(link, page) {
  const node = place(element("button", { type: "button", className: "link" }), link.box, page);
  if (link.page === null) {
    node.title = link.address;
    node.setAttribute("aria-label", link.address);
    node.addEventListener("click", () => complain(new Error(link.address)));
  } else {
    node.dataset.page = link.page;
    node.addEventListener("click", () => goTo(link.page));
  }
  return node;
}

function stampNode(stamp, page) {
  const node = place(element("button", { type: "button", className: "stamp" }), stamp.box, page);
  node.dataset.signature = stamp.signature;
  node.addEventListener("click", () => showReport(stamp.signature));
  return node;
}

function showCoverage(page) {
  page.node.querySelector("img.coverage")?.remove();
  if (!state.coverage || !page.loaded) return;
  const picture = element("img", { className: "coverage", alt: "", src: `pages/${page.index}/coverage.svg` });
  page.node.querySelector("img")?.after(picture);
}

function goTo(index, smooth = false) {
  const wanted = Math.min(pages.length - 1, Math.max(0, index));
  pages[wanted].node.scrollIntoView({ block: "start", behavior: smooth ? "smooth" : "instant" });
  setCurrent(wanted);
}

function setCurrent(index) {
  state.current = index;
  if (document.activeElement !== byId("page")) byId("page").value = String(index + 1);
  byId("previous").disabled = index === 0;
  byId("next").disabled = index === pages.length - 1;
}

function zoomTo(zoom) {
  const here = state.current;
  state.fit = zoom === null;
  state.largest = ZOOMS.at(-1);
  if (zoom !== null) state.zoom = zoom;
  layOut();
  goTo(here);
}

// ---- search

async function search(query) {
  const round = ++state.search;
  state.hits = [];
  state.hit = -1;
  for (const page of pages) drawHits(page);
  if (!query) { tellHit(); return; }
  let from = 0;
  while (from !== null && round === state.search) {
    byId("found").textContent = words().searching(from + 1, pages.length);
    const answer = await fetchJson(`search.json?${new URLSearchParams({ q: query, from: String(from) })}`);
    if (round !== state.search) return;
    state.hits.push(...answer.hits);
    for (const index of new Set(answer.hits.map((hit) => hit.page))) drawHits(pages[index]);
    from = answer.next;
    if (state.hit < 0 && state.hits.length) showHit(0);
    if (state.hits.length >= 5000) break;
  }
  tellHit(from === null);
  if (!state.hits.length) byId("found").textContent = words().noneFound;
}

function drawHits(page) {
  for (const old of page.node.querySelectorAll(".hit")) old.remove();
  if (!page.loaded) return;
  state.hits.forEach((hit, number) => {
    if (hit.page !== page.index) return;
    for (const box of hit.boxes) {
      page.node.append(place(element("div", { className: number === state.hit ? "hit current" : "hit" }), box, page));
    }
  });
}

function showHit(number) {
  const before = state.hits[state.hit];
  state.hit = (number + state.hits.length) % state.hits.length;
  const hit = state.hits[state.hit];
  if (before && before.page !== hit.page) drawHits(pages[before.page]);
  const page = pages[hit.page];
  drawHits(page);
  const top = page.node.offsetTop + (hit.boxes[0][1] / page.height) * page.node.offsetHeight;
  main.scrollTo({ top: Math.max(0, top - main.offsetTop - main.clientHeight / 3) });
  tellHit();
}

function tellHit(complete = true) {
  const some = state.hits.length > 0;
  byId("hit-next").disabled = byId("hit-previous").disabled = !some;
  if (some) byId("found").textContent = (complete ? words().found : words().more)(state.hit + 1, state.hits.length);
  else if (!byId("query").value) byId("found").textContent = "";
}

// ---- report

async function judge() {
  if (!state.about.verified) return;
  state.report = await fetchJson("report.json");
  describe();
  byId("report-open").hidden = false;
}

function showReport(signature) {
  if (!state.report) { complain(new Error(words()[state.about.verified ? "verifying" : "unverified"])); return; }
  const mine = (step) => signature === null || step.evidence.signature === signature || step.evidence.signature === undefined;
  byId("report-title").textContent = signature === null ? words().whole : words().sealTitle(signature);
  const facts = Object.entries(state.report.signatures.find((item) => item.id === signature)?.facts ?? state.report.facts);
  byId("facts").replaceChildren(...facts.flatMap(([name, value]) => [
    element("dt", { textContent: words().facts[name] ?? name }), element("dd", { textContent: value, dir: "auto" }),
  ]));
  byId("steps").replaceChildren(...state.report.steps.filter(mine).map((step) => {
    const status = element("span", { className: `status ${step.status}`, textContent: words().status[step.status] });
    const item = element("li", {}, status, step[state.language], element("small", { textContent: `${step.clause} · ${step.code}` }));
    item.value = step.number;
    return item;
  }));
  byId("report").showModal();
}

// ---- outline

function outlineList(items) {
  const list = element("ul");
  for (const item of items) {
    const entry = element("button", { type: "button", textContent: item.title });
    entry.disabled = item.page === null;
    entry.addEventListener("click", () => goTo(item.page));
    list.append(element("li", {}, entry, ...(item.children.length ? [outlineList(item.children)] : [])));
  }
  return list;
}

// ---- start

function listen() {
  byId("previous").addEventListener("click", () => goTo(state.current - 1));
  byId("next").addEventListener("click", () => goTo(state.current + 1));
  byId("page").addEventListener("change", (event) => {
    const wanted = Number.parseInt(event.target.value, 10);
    if (Number.isFinite(wanted)) goTo(wanted - 1);
    event.target.value = String(state.current + 1);
  });
  const larger = () => zoomTo(ZOOMS.find((zoom) => zoom > state.zoom + 0.01) ?? ZOOMS.at(-1));
  const smaller = () => zoomTo(ZOOMS.findLast((zoom) => zoom < state.zoom - 0.01) ?? ZOOMS[0]);
  byId("larger").addEventListener("click", larger);
  byId("smaller").addEventListener("click", smaller);
  byId("fit").addEventListener("click", () => zoomTo(null));
  byId("language").addEventListener("click", () => speak(state.language === "zh" ? "en" : "zh"));
  byId("report-open").addEventListener("click", () => showReport(null));
  byId("coverage").addEventListener("click", (event) => {
    state.coverage = !state.coverage;
    event.currentTarget.setAttribute("aria-pressed", String(state.coverage));
    for (const page of pages) showCoverage(page);
  });
  byId("outline-open").addEventListener("click", (event) => {
    const nav = byId("outline");
    nav.hidden = !nav.hidden;
    event.currentTarget.setAttribute("aria-expanded", String(!nav.hidden));
    layOut();
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search(byId("query").value.trim()).catch(complain);
  });
  byId("hit-next").addEventListener("click", () => showHit(state.hit + 1));
  byId("hit-previous").addEventListener("click", () => showHit(state.hit - 1));
  addEventListener("resize", () => { if (state.fit) layOut(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("report").open) return;
    if (event.target instanceof HTMLInputElement) {
      if (event.key === "Escape") main.focus();
      return;
    }
    const act = {
      PageDown: () => goTo(state.current + 1), PageUp: () => goTo(state.current - 1), Home: () => goTo(0),
      End: () => goTo(pages.length - 1), "+": larger, "=": larger, "-": smaller, 0: () => zoomTo(null),
      "/": () => byId("query").focus(), n: () => state.hits.length && showHit(state.hit + 1),
      N: () => state.hits.length && showHit(state.hit - 1),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}

function watch() {
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const page = pages[Number(entry.target.dataset.index)];
      if (entry.isIntersecting) load(page); else unload(page);
    }
  }, { root: main, rootMargin: "100% 0px" });
  for (const page of pages) near.observe(page.node);
  main.addEventListener("scroll", () => {
    const middle = main.scrollTop + main.clientHeight / 3;
    let low = 0;
    let high = pages.length - 1;
    while (low < high) {
      const half = (low + high + 1) >> 1;
      if (pages[half].node.offsetTop - main.offsetTop <= middle) low = half; else high = half - 1;
    }
    setCurrent(low);
  }, { passive: true });
}

async function start() {
  let language = navigator.language.startsWith("zh") ? "zh" : "en";
  try { language = localStorage.getItem("language") ?? language; } catch { /* see speak() */ }
  speak(WORDS[language] ? language : "zh");
  listen();
  state.about = await fetchJson("document.json");
  describe();
  byId("count").textContent = `/ ${state.about.pages}`;
  byId("coverage").hidden = !state.about.verified;
  byId("outline-open").hidden = !state.about.outline.length;
  byId("outline").append(outlineList(state.about.outline));
  for (let index = 0; index < state.about.pages; index += 1) {
    const node = element("section", { className: "page" });
    node.dataset.index = index;
    pages.push({ index, node, width: state.about.width, height: state.about.height, loaded: false });
    main.append(node);
    nameParts(pages[index]);
  }
  layOut();
  watch();
  setCurrent(0);
  await judge();
}

start().catch(complain);
