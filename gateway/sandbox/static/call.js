/* A telephone to speak into: what the caller says is typed, what he hears is written at the speed of a voice. */

import { Rows, Scroll, clock, h, icon, iconButton, webUrl } from "./base.js";
import { Follow, peopleOf } from "./follow.js";

const CHARS_PER_S = 18;
const FRAME_MS = 60;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const STATES = {
  idle: "Nobody is on the line.",
  ringing: "It rings…",
  waiting: "One moment…",
  talking: "Connected: speak.",
  choosing: "Connected: speak, or press a key.",
  recording: "After the tone: leave a message.",
  transfer: "A colleague's telephone rings.",
  queue: "Waiting for a colleague.",
  ended: "The call is over.",
};
const CALLERS = [["attested", "My number, vouched for"], ["unproven", "My number, unproven"], ["anonymous", "Anonymous"]];

export class Calls {
  constructor(root, card) {
    this.card = card;
    this.follow = new Follow(peopleOf(card.id), (screen) => this.show(screen));
    this.began = new Map();
    this.log = h("div", { class: "call-log", role: "log", "aria-label": "What is said in the call", tabindex: "0" });
    this.rows = new Rows(this.log);
    this.scroll = new Scroll(this.log);
    this.state = h("p", { class: "call-state", role: "status" });
    this.caller = h("select", { "aria-label": "What the caller's number proves" }, ...CALLERS.map(([id, label]) => h("option", { value: id }, label)));
    this.foot = h("div", { class: "call-foot" });
    root.append(h("div", { class: "call-stage" }, h("div", { class: "call-head" }, h("span", { class: "call-disc" }, icon("call")), h("div", {}, h("strong", {}, card.address), this.state)), this.log, this.foot));
    this.build();
  }

