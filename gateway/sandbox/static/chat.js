/* Conversations of a chat program, one beside the other: text messages on the phone, a workspace on a screen. */

import { Rows, Scroll, avatar, day, h, icon, iconButton, shown } from "./base.js";
import { Follow, peopleOf } from "./follow.js";
import { Lines, gist } from "./lines.js";

export class Chat extends Lines {
  /** `onPhone`: it is an app of a telephone. */
  constructor(root, card, { onPhone = false } = {}) {
    super();
    this.card = card;
    this.onPhone = onPhone;
    this.can = new Set(card.can);
    this.business = onPhone ? "Larkridge Outfitters" : card.address.replace("@", "");
    this.follow = new Follow(peopleOf(card.id), (screen) => this.show(screen));
    this.build(root);
    document.addEventListener("visibilitychange", () => this.look());
  }

  build(root) {
    this.tabs = h("div", { class: "rooms", role: "tablist", "aria-label": `${this.card.title}: conversations` });
    this.tabRows = new Rows(this.tabs);
    this.about = h("p", { class: "room-about" });
    this.log = h("div", { class: "chat-log", role: "log", "aria-label": `${this.card.title} messages`, tabindex: "0" });
    this.rows = new Rows(this.log);
    this.scroll = new Scroll(this.log);
    const head = this.onPhone ? h("div", { class: "chat-head" }, avatar(this.business, "shop"), h("div", {}, h("strong", {}, this.business), this.about)) : null;
    root.append(...[head, this.tabs, head ? null : this.about, this.log, this.composer()].filter(Boolean));
  }

  composer() {
    this.field = h("textarea", { rows: "1", placeholder: "Message", "aria-label": `${this.card.title} message`, maxlength: "4096",
      oninput: () => this.sized(), onkeydown: (event) => this.key(event) });
    this.file = h("input", { type: "file", hidden: true, "aria-hidden": "true", tabindex: "-1", onchange: () => this.picked() });
    const attach = this.can.has("files") ? iconButton("attach", "Send a file", () => this.file.click()) : null;
    const send = iconButton("send", "Send", () => this.press());
    send.classList.add("round");
    this.quote = h("div", { class: "quote-bar", hidden: true });
    return h("div", { class: "chat-foot" }, this.quote, h("div", { class: "compose" }, attach, this.field, send, this.file));
  }

  sized() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, 110)}px`;
  }
  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.press();
  }

  // --- what is shown ---

  select(person) {
    this.unquote();
    this.scroll.atEnd = true;
    this.last = undefined;
    this.follow.select(person);
  }

  show(screen) {
    this.all = screen.rooms;
    if (!this.all.some((one) => one.id === this.id)) this.id = this.all[0].id;
    this.draw();
    this.look();
  }

  get legs() {
    return this.all && this.room.legs;
  }
  get room() {
    return this.all.find((one) => one.id === this.id);
  }

  open(id) {
    this.id = id;
    this.unquote();
    this.scroll.atEnd = true;
    this.draw();
    this.field.focus();
    this.follow.seen?.();
  }

  draw() {
    const { messages, hint, typing } = this.room;
    const last = messages[messages.length - 1];
    const fresh = last && last.id !== this.last;
    this.last = last?.id;
    this.messages = new Map(messages.map((one) => [one.id, one]));
    this.tabRows.show(this.all.length > 1 ? this.all.map((one) => [one.id, one.title, () => this.tab(one)]) : []);
    this.all.forEach((one, place) => this.tabs.children[place]?.setAttribute("aria-selected", String(one.id === this.id)));
    this.field.placeholder = this.room.prefix ? `Message, with ${this.room.prefix}` : "Message";
    this.about.textContent = typing ? "typing…" : hint;
    if (!this.room.threads && this.reply?.thread) this.unquote();
    this.rows.show(this.items(messages));
    if (fresh && last.mine) this.scroll.end();
    else this.scroll.settle();
  }

  tab(one) {
    return h("button", { type: "button", role: "tab", class: "room", onclick: () => this.open(one.id) }, one.title);
  }

  items(messages) {
    if (!messages.length) return [[`empty ${this.id}`, this.id, () => this.empty()]];
    const items = [];
    let date = "";
    for (const one of messages) {
      const today = day(one.at);
      if (today !== date && !one.thread) items.push([`${this.id} day ${today}`, today, () => h("div", { class: "day" }, today)]);
      if (!one.thread) date = today;
      const quoted = one.reply_to ? this.messages.get(one.reply_to) : undefined;
      items.push([`${this.id} ${one.id}`, [one, quoted?.content], () => this.placed(one, quoted)]);
    }
    return items;
  }

  /** Where answers stand below what they answer. */
  placed(one, quoted) {
    const node = this.line(one, quoted);
    node.classList.toggle("in-thread", Boolean(one.thread));
    if (this.room.threads && !one.thread) node.append(h("button", { type: "button", class: "link thread-link", onclick: () => this.below(one) }, icon("reply"), "Answer in its thread"));
    return node;
  }

  empty() {
    const { prefix = "" } = this.room;
    const ask = (text) => h("button", { type: "button", class: "chip", onclick: () => this.say(prefix + text) }, prefix + text);
    return h("div", { class: "empty" }, h("p", {}, "Try:"), ...this.card.tries.map(ask));
  }

  look() {
    if (this.onPhone && this.all && shown(this.log) && this.room.messages.some((one) => !one.mine)) {
      const last = this.room.messages[this.room.messages.length - 1].id;
      if (last !== this.seen) this.follow.act({ type: "read" });
      this.seen = last;
    }
  }

  // --- what is done ---

  below(one) {
    this.reply = { thread: one.id };
    this.bar("Thread", gist(one.content));
  }
  replyTo(one) {
    this.below(one);
  }

  press() {
    const text = this.field.value.trim();
    if (!text) return;
    this.field.value = "";
    this.sized();
    this.say(text);
  }

  say(text) {
    const reply = this.reply;
    this.unquote();
    if (reply?.edit) return this.post({ type: "edit", message: reply.edit, text });
    return this.post(reply?.thread ? { type: "text", text, thread: reply.thread } : { type: "text", text });
  }

  post(message) {
    return this.follow.act({ ...message, room: this.id });
  }

  picked() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    const text = this.field.value.trim();
    this.field.value = "";
    this.sized();
    this.follow.upload(file, { name: file.name, text, room: this.id });
  }
}
