/* The page: one customer's places beside the counter, what to try, and what may fail. */

import { call, h, icon, iconButton, pause } from "./base.js";
import { Calls } from "./call.js";
import { Chat } from "./chat.js";
import { Counter } from "./counter.js";
import { Drawer } from "./drawer.js";
import { Mailbox } from "./mailbox.js";
import { People } from "./people.js";
import { Phone } from "./phone.js";
import { Thread } from "./threads.js";

const API = "/sandbox/api";
const NEWS_S = 20;
const SIDE = [["shop", "globe", "Web site"], ["mail", "mail", "Mail"], ["call", "call", "Call"], ["room", "hash", "Slack"]];
const PANES = [["phone", "phone", "Phone"], ...SIDE, ["counter", "desk", "Counter"]];

const away = document.getElementById("away");

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
      h("p", { class: "hint" }, "The real widget, put there by its one script tag. Open the chat in the corner: a visitor is nobody's phone, so it is a conversation of its own."),
      h("div", { class: "who" }, fresh)),
    h("div", { class: "browser" }, h("div", { class: "chrome", "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("span", {}, "larkridge.example")), frame),
  );
  return frame;
}

// --- what to try ---

function ideas(app) {
  const idea = (name, title, text, label, action) => h("li", {}, icon(name), h("div", {}, h("b", {}, title), h("p", {}, text)),
    label ? h("button", { type: "button", class: "button small", onclick: () => (dialog.close(), action()) }, label) : null);
  const ask = (text) => () => (app.show("phone"), app.app("whatsapp"), app.phone.say(text));
  const go = (pane) => () => app.show(pane);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "ideas-title" },
    h("header", {}, h("h2", { id: "ideas-title" }, "What to try"), iconButton("close", "Close", () => dialog.close())),
    h("ol", { class: "ideas" },
      idea("spark", "Ask something the shop knows", "The AI answers with sentences of the shop's own pages, and names the page.", "Ask", ask("How long do I have to return something?")),
      idea("sms", "Go on by text message", "The same phone, another app: it is the same conversation, and the answer takes the way of the last message.", "Show", () => (app.show("phone"), app.app("sms"))),
      idea("call", "Call from the same number", "The carrier vouches for it, so the call joins the conversation, too. Call again unproven: that is somebody else.", "Call", go("call")),
      idea("mail", "Write a mail", "Real SMTP and IMAP. Untick “Sender is proven” and see that it is kept apart.", "Write", () => (app.show("mail"), app.mailbox?.compose())),
      idea("hash", "Mention it in the shared channel", "It answers in a thread, and only what is addressed to it.", "Show", go("room")),
      idea("person", "Ask for a person", "The conversation goes to the queue. Open it behind the counter and answer.", "Ask", ask("Can I talk to a person?")),
      idea("desk", "Take over from the AI", "Behind the counter choose a conversation and press “Take over”. What the AI was still preparing is not sent."),
      idea("list", "Offer choices", "As an agent press the list beside the answer, name some choices, and tap one on the phone."),
      idea("image", "Send a photo", "With + on the phone. The gateway fetches the file from the provider and keeps it.", "Send one", () => (app.show("phone"), app.app("whatsapp"), app.phone.sample("image"))),
      idea("globe", "Chat on the web site", "Open the widget, ask “Do you ship to France?”, then reload the page: nothing is lost.", "Show", go("shop")),
      idea("bolt", "Let a provider fail", "Refuse the next calls or lose receipts, and watch what becomes of a message.", "Switches", () => app.drawer.open()),
    ));
  return dialog;
}

// --- together ---

class App {
  constructor(state) {
    this.stage = document.getElementById("stage");
    this.cards = state.places.map(({ card }) => card);
    this.frame = shop(document.getElementById("shop"));
    this.counter = new Counter(document.getElementById("counter"), state);
    this.counter.looked = () => this.which();
    this.handset(document.getElementById("phone"));
    this.mailbox = this.pane("mail", "mail", this.card("mailbox"), Mailbox);
    this.calls = this.pane("call", "call", this.card("call"), Calls);
    this.chat = this.pane("room", "hash", this.cards.find((one) => one.face === "chat" && !one.address.startsWith("+")), Chat);
    this.drawer = new Drawer(state.places, state.url);
    this.ideas = ideas(this);
    document.body.append(this.ideas, this.drawer.node);
    this.people = new People(document.getElementById("you"), state.people, (person) => this.be(person));
    this.tools();
    this.tabs();
    this.people.select(memory("person") || "");
    this.app(memory("app") || "whatsapp");
    this.side = SIDE.some(([id]) => id === memory("side")) ? memory("side") : "shop";
    this.show(memory("pane") || "phone");
    this.watch(state.version);
  }

  get places() {
    return [this.phone, this.texts, this.mailbox, this.calls, this.chat].filter(Boolean);
  }

  card(face) {
    return this.cards.find((one) => one.face === face);
  }

  // --- places ---