  build() {
    const act = (name, label, action, kind = "") => h("button", { type: "button", class: `button ${kind}`, onclick: action }, icon(name), label);
    this.field = h("textarea", { rows: "1", placeholder: "Say something", "aria-label": "What the caller says", maxlength: "1000", onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), this.speak();
    } });
    const speak = iconButton("send", "Say it", () => this.speak());
    speak.classList.add("round");
    this.parts = {
      begin: h("div", { class: "call-row" }, h("label", { class: "caller" }, h("span", {}, "Call as"), this.caller), act("call", "Call", () => this.follow.act({ type: "ring", caller: this.caller.value }), "primary call-button")),
      tries: h("div", { class: "call-tries" }, ...card_tries(this.card, (text) => this.speak(text))),
      answer: h("div", { class: "call-row" }, act("call", "Pick up", () => this.follow.act({ type: "pick_up" }), "primary call-button")),
      say: h("div", { class: "compose" }, this.field, speak),
      acts: h("div", { class: "call-row" }, (this.cut = act("hand", "Interrupt", () => this.interrupt())), (this.pad = act("keys", "Keys", () => this.keypad())), act("close", "Hang up", () => this.follow.act({ type: "hang_up" }), "danger")),
      keys: h("div", { class: "keypad", hidden: true, role: "group", "aria-label": "Keys of the telephone" }, ...KEYS.map((key) => h("button", { type: "button", class: "key", onclick: () => this.follow.act({ type: "press", digits: key }) }, key))),
      colleague: h("div", { class: "call-row" }, h("span", { class: "soft" }, "The colleague:"), ...[["completed", "Answers"], ["busy", "Is busy"], ["no-answer", "Is away"]].map(([status, label]) => h("button", { type: "button", class: "button small", onclick: () => this.follow.act({ type: "colleague", status }) }, label))),
    };
    this.foot.append(...Object.values(this.parts));
  }

  select(person) {
    this.screen = null;
    this.began.clear();
    this.follow.select(person);
  }

  show(screen) {
    const fresh = screen.id !== this.screen?.id;
    const first = this.screen === null;
    if (fresh) this.began.clear();
    // What was said before we looked is not said again.
    for (const line of screen.lines) if (line.who === "voice" && !this.began.has(line.id)) this.began.set(line.id, first ? -Infinity : this.freeAt());
    this.screen = screen;
    this.legs = screen.legs;
    this.state.textContent = `${STATES[screen.state]}${screen.state === "ringing" && screen.inward ? " The business is calling you." : ""}`;
    this.foot.dataset.state = screen.state;
    const on = !["idle", "ended"].includes(screen.state);
    const { begin, tries, answer, say, acts, keys, colleague } = this.parts;
    begin.hidden = on;
    answer.hidden = !(screen.state === "ringing" && screen.inward);
    say.hidden = !["talking", "choosing", "recording", "waiting"].includes(screen.state);
    tries.hidden = say.hidden || screen.state === "recording" || screen.lines.some((line) => line.who === "caller");
    acts.hidden = !on;
    colleague.hidden = screen.state !== "transfer";
    if (say.hidden) keys.hidden = true;
    this.pad.hidden = say.hidden;
    this.draw();
    if (screen.lines.some((line) => line.who === "caller") && fresh) this.scroll.end();
  }

  // --- the speed of a voice ---

  seconds(line) {
    return line.text.length / CHARS_PER_S;
  }
  /** One utterance after the other. */
  freeAt() {
    let free = performance.now() / 1000;
    for (const line of this.screen?.lines || []) if (this.began.has(line.id)) free = Math.max(free, this.began.get(line.id) + this.seconds(line));
    return free;
  }
  /** How much of it has been spoken by now. */
  spoken(line) {
    if (line.heard !== undefined) return line.heard.length;
    const chars = (performance.now() / 1000 - this.began.get(line.id)) * CHARS_PER_S;
    if (!(chars < line.text.length)) return line.text.length;
    const end = line.text.indexOf(" ", Math.max(0, Math.floor(chars)));
    return end < 0 ? line.text.length : chars <= 0 ? 0 : end;
  }
  speaking() {
    return (this.screen?.lines || []).find((line) => line.who === "voice" && this.spoken(line) < line.text.length && line.heard === undefined);
  }

  draw() {
    clearTimeout(this.timer);
    this.rows.show(this.items());
    this.scroll.settle();
    const speaking = this.screen.state === "talking" && this.speaking();
    this.cut.disabled = !speaking;
    if (this.speaking()) this.timer = setTimeout(() => this.draw(), FRAME_MS);
  }

  items() {
    const { lines, complaints } = this.screen;
    if (!lines.length) return [["empty", this.screen.state, () => h("div", { class: "blank" }, icon("call"), h("p", {}, "Press Call. A machine answers; type what the caller says, and interrupt it while it speaks."))]];
    const items = lines.filter((line) => line.who !== "voice" || this.spoken(line) > 0).map((line) => [line.id, [line, line.who === "voice" ? this.spoken(line) : 0], () => this.line(line)]);
    return [...items, ...complaints.map((text, place) => [`complaint ${place}`, text, () => h("p", { class: "complaint" }, `The telephone company complains: ${text}`)])];
  }

  line(line) {
    if (line.file) return h("p", { class: "call-event" }, icon("mic"), line.text, " ", h("a", { href: webUrl(line.file), target: "_blank", rel: "noopener" }, "Its words"));
    if (line.how === "keys") return h("div", { class: "utter mine" }, h("p", {}, icon("keys", "Keys"), ` ${line.text}`));
    const said = line.who === "voice" ? this.spoken(line) : line.text.length;
    const rest = line.text.slice(said);
    return h("div", { class: `utter ${line.who === "caller" ? "mine" : "theirs"}${line.who === "voice" && line.heard === undefined && rest ? " speaking" : ""}` },
      h("p", {}, line.text.slice(0, said), line.heard !== undefined && rest ? h("s", { title: "Not heard any more: the caller interrupted" }, rest) : null),
      h("small", {}, line.heard !== undefined ? `interrupted · ${clock(line.at)}` : clock(line.at)));
  }

  // --- what the caller does ---

  speak(text = this.field.value.trim()) {
    if (!text) return;
    this.field.value = "";
    // Whoever speaks into what is said interrupts it.
    const speaking = this.screen.state === "talking" && this.speaking();
    const before = speaking ? this.interrupt() : Promise.resolve();
    before.then(() => this.follow.act({ type: "say", text }));
  }

  interrupt() {
    const line = this.speaking();
    if (!line) return Promise.resolve();
    return this.follow.act({ type: "interrupt", heard: line.text.slice(0, this.spoken(line)) });
  }

  keypad() {
    this.parts.keys.hidden = !this.parts.keys.hidden;
    if (!this.parts.keys.hidden) this.parts.keys.querySelector("button").focus();
  }
}

const card_tries = (card, say) => card.tries.map((text) => h("button", { type: "button", class: "chip", onclick: () => say(text) }, text));
