// Goes through a login at a running provider with openid-client and prints what it thinks of it, as JSON.
//
// XINYIN_ISSUER                    such as http://localhost:8000/sso
// XINYIN_CLIENT_ID, _CLIENT_SECRET a confidential client with the scopes openid, profile and roles
// XINYIN_REDIRECT_URI, _POST_LOGOUT_REDIRECT_URI   as registered; nothing has to listen there
// XINYIN_USERNAME, _PASSWORD       of a person; a one-time password is replaced by XINYIN_NEW_PASSWORD
//
// Exit status: 0 when everything genuine is accepted and everything altered is refused, else 1; 64 for missing settings.

import { createRequire } from "node:module";

import * as oidc from "openid-client";

import { Browser, form } from "./browser.mjs";

const NAMES = [
  "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "POST_LOGOUT_REDIRECT_URI", "USERNAME", "PASSWORD",
];
const settings = Object.fromEntries(NAMES.map((name) => [name, process.env[`XINYIN_${name}`]]));
const absent = NAMES.filter((name) => !settings[name]);
if (absent.length > 0) {
  console.error(`judge.mjs: set ${absent.map((name) => `XINYIN_${name}`).join(", ")}`);
  process.exit(64);
}

const isInsecure = settings.ISSUER.startsWith("http:");
const isCallback = (url) => url.href.startsWith(settings.REDIRECT_URI);
const isGoodbye = (url) => url.href.startsWith(settings.POST_LOGOUT_REDIRECT_URI);
const accepted = [];
const refused = [];

async function step(name, act) {
  try {
    const result = await act();
    accepted.push({ step: name, accepted: true });
    return result;
  } catch (error) {
    accepted.push({ step: name, accepted: false, problem: told(error) });
    throw error;
  }
}

async function refusal(name, act) {
  try {
    await act();
    refused.push({ altered: name, refused: false });
  } catch (error) {
    refused.push({ altered: name, refused: true, because: told(error) });
  }
}

function told(error) {
  return [error.code, error.error, error.cause?.message ?? error.message].filter(Boolean).join(": ");
}

async function discovered() {
  const execute = [oidc.enableNonRepudiationChecks, ...(isInsecure ? [oidc.allowInsecureRequests] : [])];
  const authentication = oidc.ClientSecretBasic(settings.CLIENT_SECRET);
  return oidc.discovery(new URL(settings.ISSUER), settings.CLIENT_ID, undefined, authentication, { execute });
}

async function begin(config, extra = {}) {
  const verifier = oidc.randomPKCECodeVerifier();
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: oidc.randomState(),
    expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  };
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: settings.REDIRECT_URI,
    scope: "openid profile roles",
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...extra,
  });
  return { url, checks };
}

async function logIn(browser, start) {
  let { url, response } = await browser.walk(start, isCallback);
  let password = settings.PASSWORD;
  for (let tries = 0; response !== undefined && tries < 3; tries += 1) {
    const page = form(await response.text());
    if (page.action === undefined) throw new Error(`no login form at ${url.pathname}, status ${response.status}`);
    const fields = { ...page.hidden, username: settings.USERNAME, password };
    if (page.names.has("new_password")) {
      if (!process.env.XINYIN_NEW_PASSWORD) throw new Error("a new password is wanted: set XINYIN_NEW_PASSWORD");
      fields.new_password = process.env.XINYIN_NEW_PASSWORD;
      fields.new_password_again = process.env.XINYIN_NEW_PASSWORD;
    }
    const target = new URL(page.action, url);
    ({ url, response } = await browser.walk(target, isCallback, await browser.post(target, fields)));
  }
  if (response !== undefined) throw new Error(`the login did not end, status ${response.status}`);
  return url;
}

// The callback of a further login in a browser that has a session already.
async function again(browser, config, extra) {
  const attempt = await begin(config, extra);
  const { url, response } = await browser.walk(attempt.url, isCallback);
  if (response !== undefined) throw new Error(`a page instead of an answer, status ${response.status}`);
  return { callback: url, checks: attempt.checks };
}

