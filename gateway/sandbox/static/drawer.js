/* Failures: what each provider does wrong, until it is switched back. What there is to switch, the places say. */

import { Rows, call, h, icon, iconButton, tried } from "./base.js";

const API = "/sandbox/api";

export class Drawer {
  constructor(places, url) {
    this.url = url;
    this.places = places;
    this.at = places[0].card.id;
    this.choice = h("select", { "aria-label": "Which provider", onchange: () => this.go(this.choice.value) }, ...places.map(({ card }) => h("option", { value: card.id }, card.title)));
    this.content = h("div", { class: "drawer-body" });
    this.rows = new Rows(this.content);
    this.curl = h("code", {});
    this.button = h("button", { type: "button", class: "button", title: "Failures", "aria-label": "Failures", "aria-haspopup": "dialog", onclick: () => this.open() }, icon("bolt"), h("span", {}, "Failures"), h("i", { class: "dot", "aria-hidden": "true" }));
    this.node = h("dialog", { class: "dialog drawer", "aria-labelledby": "drawer-title" }, h("header", {}, h("h2", { id: "drawer-title" }, "Let a provider fail"), iconButton("close", "Close", () => this.node.close())),
      h("section", {}, h("label", { class: "which-provider" }, h("span", {}, "The provider of"), this.choice)), this.content,
      h("section", { class: "script" }, h("h3", {}, "The same from a shell"), this.curl),
      h("footer", {}, h("button", { type: "button", class: "button", onclick: () => this.reset() }, "All as usual")));
    this.show();
  }

  get place() {
    return this.places.find(({ card }) => card.id === this.at);
  }
  get failing() {
    return this.places.some(({ switches }) => switches.faults.length);
  }

  go(id) {
    this.at = id;
    this.last = undefined;
    this.choice.value = id;
    this.show();
  }
  open(id) {
    if (id && this.places.some(({ card }) => card.id === id)) this.go(id);
    this.node.showModal();
    this.look();
  }
  async look() {
    const state = await call("GET", API).catch(() => null);
    if (state) this.places = state.places;
    this.show();
  }

  put(change, place = this.place) {
    this.last = change;
    return tried(async () => {
      const switches = await call("PATCH", `${API}/places/${place.card.id}/switches`, change);
      this.places = this.places.map((one) => (one.card.id === place.card.id ? { card: one.card, switches } : one));
      this.show();
    });
  }
  async reset() {
    for (const place of this.places) if (!usual(place)) await this.put(values(place.card), place);
  }

  show() {
    const { card, switches } = this.place;
    const focused = this.content.contains(document.activeElement) && document.activeElement.id;
    const labels = Object.fromEntries(card.faults.map((one) => [one.id, one.label]));
    const waiting = switches.faults;
    this.rows.show([
      [`faults ${card.id}`, 0, () => h("section", {}, h("h3", {}, "The gateway's next calls"), h("p", { class: "hint" }, "Each press is one call, in this order."),
        h("div", { class: "faults" }, ...card.faults.map((one) => h("button", { type: "button", class: "button small", title: one.text, onclick: () => this.put({ faults: [...this.place.switches.faults, one.id] }) }, one.label))))],
      ...(waiting.length ? [[`pending ${card.id}`, waiting, () => h("div", { class: "pending" }, h("p", {}, "Waiting: ", ...waiting.map((id) => h("span", { class: "chip-static" }, labels[id])),
        h("button", { type: "button", class: "link", onclick: () => this.put({ faults: [] }) }, "clear")))]] : []),
      ...card.knobs.map((knob) => [`${card.id} ${knob.id}`, switches[knob.id], () => this.knob(knob, switches[knob.id])]),
    ]);
    if (focused) document.getElementById(focused)?.focus();
    this.button.classList.toggle("active", !this.places.every(usual));
    for (const option of this.choice.options) {
      const one = this.places.find(({ card: other }) => other.id === option.value);
      option.textContent = one.card.title + (usual(one) ? "" : " •");
    }
    this.curl.textContent = `curl -X PATCH ${this.url}${API}/places/${card.id}/switches -H 'Content-Type: application/json' -d '${JSON.stringify(this.last || { faults: [card.faults[0].id] })}'`;
  }

  knob(knob, value) {
    const label = h("span", {}, h("b", {}, knob.label), knob.text ? h("small", {}, knob.text) : null);
    if (knob.options.length) return h("section", {}, h("h3", {}, knob.label), knob.text ? h("p", { class: "hint" }, knob.text) : null,
      h("div", { class: "segments", role: "radiogroup", "aria-label": knob.label }, ...knob.options.map((one) => h("label", {},
        h("input", { type: "radio", id: `${this.at}-${knob.id}-${one.id}`, name: `${this.at} ${knob.id}`, value: one.id, checked: one.id === value, onchange: () => this.put({ [knob.id]: one.id }) }), h("span", {}, one.label)))));
    if (knob.most) {
      const input = h("input", { type: "number", id: `${this.at}-${knob.id}`, min: "1", max: String(knob.most), value: String(value), "aria-label": knob.label, onchange: () => this.put({ [knob.id]: Number(input.value) || 1 }) });
      return h("label", { class: "switch" }, input, label);
    }
    const input = h("input", { type: "checkbox", id: `${this.at}-${knob.id}`, role: "switch", checked: value !== Boolean(knob.inverse), onchange: () => this.put({ [knob.id]: input.checked !== Boolean(knob.inverse) }) });
    return h("label", { class: "switch" }, input, label);
  }
}

/** As everything stands when nothing is wrong. */
function values(card) {
  const own = card.knobs.map((knob) => [knob.id, knob.options.length ? knob.options[0].id : knob.most ? 1 : Boolean(knob.inverse)]);
  return { ...Object.fromEntries(own), faults: [] };
}

const usual = ({ card, switches }) => Object.entries(values(card)).every(([name, value]) => JSON.stringify(switches[name]) === JSON.stringify(value));
