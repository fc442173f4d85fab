// The sandbox's console. Every text from outside is set by textContent and never read as HTML;
// every address is relative to the page, so that it works behind any proxy.
"use strict";

const EVERY = 1500; // milliseconds between the end of one update and the next
const PATIENCE = 5000; // the same while the sandbox does not answer
const MOST = 200;
const $ = (id) => document.getElementById(id);

// ------------------------------------------------------------------ reading

// JavaScript's numbers would round amounts. So a number stays the text it was, behind a mark that
// no text from outside can guess.
const MARK = `\u0000${Math.random()}:`;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function exact(text) {
  const mark = JSON.stringify(MARK).slice(0, -1);
  return JSON.parse(text.replace(TOKEN, (t) => (t[0] === '"' ? t : `${mark}${t}"`)));
}

const isNumber = (value) => typeof value === "string" && value.startsWith(MARK);

function plain(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (isNumber(value)) return value.slice(MARK.length);
  return typeof value === "object" ? pretty(value) : String(value);
}

function pretty(value, indent = "") {
  if (isNumber(value)) return value.slice(MARK.length);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const list = Array.isArray(value);
  const inner = `${indent}  `;
  const parts = list
    ? value.map((item) => inner + pretty(item, inner))
    : Object.entries(value).map(([k, v]) => `${inner}${JSON.stringify(k)}: ${pretty(v, inner)}`);
  const [open, close] = list ? "[]" : "{}";
  return parts.length ? `${open}\n${parts.join(",\n")}\n${indent}${close}` : open + close;
}

const moment = (iso) => plain(iso).replace("T", " ").replace("Z", "");
const shortly = (iso) => moment(iso).slice(5); // without the year
const thousands = (amount) => amount.replace(/^-?\d+/, (n) => n.replace(/\B(?=(\d{3})+$)/g, ","));

async function call(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, body ? { ...post, body: JSON.stringify(body) } : undefined);
  const text = await answer.text();
  if (!answer.ok) {
    let said = `${answer.status}`;
    try {
      said = String(JSON.parse(text).message);
    } catch {
      // A proxy's own error page says nothing to a person.
    }
    throw Object.assign(new Error(said), { answered: true });
  }
  return text;
}

// ------------------------------------------------------------------ the three lists

const statusKind = (code) => (/^2/.test(code) ? "good" : "bad");
const STATUS_KIND = { COMPLETED: "good", REJECTED: "bad", PENDING: "wait" };

