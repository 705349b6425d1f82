/* A customer's telephone: what is on its screen, and everything that a customer can do with it. */

import { Rows, Scroll, avatar, call, day, h, icon, iconButton, menu, menuItem, shown, toast, tried } from "./base.js";
import { Follow } from "./follow.js";
import { Lines } from "./lines.js";
import { drawBoots, drawSticker } from "./pictures.js";

const API = "/sandbox/api/phones";
const TYPING_MS = 25_000;
const QUESTIONS = ["How long do I have to return something?", "Do you ship to France?", "Can I talk to a person?"];
const PLACES = [
  { name: "Larkridge Leeds", address: "9 Weaver's Yard, Leeds", latitude: 53.7949, longitude: -1.5417 },
  { name: "Malham Cove", address: "North Yorkshire", latitude: 54.0727, longitude: -2.1575 },
  { name: "Praia da Nazaré", address: "Portugal", latitude: 39.6012, longitude: -9.0701 },
];

export class Phone extends Lines {
  constructor(root, card) {
    super();
    this.card = card;
    this.follow = new Follow(API, (screen) => this.show(screen));
    this.root = root;
    this.build();
    document.addEventListener("visibilitychange", () => this.look());
  }

  // --- frame ---

  build() {
    this.log = h("div", { class: "chat-log", role: "log", "aria-label": "WhatsApp messages", tabindex: "0" });
    this.rows = new Rows(this.log);
    this.scroll = new Scroll(this.log);
    this.presence = h("span", { class: "presence" });
    this.root.append(
      h("div", { class: "chat-head" }, avatar(this.business, "shop"),
        h("div", {}, h("strong", {}, this.business), this.presence)),
      this.log, this.composer());
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

  select(person) {
    this.person = person;
    this.phone = person.phone;
    this.last = undefined;
    this.scroll.atEnd = true;
    this.unquote();
    this.follow.select(person);
  }

  // --- what is on the screen ---

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
    return this.post({ type: "contact", name: this.person.name, phone: this.phone });
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
