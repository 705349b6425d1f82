/* Behind the counter: every customer's single conversation, as a program with a key sees it through /v1. */

import { RequestFailed, Rows, Scroll, avatar, call, clock, day, h, icon, iconButton, pause, ticks, toast, tried, webUrl } from "./base.js";

const LOOK_MS = 1500;
const PAGE = 200;
const NAMES = { ai: "AI", queue: "Queue", agent: "Agent", nobody: "Nobody" };
const STATUS = { sent: "sent", delivered: "delivered", read: "read", played: "played", failed: "failed" };
const FILES = ["image", "video", "audio", "voice", "document", "sticker"];

export class Counter {
  constructor(root, state) {
    this.root = root;
    this.token = state.token;
    this.details = new Map();
    this.lasts = new Map();
    this.build();
    this.watch();
  }

  api(method, path, body, headers = {}) {
    return call(method, `/v1${path}`, body, { headers: { Authorization: `Bearer ${this.token}`, ...headers } });
  }

  get agent() {
    return this.name.value.trim() || "Robin";
  }

  // --- frame ---

  build() {
    this.name = h("input", { id: "agent-name", "aria-label": "Your name as an agent", value: localStorage.getItem("sandbox:agent") || "Robin", maxlength: "40", size: "9",
      oninput: () => {
        localStorage.setItem("sandbox:agent", this.name.value);
        if (this.shownId) this.showHead();
      } });
    this.list = h("ol", { class: "conversations", "aria-label": "Conversations" });
    this.rows = new Rows(this.list);
    this.detail = h("div", { class: "conversation" });
    this.body = h("div", { class: "counter-body" }, h("div", { class: "conversation-list" }, this.list), this.detail);
    this.root.append(
      h("header", { class: "pane-head" }, h("h2", { id: "counter-title" }, icon("desk"), "Behind the counter"),
        h("p", { class: "hint" }, "One conversation per customer, read and answered through ", h("code", {}, "/v1"), "."),
        h("div", { class: "who" }, h("label", { for: "agent-name" }, "You, the agent"), this.name)),
      this.body,
    );
    this.show();
  }

  // --- following what happens ---

