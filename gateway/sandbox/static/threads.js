/* Which conversation a place belongs to: the same as elsewhere, or, rightly, another one. */

import { Rows, h, icon } from "./base.js";

const NAMES = { whatsapp: "WhatsApp", tel: "SMS", call: "Call", mailto: "Mail", slack: "Slack", web: "Web chat" };
const ORDER = Object.values(NAMES);
const ALONE = {
  phone: "The first channel of this customer. Text messages and calls from the same number join it.",
  chat: "A conversation of its own: nothing proves that this account belongs to the owner of the phone.",
  mailbox: "A conversation of its own: nothing proves that this address belongs to the owner of the phone.",
  call: "A conversation of its own so far. Messages from the same number join it.",
};
const GROUP = "A group's conversation: everybody in the channel is in it.";
const SEVERAL = "Kept apart, and rightly so: nobody vouches for some of what came here.";

export class Thread {
  /** `wanted(leg)`: whether it is one of the place's; `open(id)` shows a conversation. */
  constructor(face, open) {
    this.face = face;
    this.open = open;
    this.node = h("div", { class: "which", role: "status" });
    this.rows = new Rows(this.node);
  }

  /** `gist(id)`: what was said last, to tell several from each other. */
  show(conversations, hint, gist) {
    const several = conversations.length > 1;
    const items = conversations.map((one) => [one.id, [kinds(one), several && gist(one.id)], () => this.chip(one, several ? gist(one.id) : "")]);
    const said = this.said(conversations, hint);
    this.rows.show([["said", said, () => h("span", {}, said)], ...items]);
  }

  said(conversations, hint) {
    if (!conversations.length) return hint;
    if (conversations.length > 1) return SEVERAL;
    if (kinds(conversations[0]).length > 1) return "One conversation:";
    if (conversations[0].contact.kind === "group") return GROUP;
    return this.face === "texts" ? ALONE.phone : ALONE[this.face];
  }

  chip(one, last) {
    const gist = last.replace(/^\w+: /, "");
    const label = kinds(one).join(", ") + (gist ? `: ${gist.length > 24 ? `${gist.slice(0, 23)}…` : gist}` : "");
    const node = h("button", { type: "button", class: "which-chip", title: `Show this conversation behind the counter: ${label}`, onclick: () => this.open(one.id) }, icon("link"), label);
    node.style.setProperty("--hue", hue(one.id));
    return node;
  }
}

const name = (leg) => (leg.channel_id === "voice" ? NAMES.call : NAMES[leg.address.split(":")[0]] || leg.channel_id);
const kinds = (one) => [...new Set(one.legs.map(name))].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
const hue = (id) => [...id].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 360, 11);
