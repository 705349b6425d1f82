/* What every part of the page uses: elements, icons, requests.
 *
 * Rule: whatever came over the wire becomes text nodes and checked attributes; nothing here parses HTML.
 */

const SVG = "http://www.w3.org/2000/svg";

/** An element; texts among the children become text nodes. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

const PATHS = {
  attach: "M12 5v14M5 12h14",
  send: "M4 12l16-8-5 16-3.5-6.5z",
  mic: "M12 4a2.5 2.5 0 0 1 2.5 2.5v5a2.5 2.5 0 0 1-5 0v-5A2.5 2.5 0 0 1 12 4zM6.5 11.5a5.5 5.5 0 0 0 11 0M12 17v3.5",
  stop: "M7.5 7.5h9v9h-9z",
  close: "M6 6l12 12M18 6L6 18",
  back: "M15 5l-7 7 7 7",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  phone: "M8 3.5h8A1.5 1.5 0 0 1 17.5 5v14a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 19V5A1.5 1.5 0 0 1 8 3.5zM11 17.5h2",
  globe: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17",
  desk: "M4 12a8 8 0 0 1 16 0M4 12v4a2 2 0 0 0 2 2h1v-6H4zM20 12v4a2 2 0 0 1-2 2h-1v-6h3zM18 18c0 2-2 3-5 3",
  bolt: "M13 3L5 13.5h6L10.5 21 19 10h-6.5z",
  bulb: "M9 17.5h6M10 20.5h4M12 3.5a6 6 0 0 0-3.5 10.9c.6.5.9 1.2.9 1.9h5.2c0-.7.3-1.4.9-1.9A6 6 0 0 0 12 3.5z",
  theme: "M12 3.5a8.5 8.5 0 1 0 8.5 8.5A6.5 6.5 0 0 1 12 3.5z",
  image: "M4.5 5.5h15v13h-15zM4.5 15.5l4-4 4 4 2.5-2.5 4.5 4.5M15 9.5h.01",
  file: "M7 3.5h7l4 4v13H7zM14 3.5v4h4",
  pin: "M12 21s6.5-6 6.5-11a6.5 6.5 0 0 0-13 0c0 5 6.5 11 6.5 11zM12 7.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z",
  person: "M12 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM5 20c.5-4 3-6 7-6s6.500 2 7 6",
  smile: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM8.500 14c1.800 2.600 5.200 2.600 7 0M9 9.500h.01M15 9.500h.01",
  reply: "M10 6l-6 6 6 6M4 12h9c4 0 6.500 2 7 6",
  list: "M9 7h11M9 12h11M9 17h11M5 7h.01M5 12h.01M5 17h.01",
  link: "M14 5h5v5M19 5l-8.500 8.500M17 14v5H5V7h5",
  plus: "M12 6v12M6 12h12",
  refresh: "M19 8a8 8 0 1 0 1 6M19.500 4v4.500H15",
  edit: "M5 19l1-4 9.500-9.500 3 3L9 18zM13.500 7.500l3 3",
  bin: "M5.500 7.500h13M9.500 7.500v-2h5v2M7 7.500l1 12h8l1-12",
  mail: "M4 6.500h16v11H4zM4 7l8 6 8-6",
  call: "M7 4h3l1.500 4-2 1.500a11 11 0 0 0 5 5l1.500-2 4 1.500v3a2 2 0 0 1-2 2A15 15 0 0 1 5 6a2 2 0 0 1 2-2z",
  hash: "M9.500 4L7.500 20M16.500 4l-2 16M4.500 9h15.500M4 15h15.500",
  sms: "M4.500 5.500h15v10h-9l-4 3.500v-3.500h-2z",
  hand: "M8 11V6.500a1.300 1.300 0 0 1 2.600 0V10M10.600 10V5a1.300 1.300 0 0 1 2.600 0v5M13.200 10V6a1.300 1.300 0 0 1 2.600 0v7.500c0 4-1.800 6.500-5 6.500s-4-2-5.800-5.500a1.300 1.300 0 0 1 2.200-1.300L8 14",
  keys: "M7 6h.01M12 6h.01M17 6h.01M7 11h.01M12 11h.01M17 11h.01M7 16h.01M12 16h.01M17 16h.01",
  check: "M5 12.500l4.500 4.500L19 7.500",
  spark: "M12 4l1.800 5.200L19 11l-5.200 1.800L12 18l-1.800-5.200L5 11l5.200-1.800zM18.500 16v4M16.500 18h4",
};

export function icon(name, label) {
  const svg = document.createElementNS(SVG, "svg");
  const facts = { viewBox: "0 0 24 24", class: `icon icon-${name}`, fill: "none", stroke: "currentColor", "stroke-width": "1.8",
    "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [key, value] of Object.entries(facts)) svg.setAttribute(key, value);
  svg.setAttribute(label ? "aria-label" : "aria-hidden", label || "true");
  if (label) svg.setAttribute("role", "img");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** One tick, two, or two blue ones. */
