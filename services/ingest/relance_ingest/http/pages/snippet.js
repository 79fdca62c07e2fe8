// Sends every <form data-relance="source"> of the page to Relance. Without it, or where it cannot run, the form's own
// action does. On the form: data-thanks (text after sending), data-problem (text when it could not be sent),
// data-honeypot (name of a field that people do not see); on a field: data-error (text when it is wrong).
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || !script.src) { console.error("Relance: include snippet.js by <script src>."); return; }
  const FORMS = "form[data-relance]";
  const IN_ADDRESS = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "gclid", "gbraid", "wbraid", "fbclid", "msclkid"];
  const WORDS = {
    en: { thanks: "Thank you. We will get back to you shortly.", sending: "Sending…",
      problem: "This could not be sent. Please try again.",
      large: "This is too large to be sent. Please shorten it, or take a smaller file." },
    de: { thanks: "Vielen Dank. Wir melden uns in Kürze.", sending: "Wird gesendet …",
      problem: "Das konnte nicht gesendet werden. Bitte versuchen Sie es noch einmal.",
      large: "Das ist zu groß. Bitte kürzen Sie es, oder nehmen Sie eine kleinere Datei." },
  };
  const CAN_SEND = window.fetch && window.AbortController;
  const TRIES = 5, TRIES_WHEN_BLOCKED = 2, LONGEST_WAIT = 30, LIMIT = 15000;
  const fills = new WeakMap(); // form -> { key, sent, busy, token, blocked, unheard, status }

  function words(form) {
    const within = form.closest("[lang]");
    return WORDS[(within && within.lang || navigator.language || "").slice(0, 2).toLowerCase()] || WORDS.en;
  }
  const source = form => form.dataset.relance || script.dataset.source;
  const address = (form, more = "") => new URL(`v1/forms/${encodeURIComponent(source(form))}${more}`, script.src).href;
  const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
  const named = (form, name) => form.elements.namedItem(name);
  const wait = seconds => new Promise(done => setTimeout(done, seconds * 1000));

  // Where the visit began. Of the address only campaign parameters are kept: others may say who somebody is.
  function firstTouch() {
    const KEPT = "relance.first_touch";
    try { return JSON.parse(sessionStorage.getItem(KEPT)) || begin(); } catch (error) { return begin(); }
    function begin() {
      const touch = {}, page = new URL(location.href), given = new URLSearchParams();
      for (const name of IN_ADDRESS) {
        const value = page.searchParams.get(name);
        if (value) { touch[name] = value; given.set(name, value); }
      }
      if (document.referrer && new URL(document.referrer).origin !== location.origin) touch.referrer = document.referrer;
      touch.landing_page = page.origin + page.pathname + (`${given}` ? `?${given}` : "");
      try { sessionStorage.setItem(KEPT, JSON.stringify(touch)); } catch (error) { /* no storage: this page is the first */ }
      return touch;
    }
  }
  const touch = firstTouch();

  function hidden(form, name, value) {
    let field = form.querySelector(`input[type=hidden][name="${name}"]`);
    if (!field) {
      field = Object.assign(document.createElement("input"), { type: "hidden", name });
      form.append(field);
    }
    field.value = value;
  }

  function prepare(form) {
    if (fills.has(form) || !source(form)) return;
    const fill = { key: newKey(), sent: null, busy: false, token: null, blocked: false, unheard: false, status: null };
    fill.status = document.createElement("div");
    fills.set(form, fill);
    form.setAttribute("action", address(form));
    form.setAttribute("method", "post");
    for (const [name, value] of Object.entries(touch)) {
      const field = named(form, name);
      if (!field || !field.value) hidden(form, name, value);
    }
    hidden(form, "_idempotency_key", fill.key);
    fill.status.className = "relance-status";
    fill.status.setAttribute("role", "status");
    form.append(fill.status);
    if (form.dataset.honeypot) bait(form, form.dataset.honeypot);
    if (CAN_SEND) fetchToken(form, fill);
  }

  function fetchToken(form, fill) {
    fill.token = fetch(address(form, "/token"), { credentials: "omit" })
      .then(answer => answer.ok ? answer.json() : {})
      .then(({ token, honeypot }) => {
        fill.blocked = false;
        if (token) hidden(form, "_token", token);
        if (honeypot) bait(form, honeypot);
      })
      .catch(() => { fill.blocked = true; }); // a form without a token is taken too
  }

  // Whether it is still so. An answer that may not be read, such as a proxy's during an outage, is one too. Its token is
  // left alone: one that was fetched only now makes a form look as if a program had filled it in.
  const isBlocked = form => fetch(address(form, "/token"), { mode: "no-cors", credentials: "omit", cache: "no-store" })
    .then(() => false, () => true);

  // A field that only programs fill in. Hidden by the script, so that no page's CSP has to allow a style.
  function bait(form, name) {
    if (named(form, name)) return;
    const box = document.createElement("div"), field = document.createElement("input");
    Object.assign(field, { type: "text", name, tabIndex: -1, autocomplete: "off" });
    Object.assign(box.style, { position: "absolute", left: "-10000px", width: "1px", height: "1px", overflow: "hidden" });
    box.setAttribute("aria-hidden", "true");
    box.append(field);
    form.append(box);
  }

  function collected(form, button) {
    const data = new FormData(form);
    if (button && button.name) data.append(button.name, button.value);
    data.delete("_idempotency_key"); // decided by what is sent
    if ([...data.values()].some(value => value instanceof File && value.name)) return data;
    const text = new URLSearchParams();
    for (const [name, value] of data) if (typeof value === "string") text.append(name, value.replace(/\r\n?|\n/g, "\r\n"));
    return text; // with line ends as the browser itself sends them: whichever of us sends it, it is the same
  }

  const said = data => JSON.stringify([...data].filter(([name]) => name !== "_token")
    .map(([name, value]) => [name, value instanceof File ? [value.name, value.size, value.lastModified] : value]));

  // Needs no preflight: form encoding and Accept are what any page may send.
  async function post(form, fill, data) {
    for (let attempt = 1; ; attempt++) {
      const over = new AbortController(), timer = setTimeout(() => over.abort(), LIMIT);
      let answer = null, pause = 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      try {
        answer = await fetch(address(form), {
          method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "omit", signal: over.signal,
        });
        if (![429, 502, 503, 504].includes(answer.status)) return { answer, document: await answer.json() };
        pause = Math.max(pause, Number(answer.headers.get("Retry-After")) || 0);
      } catch (error) {
        if (attempt === (fill.blocked ? TRIES_WHEN_BLOCKED : TRIES)) throw error;
      } finally {
        clearTimeout(timer);
      }
      if (attempt === TRIES || pause > LONGEST_WAIT) throw new Error(`not sent: ${answer && answer.status}`);
      await wait(pause);
    }
  }

  async function send(form, fill, button) {
    // The same content has the same key, so that it is one lead however often it is sent; other content has another.
    const data = collected(form, button), now = said(data);
    if (fill.sent !== null && fill.sent !== now) fill.key = newKey();
    fill.sent = now;
    hidden(form, "_idempotency_key", fill.key);
    data.set("_idempotency_key", fill.key);
    const { answer, document: told } = await post(form, fill, data);
    if (answer.ok) accepted(form, told);
    else if (told.errors && told.errors.length) refused(form, fill, told.errors);
    else throw Object.assign(new Error(told.detail), { told: answer.status === 413 ? words(form).large : told.detail });
  }

  // Blockers of advertisements and pages' policies may forbid fetching, and still let a form be sent.
  function sendByBrowser(form, button) {
    const pressed = document.createElement("input");
    if (button) Object.assign(pressed, { type: "hidden", name: button.name, value: button.value });
    form.append(pressed);
    HTMLFormElement.prototype.submit.call(form); // a field may be called submit
    pressed.remove(); // who comes back may press another
  }

  function accepted(form, told) {
    form.dispatchEvent(new CustomEvent("relance:accepted", { bubbles: true, detail: told }));
    if (told.redirect && !form.dataset.thanks) { location.assign(told.redirect); return; }
    const thanks = document.createElement("div");
    thanks.className = "relance-thanks";
    thanks.setAttribute("role", "status");
    thanks.tabIndex = -1;
    thanks.textContent = form.dataset.thanks || told.message || words(form).thanks;
    form.replaceWith(thanks);
    thanks.focus();
  }

  function refused(form, fill, errors) {
    let first = null;
    const others = [];
    for (const { pointer, detail } of errors) {
      const name = pointer.slice(1).replace(/~1/g, "/").replace(/~0/g, "~");
      const found = name && named(form, name), field = found instanceof RadioNodeList ? found[0] : found;
      if (!field || field.type === "hidden") { others.push(detail); continue; }
      const error = document.createElement("span");
      error.className = "relance-error";
      error.id = `relance-${newKey()}`;
      error.textContent = field.dataset.error || detail;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", [field.getAttribute("aria-describedby"), error.id].filter(Boolean).join(" "));
      (field.closest("label") || field).after(error);
      first = first || field;
    }
    fill.status.textContent = others.join(" ");
    if (first) first.focus();
  }

  function cleared(form) {
    for (const error of form.querySelectorAll(".relance-error")) {
      const field = form.querySelector(`[aria-describedby~="${error.id}"]`);
      const left = field.getAttribute("aria-describedby").split(" ").filter(id => id !== error.id).join(" ");
      if (left) field.setAttribute("aria-describedby", left); else field.removeAttribute("aria-describedby");
      field.removeAttribute("aria-invalid");
      error.remove();
    }
  }

  async function submitted(event) {
    const form = event.target;
    if (!form.matches(FORMS) || event.defaultPrevented || !CAN_SEND) return;
    prepare(form);
    const fill = fills.get(form);
    if (!fill) return;
    event.preventDefault();
    if (fill.busy) return;
    fill.busy = true;
    cleared(form);
    fill.status.textContent = words(form).sending;
    const button = event.submitter;
    if (button) button.disabled = true;
    const again = fill.unheard;
    fill.unheard = false;
    try {
      await Promise.race([fill.token, wait(2)]);
      if (fill.blocked) fill.blocked = await Promise.race([isBlocked(form), wait(2)]);
      await send(form, fill, button);
      if (fill.status.textContent === words(form).sending) fill.status.textContent = "";
    } catch (error) {
      console.error("Relance:", error);
      // Blockers and outages are the same error. In an outage the browser would leave the page for an error of its own:
      // unless fetching has been blocked from the beginning, the visitor is asked to try once more before it sends.
      fill.unheard = error instanceof TypeError && navigator.onLine;
      if (fill.unheard && (fill.blocked || again)) sendByBrowser(form, button);
      else fill.status.textContent = form.dataset.problem || error.told || words(form).problem;
    } finally {
      fill.busy = false;
      if (button) button.disabled = false;
    }
  }

  // The way back shows the page as it was left, with a token that was used: mended, it is another submission.
  function shownAgain(form) {
    const fill = fills.get(form);
    if (!fill) return;
    fill.status.textContent = "";
    fill.unheard = false;
    if (CAN_SEND) fetchToken(form, fill);
  }

  const each = () => document.querySelectorAll(FORMS).forEach(prepare);
  window.addEventListener("pageshow", event => event.persisted && document.querySelectorAll(FORMS).forEach(shownAgain));
  document.addEventListener("submit", submitted);
  document.addEventListener("focusin", ({ target: { form } }) => form && form.matches(FORMS) && prepare(form));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", each); else each();
})();
