/* A customer's mail program: threads, a mail, an answer. */

import { Rows, avatar, clock, day, h, icon, iconButton, webUrl } from "./base.js";
import { Follow, peopleOf } from "./follow.js";

export class Mailbox {
  constructor(root, card) {
    this.card = card;
    this.follow = new Follow(peopleOf(card.id), (screen) => this.show(screen));
    this.list = h("ol", { class: "threads", "aria-label": "Mails" });
    this.rows = new Rows(this.list);
    this.reading = h("div", { class: "reading" });
    this.address = h("span", { class: "own-address" });
    this.body = h("div", { class: "mail-body" },
      h("div", { class: "thread-list" }, h("div", { class: "mail-tools" }, h("button", { type: "button", class: "button primary small", onclick: () => this.compose() }, icon("edit"), "New mail"), this.address), this.list),
      this.reading);
    root.append(this.body);
  }

  select(person) {
    this.legs = undefined;
    this.open = null;
    this.writing = null;
    this.mails = [];
    this.drawn = undefined;
    this.body.classList.remove("opened");
    this.follow.select(person);
  }

  show(screen) {
    this.mails = screen.mails;
    this.legs = screen.legs;
    this.address.textContent = screen.address;
    this.rows.show(this.listed());
    this.draw();
  }

  threads() {
    const found = new Map();
    for (const mail of this.mails) found.set(mail.thread, [...(found.get(mail.thread) || []), mail]);
    return [...found].sort(([, a], [, b]) => b[b.length - 1].at.localeCompare(a[a.length - 1].at));
  }

  listed() {
    if (!this.mails.length) return [["none", 0, () => h("li", { class: "none" }, "No mails yet. Write one: the gateway reads its mailbox over IMAP and answers over SMTP.")]];
    return this.threads().map(([id, mails]) => {
      const last = mails[mails.length - 1];
      return [id, [last, mails.length, id === this.open], () => h("li", {}, h("button", { type: "button", class: "thread", "aria-current": id === this.open ? "true" : undefined, onclick: () => this.read(id) },
        h("b", {}, mails[0].subject), h("time", {}, clock(last.at)),
        h("span", {}, `${last.mine ? "You: " : ""}${last.text.replace(/\s+/g, " ").slice(0, 90)}`),
        mails.length > 1 ? h("small", { class: "count" }, String(mails.length)) : null))];
    });
  }

  // --- reading ---

  read(id) {
    this.open = id;
    this.writing = null;
    this.body.classList.add("opened");
    this.rows.show(this.listed());
    this.draw();
    this.reading.querySelector(".mail:last-of-type")?.scrollIntoView({ block: "nearest" });
  }

  leave() {
    this.open = this.writing = null;
    this.body.classList.remove("opened");
    this.rows.show(this.listed());
    this.draw();
  }

  /** What is being typed stays where it is. */
  draw() {
    if (this.writing) return;
    const mails = this.mails.filter((one) => one.thread === this.open);
    const state = JSON.stringify([this.open, mails]);
    if (state === this.drawn) return;
    const typed = this.reading.querySelector("textarea")?.value || "";
    const focused = this.reading.contains(document.activeElement);
    const same = this.drawn && JSON.parse(this.drawn)[0] === this.open;
    this.drawn = state;
    if (!mails.length) return this.blank();
    this.reading.replaceChildren(h("header", { class: "reading-head" }, this.back(), h("h3", {}, mails[0].subject)),
      h("div", { class: "mails", tabindex: "0", role: "log", "aria-label": "Mails of this thread" }, ...mails.map((one) => this.mail(one))), this.answer(mails));
    const field = this.reading.querySelector("textarea");
    if (same && field) {
      field.value = typed;
      if (focused) field.focus();
    }
    const log = this.reading.querySelector(".mails");
    log.scrollTop = log.scrollHeight;
  }

  back() {
    return iconButton("back", "Back to the list", () => this.leave(), { class: "icon-button only-opened" });
  }

  blank() {
    const ask = (text) => h("button", { type: "button", class: "chip", onclick: () => this.send({ type: "mail", subject: "A question", text }) }, text);
    this.reading.replaceChildren(h("div", { class: "blank" }, icon("mail"), h("p", {}, `Write to ${this.card.address}. For example:`), ...this.card.tries.map(ask)));
  }