// Redeems a code, with the token response's ID token altered on its way to openid-client.
async function redeemAltered(browser, alter) {
  const config = await discovered();
  const { callback, checks } = await again(browser, config);
  config[oidc.customFetch] = async (url, options) => {
    const response = await fetch(url, options);
    if (!String(url).endsWith("/token")) return response;
    const body = await response.json();
    return Response.json({ ...body, id_token: alter(body.id_token) }, { status: response.status });
  };
  return oidc.authorizationCodeGrant(config, callback, checks);
}

function withPart(token, index, change) {
  const parts = token.split(".");
  parts[index] = change(parts[index]);
  return parts.join(".");
}

function withJson(part, change) {
  const value = change(JSON.parse(Buffer.from(part, "base64url").toString()));
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function flipped(part) {
  const bytes = Buffer.from(part, "base64url");
  bytes[20] ^= 1;
  return bytes.toString("base64url");
}

async function judge() {
  const browser = new Browser();
  const config = await step("discovery", discovered);
  const { url, checks } = await begin(config);
  const callback = await step("login by the form, authorization response with iss and state", () =>
    logIn(browser, url));
  const tokens = await step("code and PKCE for tokens; ES256 signature and claims of the ID token", () =>
    oidc.authorizationCodeGrant(config, callback, checks));
  const { sub } = tokens.claims();
  await step("userinfo of the same subject, with the person's name", async () => {
    const claims = await oidc.fetchUserInfo(config, tokens.access_token, sub);
    if (claims.preferred_username !== settings.USERNAME.toLowerCase()) throw new Error("another person's claims");
  });
  await step("prompt=none and max_age answered from the session", async () => {
    const silent = await again(browser, config, { prompt: "none", max_age: "3600" });
    await oidc.authorizationCodeGrant(config, silent.callback, { ...silent.checks, maxAge: 3600 });
  });

  await refusal("ID token with one bit of its signature flipped", () =>
    redeemAltered(browser, (token) => withPart(token, 2, flipped)));
  await refusal("ID token of another subject", () =>
    redeemAltered(browser, (token) => withPart(token, 1, (part) => withJson(part, (c) => ({ ...c, sub: "other" })))));
  await refusal("ID token with alg none", () =>
    redeemAltered(browser, (token) =>
      withPart(withPart(token, 0, (part) => withJson(part, (h) => ({ ...h, alg: "none" }))), 2, () => "")));
  await refusal("authorization response of another issuer", async () => {
    const other = await again(browser, config);
    other.callback.searchParams.set("iss", "https://other.example");
    await oidc.authorizationCodeGrant(config, other.callback, other.checks);
  });
  await refusal("code with another PKCE verifier", async () => {
    const other = await again(browser, config);
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    await oidc.authorizationCodeGrant(config, other.callback, { ...other.checks, pkceCodeVerifier });
  });
  await refusal("code that has been redeemed", () => oidc.authorizationCodeGrant(config, callback, checks));
  await refusal("access token after its code came twice", () => oidc.fetchUserInfo(config, tokens.access_token, sub));

  await step("logout, back to the application with state", async () => {
    const state = oidc.randomState();
    const leaving = oidc.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: settings.POST_LOGOUT_REDIRECT_URI,
      state,
    });
    const { url: goodbye, response } = await browser.walk(leaving, isGoodbye);
    if (response !== undefined || goodbye.searchParams.get("state") !== state) throw new Error("did not come back");
  });
  await refusal("prompt=none after logout", async () => {
    const late = await again(browser, config, { prompt: "none" });
    await oidc.authorizationCodeGrant(config, late.callback, late.checks);
  });
}

let problem = null;
try {
  await judge();
} catch (error) {
  problem = told(error);
}
const agrees = problem === null && accepted.every((one) => one.accepted) && refused.every((one) => one.refused);
const { version } = createRequire(import.meta.url)("openid-client/package.json");
const software = { "openid-client": version, node: process.version };
console.log(JSON.stringify({ judge: "openid-client", software, issuer: settings.ISSUER, agrees, problem, accepted, refused }, null, 2));
process.exitCode = agrees ? 0 : 1;