  async watch() {
    for (;;) {
      await this.look().catch(() => null);
      this.nudged = false;
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, LOOK_MS);
      });
      if (document.hidden) await pause(LOOK_MS);
    }
  }

  nudge() {
    if (this.wake) this.wake();
  }

  async look() {
    const { items } = await this.api("GET", "/conversations?limit=50");
    await Promise.all(items.map((one) => this.learn(one)));
    this.items = items.sort((a, b) => (this.lasts.get(b.id)?.at || "").localeCompare(this.lasts.get(a.id)?.at || ""));
    this.rows.show(this.listed());
    this.looked?.();
    if (this.chosen) await this.open(this.chosen);
    else this.show();
  }

  async learn({ id, head, epoch }) {
    const known = this.details.get(id);
    if (known && known.head === head && known.epoch === epoch) return;
    const [detail, page] = await Promise.all([this.api("GET", `/conversations/${id}`), this.api("GET", `/conversations/${id}/envelopes?after=${Math.max(0, head - 6)}`)]);
    this.details.set(id, detail);
    const said = page.items.filter((one) => one.body.kind !== "state_change");
    const last = said[said.length - 1] || page.items[page.items.length - 1];
    this.lasts.set(id, { at: detail.updated_at, text: last ? this.gist(last) : "" });
  }

  listed() {
    if (!this.items.length) return [["none", 0, () => h("li", { class: "none" }, "Nobody has written yet.", h("br"), "Write, mail or call: it shows up here.")]];
    return this.items.map((one) => {
      const detail = this.details.get(one.id);
      const last = this.lasts.get(one.id) || { at: one.created_at, text: "" };
      return [one.id, [one.holder, one.agent_id, one.queue, last, this.who(detail), one.id === this.chosen], () => this.entry(one, detail, last)];
    });
  }

  entry(one, detail, last) {
    const who = this.who(detail);
    return h("li", {}, h("button", { type: "button", class: "entry", "aria-current": one.id === this.chosen ? "true" : undefined, "data-id": one.id, onclick: () => this.choose(one.id) },
      avatar(who, one.contact_id),
      h("b", { class: "entry-who" }, who),
      h("span", { class: "entry-last" }, last.text || "…"),
      h("span", { class: "entry-marks" }, badge(one), ...channels(detail), h("time", {}, clock(last.at)))));
  }

  who(detail) {
    if (!detail) return "…";
    if (detail.contact.name) return detail.contact.name;
    const address = detail.legs[0]?.address || "";
    return named(address);
  }

  gist(envelope) {
    const ours = envelope.direction === "out" ? `${writer(envelope)}: ` : "";
    const { body } = envelope;
    if (body.kind === "state_change") return `→ ${NAMES[body.state] || body.state}`;
    if (body.kind === "call_event") return `Call: ${body.event.replace("_", " ")}`;
    if (body.kind !== "message") return ours + body.kind;
    return ours + body.parts.map((part) => part.text || part.title || part.caption || part.name || part.type.replace("_", " ")).join(" ");
  }

  // --- one conversation ---

  async choose(id) {
    this.chosen = id;
    this.body.classList.add("opened");
    this.shownId = null;
    this.rows.show(this.listed());
    await tried(() => this.open(id));
    this.scroll?.end();
  }

  leave() {
    this.chosen = null;
    this.body.classList.remove("opened");
    this.rows.show(this.listed());
    this.show();
  }

  async open(id) {
    const envelopes = [];
    let after = 0;
    do {
      const page = await this.api("GET", `/conversations/${id}/envelopes?after=${after}&limit=${PAGE}`);
      envelopes.push(...page.items);
      after = page.next_after;
    } while (after);
    const detail = await this.api("GET", `/conversations/${id}`);
    if (id !== this.chosen) return;
    this.details.set(id, detail);
    this.show(detail, envelopes);
  }

  show(detail, envelopes) {
    if (!detail) return this.blank();
    if (this.shownId !== detail.id) this.frame(detail);
    this.now = detail;
    this.showHead();
    this.lines.show(this.timeline(envelopes));
    this.scroll.settle();
  }

  showHead() {
    const { now } = this;
    this.head.show([["head", [now.holder, now.epoch, now.reason, now.next_step, now.due_at, now.legs, this.who(now), this.agent], () => this.heading(now)]]);
  }

  blank() {
    this.shownId = null;
    this.detail.replaceChildren(h("div", { class: "blank" }, icon("desk"), h("p", {}, "Choose a conversation to see everything that was said, whatever the channel."),
      h("p", { class: "soft" }, "Each line has its place (seq), what became of it, and every change of the holder says why.")));
  }

  frame(detail) {
    this.shownId = detail.id;
    const head = h("div", { class: "conversation-head" });
    this.head = new Rows(head);
    this.log = h("div", { class: "timeline", role: "log", "aria-label": "Conversation", tabindex: "0" });
    this.lines = new Rows(this.log);
    this.scroll = new Scroll(this.log);
    this.detail.replaceChildren(head, this.log, this.composer());
  }

  heading(detail) {
    const act = (label, body, off) => h("button", { type: "button", class: "button small", disabled: off, onclick: () => this.hold(body) }, label);
    const legs = detail.legs.map((leg) => h("span", { class: `leg${leg.replies_here ? " here" : ""}`, title: leg.replies_here ? "An answer takes this way" : "" },
      channel(leg.address, leg.channel_id), named(leg.address)));
    const mine = detail.holder === "agent" && detail.agent_id === this.agent;
    return h("div", {},
      h("div", { class: "heading" }, iconButton("back", "Back to the list", () => this.leave(), { class: "icon-button only-narrow" }), avatar(this.who(detail), detail.contact_id),
        h("div", { class: "heading-who" }, h("b", {}, this.who(detail)), h("div", { class: "legs" }, ...legs)), badge(detail)),
      h("p", { class: "why" }, h("span", {}, sentence(detail.reason)), detail.next_step ? h("span", { class: "next" }, `Next: ${detail.next_step}`, detail.due_at ? `, by ${clock(detail.due_at)}` : "") : null),
      h("div", { class: "acts" }, act("Take over", { holder: "agent", agent_id: this.agent }, mine), act("To AI", { holder: "ai" }, detail.holder === "ai"),
        act("To queue", { holder: "queue" }, detail.holder === "queue"), act("Close", { holder: "nobody" }, detail.holder === "nobody")));
  }

  async hold(body) {
    try {
      await this.api("PUT", `/conversations/${this.now.id}/holder`, { ...body, expected_epoch: this.now.epoch });
    } catch (error) {
      const conflict = error instanceof RequestFailed && error.status === 409;
      toast(conflict ? `Not changed: ${error.message}. This is how it stands now.` : `That did not work: ${error.message}`, "error");
    }
    this.nudge();
  }

  // --- timeline ---

  timeline(envelopes) {
    const items = [];
    let date = "";
    for (const one of envelopes) {
      const today = day(one.received_at || one.occurred_at);
      if (today !== date) items.push([`day ${today}`, today, () => h("div", { class: "day" }, today)]);
      date = today;
      items.push([one.id, [one.status, one.error, one.body], () => this.line(one)]);
    }
    return items;
  }

  line(one) {
    if (one.body.kind === "state_change") return this.change(one);
    const side = one.direction === "in" ? "in" : "out";
    return h("div", { class: `entry-line ${side} by-${one.author || "customer"}` }, seq(one),
      h("div", { class: "said" },
        h("div", { class: "said-by" }, icon(...(TYPES[one.channel_type] || TYPES.whatsapp)), h("b", {}, one.direction === "in" ? one.party?.name || "Customer" : writer(one)), h("time", {}, clock(one.received_at || one.occurred_at))),
        ...this.said(one), one.direction === "out" ? this.fate(one) : null));
  }

  change(one) {
    const { state, reason, who } = one.body;
    return h("div", { class: "entry-line change" }, seq(one), h("div", { class: "changed" }, badge({ holder: state, agent_id: state === "agent" ? who : null, queue: state === "queue" ? who : null }), h("time", {}, clock(one.occurred_at)), h("span", {}, sentence(reason))));
  }

  fate({ status, error }) {
    if (error) return h("div", { class: "fate failed" }, `not sent: ${error}`);
    if (status === "failed") return h("div", { class: "fate failed" }, "failed");
    const state = { sent: "sent", delivered: "delivered", read: "read", played: "read" }[status] || "waiting";
    return h("div", { class: "fate" }, ticks(state, STATUS[status] || "on its way"), STATUS[status] || "on its way");
  }

  said({ body }) {
    if (body.kind === "call_event") return [h("p", { class: "soft" }, `Call ${body.event.replace("_", " ")}`, body.detail && body.event !== "ringing" ? `: ${body.detail}` : "")];
    if (body.kind !== "message") return [h("p", { class: "soft" }, body.kind === "note" ? body.text : `(${body.what || body.kind})`)];
    return [body.subject ? h("b", { class: "subject" }, body.subject) : null, body.reply_to ? h("small", { class: "soft" }, "in reply to an earlier message") : null, ...body.parts.map((part) => this.part(part))];
  }

  part(part) {
    const { type } = part;
    if (type === "text") return h("p", {}, part.text);
    if (FILES.includes(type)) return this.file(part);
    if (type === "location") return h("p", { class: "fact" }, icon("pin"), h("span", {}, part.name || "Location", h("small", {}, `${part.latitude.toFixed(4)}, ${part.longitude.toFixed(4)}`)));
    if (type === "choice_made") return h("p", { class: "fact" }, icon("list"), h("span", {}, part.title, h("small", {}, "chosen")));
    if (type === "choices_offered") return h("div", {}, h("p", {}, part.text), h("div", { class: "offered" }, ...(part.choices || []).map((one) => h("span", {}, one.title))));
    if (type === "contact_card") return h("p", { class: "fact" }, icon("person"), h("span", {}, part.name, h("small", {}, (part.phones || []).join(", "))));
    return h("p", { class: "soft" }, `(${type.replace("_", " ")})`);
  }

  file({ type, media, caption, transcript }) {
    const words = caption || transcript ? h("p", {}, caption || transcript) : null;
    if (media.failed) return h("div", {}, h("p", { class: "fact failed" }, icon("file"), h("span", {}, type, h("small", {}, `the file could not be had: ${media.failed}`))), words);
    if (!media.stored) return h("div", {}, h("p", { class: "fact" }, icon("file"), h("span", {}, type, h("small", {}, "is being fetched"))), words);
    const src = `/sandbox/api/stored/${media.stored}`;
    const kind = (media.sniffed || "").split("/")[0];
    if (kind === "image") return h("div", {}, h("img", { class: "stored", src, alt: type, onload: () => this.scroll.settle() }), words);
    if (kind === "audio" || type === "voice") return h("div", {}, h("audio", { src, controls: true }), words);
    if (kind === "video") return h("div", {}, h("video", { class: "stored", src, controls: true }), words);
    return h("div", {}, h("a", { class: "fact", href: webUrl(src), target: "_blank", rel: "noopener" }, icon("file"), h("span", {}, media.filename || type, h("small", {}, media.sniffed || ""))), words);
  }

  // --- answering ---

  composer() {
    const field = h("textarea", { rows: "1", placeholder: "Answer", "aria-label": "Answer as an agent", oninput: () => {
      field.style.height = "auto";
      field.style.height = `${Math.min(field.scrollHeight, 130)}px`;
    }, onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), form.requestSubmit();
    } });
    const offers = h("input", { class: "offers", hidden: true, placeholder: "Choices, with commas: Refund, Exchange", "aria-label": "Choices to offer" });
    const more = iconButton("list", "Offer choices to tap", () => {
      offers.hidden = !offers.hidden;
      more.setAttribute("aria-pressed", String(!offers.hidden));
      if (!offers.hidden) offers.focus();
    }, { "aria-pressed": "false" });
    const form = h("form", { class: "answer", onsubmit: (event) => {
      event.preventDefault();
      this.answer(field, offers, more);
    } }, offers, h("div", { class: "answer-row" }, more, field, h("button", { class: "button primary" }, icon("send"), "Answer")));
    return form;
  }

  async answer(field, offers, more) {
    const text = field.value.trim();
    const titles = offers.hidden ? [] : [...new Set(offers.value.split(",").map((one) => one.trim()).filter(Boolean))];
    if (!text) return;
    const said = titles.length ? { parts: [{ type: "choices_offered", text, choices: titles.map((title, place) => ({ id: `choice-${place + 1}`, title })) }] } : { text };
    const done = await tried(() => this.api("POST", `/conversations/${this.now.id}/messages`, { agent_id: this.agent, ...said }, { "Idempotency-Key": crypto.randomUUID() }));
    if (!done) return;
    field.value = offers.value = "";
    field.style.height = "auto";
    offers.hidden = true;
    more.setAttribute("aria-pressed", "false");
    this.nudge();
  }
}