  mail(one) {
    const name = one.sender.replace(/\s*<.*$/, "");
    const files = one.files?.map((file) => h("a", { class: "card", href: webUrl(file.url), target: "_blank", rel: "noopener" }, icon("file"), h("span", {}, h("b", {}, file.name), h("small", {}, file.mime)))) || [];
    return h("article", { class: `mail ${one.mine ? "mine" : "theirs"}` },
      h("header", {}, avatar(name, one.sender), h("div", {}, h("b", {}, one.mine ? "You" : name), h("small", {}, `to ${one.to}`)),
        one.proven === false ? h("span", { class: "badge badge-queue", title: "Our mail server finds that nobody vouches for the sender" }, "unproven") : null,
        one.automatic ? h("span", { class: "badge badge-nobody", title: "The mail says that a machine wrote it (RFC 3834)" }, "automatic") : null,
        h("time", {}, day(one.at) === day(Date.now()) ? clock(one.at) : `${day(one.at)}, ${clock(one.at)}`)),
      h("p", { class: "mail-text" }, one.text), ...files);
  }

  // --- writing ---

  answer(mails) {
    const ours = [...mails].reverse().find((one) => !one.mine);
    if (!ours) return h("p", { class: "soft waiting" }, "On its way.");
    const field = h("textarea", { rows: "3", placeholder: "Answer", "aria-label": "Answer the mail", required: true });
    const [proof, proven] = this.proof();
    return h("form", { class: "mail-form", onsubmit: (event) => {
      event.preventDefault();
      if (field.value.trim()) this.send({ type: "mail", text: field.value.trim(), answers: ours.id, proven: proven.checked }, field);
    } }, field, h("div", { class: "mail-row" }, proof, this.attachment(field, ours.id), h("button", { class: "button primary" }, icon("send"), "Answer")));
  }

  compose() {
    const subject = h("input", { placeholder: "Subject", "aria-label": "Subject", maxlength: "200", value: "A question about my order" });
    const field = h("textarea", { rows: "8", placeholder: "Your mail", "aria-label": "Text of the mail", required: true });
    const [proof, proven] = this.proof();
    this.open = this.drawn = null;
    this.writing = h("form", { class: "mail-form new", onsubmit: (event) => {
      event.preventDefault();
      if (field.value.trim()) this.send({ type: "mail", subject: subject.value.trim() || "(no subject)", text: field.value.trim(), proven: proven.checked });
    } }, h("header", { class: "reading-head" }, this.back(), h("h3", {}, "A new mail")), h("p", { class: "soft" }, `To ${this.card.address}`), subject, field,
    h("div", { class: "mail-row" }, proof, this.attachment(field), h("button", { class: "button primary" }, icon("send"), "Send")));
    this.body.classList.add("opened");
    this.rows.show(this.listed());
    this.reading.replaceChildren(this.writing);
    field.focus();
  }

  proof() {
    const box = h("input", { type: "checkbox", checked: true });
    return [h("label", { class: "proof", title: "Whether our mail server finds that the sender's domain stands behind the mail (DMARC). Without, it is merely claimed." }, box, h("span", {}, "Sender is proven")), box];
  }

  attachment(field, answers) {
    const file = h("input", { type: "file", hidden: true, onchange: async () => {
      const [picked] = file.files;
      file.value = "";
      if (picked) this.sent(await this.follow.upload(picked, { name: picked.name, text: field.value.trim(), room: answers }));
    } });
    return h("span", {}, iconButton("attach", "Send with a file", () => file.click()), file);
  }

  async send(mail, field) {
    const done = await this.follow.act(mail);
    if (done && field) field.value = "";
    this.sent(done);
  }

  /** The list may learn of it a moment later. */
  sent(done) {
    if (!done) return;
    this.writing = null;
    this.drawn = undefined;
    const thread = this.mails.find((one) => one.id === done.id)?.thread;
    this.open = thread || this.open || done.id;
    this.body.classList.add("opened");
    this.rows.show(this.listed());
    this.draw();
  }
}
