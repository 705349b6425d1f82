/* A customer's telephone: what is on its screen, and everything that a customer can do with it. */

import { Rows, Scroll, avatar, call, clock, day, h, icon, iconButton, menu, menuItem, pause, shown, ticks, toast, tried, webUrl } from "./base.js";
import { drawBoots, drawSticker } from "./pictures.js";

const API = "/sandbox/api/phones";
const NEWS_S = 20;
const TYPING_MS = 25_000;
const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const QUESTIONS = ["How long do I have to return something?", "Do you ship to France?", "Can I talk to a person?"];
const PLACES = [
  { name: "Larkridge Leeds", address: "9 Weaver's Yard, Leeds", latitude: 53.7949, longitude: -1.5417 },
  { name: "Malham Cove", address: "North Yorkshire", latitude: 54.0727, longitude: -2.1575 },
  { name: "Praia da Nazaré", address: "Portugal", latitude: 39.6012, longitude: -9.0701 },
];
const PEOPLE = [["Ana Ribeiro", "+351 912 345 678"], ["Tom Whitfield", "+44 7700 900 456"], ["Lena Vogt", "+49 1512 3456789"], ["Mateo Ruiz", "+34 612 345 678"], ["Priya Nair", "+91 98765 43210"]];
const TICK = { sent: "Sent", delivered: "Delivered", read: "Read" };

export class Phone {
  constructor(root, state) {
    this.version = -1;
    this.phones = state.phones;
    this.root = root;
    this.build();
    this.select(this.phones[0].phone);
    document.addEventListener("visibilitychange", () => this.look());
  }

  // --- frame ---

  build() {
    this.who = h("select", { id: "who", "aria-label": "Which customer you are", onchange: () => this.select(this.who.value) });
    const add = h("button", { type: "button", class: "button small", "aria-label": "New customer", onclick: () => this.newCustomer(add) }, icon("plus"), "New");
    this.log = h("div", { class: "chat-log", role: "log", "aria-label": "WhatsApp messages", tabindex: "0" });
    this.rows = new Rows(this.log);
    this.scroll = new Scroll(this.log);
    this.presence = h("span", { class: "presence" });
    this.root.append(
      h("header", { class: "pane-head" }, h("h2", { id: "phone-title" }, icon("phone"), "WhatsApp"),
        h("p", { class: "hint" }, "Ticks appear as the gateway's receipts do."),
        h("div", { class: "who" }, h("label", { for: "who" }, "You are"), this.who, h("span", { class: "anchor" }, add))),
      h("div", { class: "device" }, h("div", { class: "screen" },
        h("div", { class: "chat-head" }, avatar("Larkridge Outfitters", "shop"),
          h("div", {}, h("strong", {}, "Larkridge Outfitters"), this.presence)),
        this.log, this.composer())),
    );
  }

  composer() {
    this.field = h("textarea", { rows: "1", placeholder: "Message", "aria-label": "WhatsApp message", maxlength: "4096",
      oninput: () => this.sized(), onkeydown: (event) => this.key(event) });
    this.file = h("input", { type: "file", hidden: true, onchange: () => this.picked() });
    const attach = iconButton("attach", "Attach", () => this.attachments(attach));
    this.button = iconButton("mic", "Record a voice note", () => this.press());
    this.button.classList.add("round");
    this.quote = h("div", { class: "quote-bar", hidden: true });
    return h("div", { class: "chat-foot" }, this.quote, h("div", { class: "compose" },
      h("span", { class: "anchor" }, attach), this.field, this.button, this.file));
  }

