// Keeps every element that is marked data-live as fresh as opening the page anew would show it.
const PAUSE_MS = 5000;

async function refresh() {
  if (document.hidden || document.querySelector("[data-live]:focus-within")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const shown of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(shown.id);
    if (next) shown.replaceWith(next);
  }
}

setInterval(() => refresh().catch(() => {}), PAUSE_MS);