const LISTS = {
  transactions: {
    key: (t) => t.reference,
    name: (t) => t.reference,
    pill: (t) => [t.status, STATUS_KIND[t.status] || "wait"],
    right: (t) => `${thousands(plain(t.amount))} ${t.currency}`,
    sub: (t) => `${t.flow === "PAYOUT" ? "Payout" : t.method_code} · ${shortly(t.created_at)} · ${t.description}`,
    buttons: (t) =>
      t.status !== "PENDING"
        ? []
        : ["Complete", "Reject", "Expire"].map((name) => ({
            name,
            path: `transactions/${encodeURIComponent(t.reference)}/${name.toLowerCase()}`,
            about: t.reference,
            done: `${t.reference}: ${{ Complete: "completed", Reject: "rejected", Expire: "expired" }[name]}.`,
          })),
    bodies: () => [],
  },
  webhooks: {
    key: (w) => plain(w.id),
    name: (w) => w.reference,
    pill: (w) => [
      w.outcome,
      w.outcome === "delivered" ? "good" : w.outcome === "under way" ? "wait" : "bad",
    ],
    right: () => "",
    sub: (w) => {
      const code = w.status_code === null ? "" : ` · HTTP ${plain(w.status_code)}`;
      const status = plain((w.request_body || {}).transaction_status);
      return `${status}${code} · attempt ${plain(w.attempt)} · ${shortly(w.at)}`;
    },
    buttons: (w) => [
      {
        name: "Resend",
        path: `webhooks/${encodeURIComponent(plain(w.id))}/resend`,
        about: `notification ${plain(w.id)} of ${w.reference}`,
        done: `${w.reference}: sent again.`,
      },
    ],
    bodies: (w) => [
      ["Sent", w.request_body],
      ["Answered", w.response_body],
    ],
  },
  requests: {
    // They have no number; what is the same in every field looks the same.
    key: (r) => JSON.stringify(r),
    name: (r) => `${r.method} ${r.path}`,
    pill: (r) => {
      const code = plain(r.status_code);
      return [code === "–" ? "lost" : code, statusKind(code)];
    },
    right: () => "",
    sub: (r) => {
      const said = (r.response_body || {}).message;
      return `${shortly(r.at)}${typeof said === "string" ? ` · ${said}` : ""}`;
    },
    buttons: () => [],
    bodies: (r) => [
      ["Asked", r.request_body],
      ["Answered", r.response_body],
    ],
  },
};

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** One entry of a list. It changes in place, so that focus and what is open stay. */
class Entry {
  constructor(kind) {
    this.kind = kind;
    this.node = element("li");
    this.details = element("details");
    this.summary = element("summary");
    const line = element("span", "line");
    this.name = element("span", "name");
    this.pill = element("span", "pill");
    this.right = element("span", "right");
    this.sub = element("span", "sub");
    line.append(this.name, this.pill, this.right);
    this.summary.append(line, this.sub);
    this.more = element("div", "more");
    this.details.append(this.summary, this.more);
    this.actions = element("div", "actions");
    this.node.append(this.details, this.actions);
    this.details.addEventListener("toggle", () => this.fill());
  }

  show(record) {
    const same = JSON.stringify(record);
    if (same === this.shown) return;
    this.shown = same;
    this.record = record;
    const [word, kind] = this.kind.pill(record);
    set(this.name, this.kind.name(record));
    set(this.pill, word);
    this.pill.className = `pill ${kind}`;
    set(this.right, this.kind.right(record));
    set(this.sub, this.kind.sub(record));
    const wanted = this.kind.buttons(record);
    const paths = wanted.map((button) => button.path).join();
    if (paths !== this.paths) {
      this.paths = paths;
      const focused = this.actions.contains(document.activeElement);
      this.actions.replaceChildren(...wanted.map(actionButton));
      this.actions.hidden = !wanted.length;
      // The button that was pressed is gone: the person goes on from its entry.
      if (focused) this.summary.focus();
    }
    this.fill();
  }

  /** The fields and bodies, made only when someone looks. */
  fill() {
    if (!this.details.open || this.filled === this.shown) return;
    this.filled = this.shown;
    const bodies = this.kind.bodies(this.record);
    const facts = element("dl");
    for (const [name, value] of Object.entries(this.record)) {
      if (name.endsWith("_body")) continue;
      facts.append(element("dt", "", name), element("dd", "", plain(value)));
    }
    this.more.replaceChildren(facts);
    for (const [title, body] of bodies) {
      const text = element("pre", "", typeof body === "string" ? plain(body) : pretty(body));
      if (body === null || body === "") text.textContent = "(no body)";
      text.tabIndex = 0; // so that a long one can be scrolled by keyboard
      this.more.append(element("h3", "", title), text);
    }
  }
}

function actionButton({ name, path, about, done }) {
  const button = element("button", "", name);
  button.type = "button";
  button.setAttribute("aria-label", `${name} ${about}`);
  button.addEventListener("click", () => act(button, path, {}, () => done));
  return button;
}

