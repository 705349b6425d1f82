/* The sandbox's page: puts the phone, the shop and the counter side by side, and holds the switches for failures. */

import { Rows, call, h, icon, iconButton, pause, tried } from "./base.js";
import { Counter } from "./counter.js";
import { Phone } from "./phone.js";

const API = "/sandbox/api";
const NEWS_S = 20;
const PANES = [["phone", "phone", "WhatsApp"], ["shop", "globe", "Web site"], ["counter", "desk", "Counter"]];
const FAULTS = [
  ["429", "429 slow down", "Too many requests; it says to wait 2 s"],
  ["500", "500 error", "The provider has trouble"],
  ["slow", "Timeout", "The answer comes after 30 s, the message went out"],
  ["lost", "Lost answer", "The message goes out, the connection breaks"],
  ["html", "502 page", "A proxy answers with HTML"],
  ["401", "401 token", "The token is refused"],
  ["empty", "Empty 200", "An answer that says nothing"],
];
const TOGGLES = [
  ["phones_on", "Phones are off", "Messages wait, no second tick. Back on: they arrive.", (on) => !on],
  ["duplicates", "Every webhook twice", "Each event must have its effect once.", (on) => on],
  ["reorder", "Newest first", "Updates that wait together are told backwards.", (on) => on],
  ["expired_media", "Files expire at once", "A customer's file is gone before it is fetched: the message stays.", (on) => on],
];

const memory = (key, value) => {
  try {
    if (value !== undefined) localStorage.setItem(`sandbox:${key}`, value);
    return localStorage.getItem(`sandbox:${key}`);
  } catch {
    return null;
  }
};

// --- the shop ---

