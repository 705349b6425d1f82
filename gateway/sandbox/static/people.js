/* Who you are: one customer, with a telephone, a mail address and a user of the chat workspace. */

import { call, h, icon, menu, tried } from "./base.js";

const API = "/sandbox/api/phones";
const NAMES = [["Ana Ribeiro", "+351 912 345 678"], ["Tom Whitfield", "+44 7700 900 456"], ["Lena Vogt", "+49 1512 3456789"], ["Mateo Ruiz", "+34 612 345 678"], ["Priya Nair", "+91 98765 43210"]];

export class People {
  /** `chosen` is called with the person whenever it is another one. */
  constructor(root, people, chosen) {
    this.people = people;
    this.chosen = chosen;
    this.who = h("select", { id: "who", "aria-label": "Which customer you are", onchange: () => this.select(this.who.value) });
    const add = h("button", { type: "button", class: "button small", "aria-label": "New customer", title: "New customer", onclick: () => this.add(add) }, icon("plus"), h("span", {}, "New"));
    root.append(h("label", { for: "who" }, "You, the customer"), this.who, h("span", { class: "anchor" }, add));
  }

  get person() {
    return this.people.find((one) => one.phone === this.who.value);
  }

  select(phone) {
    this.who.replaceChildren(...this.people.map((one) => h("option", { value: one.phone }, `${one.name} · +${one.phone}`)));
    this.who.value = this.people.some((one) => one.phone === phone) ? phone : this.people[0].phone;
    this.chosen(this.person);
  }

  add(anchor) {
    const [name, phone] = NAMES.find(([, number]) => !this.people.some((one) => one.phone === number.replace(/\D/g, ""))) || ["", "+44 7700 90"];
    const fields = [h("input", { name: "name", value: name, placeholder: "Name", "aria-label": "Name", required: true, maxlength: "80" }),
      h("input", { name: "phone", value: phone, placeholder: "+44 7700 900123", "aria-label": "Telephone number", inputmode: "tel", required: true })];
    const form = h("form", { class: "mini-form", onsubmit: (event) => {
      event.preventDefault();
      tried(async () => {
        const made = await call("POST", API, { name: fields[0].value.trim(), phone: fields[1].value });
        this.people = (await call("GET", "/sandbox/api")).people;
        box.closeMenu();
        this.select(made.phone);
      });
    } }, h("strong", {}, "A new customer"), ...fields, h("button", { class: "button primary" }, "Be this customer"));
    const box = menu(anchor, form);
  }
}