function showList(id, records) {
  const section = $(id);
  const list = section.querySelector("ul");
  const kind = LISTS[id];
  const entries = (kind.entries ??= new Map());
  const newest = records.slice(-MOST).reverse();
  const counts = new Map();
  // Oldest first, so that the number of an equal one does not change when another follows.
  const wanted = [...newest]
    .reverse()
    .map((record) => {
      const key = kind.key(record);
      const number = (counts.get(key) || 0) + 1;
      counts.set(key, number);
      return [`${number} ${key}`, record];
    })
    .reverse();
  const keys = new Set(wanted.map(([key]) => key));
  for (const [key, entry] of entries) {
    if (keys.has(key)) continue;
    if (entry.node.contains(document.activeElement)) section.querySelector("h2").focus();
    entry.node.remove();
    entries.delete(key);
  }
  let place = list.firstChild;
  for (const [key, record] of wanted) {
    let entry = entries.get(key);
    if (!entry) entries.set(key, (entry = new Entry(kind)));
    entry.show(record);
    if (entry.node === place) place = place.nextSibling;
    else list.insertBefore(entry.node, place);
  }
  const more = records.length > MOST;
  set(section.querySelector(".count"), records.length ? `(${newest.length}${more ? "+" : ""})` : "");
  section.querySelector(".empty").hidden = records.length > 0;
  section.querySelector(".more-note").hidden = !more;
}

// ------------------------------------------------------------------ keeping up

const seen = {};
let timer = null;
let running = null;
let again = false;

function showClock(text) {
  const clock = JSON.parse(text).data;
  set($("now"), moment(clock.now));
  $("now").dateTime = clock.now;
  set($("clock-kind"), clock.manual ? "UTC · moves only when told" : "UTC · runs, and can be moved");
}

async function update() {
  const paths = Object.keys(LISTS);
  // One more than is shown, to know whether there are more.
  const texts = await Promise.all([
    call("clock"),
    ...paths.map((path) => call(`${path}?last=${MOST + 1}`)),
  ]);
  showClock(texts.shift());
  paths.forEach((path, index) => {
    if (seen[path] === texts[index]) return;
    seen[path] = texts[index];
    showList(path, exact(texts[index]).data);
  });
}

/** Update now, and from then on by itself; never twice at a time. */
async function refresh() {
  clearTimeout(timer);
  if (running) {
    again = true;
    return running;
  }
  let next = EVERY;
  running = update().then(
    () => {
      set($("state"), $("live").checked ? "Up to date" : "Not updating");
      $("state").className = "";
    },
    (error) => {
      next = PATIENCE;
      const why = error.answered ? error.message : "it does not answer";
      set($("state"), `No news from the sandbox (${why}). Trying again.`);
      $("state").className = "lost";
    },
  );
  await running;
  running = null;
  if (again) {
    again = false;
    return refresh();
  }
  if ($("live").checked && !document.hidden) timer = setTimeout(refresh, next);
}

function say(text, bad) {
  set($("said"), text);
  $("said").className = bad ? "bad" : "";
}

async function act(button, path, body, done) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  // Attempts to deliver may take five seconds; a person should see that something happens.
  const slow = setTimeout(() => say("Waiting for the notification attempt to end…"), 400);
  try {
    const answer = JSON.parse(await call(path, body)).data;
    clearTimeout(slow);
    say(done(answer));
  } catch (error) {
    clearTimeout(slow);
    say(error.answered ? error.message : "The sandbox does not answer.", true);
  }
  button.removeAttribute("aria-busy");
  await refresh();
}

function move(button, seconds) {
  act(button, "clock", { advance: seconds }, ({ now, ran }) => {
    const things = ran || [];
    const listed = things.slice(0, 5).map((thing) => Object.values(thing).join(" "));
    const rest = things.length > 5 ? ` and ${things.length - 5} more` : "";
    const what = things.length ? ` Ran: ${listed.join("; ")}${rest}.` : " Nothing fell due.";
    return `It is ${moment(now)} UTC.${what}`;
  });
}

$("move").addEventListener("click", ({ target }) => {
  if (target.dataset.seconds) move(target, Number(target.dataset.seconds));
});
$("move").addEventListener("submit", (event) => {
  event.preventDefault();
  move(event.submitter || event.target.querySelector(".own button"), Number($("seconds").value));
});
$("live").addEventListener("change", refresh);
// The examples, for this sandbox and not for any.
for (const here of document.querySelectorAll(".here")) set(here, new URL(".", location).href);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if ($("live").checked) refresh();
});
refresh();
