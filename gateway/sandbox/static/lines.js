/* Messages as a telephone or a chat shows them: bubbles, files, places, what can be tapped.
 *
 * Rule: who shows them has `log`, `scroll`, `field`, `quote`, `sized()` and `post(message)`; what one cannot do there is not
 * offered.
 */

import { clock, h, icon, iconButton, menu, menuItem, ticks, webUrl } from "./base.js";

const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const PLACE = { name: "Larkridge Leeds", address: "9 Weaver's Yard, Leeds", latitude: 53.7949, longitude: -1.5417 };
const TICK = { sent: "Sent", delivered: "Delivered", read: "Read" };

export class Lines {
  /** Of `react`, `reply`, `edit`. */
  can = new Set(["react", "reply", "edit"]);
  business = "Larkridge Outfitters";

  line(one, quoted) {
    const side = one.mine ? "mine" : "theirs";
    const offers = this.can.has("react") || this.can.has("reply") || (one.mine && this.can.has("edit"));
    const more = h("button", { type: "button", class: "bubble-more", "aria-label": "React, reply and more", onclick: () => this.actions(more, one) }, icon(one.mine ? "more" : "smile"));
    const bubble = h("div", { class: `bubble kind-${one.content.kind}` },
      one.author && !one.mine ? h("b", { class: "author" }, one.author) : null,
      quoted && one.content.kind !== "choice" ? h("div", { class: "quoted" }, h("b", {}, quoted.mine ? "You" : this.business), h("span", {}, gist(quoted.content))) : null,
      ...this.content(one), this.meta(one));
    const marks = [one.reaction, one.own_reaction].filter(Boolean);
    return h("div", { class: `line ${side}`, "data-id": one.id }, h("div", { class: "bubble-box" }, bubble,
      one.revoked || !offers ? null : h("span", { class: "anchor" }, more),
      marks.length ? h("span", { class: "reactions", "aria-label": `Reactions: ${marks.join(" ")}` }, marks.join(" ")) : null),
      ...this.taps(one));
  }

  meta(one) {
    return h("span", { class: "meta" }, one.edited ? "edited " : null, clock(one.at), one.tick ? ticks(one.tick, TICK[one.tick]) : null);
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
    if (kind === "location_request_message") return [h("div", { class: "taps" }, tap("pin", "Send location", () => this.post({ type: "location", ...PLACE })))];
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
    const own = one.mine && this.can.has("edit") ? [one.content.kind === "text" ? menuItem("edit", "Edit", () => this.edit(one)) : null, menuItem("bin", "Delete", () => this.post({ type: "revoke", message: one.id }))] : [];
    const box = menu(anchor, one.mine || !this.can.has("react") ? null : h("div", { class: "emoji-row" }, ...EMOJI.map(react)), this.can.has("reply") ? menuItem("reply", "Reply", () => this.replyTo(one)) : null, ...own);
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
}

/** A message on one line. */
export function gist({ kind, text, place, file }) {
  return text || place?.name || file?.name || { image: "Photo", video: "Video", audio: "Audio", sticker: "Sticker", document: "Document" }[kind] || kind;
}
