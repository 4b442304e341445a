// As much of a browser as a login needs: cookies, redirects one at a time, and forms.

export class Browser {
  #cookies = new Map();

  async get(url) {
    return this.#send(url, { method: "GET" });
  }

  async post(url, fields) {
    return this.#send(url, {
      method: "POST",
      body: new URLSearchParams(fields).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
  }

  // Follows redirects until one leads to `end` or a page is shown; answers { url, response? }.
  async walk(url, end, response) {
    let here = new URL(url);
    let answer = response ?? (await this.get(here));
    for (let hops = 0; hops < 10; hops += 1) {
      const location = answer.headers.get("location");
      if (answer.status < 300 || answer.status >= 400 || location === null) return { url: here, response: answer };
      here = new URL(location, here);
      if (end(here)) return { url: here };
      answer = await this.get(here);
    }
    throw new Error("too many redirects");
  }

  async #send(url, options) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...options.headers, ...(cookie ? { cookie } : {}) };
    const response = await fetch(url, { ...options, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(";");
      const at = pair.indexOf("=");
      if (/max-age=0(;|$)/i.test(line)) this.#cookies.delete(pair.slice(0, at));
      else this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  }
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#34": '"', "#39": "'" };

// Values of the hidden fields of a page's form, and whether it has a field of some name.
export function form(html) {
  const hidden = {};
  const names = new Set();
  for (const [input] of html.matchAll(/<input\b[^>]*>/g)) {
    const attribute = (name) => input.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1];
    const name = attribute("name");
    names.add(name);
    if (attribute("type") === "hidden") {
      hidden[name] = attribute("value").replace(/&(#?\w+);/g, (whole, entity) => ENTITIES[entity] ?? whole);
    }
  }
  return { action: html.match(/<form\b[^>]*\saction="([^"]*)"/)?.[1], hidden, names };
}