  sized() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, 110)}px`;
    const name = this.recorder ? "stop" : this.field.value.trim() ? "send" : "mic";
    const label = { stop: "Send the voice note", send: "Send", mic: "Record a voice note" }[name];
    this.button.replaceChildren(icon(name));
    this.button.setAttribute("aria-label", label);
    this.button.title = label;
    this.button.classList.toggle("recording", name === "stop");
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.press();
  }

  // --- who ---

  options() {
    this.who.replaceChildren(...this.phones.map((one) => h("option", { value: one.phone }, `${one.name} · +${one.phone}`)));
    this.who.value = this.phone;
  }

  select(phone) {
    this.phone = phone;
    this.version = -1;
    this.last = undefined;
    this.scroll.atEnd = true;
    this.unquote();
    this.options();
    this.follow?.abort();
    this.follow = new AbortController();
    this.watch(phone, this.follow.signal);
  }

  newCustomer(anchor) {
    const [name, phone] = PEOPLE.find(([, number]) => !this.phones.some((one) => one.phone === number.replace(/\D/g, ""))) || ["", "+44 7700 90"];
    const fields = [h("input", { name: "name", value: name, placeholder: "Name", "aria-label": "Name", required: true, maxlength: "80" }),
      h("input", { name: "phone", value: phone, placeholder: "+44 7700 900123", "aria-label": "Telephone number", inputmode: "tel", required: true })];
    const form = h("form", { class: "mini-form", onsubmit: (event) => {
      event.preventDefault();
      tried(async () => {
        const made = await call("POST", API, { name: fields[0].value.trim(), phone: fields[1].value });
        this.phones = [...this.phones.filter((one) => one.phone !== made.phone), { name: made.name, phone: made.phone }];
        box.closeMenu();
        this.select(made.phone);
      });
    } }, h("strong", {}, "A new customer"), ...fields, h("button", { class: "button primary" }, "Take this phone"));
    const box = menu(anchor, form);
  }

  // --- following what happens ---

  async watch(phone, signal) {
    while (!signal.aborted) {
      try {
        const screen = await call("GET", `${API}/${phone}?after=${this.version}&wait_s=${NEWS_S}`, undefined, { signal });
        if (signal.aborted) return;
        this.version = screen.version;
        this.show(screen);
      } catch (error) {
        if (!signal.aborted) await pause(1000);
      }
    }
  }

  look() {
    if (this.unread && shown(this.log)) call("POST", `${API}/${this.phone}/read`).catch(() => null);
  }

  show(screen) {
    const last = screen.messages[screen.messages.length - 1];
    const fresh = last && last.id !== this.last;
    this.last = last?.id;
    this.messages = new Map(screen.messages.map((one) => [one.id, one]));
    this.rows.show(this.items(screen));
    if (fresh && last.mine) this.scroll.end();
    else this.scroll.settle();
    this.presence.textContent = screen.typing ? "typing…" : "online";
    this.presence.classList.toggle("typing", screen.typing);
    clearTimeout(this.typing);
    if (screen.typing) this.typing = setTimeout(() => (this.presence.textContent = "online"), TYPING_MS);
    this.unread = screen.unread;
    this.look();
  }

  items(screen) {
    if (!screen.messages.length) return [["empty", this.phone, () => this.empty()]];
    const items = [];
    let date = "";
    for (const one of screen.messages) {
      const today = day(one.at);
      if (today !== date) items.push([`day ${today}`, today, () => h("div", { class: "day" }, today)]);
      date = today;
      const quoted = one.reply_to ? this.messages.get(one.reply_to) : undefined;
      items.push([one.id, [one, quoted?.content], () => this.line(one, quoted)]);
    }
    if (screen.typing) items.push(["typing", 1, () => h("div", { class: "line theirs" }, h("div", { class: "bubble dots", "aria-label": "typing" }, h("i"), h("i"), h("i")))]);
    return items;
  }

  empty() {
    return h("div", { class: "empty" }, h("p", {}, "Write as this customer would. For example:"),
      ...QUESTIONS.map((text) => h("button", { type: "button", class: "chip", onclick: () => this.say(text) }, text)));
  }

  // --- one message ---

  line(one, quoted) {
    const side = one.mine ? "mine" : "theirs";
    const more = h("button", { type: "button", class: "bubble-more", "aria-label": "React, reply and more", onclick: () => this.actions(more, one) }, icon(one.mine ? "more" : "smile"));
    const bubble = h("div", { class: `bubble kind-${one.content.kind}` },
      quoted && one.content.kind !== "choice" ? h("div", { class: "quoted" }, h("b", {}, quoted.mine ? "You" : "Larkridge Outfitters"), h("span", {}, gist(quoted.content))) : null,
      ...this.content(one), this.meta(one));
    const marks = [one.reaction, one.own_reaction].filter(Boolean);
    return h("div", { class: `line ${side}`, "data-id": one.id }, h("div", { class: "bubble-box" }, bubble,
      one.revoked ? null : h("span", { class: "anchor" }, more),
      marks.length ? h("span", { class: "reactions", "aria-label": `Reactions: ${marks.join(" ")}` }, marks.join(" ")) : null),
      ...this.taps(one));
  }

  meta(one) {
    return h("span", { class: "meta" }, one.edited ? "edited " : null, clock(one.at), one.mine ? ticks(one.tick, TICK[one.tick]) : null);
  }

  content(one) {
    const { kind, text, header, footer, file, place } = one.content;
    const words = text ? [h("p", { class: "text" }, text)] : [];
    if (place) return [this.place(place)];
    if (file) return [this.attachment(kind, file), ...words];
    if (kind === "revoked") return [h("p", { class: "text soft" }, "This message was deleted")];
    if (kind === "contact") return [h("div", { class: "card" }, icon("person"), h("p", { class: "text" }, text))];
    if (!words.length) return [h("p", { class: "text soft" }, `(${kind})`)];
    return [header ? h("strong", { class: "header" }, header) : null, ...words, footer ? h("p", { class: "footer" }, footer) : null];
  }

  attachment(kind, { url, mime, name, voice }) {
    const src = webUrl(url);
    const type = (mime || "").split(";")[0];
    if (kind === "image" || kind === "sticker") return h("img", { class: `media media-${kind}`, src, alt: kind === "sticker" ? "Sticker" : "Photo", onload: () => this.scroll.settle() });
    if (kind === "video") return h("video", { class: "media", src, controls: true });
    if (kind === "audio") return h("div", { class: "audio" }, icon("mic", voice ? "Voice note" : "Audio"), h("audio", { src, controls: true }));
    return h("a", { class: "card", href: src, download: name || "file" }, icon("file"), h("span", {}, h("b", {}, name || "Document"), h("small", {}, type)));
  }

  place({ latitude, longitude, name, address }) {
    return h("div", { class: "place" }, h("div", { class: "map" }, icon("pin")),
      h("b", {}, name || "Location"), h("small", {}, address || `${latitude.toFixed(4)}, ${longitude.toFixed(4)}`));
  }

  /** What can be tapped below a message. */
  taps(one) {
    const { kind, buttons = [], rows = [], list_label: label, link } = one.content;
    const tap = (name, text, onclick) => h("button", { type: "button", class: "tap", onclick }, name ? icon(name) : null, text);
    if (buttons.length) return [h("div", { class: "taps" }, ...buttons.map((choice) => this.choice(one, choice)))];
    if (rows.length) return [h("div", { class: "taps" }, tap("list", label || "Options", () => this.sheet(one)))];
    if (link) return [h("div", { class: "taps" }, h("a", { class: "tap", href: webUrl(link.url), target: "_blank", rel: "noreferrer noopener" }, icon("link"), link.title))];
    if (kind === "location_request_message") return [h("div", { class: "taps" }, tap("pin", "Send location", () => this.post({ type: "location", ...PLACES[0] })))];
    if (kind === "request_contact_info") return [h("div", { class: "taps" }, tap("person", "Share my number", () => this.shareNumber()))];
    return [];
  }

  choice(one, { id, title }) {
    const chosen = one.chosen === id;
    return h("button", { type: "button", class: `tap${chosen ? " chosen" : ""}`, "aria-pressed": String(chosen), onclick: () => this.post({ type: "choice", message: one.id, id }) }, title);
  }

  sheet(one) {
    const groups = new Map();
    for (const row of one.content.rows) groups.set(row.section || "", [...(groups.get(row.section || "") || []), row]);
    const close = () => sheet.remove();
    const pick = (row) => h("button", { type: "button", class: "sheet-row", onclick: () => (close(), this.post({ type: "choice", message: one.id, id: row.id })) },
      h("b", {}, row.title), row.description ? h("small", {}, row.description) : null);
    const sheet = h("div", { class: "sheet", role: "dialog", "aria-label": one.content.list_label || "Options", onkeydown: (event) => event.key === "Escape" && close() },
      h("header", {}, h("b", {}, one.content.list_label || "Options"), iconButton("close", "Close", close)),
      ...[...groups].flatMap(([title, rows]) => [title ? h("h4", {}, title) : null, ...rows.map(pick)]));
    this.log.parentElement.append(sheet);
    sheet.querySelector(".sheet-row").focus();
  }

  actions(anchor, one) {
    const react = (emoji) => h("button", { type: "button", role: "menuitem", class: "emoji", "aria-label": `React with ${emoji}`, onclick: () => {
      box.closeMenu();
      this.post({ type: "reaction", message: one.id, emoji: one.own_reaction === emoji ? null : emoji });
    } }, emoji);
    const own = one.mine ? [one.content.kind === "text" ? menuItem("edit", "Edit", () => this.edit(one)) : null, menuItem("bin", "Delete", () => this.post({ type: "revoke", message: one.id }))] : [];
    const box = menu(anchor, one.mine ? null : h("div", { class: "emoji-row" }, ...EMOJI.map(react)), menuItem("reply", "Reply", () => this.replyTo(one)), ...own);
  }

  replyTo(one) {
    this.reply = { to: one.id };
    this.bar("Reply to", gist(one.content));
  }
  edit(one) {
    this.reply = { edit: one.id };
    this.field.value = one.content.text;
    this.sized();
    this.bar("Edit", one.content.text);
  }
  bar(label, text) {
    this.quote.hidden = false;
    this.quote.replaceChildren(h("span", {}, h("b", {}, label), " ", text), iconButton("close", "Cancel", () => this.unquote()));
    this.field.focus();
  }
  unquote() {
    this.reply = null;
    this.quote.hidden = true;
  }

  // --- sending ---

  press() {
    const text = this.field.value.trim();
    if (this.recorder) return this.recorder.stop();
    if (!text) return this.record();
    this.field.value = "";
    this.sized();
    return this.say(text);
  }

  say(text) {
    const reply = this.reply;
    this.unquote();
    if (reply?.edit) return this.post({ type: "edit", message: reply.edit, text });
    return this.post(reply ? { type: "text", text, reply_to: reply.to } : { type: "text", text });
  }

  post(message) {
    return tried(() => call("POST", `${API}/${this.phone}/messages`, message));
  }

  shareNumber() {
    const me = this.phones.find((one) => one.phone === this.phone);
    return this.post({ type: "contact", name: me.name, phone: me.phone });
  }

  attachments(anchor) {
    const pick = (kind, accept) => () => {
      this.kind = kind;
      this.file.accept = accept;
      this.file.click();
    };
    menu(anchor, menuItem("image", "Photo or video", pick("photo", "image/*,video/*")), menuItem("spark", "A sample photo", () => this.sample("image")),
      menuItem("smile", "A sticker", () => this.sample("sticker")), menuItem("file", "Document", pick("document", "")),
      menuItem("person", "My contact card", () => this.shareNumber()),
      ...PLACES.map((place) => menuItem("pin", place.name, () => this.post({ type: "location", ...place }))));
  }

  picked() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    const kind = this.kind === "document" ? "document" : file.type.startsWith("video/") ? "video" : "image";
    this.upload(kind, file, { name: file.name });
  }

  upload(kind, blob, facts = {}) {
    const caption = this.field.value.trim();
    if (caption && kind !== "voice" && kind !== "sticker") {
      facts.caption = caption;
      this.field.value = "";
      this.sized();
    }
    const body = new Blob([blob], { type: blob.type || "application/octet-stream" });
    return tried(() => call("POST", `${API}/${this.phone}/files?${new URLSearchParams({ kind, ...facts })}`, body));
  }

  /** Drawn here, so that nobody has to look for a file. */
  sample(kind) {
    const canvas = h("canvas", { width: "640", height: kind === "sticker" ? "640" : "460" });
    (kind === "sticker" ? drawSticker : drawBoots)(canvas.getContext("2d"), canvas.width, canvas.height);
    canvas.toBlob((blob) => this.upload(kind, blob, kind === "image" ? { name: "boots.jpg" } : {}), kind === "sticker" ? "image/webp" : "image/jpeg", 0.86);
  }

  /** From the microphone; where there is none, a short tone stands in. */
  async record() {
    const { stream, end } = await voice();
    const pieces = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.ondataavailable = (event) => pieces.push(event.data);
    this.recorder.onstop = () => {
      end();
      const type = this.recorder.mimeType;
      this.recorder = null;
      this.sized();
      this.upload("voice", new Blob(pieces, { type: type.replace(/^video/, "audio") }));
    };
    this.recorder.start();
    this.sized();
  }
}

async function voice() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    return { stream, end: () => stream.getTracks().forEach((track) => track.stop()) };
  } catch {
    toast("There is no microphone here: a tone is recorded instead. Press again to send it.");
    const context = new AudioContext();
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    return { stream: out.stream, end: () => context.close() };
  }
}

/** A message on one line. */
function gist({ kind, text, place, file }) {
  return text || place?.name || file?.name || { image: "Photo", video: "Video", audio: "Audio", sticker: "Sticker", document: "Document" }[kind] || kind;
}