  /** One telephone with an app for each of its channels. */
  handset(root) {
    const [whatsapp, texts] = [this.card("phone"), this.cards.find((one) => one.face === "chat" && one.address.startsWith("+"))];
    this.apps = [["whatsapp", "phone", whatsapp], ["sms", "sms", texts]].filter(([, , card]) => card);
    const screens = this.apps.map(([id]) => h("div", { class: "app", id: `app-${id}`, role: "tabpanel" }));
    this.dock = this.apps.map(([id, name, card]) => h("button", { type: "button", role: "tab", class: "dock-app", "aria-controls": `app-${id}`, onclick: () => this.app(id) }, icon(name), card.title));
    this.phoneThread = new Thread("phone", (id) => this.reveal(id));
    root.append(h("header", { class: "pane-head" }, h("h2", { id: "phone-title" }, icon("phone"), "Phone"), this.phoneThread.node),
      h("div", { class: "device" }, h("div", { class: "screen" }, ...screens, h("div", { class: "dock", role: "tablist", "aria-label": "Apps of the phone" }, ...this.dock))));
    this.phone = new Phone(screens[0], whatsapp);
    this.texts = texts ? new Chat(screens[1], texts, { onPhone: true }) : null;
  }

  /** A place beside the phone; null where this demo has none. */
  pane(id, name, card, Kind) {
    const root = document.getElementById(id);
    if (!card) {
      root.append(h("div", { class: "blank" }, icon(name), h("p", {}, "This demo has none: something is not installed.")));
      return null;
    }
    const thread = new Thread(card.face, (conversation) => this.reveal(conversation));
    root.append(h("header", { class: "pane-head" }, h("h2", { id: `${id}-title` }, icon(name), card.title), h("p", { class: "hint" }, card.hint), thread.node));
    const place = new Kind(root, card);
    place.thread = thread;
    place.follow.seen = () => this.which();
    return place;
  }

  app(id) {
    if (!this.apps.some(([other]) => other === id)) id = "whatsapp";
    this.shownApp = id;
    memory("app", id);
    this.apps.forEach(([other], place) => {
      this.dock[place].setAttribute("aria-selected", String(other === id));
      document.getElementById(`app-${other}`).hidden = other !== id;
    });
    this.looked();
  }

  be(person) {
    memory("person", person.phone);
    for (const place of this.places) place.select(person);
    this.which();
  }

  /** Shows at every place which conversation it belongs to. */
  which() {
    const details = [...this.counter.details.values()];
    const of = (card, legs) => details.filter((one) => one.legs.some((leg) => legs?.includes(leg.address) && card.channels.includes(leg.channel_id)));
    const gist = (id) => this.counter.lasts.get(id)?.text || "";
    if (!this.people?.person) return;
    const app = this.shownApp === "sms" && this.texts ? [this.texts.card, this.texts.legs] : [this.card("phone"), [`whatsapp:${this.people.person.phone}`]];
    this.phoneThread.show(of(...app), "One phone, two apps: write in either.", gist);
    for (const place of [this.mailbox, this.calls, this.chat]) place?.thread.show(of(place.card, place.legs), "", gist);
  }

  reveal(id) {
    this.show("counter");
    this.counter.choose(id);
  }

  // --- frame ---

  tools() {
    const theme = iconButton("theme", "Light or dark", () => this.theme());
    if (memory("theme")) document.documentElement.dataset.theme = memory("theme");
    this.frame.addEventListener("load", () => this.dress());
    document.getElementById("tools").append(
      h("button", { type: "button", class: "button", title: "What to try", "aria-label": "What to try", "aria-haspopup": "dialog", onclick: () => this.ideas.showModal() }, icon("bulb"), h("span", {}, "What to try")), this.drawer.button, theme);
    for (const dialog of [this.ideas, this.drawer.node]) dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
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

  /** Wide: phone, one place, counter. Middling: one of the customer's and the counter. Narrow: one. */
  tabs() {
    this.buttons = PANES.map(([id, name, label]) => h("button", { type: "button", role: "tab", class: `tab tab-${id}`, "aria-controls": id, onclick: () => this.show(id) }, icon(name), h("span", {}, label)));
    document.getElementById("tabs").append(...this.buttons);
  }

  show(pane) {
    if (!PANES.some(([id]) => id === pane)) pane = "phone";
    if (SIDE.some(([id]) => id === pane)) this.side = pane;
    if (pane !== "counter") this.customer = pane;
    Object.assign(document.body.dataset, { show: pane, side: this.side, customer: this.customer || "phone" });
    memory("pane", pane);
    memory("side", this.side);
    const seen = (id) => document.getElementById(id).offsetParent !== null;
    PANES.forEach(([id], place) => this.buttons[place].setAttribute("aria-selected", String(seen(id))));
    this.looked();
  }

  /** Whatever came into sight. */
  looked() {
    this.phone.look();
    this.texts?.look();
    for (const place of [this.phone, this.texts, this.calls, this.chat]) place?.scroll.settle();
    this.which();
  }

  async watch(version) {
    for (;;) {
      try {
        ({ version } = await call("GET", `${API}/changes?after=${version}&wait_s=${NEWS_S}`));
        this.counter.nudge();
        for (const place of this.places) place.follow.refresh();
        if (this.drawer.node.open || this.drawer.failing) await this.drawer.look();
        if (!away.hidden) await this.back();
      } catch {
        away.hidden = false;
        await pause(1000);
      }
    }
  }

  /** The same demo goes on; one that was begun anew has nothing of what this page shows. */
  async back() {
    const { token } = await call("GET", API);
    if (token !== this.counter.token) location.reload();
    away.hidden = true;
  }
}

async function begin() {
  let state = null;
  while (!state) {
    state = await call("GET", API).catch(() => null);
    away.hidden = Boolean(state);
    if (!state) await pause(1000);
  }
  new App(state);
}

begin();