// --- small pieces ---

function badge({ holder, agent_id: agent, queue }) {
  const text = holder === "agent" && agent ? agent : holder === "queue" && queue && queue !== "default" ? `Queue ${queue}` : NAMES[holder] || holder;
  return h("span", { class: `badge badge-${NAMES[holder] ? holder : "nobody"}`, title: `Held by: ${NAMES[holder] || holder}` }, text);
}

const TYPES = { webchat: ["globe", "Web chat"], whatsapp: ["phone", "WhatsApp"], twilio_messaging: ["sms", "Text message"], twilio_voice: ["call", "Call"], mail: ["mail", "Mail"], slack: ["hash", "Slack"] };
const SCHEMES = { web: "webchat", whatsapp: "whatsapp", tel: "twilio_messaging", call: "twilio_voice", mailto: "mail", slack: "slack" };
const channel = (address, id) => icon(...(TYPES[id === "voice" ? "twilio_voice" : SCHEMES[address.split(":")[0]]] || TYPES.whatsapp));
const channels = (detail) => [...new Map((detail?.legs || []).map((leg) => [leg.channel_id, leg])).values()].map((leg) => channel(leg.address, leg.channel_id));

/** An address as people write it. */
function named(address) {
  const [scheme, value] = [address.slice(0, address.indexOf(":")), address.slice(address.indexOf(":") + 1)];
  if (scheme === "web") return `Web visitor ${value.slice(-4)}`;
  if (scheme === "call") return "Unknown caller";
  if (scheme === "slack") return value.split("/").pop().startsWith("C") ? "Slack channel" : `Slack ${value.split("/").pop()}`;
  return scheme === "whatsapp" && /^\d+$/.test(value) ? `+${value}` : value;
}
const seq = (one) => h("span", { class: "seq", title: `seq ${one.seq}` }, String(one.seq));
const writer = ({ author, agent_id: agent }) => ({ ai: "AI", system: "Gateway", agent: agent || "Agent" })[author] || author || "We";
const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");