function shop(root) {
  const frame = h("iframe", { class: "site", src: "/sandbox/shop", title: "The shop's web site with the chat widget" });
  const fresh = h("button", { type: "button", class: "button small", title: "Ends this visitor's chat session and begins a new one", onclick: () => {
    const chat = frame.contentWindow.throughline;
    if (chat?.reset) chat.reset();
  } }, icon("refresh"), "New visitor");
  root.append(
    h("header", { class: "pane-head" }, h("h2", { id: "shop-title" }, icon("globe"), "The shop's web site"),
      h("p", { class: "hint" }, "The real widget, put there by its one script tag. Open the chat in the corner."),
      h("div", { class: "who" }, fresh)),
    h("div", { class: "browser" }, h("div", { class: "chrome", "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("span", {}, "larkridge.example")), frame),
  );
  return frame;
}

// --- what to try ---

function ideas(app) {
  const idea = (name, title, text, label, action) => h("li", {}, icon(name), h("div", {}, h("b", {}, title), h("p", {}, text)),
    label ? h("button", { type: "button", class: "button small", onclick: () => (dialog.close(), action()) }, label) : null);
  const ask = (text) => () => (app.show("phone"), app.phone.say(text));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "ideas-title" },
    h("header", {}, h("h2", { id: "ideas-title" }, "What to try"), iconButton("close", "Close", () => dialog.close())),
    h("ol", { class: "ideas" },
      idea("spark", "Ask something the shop knows", "The AI answers with sentences of the shop's own pages, and names the page.", "Ask", ask("How long do I have to return something?")),
      idea("person", "Ask for a person", "The conversation goes to the queue. Open it behind the counter and answer.", "Ask", ask("Can I talk to a person?")),
      idea("desk", "Take over from the AI", "Behind the counter choose a conversation and press “Take over”. What the AI was still preparing is not sent."),
      idea("list", "Offer choices", "As an agent press the list beside the answer, name some choices, and tap one on the phone."),
      idea("image", "Send a photo", "With + on the phone. The gateway fetches the file from the provider and keeps it.", "Send one", () => (app.show("phone"), app.phone.sample("image"))),
      idea("globe", "Chat on the web site", "Open the widget, ask “Do you ship to France?”, then reload the page: nothing is lost.", "Show", () => app.show("shop")),
      idea("bolt", "Let the provider fail", "Refuse the next calls or lose receipts, and watch what becomes of a message.", "Switches", () => app.drawer()),
    ));
  return dialog;
}

// --- failures ---

class Drawer {
  constructor(switches, url) {
    this.url = url;
    this.faults = h("div", { class: "pending" });
    this.rows = new Rows(this.faults);
    this.curl = h("code", {});
    this.inputs = {};
    this.button = h("button", { type: "button", class: "button", "aria-haspopup": "dialog", onclick: () => this.open() }, icon("bolt"), h("span", {}, "Failures"), h("i", { class: "dot", "aria-hidden": "true" }));
    this.node = h("dialog", { class: "dialog drawer", "aria-labelledby": "drawer-title" }, h("header", {}, h("h2", { id: "drawer-title" }, "Let the provider fail"), iconButton("close", "Close", () => this.node.close())),
      h("section", {}, h("h3", {}, "The gateway's next calls"), h("p", { class: "hint" }, "Each press is one call, in this order."),
        h("div", { class: "faults" }, ...FAULTS.map(([id, label, text]) => h("button", { type: "button", class: "button small", title: text, onclick: () => this.put({ faults: [...this.now.faults, id] }) }, label))), this.faults),
      h("section", {}, h("h3", {}, "Receipts"), h("div", { class: "segments", role: "radiogroup", "aria-label": "Receipts" }, ...[["on", "As usual"], ["late", "8 s late"], ["missing", "Missing"]].map(([id, label]) => this.radio(id, label)))),
      h("section", {}, h("h3", {}, "Phones and webhooks"), ...TOGGLES.map((one) => this.toggle(one)), this.batch()),
      h("section", { class: "script" }, h("h3", {}, "The same from a shell"), this.curl),
      h("footer", {}, h("button", { type: "button", class: "button", onclick: () => this.put({ phones_on: true, receipts: "on", duplicates: false, reorder: false, batch: 1, expired_media: false, faults: [] }) }, "All as usual")));
    this.show(switches);
  }

  open() {
    this.node.showModal();
    this.look();
  }
  look() {
    return call("GET", API).then((state) => this.show(state.switches), () => null);
  }
  put(change) {
    this.last = change;
    return tried(async () => this.show(await call("PATCH", `${API}/switches`, change)));
  }

  radio(id, label) {
    const input = (this.inputs[`receipts ${id}`] = h("input", { type: "radio", name: "receipts", value: id, onchange: () => this.put({ receipts: id }) }));
    return h("label", {}, input, h("span", {}, label));
  }
  toggle([id, label, text, sense]) {
    const input = (this.inputs[id] = h("input", { type: "checkbox", role: "switch", onchange: () => this.put({ [id]: sense(input.checked) }) }));
    return h("label", { class: "switch" }, input, h("span", {}, h("b", {}, label), h("small", {}, text)));
  }
  batch() {
    const input = (this.inputs.batch = h("input", { type: "number", min: "1", max: "1000", "aria-label": "Updates in one webhook", onchange: () => this.put({ batch: Number(input.value) || 1 }) }));
    return h("label", { class: "switch" }, input, h("span", {}, h("b", {}, "Updates in one webhook"), h("small", {}, "The provider may put up to 1,000 into one.")));
  }

  show(switches) {
    this.now = switches;
    for (const [id, , , sense] of TOGGLES) this.inputs[id].checked = sense(switches[id]);
    for (const id of ["on", "late", "missing"]) this.inputs[`receipts ${id}`].checked = switches.receipts === id;
    if (document.activeElement !== this.inputs.batch) this.inputs.batch.value = switches.batch;
    const labels = Object.fromEntries(FAULTS.map(([id, label]) => [id, label]));
    this.rows.show(switches.faults.length ? [["faults", switches.faults, () => h("p", {}, "Waiting: ", ...switches.faults.map((id) => h("span", { class: "chip-static" }, labels[id])),
      h("button", { type: "button", class: "link", onclick: () => this.put({ faults: [] }) }, "clear"))]] : []);
    const usual = switches.phones_on && switches.receipts === "on" && !switches.duplicates && !switches.reorder && switches.batch === 1 && !switches.expired_media && !switches.faults.length;
    this.button.classList.toggle("active", !usual);
    this.curl.textContent = `curl -X PATCH ${this.url}${API}/switches -H 'Content-Type: application/json' -d '${JSON.stringify(this.last || { faults: ["429"] })}'`;
  }
}

// --- together ---

class App {
  constructor(state) {
    this.stage = document.getElementById("stage");
    this.phone = new Phone(document.getElementById("phone"), state);
    this.frame = shop(document.getElementById("shop"));
    this.counter = new Counter(document.getElementById("counter"), state);
    this.switches = new Drawer(state.switches, state.url);
    this.ideas = ideas(this);
    document.body.append(this.ideas, this.switches.node);
    this.tools();
    this.tabs();
    this.show(memory("pane") || "phone");
    this.watch(state.version);
  }

  tools() {
    const theme = iconButton("theme", "Light or dark", () => this.theme());
    if (memory("theme")) document.documentElement.dataset.theme = memory("theme");
    this.frame.addEventListener("load", () => this.dress());
    document.getElementById("tools").append(
      h("button", { type: "button", class: "button", "aria-haspopup": "dialog", onclick: () => this.ideas.showModal() }, icon("bulb"), h("span", {}, "What to try")), this.switches.button, theme);
    for (const dialog of [this.ideas, this.switches.node]) dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  theme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    memory("theme", root.dataset.theme);
    this.dress();
  }
  /** The shop's page wears the same. */
  dress() {
    const { theme } = document.documentElement.dataset;
    const { contentDocument: page, contentWindow: own } = this.frame;
    if (!theme) return;
    page.documentElement.dataset.theme = theme;
    const chat = own.throughline?.element || page.querySelector('script[src="/widget.js"]');
    chat.dataset.theme = theme;
  }

  /** On narrow screens one pane, on middling ones a customer's and the counter. */
  tabs() {
    this.buttons = PANES.map(([id, name, label]) => h("button", { type: "button", role: "tab", class: `tab tab-${id}`, "aria-controls": id, onclick: () => this.show(id) }, icon(name), label));
    document.getElementById("tabs").append(...this.buttons);
  }

  show(pane) {
    if (!PANES.some(([id]) => id === pane)) pane = "phone";
    this.stage.dataset.show = pane;
    if (pane !== "counter") this.stage.dataset.customer = pane;
    memory("pane", pane);
    PANES.forEach(([id], place) => this.buttons[place].setAttribute("aria-selected", String(id === pane)));
    this.stage.parentElement.dataset.customer = this.stage.dataset.customer || "phone";
    this.phone.look();
    this.phone.scroll.settle();
  }

  drawer() {
    this.switches.open();
  }

  async watch(version) {
    for (;;) {
      try {
        ({ version } = await call("GET", `${API}/changes?after=${version}&wait_s=${NEWS_S}`));
        this.counter.nudge();
        if (this.switches.node.open || this.switches.now.faults.length) await this.switches.look();
        document.body.classList.remove("offline");
      } catch {
        document.body.classList.add("offline");
        await pause(1000);
      }
    }
  }
}

async function begin() {
  try {
    new App(await call("GET", API));
  } catch {
    await pause(1000);
    await begin();
  }
}

begin();