export function ticks(state, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 18 12");
  svg.setAttribute("class", `ticks ticks-${state}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label || state);
  const lines = state === "waiting" ? ["M9 2.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM9 4.200V6l1.400.8"] : state === "sent" ? ["M5 6.500l3 3 6-7"] : ["M1.500 6.500l3 3 6-7", "M7.500 8.500l1 1 6-7"];
  for (const d of lines) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A button with an icon alone; its label is for the pointer that rests and for screen readers. */
export const iconButton = (name, label, onclick, props = {}) =>
  h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));

export class RequestFailed extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** JSON in and out. Throws RequestFailed for a refusal, TypeError when nobody answers. */
export async function call(method, path, body, options = {}) {
  const headers = { ...options.headers };
  let data = body;
  if (body !== undefined && !(body instanceof Blob)) {
    headers["Content-Type"] = "application/json";
    data = JSON.stringify(body);
  }
  const answer = await fetch(path, { method, headers, body: data, signal: options.signal, cache: "no-store" });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new RequestFailed(answer.status, value);
  return value;
}

/** Only what leads to a web page; null for everything else. */
export function webUrl(value) {
  try {
    const url = new URL(value, location.href);
    return /^https?:$/.test(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const day = (at) => new Date(at).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
export const shown = (node) => node.offsetParent !== null && !document.hidden;

export function initials(name) {
  if (/^\+?\d+$/.test(name || "")) return name.slice(-2);
  const words = (name || "?").trim().split(/\s+/);
  return [...(words[0] || "?")][0].toUpperCase() + (words.length > 1 ? [...words[words.length - 1]][0].toUpperCase() : "");
}

const HUES = [150, 210, 265, 20, 340, 185, 45, 300];
export function avatar(name, key) {
  const sum = [...(key || name || "?")].reduce((total, char) => (total * 31 + char.codePointAt(0)) % 9973, 7);
  const node = h("span", { class: "avatar", "aria-hidden": "true" }, initials(name));
  node.style.setProperty("--hue", HUES[sum % HUES.length]);
  return node;
}

export function toast(text, kind = "info") {
  const node = h("div", { class: `toast toast-${kind}` }, text);
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), 6000);
}

/** Does it, and says what went wrong. */
export async function tried(action) {
  try {
    return await action();
  } catch (error) {
    toast(error instanceof RequestFailed ? `That did not work: ${error.message}` : "The demo does not answer. Is it still running?", "error");
    return undefined;
  }
}

/** Brings a list of nodes up to date and leaves alone what did not change. */
export class Rows {
  constructor(root) {
    this.root = root;
    this.known = new Map();
  }
  /** `items`: [key, value, make]; the value says whether it must be made anew. */
  show(items) {
    const wanted = new Set(items.map(([key]) => key));
    for (const [key, entry] of this.known) if (!wanted.has(key)) this.known.delete(key), entry.node.remove();
    let before = null;
    for (const [key, value, make] of items) {
      const text = JSON.stringify(value);
      let entry = this.known.get(key);
      if (!entry || entry.text !== text) {
        const node = make();
        if (entry) entry.node.replaceWith(node);
        this.known.set(key, (entry = { text, node }));
      }
      const place = before ? before.nextSibling : this.root.firstChild;
      if (place !== entry.node) this.root.insertBefore(entry.node, place);
      before = entry.node;
    }
  }
}

/** Keeps a log at its end while its reader is there, also when it changes its size. */
export class Scroll {
  constructor(log, slack = 90) {
    this.log = log;
    this.atEnd = true;
    log.addEventListener("scroll", () => (this.atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < slack), { passive: true });
    new ResizeObserver(() => this.settle()).observe(log);
  }
  settle() {
    if (this.atEnd) this.log.scrollTop = this.log.scrollHeight;
  }
  end() {
    this.atEnd = true;
    this.settle();
  }
}

/** A menu that closes when something else is touched. */
export function menu(anchor, ...children) {
  document.querySelectorAll(".menu").forEach((other) => other.remove());
  const node = h("div", { class: "menu", role: "menu" }, ...children);
  const close = (event) => {
    if (event && event.type === "keydown" && event.key !== "Escape") return;
    if (event && event.type === "pointerdown" && (node.contains(event.target) || anchor.contains(event.target))) return;
    node.remove();
    removeEventListener("pointerdown", close, true);
    removeEventListener("keydown", close, true);
    if (event && event.type === "keydown") anchor.focus();
  };
  addEventListener("pointerdown", close, true);
  addEventListener("keydown", close, true);
  anchor.parentElement.append(node);
  node.querySelector("button, input")?.focus({ preventScroll: true });
  node.closeMenu = close;
  return node;
}

export const menuItem = (name, label, onclick) =>
  h("button", { type: "button", role: "menuitem", class: "menu-item", onclick: (event) => {
    event.currentTarget.closest(".menu").closeMenu();
    onclick(event);
  } }, icon(name), h("span", {}, label));
