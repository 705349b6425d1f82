/*!
 * throughline web chat: <script src="https://chat.example/widget.js" data-endpoint="site" async></script>
 *
 * It puts <throughline-chat> on the page; what the page may call and listen to: `CALLS` and `EVENTS`.
 *
 * Rule: what comes from the wire becomes text nodes; nothing here parses HTML or evaluates text.
 * Rule: the server orders and dates; this browser's clock measures durations only.
 * Rule: a message stays in the outbox, under its cid, until the server has answered for it.
 * Rule: `Chat` knows no elements and `ChatElement` no frames.
 */
(() => {
  "use strict";
  if (window.throughline && !Array.isArray(window.throughline)) return;

  // --- settings ---

  const SCRIPT = document.currentScript;
  const BASE = new URL(".", (SCRIPT && SCRIPT.src) || location.href).href;
  const LIMITS = { text: 4000, file: 20_000_000 };
  const BACKOFF_MIN_MS = 500;
  const BACKOFF_MAX_MS = 30_000;
  const FLOODED_MS = 60_000; // after "far too many"
  const PING_MS = 25_000;
  const PONG_MS = 10_000;
  const ACK_MS = 8_000;
  const CALL_MS = 20_000;
  const GAP_MS = 2_000; // a missing number may still be under way
  const STABLE_MS = 5_000; // a connection that lived this long resets the back-off
  const TYPING_EVERY_MS = 3_000;
  const TYPING_IDLE_MS = 5_000;
  const TYPING_TTL_MS = 6_000;
  const READ_MS = 400;
  const TROUBLE_MS = 1_500; // most reconnects are over before anybody looks
  const GROUP_MS = 300_000; // one name and one time for messages of one writer this close together
  const PAGE = 50;
  const NARROW = "(max-width: 480px), (max-height: 420px)";

  // --- words ---

  const LANGUAGES = ["en", "es", "pt", "de"];
  const WORDS = {
    title: ["Chat with us", "Chatea con nosotros", "Fale connosco", "Chatten Sie mit uns"],
    greeting: ["Hi! How can we help?", "¡Hola! ¿En qué podemos ayudarte?", "Olá! Como podemos ajudar?", "Hallo! Wie können wir helfen?"],
    open: ["Open chat", "Abrir el chat", "Abrir o chat", "Chat öffnen"],
    close: ["Close chat", "Cerrar el chat", "Fechar o chat", "Chat schließen"],
    unread: ["{} unread", "{} sin leer", "{} não lidas", "{} ungelesen"],
    placeholder: ["Write a message", "Escribe un mensaje", "Escreva uma mensagem", "Nachricht schreiben"],
    send: ["Send message", "Enviar mensaje", "Enviar mensagem", "Nachricht senden"],
    attach: ["Attach a file", "Adjuntar un archivo", "Anexar um ficheiro", "Datei anhängen"],
    earlier: ["Earlier messages", "Mensajes anteriores", "Mensagens anteriores", "Frühere Nachrichten"],
    jump: ["New messages", "Mensajes nuevos", "Novas mensagens", "Neue Nachrichten"],
    you: ["You", "Tú", "Você", "Sie"],
    bot: ["Assistant", "Asistente", "Assistente", "Assistent"],
    agent: ["Agent", "Agente", "Agente", "Mitarbeiter"],
    typing: ["{} is typing", "{} está escribiendo", "{} está a escrever", "{} schreibt"],
    sending: ["Sending", "Enviando", "A enviar", "Wird gesendet"],
    sent: ["Sent", "Enviado", "Enviada", "Gesendet"],
    read: ["Read", "Leído", "Lida", "Gelesen"],
    failed: ["Not sent", "No enviado", "Não enviada", "Nicht gesendet"],
    retry: ["Try again", "Reintentar", "Tentar de novo", "Erneut versuchen"],
    remove: ["Remove", "Quitar", "Remover", "Entfernen"],
    offline: ["Not connected", "Sin conexión", "Sem ligação", "Nicht verbunden"],
    waiting: ["Waiting for an agent", "Esperando a un agente", "À espera de um agente", "Wir suchen einen Mitarbeiter"],
    joined: ["{} joined the chat", "{} se unió al chat", "{} entrou no chat", "{} ist jetzt im Chat"],
    closed: ["Conversation closed", "Conversación cerrada", "Conversa encerrada", "Gespräch beendet"],
    blocked: ["Chat is not available here", "El chat no está disponible aquí", "O chat não está disponível aqui", "Der Chat ist hier nicht verfügbar"],
    ended: ["Chat ended", "Chat terminado", "Chat terminado", "Chat beendet"],
    restart: ["Start a new chat", "Iniciar otro chat", "Iniciar outro chat", "Neuen Chat beginnen"],
    tooLong: ["{} characters too long", "Sobran {} caracteres", "{} caracteres a mais", "{} Zeichen zu lang"],
    tooBig: ["Larger than {}", "Supera {}", "Maior do que {}", "Größer als {}"],
    badType: ["File not accepted", "Archivo no admitido", "Ficheiro não aceite", "Datei nicht angenommen"],
    unsupported: ["Cannot be shown here", "No se puede mostrar aquí", "Não pode ser mostrado aqui", "Kann hier nicht gezeigt werden"],
    file: ["File", "Archivo", "Ficheiro", "Datei"],
    location: ["Location", "Ubicación", "Localização", "Standort"],
  };

  // --- small tools ---

  const isText = (value) => typeof value === "string";
  const isNumber = (value) => Number.isSafeInteger(value) && value >= 0;
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const text = (value) => (isText(value) ? value : "");
  const list = (value) => (Array.isArray(value) ? value : []);
  const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
  const newId = () => crypto.getRandomValues(new Uint32Array(4)).reduce((id, part) => id + part.toString(36).padStart(7, "0"), "");
  const kindOf = (mime) => ["image", "audio", "video"].find((kind) => text(mime).startsWith(`${kind}/`)) || "document";

  function webUrl(value, base) {
    try {
      const url = new URL(value || ":", base);
      return isText(value) && /^https?:$/.test(url.protocol) && !url.username && !url.password ? url.href : null;
    } catch {
      return null;
    }
  }

  /** In one tab at a time, where the browser can promise that. */
  const alone = (name, task) => (navigator.locks ? navigator.locks.request(name, task) : task());

  /** What the browser keeps; in memory where it refuses. */
  class Store {
    constructor(prefix, area) {
      Object.assign(this, { prefix, memory: {} });
      try {
        this.disk = window[area];
      } catch {
        this.disk = {};
      }
    }
    get(key) {
      try {
        return JSON.parse(this.memory[this.prefix + key] ?? this.disk[this.prefix + key]);
      } catch {
        return null;
      }
    }
    set(key, value) {
      delete this.memory[this.prefix + key];
      try {
        this.disk.setItem(this.prefix + key, JSON.stringify(value));
      } catch {
        this.memory[this.prefix + key] = JSON.stringify(value);
      }
    }
    drop(key) {
      delete this.memory[this.prefix + key];
      delete this.disk[this.prefix + key];
    }
    all(start) {
      const keys = Object.keys({ ...this.disk, ...this.memory }).filter((key) => key.startsWith(this.prefix + start));
      return keys.sort().map((key) => this.get(key.slice(this.prefix.length))).filter(isObject);
    }
  }

  // --- the conversation, as this leg may see it ---

  const VISITOR = { kind: "visitor", name: "" };

  function writer(from) {
    const kind = isObject(from) && ["bot", "agent", "system", "visitor"].includes(from.kind) ? from.kind : "bot";
    return { kind, name: text(from && from.name) };
  }

  /** A `msg` frame as facts; bad fields are left out. */
  const factsOf = (frame) => ({
    id: frame.id,
    cid: text(frame.cid) || undefined,
    seq: isNumber(frame.seq) ? frame.seq : undefined,
    who: writer(frame.from),
    type: text(frame.type),
    content: isObject(frame.content) ? frame.content : {},
    ts: Date.parse(frame.ts) || undefined,
    replyTo: text(frame.reply_to) || undefined,
    state: frame.status === "read" ? "read" : "sent",
    partial: false,
  });

  /** A message of several parts is shown as one. */
  const piecesOf = ({ type, content }) => (type === "parts" ? list(content.parts).filter((part) => isObject(part?.content)) : [{ type, content }]);

  /** Items by seq; then what is being written to us, then what is not yet acknowledged. */
  class Timeline {
    items = [];
    readUpTo = 0; // by the other side
    find(id, cid) {
      return this.items.find((item) => (id && item.id === id) || (cid && item.cid === cid));
    }
    put(facts) {
      const known = this.find(facts.id, facts.cid);
      const item = known || { version: 0, content: {}, state: "sent" };
      if (facts.seq < item.version) facts = { who: facts.who, seq: (item.seq = facts.seq) }; // its edit was here first
      const { seq = facts.seq, content } = item;
      for (const [name, value] of Object.entries(facts)) if (value !== undefined) item[name] = value;
      item.version = Math.max(item.version, facts.seq || 0);
      item.seq = seq; // an edit does not move the message
      if (content.local && facts.content) item.content.local = content.local;
      if (!known) this.items.push(item);
      const place = (one) => one.seq ?? (one.cid ? Infinity : Number.MAX_SAFE_INTEGER);
      this.items.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
      return item;
    }
    keep(wanted) {
      this.items = this.items.filter(wanted);
    }
    /** The option that the visitor took of this offer. */
    chosen(offer) {
      return this.items.find((item) => item.type === "reply" && offer.id && item.replyTo === offer.id && item.state !== "failed")?.content.id;
    }
    unread(seq) {
      return this.items.filter((item) => item.seq > seq && item.who.kind !== "visitor" && !item.line).length;
    }
  }

  // --- session, socket, sending ---

  /**
   * One visitor's conversation with one endpoint. `change`: there is something to paint.
   * state: idle -> connecting -> live -> waiting -> connecting ...; stopped, with its `reason`, until somebody acts.
   * Every change of course begins a new `run`; what an older run still awaits or hears is void.
   */
  class Chat extends EventTarget {
    constructor(endpoint, { base, key, lang }) {
      super();
      const path = encodeURIComponent(endpoint);
      this.hooks = `${base}hooks/${path}/`;
      this.socketUrl = `${base}live/${path}`.replace(/^http/, "ws");
      this.base = base;
      this.key = key || endpoint;
      this.lang = lang;
      this.store = new Store(`throughline:${endpoint}:`, "localStorage");
      this.lock = `${this.store.prefix}session`;
      this.limits = { ...LIMITS };
      this.ui = this.store.get("ui") || {};
      this.state = "idle";
      this.timers = {};
      this.run = this.attempts = this.renewals = this.skew = this.tries = 0;
      this.blank();
      addEventListener("storage", (event) => this.otherTab(event.key));
      addEventListener("online", () => this.woken());
      document.addEventListener("visibilitychange", () => document.hidden || this.woken());
    }
    emit(name, detail) {
      this.dispatchEvent(new CustomEvent(name, { detail }));
    }
    changed() {
      this.paint ||= requestAnimationFrame(() => {
        this.paint = 0;
        this.emit("change");
      });
      const unread = this.unread();
      if (unread !== this.told) this.emit("unread", (this.told = unread));
    }
    after(name, ms, task) {
      clearTimeout(this.timers[name]);
      this.timers[name] = setTimeout(task, ms);
    }
    begin(state, reason) {
      Object.values(this.timers).forEach(clearTimeout);
      if (this.socket) this.socket.close(1000);
      this.socket = this.flight = this.typist = null;
      this.held = false;
      const run = (this.run += 1);
      this.enter(state, reason);
      return run;
    }
    enter(state, reason) {
      Object.assign(this, { state, reason });
      this.emit("state", { state, reason });
      this.changed();
    }
    now() {
      return Date.now() + this.skew;
    }

    blank() {
      this.session = null;
      this.timeline = new Timeline();
      this.seq = 0; // everything up to here was seen
      this.ahead = new Set(); // seen beyond a gap
      this.loaded = this.hasMore = false;
      this.status = {};
      this.mine = new Set(); // cids that this tab sends
      this.readTold = 0;
    }
    /** {token, id}, shared by the tabs of this site. */
    get kept() {
      return this.store.get("session");
    }
    get outbox() {
      return this.store.all("out:");
    }
    /** Nothing of this visitor stays for whoever uses the browser next. */
    forget() {
      for (const entry of this.outbox) this.store.drop(entry.key);
      for (const key of ["session", "read"]) this.store.drop(key);
      this.lastId = undefined;
      this.leave();
    }
    leave() {
      for (const { request } of this.timeline.items) if (request) request.abort();
      this.blank();
      this.emit("left");
    }
    otherTab(key) {
      if (key === `${this.store.prefix}read`) this.changed();
      if (key !== this.lock || !this.session) return;
      const { kept } = this;
      if (kept && kept.id === this.session.id) this.session.token = kept.token;
      else this.startOver();
    }
    /** The tabs of this site have another session now, or none. */
    startOver() {
      this.jwt = undefined;
      this.leave();
      this.begin("idle");
      if (this.kept) this.connect();
    }
    woken() {
      if (this.state === "waiting" || this.reason === "offline" || (this.state === "idle" && this.kept)) this.connect();
    }

    async call(method, path, body) {
      const headers = this.session ? { Authorization: `Bearer ${this.session.token}` } : {};
      if (body) headers["Content-Type"] = "application/json";
      const signal = AbortSignal.timeout(CALL_MS);
      const how = { method, headers, signal, body: JSON.stringify(body), credentials: "omit", cache: "no-store", keepalive: method === "DELETE" };
      const answer = await fetch(this.hooks + path, how).catch(() => ({ status: 0 }));
      const value = answer.ok && answer.status !== 204 ? await answer.json().catch(() => null) : {};
      if (answer.ok && isObject(value)) return value;
      throw Object.assign(new Error(`throughline: ${path} was answered ${answer.status}`), { status: answer.status });
    }
    /** A new session, or the stored one prolonged; tabs that start together share it. */
    openSession() {
      return alone(this.lock, async () => {
        const { kept } = this;
        const token = kept ? kept.token : undefined;
        const made = await this.call("POST", "session", { widget_key: this.key, session_token: token, identity_jwt: this.jwt });
        if (kept && kept.id !== made.session_id) this.store.drop("read"); // another session counts anew
        this.store.set("session", { token: made.session_token, id: made.session_id });
        return made;
      });
    }
    take(made) {
      const id = made.session_id;
      if (this.lastId !== undefined && this.lastId !== id) this.blank();
      this.lastId = id;
      this.session = { id, token: made.session_token, url: made.ws_url };
      this.learn(made);
      this.ui = isObject(made.ui) ? made.ui : {};
      this.store.set("ui", this.ui); // for the next page, before it has connected
      if (made.renewed !== true) this.reached(0);
    }
    learn({ limits, file_types: types }) {
      for (const name in LIMITS) if (isObject(limits) && isNumber(limits[name])) this.limits[name] = limits[name];
      if (types) this.fileTypes = list(types).filter(isText).join();
    }
    reached(seq) {
      this.seq = seq;
      this.loaded = true;
      if (!isNumber(this.store.get("read"))) this.store.set("read", seq);
    }
    async history(before) {
      const page = await this.call("GET", `history?limit=${PAGE}${before ? `&before=${before}` : ""}`);
      const frames = list(page.messages).filter(isObject).reverse();
      for (const frame of frames) this.act(frame);
      this.first = frames.length ? frames[0].seq : 0;
      this.hasMore = page.has_more === true;
      return isNumber(page.seq) ? page.seq : 0;
    }
    async earlier() {
      await this.history(this.first).catch(() => null); // the button stays
      this.changed();
    }

    // connecting

    async connect() {
      if (this.state === "connecting" || this.state === "live") return;
      const run = this.begin("connecting");
      try {
        const made = this.session || (await this.openSession());
        if (run !== this.run) return;
        if (made !== this.session) this.take(made);
        if (!this.loaded) this.reached(await this.history());
        if (run === this.run) this.dial(run);
      } catch (error) {
        if (run === this.run) this.refused(error);
      }
    }
    refused({ status }) {
      if (status === 403 || status === 404) return this.begin("stopped", "blocked");
      if (status === 401 && !this.jwt) return this.renew();
      if (status === 401) this.emit("error", { code: "identity_refused" });
      if (status === 401) this.jwt = undefined; // the visitor stays who he was
      this.again(status === 429 && FLOODED_MS);
    }
    dial(run) {
      const { token, url } = this.session;
      const socket = (this.socket = new WebSocket(/^wss?:/.test(url) ? url : this.socketUrl));
      const own = (task) => (event) => run === this.run && task(event);
      socket.onopen = own(() => this.push({ t: "hello", v: 1, token, resume_from: this.seq, caps: ["upd"] }));
      socket.onmessage = own((event) => this.receive(event.data));
      socket.onclose = own((event) => this.closed(event.code));
      this.after("silence", PING_MS + PONG_MS, () => this.again());
    }
    push(frame) {
      if (this.socket && this.socket.readyState === 1) this.socket.send(JSON.stringify(frame));
    }
    /** Full jitter. */
    again(least) {
      const cap = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.attempts += 1));
      this.begin("waiting");
      this.after("retry", Math.max(BACKOFF_MIN_MS, least || 0, Math.random() * cap), () => this.connect());
    }
    restart() {
      this.begin("idle");
      this.connect();
    }
    closed(code) {
      if (code === 4401 || code === 4410) return this.renew(code === 4410);
      const reason = { 4403: "blocked", 4404: "blocked", 4409: "offline" }[code];
      if (reason) return this.begin("stopped", reason);
      if (code === 1009 && this.flight) this.fail(this.flight, "too_long");
      if (this.state !== "live") this.session = null; // asked for anew: the answer names the trouble
      this.again(code === 4429 && FLOODED_MS);
    }
    /** The token is no longer good. A tab that replaces it holds the lock until the new one is stored. */
    async renew(ended) {
      const run = this.begin("waiting");
      await alone(this.lock, () => null);
      if (run !== this.run) return;
      const { kept, session } = this;
      const newer = kept && session && kept.token !== session.token;
      this.renewals += 1;
      this.session = null;
      if (newer && kept.id !== session.id) return this.startOver();
      if (ended && !newer) {
        this.forget();
        return this.begin("stopped", "ended");
      }
      if (this.renewals === 1) return this.restart();
      if (!newer) this.store.drop("session");
      this.again();
    }

    // what the server says

    receive(data) {
      this.after("silence", PING_MS, () => {
        this.push({ t: "ping" });
        this.after("silence", PONG_MS, () => this.again());
      });
      let frame;
      try {
        frame = JSON.parse(data);
      } catch {
        return;
      }
      if (!isObject(frame)) return;
      this.act(frame);
      if (!["ack", "ready", "synced"].includes(frame.t)) this.count(frame.seq);
      if (this.state === "live") this.changed(); // a replay is painted when it is whole
    }
    act(frame) {
      const act = this[`on_${frame.t}`];
      if (act) act.call(this, frame);
    }
    /** Keeps the number up to which nothing is missing. A hole that stays is asked for again. */
    count(seq) {
      if (!(isNumber(seq) && seq > this.seq)) return;
      this.ahead.add(seq);
      while (this.ahead.delete(this.seq + 1)) this.seq += 1;
      clearTimeout(this.timers.gap);
      if (this.ahead.size && this.state === "live") this.after("gap", GAP_MS, () => this.restart());
    }
    on_ready(frame) {
      this.skew = (Date.parse(frame.server_time) || Date.now()) - Date.now();
      this.learn(frame);
      this.timeline.keep((item) => item.seq !== undefined || item.cid); // half-written answers come again, whole
      if (!(frame.oldest > this.seq + 1)) return;
      this.seq = frame.oldest - 1;
      this.timeline.keep((item) => item.seq === undefined);
      this.first = 0;
      this.earlier();
    }
    on_synced(frame) {
      if (frame.seq > this.seq) this.seq = frame.seq;
      this.ahead.clear();
      this.renewals = 0;
      this.after("stable", STABLE_MS, () => (this.attempts = 0));
      this.enter("live");
      this.outbox.forEach((entry) => this.adopt(entry));
      this.flush();
      this.tellRead();
      for (const item of this.timeline.items) if (item.state === "uploading" && !item.request) this.upload(item);
    }
    on_msg(frame) {
      if (!isText(frame.id)) return;
      if (frame.cid) this.unqueue(frame.cid);
      const fresh = frame.seq > this.seq && !this.ahead.has(frame.seq);
      const { id, who, type, content } = this.timeline.put(factsOf(frame));
      if (!fresh || this.state !== "live" || who.kind === "visitor") return;
      this.typist = null;
      this.emit("message", { id, from: who, type, text: text(content.text) });
    }
    /** A part of an answer that is being written (it has no seq), its end, or a later edit. */
    on_upd(frame) {
      if (!isText(frame.id)) return;
      const known = this.timeline.find(frame.id);
      const partial = frame.final !== true;
      if (known && known.seq !== undefined && partial) return;
      const { seq, content, ts } = factsOf(frame);
      const who = frame.from || !known ? writer(frame.from) : known.who;
      this.timeline.put({ id: frame.id, who, type: text(frame.type) || known?.type || "text", seq, content, ts, partial });
      this.typist = null;
    }
    on_del({ id }) {
      this.timeline.keep((item) => !id || item.id !== id);
    }
    on_ping() {
      this.push({ t: "pong" });
    }
    on_typing({ on, from, ttl_ms: ttl }) {
      this.typist = on === false ? null : writer(from);
      this.after("typing", isNumber(ttl) ? ttl : TYPING_TTL_MS, () => this.changed((this.typist = null)));
    }
    on_read(frame) {
      const item = this.timeline.find(text(frame.id));
      this.timeline.readUpTo = Math.max(this.timeline.readUpTo, isNumber(frame.up_to) ? frame.up_to : (item && item.seq) || 0);
    }
    /** Who answers now: for the header, some also as a line. */
    on_conv(frame) {
      if (!(frame.seq < this.status.seq)) this.status = frame;
      const line = frame.state === "agent_joined" ? "joined" : frame.state === "closed" ? "closed" : "";
      const who = { kind: "system", name: text(frame.name) };
      if (line && isNumber(frame.seq)) this.timeline.put({ ...factsOf(frame), id: `conv:${frame.seq}`, who, line });
    }
    on_close_soon(frame) {
      this.after("drain", Math.min(frame.reconnect_after_ms, BACKOFF_MAX_MS) || BACKOFF_MIN_MS, () => this.restart());
    }

    // what the visitor says

    choose(offer, { id, title }) {
      this.send({ type: "reply", reply: { to: offer.id, id, title } }, { id, title });
    }
    send(body, view, cid = newId()) {
      if (!this.pageTold) {
        const cut = (words) => words.slice(0, 2048);
        const page = { url: cut(location.href.split("#")[0]), title: cut(document.title), referrer: cut(document.referrer) };
        this.pageTold = body = { ...body, locale: this.lang, page };
      }
      this.written = Math.max((this.written || 0) + 1, Date.now()); // keys sort, also when the clock is set back
      const entry = { key: `out:${this.written}:${cid}`, cid, body, view };
      this.store.set(entry.key, entry);
      this.adopt(entry);
      this.typed(false);
      this.changed();
      if (this.state === "idle") this.connect();
      this.flush();
    }
    adopt({ cid, body, view = {}, failed }) {
      this.mine.add(cid);
      if (this.timeline.find(null, cid)?.seq !== undefined) return;
      const type = body.type === "file" ? kindOf(view.mime) : body.type;
      const state = failed ? "failed" : "sending";
      this.timeline.put({ cid, who: VISITOR, type, content: { ...view }, replyTo: body.reply?.to, state, error: failed });
    }
    unqueue(cid) {
      for (const entry of this.outbox) if (entry.cid === cid) this.store.drop(entry.key);
    }
    /** One message in flight: their order holds. */
    flush() {
      if (this.state !== "live" || this.flight || this.held) return;
      const entry = this.outbox.find((one) => this.mine.has(one.cid) && !one.failed);
      if (!entry) return;
      this.flight = entry.cid;
      this.push({ t: "msg", cid: entry.cid, ...entry.body });
      this.after("ack", ACK_MS, () => this.again());
    }
    landed(cid) {
      if (cid !== this.flight) return;
      this.flight = null;
      this.tries = 0;
      clearTimeout(this.timers.ack);
      this.flush();
    }
    on_ack({ cid, id, seq, ts }) {
      this.unqueue(cid);
      const item = this.timeline.find(null, cid);
      if (item) this.timeline.put({ cid, id, seq, ts: Date.parse(ts) || undefined, state: "sent" });
      this.landed(cid);
    }
    on_nack({ cid, code, retryable, retry_after_ms: wait }) {
      if (code === "unauthenticated") return this.renew();
      if (!retryable) this.fail(cid, text(code));
      else if (cid === this.flight) return this.hold(wait);
      this.landed(cid);
    }
    /** To be sent later; nothing overtakes it. */
    hold(wait) {
      const longer = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.tries += 1));
      this.held = true;
      this.flight = null;
      clearTimeout(this.timers.ack);
      this.after("held", isNumber(wait) ? wait : longer, () => {
        this.held = false;
        this.flush();
      });
    }
    fail(cid, code) {
      const entry = this.outbox.find((one) => one.cid === cid);
      if (entry) this.store.set(entry.key, { ...entry, failed: code });
      if (this.timeline.find(null, cid)) this.timeline.put({ cid, state: "failed", error: code });
      this.emit("error", { code });
      this.changed();
    }
    /** A refused message was not stored, so it goes again under a new cid; a file is uploaded anew. */
    resend(item) {
      const entry = this.outbox.find((one) => one.cid === item.cid);
      this.discard(item);
      if (item.file) this.sendFile(item.file);
      else if (entry) this.send(entry.body, entry.view);
    }
    discard(item) {
      if (item.request) item.request.abort();
      this.unqueue(item.cid);
      this.timeline.keep((other) => other !== item);
      this.changed();
    }
    typed(on) {
      clearTimeout(this.timers.idle);
      if (on) this.after("idle", TYPING_IDLE_MS, () => this.typed(false));
      if (on ? Date.now() - (this.typedAt || 0) < TYPING_EVERY_MS : !this.typedAt) return;
      this.typedAt = on ? Date.now() : 0;
      if (this.state === "live") this.push({ t: "typing", on });
    }
    unread() {
      return this.timeline.unread(this.store.get("read") || 0);
    }
    seen() {
      const top = Math.max(0, ...this.timeline.items.map((item) => item.seq || 0));
      if (top > this.store.get("read")) {
        this.store.set("read", top);
        this.changed();
      }
      this.after("read", READ_MS, () => this.tellRead());
    }
    tellRead() {
      const seq = this.store.get("read");
      if (this.state !== "live" || !(seq > this.readTold)) return;
      this.readTold = seq;
      this.push({ t: "read", seq });
    }

    sendFile(file) {
      const { name, size, type: mime } = file;
      const local = kindOf(mime) === "image" ? URL.createObjectURL(file) : undefined;
      const content = { name, size, mime, local };
      const item = this.timeline.put({ cid: newId(), who: VISITOR, type: kindOf(mime), content, file, state: "uploading", progress: 0 });
      if (!size || size > this.limits.file) this.fail(item.cid, size ? "too_big" : "bad_type");
      else if (this.state === "live") this.upload(item);
      else if (this.state === "idle") this.connect();
      this.changed();
    }
    upload(item) {
      const request = (item.request = new XMLHttpRequest()); // fetch() does not tell how far an upload has come
      const form = new FormData();
      form.append("file", item.file);
      request.open("POST", `${this.hooks}uploads`);
      request.setRequestHeader("Authorization", `Bearer ${this.session.token}`);
      request.responseType = "json";
      request.upload.onprogress = (event) => {
        item.progress = Math.round((100 * event.loaded) / event.total);
        this.changed();
      };
      request.onload = request.onerror = () => this.uploaded(item, request);
      request.send(form);
    }
    uploaded(item, { status, response }) {
      item.request = null;
      if (status === 401) return this.renew();
      const code = { 413: "too_big", 415: "bad_type", 422: "bad_type" }[status];
      if (status !== 201 || !response || !isText(response.attachment_id)) return this.fail(item.cid, code || "upload_failed");
      const { name, size, mime } = item.content;
      this.send({ type: "file", attachment_id: response.attachment_id }, { name, size, mime }, item.cid);
    }

    /** Binds the conversation to a signed-in customer; somebody else's is forgotten first. */
    async identify(jwt) {
      if (!isText(jwt) || !jwt) throw new TypeError("throughline.identify(jwt) needs a signed token");
      const run = this.begin("connecting");
      this.jwt = jwt;
      try {
        const made = await this.openSession().catch((error) => {
          if (error.status !== 409) throw error;
          this.forget();
          return this.openSession();
        });
        if (run !== this.run) return;
        this.blank();
        this.take(made);
      } catch (error) {
        if (run === this.run) this.refused(error);
        throw error;
      }
      this.emit("identified");
      this.restart();
    }
    /** For a log-out. */
    async reset() {
      this.session ||= this.kept;
      const told = this.session && this.call("DELETE", "session").catch(() => null);
      this.jwt = undefined;
      this.forget();
      this.begin("idle");
      await told;
    }
  }

  // --- look ---

  const LOOK = `
:host{all:initial;position:fixed;z-index:2147483000;color-scheme:light dark}
:host([data-theme=light]){color-scheme:light}
:host([data-theme=dark]){color-scheme:dark}
.root{--accent:#1f5fff;--on-accent:oklch(from var(--accent) clamp(0,(.7 - l)*99,1) 0 0);--bg:light-dark(#fff,#17191d);--soft:light-dark(#f1f3f6,#262a31);--text:light-dark(#171a21,#eceef2);
--muted:light-dark(#5f6775,#9aa3b2);--line:light-dark(#e1e4ea,#343943);--bad:light-dark(#b3261e,#ff9d94);
--link:light-dark(var(--accent),color-mix(in oklab,var(--accent) 55%,#fff));
font:15px/1.45 var(--throughline-font,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif);color:var(--text)}
*{box-sizing:border-box}
[hidden],.day:empty,.choices:empty,.meta:empty,.small:empty,.hint:empty,.own .avatar{display:none!important}
button,textarea{font:inherit;color:inherit;background:none;border:0;margin:0;padding:0}
button{cursor:pointer}
:focus{outline:0}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
svg{width:21px;height:21px;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round;flex:none}
.sr,.own .who,.item:not(.first) .who{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.launcher,.mark,.avatar,.tool{display:grid;place-items:center;flex:none;border-radius:50%}
.launcher,.panel{position:fixed;inset-inline-end:20px;box-shadow:0 1px 3px #0002,0 12px 40px #0003}
.left>*{inset-inline:20px auto}
.launcher{inset-block-end:20px;width:56px;height:56px;transition:transform .15s}
.launcher:hover{transform:scale(1.05)}
.launcher,.mark,.send:enabled,.own .bubble,.choice[aria-pressed=true]{background:var(--accent);color:var(--on-accent)}
.badge{position:absolute;inset-block-start:-3px;inset-inline-end:-3px;min-width:22px;padding:0 6px;border-radius:11px;background:#d92d20;color:#fff;
font:600 12px/22px system-ui,sans-serif;box-shadow:0 0 0 2px var(--bg)}
.panel{inset-block-end:92px;width:388px;height:min(660px,calc(100dvh - 112px));display:flex;flex-direction:column;overflow:hidden;
border-radius:18px;background:var(--bg);border:1px solid var(--line);animation:rise .18s ease-out}
@keyframes rise{from{opacity:0;transform:translateY(10px)}}
.head{display:flex;align-items:center;gap:12px;padding:14px 12px 14px 16px;border-bottom:1px solid var(--line)}
.mark{width:38px;height:38px}
.titles{flex:1;min-width:0}
h2{margin:0;font-size:16px;font-weight:650;line-height:1.3}
h2{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.status,.banner,.jump,.text{font-size:13px}
.status,.who,.meta,.day,.notice,.gone,.tool,.avatar{color:var(--muted)}
.tool{width:36px;height:36px;border-radius:11px}
.tool:not(.send):hover{background:var(--soft);color:var(--text)}
:disabled{cursor:default}
.banner{display:flex;align-items:center;gap:8px;padding:8px 12px 8px 16px;background:var(--soft)}
.banner span{flex:1}
.text{font-weight:600;color:var(--link);padding:3px 5px;border-radius:6px}
.middle{flex:1;position:relative;min-height:0;display:flex}
.log{flex:1;overflow:hidden auto;overscroll-behavior:contain;padding:16px;display:flex;flex-direction:column;scrollbar-width:thin}
.hello{margin:auto;padding:16px;max-width:280px;text-align:center;text-wrap:balance;font-size:20px;font-weight:650;line-height:1.3}
.more{align-self:center;margin-bottom:8px}
.items{margin-top:auto}
.item{margin-top:3px}
.first{margin-top:16px}
.day,.notice{text-align:center;font-size:12px;padding:4px 16px 16px}
.day::first-letter{text-transform:uppercase}
.notice{padding:4px 16px}
.row{display:flex;gap:8px;align-items:flex-end}
.body{display:flex;flex-direction:column;align-items:flex-start;min-width:0;max-width:84%;position:relative}
.own .row{justify-content:flex-end}
.own .body{align-items:flex-end}
.avatar{width:28px;height:28px;font-size:12px;font-weight:600;background:var(--soft);margin-bottom:20px}
.item:not(.last) .avatar{visibility:hidden;height:0;margin:0}
.who{font-size:12px;margin:0 0 3px 12px}
.bubble{padding:9px 14px;border-radius:18px;background:var(--soft);overflow-wrap:anywhere;max-width:100%;overflow:hidden}
.other .bubble{border-end-start-radius:6px}
.own .bubble{border-end-end-radius:6px}
.other:not(.first) .bubble{border-start-start-radius:6px}
.own:not(.first) .bubble{border-start-end-radius:6px}
.bubble:has(>.picture:only-child){padding:0;background:none;border:1px solid var(--line)}
.bubble>*{margin:0;white-space:pre-wrap}
.bubble>*+*{margin-top:8px}
ul,ol{padding-inline-start:20px}
.bubble a{color:var(--link);text-underline-offset:2px}
.own .bubble a,.bubble .file{color:inherit}
.partial .bubble{opacity:.85}
.picture img{display:block;max-width:100%;max-height:260px;min-width:120px;min-height:80px;object-fit:cover}
.file{display:flex;gap:10px;align-items:center;text-decoration:none}
.file div{min-width:0;white-space:pre-line}
.file>svg{box-sizing:content-box;padding:8px;border-radius:10px;background:#8882}
.name{font-weight:600}
.small,small{font-size:12px;opacity:.8}
small{display:block;font-weight:400}
.choices{display:flex;flex-wrap:wrap;gap:6px;margin-top:8px}
.choice{border:1px solid;color:var(--link);border-radius:18px;padding:6px 14px;text-align:start;
font-weight:600;font-size:14px;overflow-wrap:anywhere;text-decoration:none}
.choice:hover:enabled,a.choice:hover{background:color-mix(in oklab,var(--accent) 10%,transparent)}
.choice:disabled{border-color:var(--line)}
.choice[aria-pressed=false]:disabled{color:var(--muted)}
.meta{display:flex;align-items:center;gap:4px;font-size:12px;padding:2px 4px 0;min-height:20px;white-space:nowrap}
.meta svg,.banner svg,.avatar svg{width:15px;height:15px}
.read .meta svg{color:var(--link)}
progress{width:110px;height:5px;accent-color:var(--accent)}
.failed .bubble{background:none;border:1px solid var(--bad);color:var(--text)}
.failed .meta{color:var(--bad);flex-wrap:wrap;justify-content:flex-end}
.typing{display:flex;gap:4px;margin:12px 36px 0;padding:14px;border-radius:18px 18px 18px 6px;background:var(--soft);width:max-content}
.typing i{width:6px;height:6px;border-radius:50%;background:var(--muted);animation:bob 1.2s infinite}
.typing i:nth-child(3){animation-delay:.15s}
.typing i:nth-child(4){animation-delay:.3s}
@keyframes bob{30%{transform:translateY(-4px)}60%{transform:none}}
.jump{position:absolute;inset-block-end:8px;left:50%;transform:translateX(-50%);display:flex;gap:6px;padding:6px 14px 6px 10px;border-radius:18px;
background:var(--bg);border:1px solid var(--line);box-shadow:0 4px 14px #0002;font-weight:600;white-space:nowrap}
.foot{padding:0 12px 12px}
.hint{font-size:12px;color:var(--bad);padding:0 6px 6px}
.box{display:flex;align-items:flex-end;gap:2px;border:1px solid var(--line);border-radius:16px;padding:5px}
.box:focus-within{border-color:var(--link)}
textarea{flex:1;min-width:0;resize:none;padding:7px 4px;line-height:22px;height:36px;outline:0!important}
textarea::placeholder{color:var(--muted)}
.done .foot{opacity:.5;pointer-events:none}
@media ${NARROW}{.root>.panel{inset:0;width:100%;height:var(--tall,100dvh);border:0;border-radius:0}
.open .launcher{display:none}
textarea{font-size:16px}
.foot{padding-bottom:max(12px,env(safe-area-inset-bottom))}}
@media (prefers-reduced-motion){*{animation:none!important;transition:none!important}}
@media (forced-colors:active){.bubble,.launcher,.badge{border:1px solid}}`;

  const ICONS = {
    chat: "M20 12a8 8 0 0 1-11.6 7.1L4 20l1-4A8 8 0 1 1 20 12Z",
    down: "m6 9 6 6 6-6",
    close: "M6 6l12 12M18 6 6 18",
    send: "M12 19V5m-6 6 6-6 6 6",
    clip: "m20 12-8 8a5 5 0 0 1-7-7l8-8a3.5 3.5 0 0 1 5 5l-8 8a1.8 1.8 0 0 1-2.5-2.5L15 8",
    file: "M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8l-5-5Zm0 0v5h5",
    sending: "M12 7v5l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
    sent: "m5 12 5 5L19 8",
    read: "m2 12 5 5 9-9m-4 8 1 1 9-9",
    bad: "M12 8v5m0 3v.1m9-4a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
    bot: "M12 4v4M7 8h10a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2Zm2 5v1m6-1v1",
  };

  // --- nodes: the only ways onto the page ---

  /** Children are nodes, or text that stays text. */
  function h(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (typeof value === "boolean") node.toggleAttribute(name, value);
      else if (value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  const button = (name, attributes, ...children) => h("button", { type: "button", class: name, ...attributes }, ...children);

  function put(node, words) {
    if (node.textContent !== words) node.textContent = words;
  }

  function icon(name) {
    const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }

  function link(url, attributes, ...children) {
    const href = webUrl(url);
    return href && h("a", { ...attributes, href, title: href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
  }

  const INLINE = /\*\*(?=\S)(.{1,500}?)\*\*|\[([^\]\n]{1,300})\]\((https?:\/\/[^\s)]{1,2000})\)|(https?:\/\/[^\s<>"'`]{1,2000})/g;

  /** Links; with `rich` also bold and named links. What does not parse stays as it was written. */
  function inline(words, rich) {
    const nodes = [];
    let from = 0;
    for (const found of words.matchAll(INLINE)) {
      const [whole, bold, label, target, bare] = found;
      if (!bare && !rich) continue;
      const url = bare && bare.replace(bare.includes("(") ? /[.,;:!?*_~]+$/ : /[.,;:!?*_~)]+$/, "");
      const made = bold ? h("strong", {}, ...inline(bold)) : link(url || target, {}, url || label);
      if (!made) continue;
      nodes.push(words.slice(from, found.index), made);
      from = found.index + (url || whole).length;
    }
    return [...nodes, words.slice(from)];
  }

  function prose(words, rich) {
    const blocks = [];
    let last = null;
    for (const line of words.split("\n")) {
      const [, bullet, number, rest] = (rich && /^\s{0,6}(?:([-*•])|(\d{1,4})[.)])\s+(.*)$/.exec(line)) || [];
      const tag = bullet ? "ul" : number ? "ol" : "p";
      const blank = !line.trim();
      if (!blank && (!last || last.tag !== tag)) blocks.push((last = { tag, start: number, lines: [] }));
      if (!blank) last.lines.push(rest ?? line);
      else if (last && last.tag === "p") last = null;
    }
    return blocks.map(({ tag, start, lines }) =>
      tag === "p" ? h(tag, {}, ...inline(lines.join("\n"), rich)) : h(tag, { start }, ...lines.map((line) => h("li", {}, ...inline(line, rich)))),
    );
  }

  // --- the element ---

  const FINAL = { too_big: "tooBig", bad_type: "badType" }; // the same again would end the same

  class ChatElement extends HTMLElement {
    connectedCallback() {
      const { endpoint, lang, base, key, open } = this.dataset;
      if (!endpoint) return console.error("throughline: data-endpoint is missing");
      if (!this.chat) {
        const [tag] = [lang, document.documentElement.lang, navigator.language].filter((one) => one && /^[a-z]{2,3}(-\w+)*$/i.test(one));
        this.lang = tag || "en";
        this.language = Math.max(0, LANGUAGES.indexOf(this.lang.slice(0, 2).toLowerCase()));
        this.chat = new Chat(endpoint, { base: webUrl(base, location.href) || BASE, key, lang: this.lang });
        this.tab = new Store(`throughline:${endpoint}:`, "sessionStorage");
        this.nodes = new Map();
        this.atEnd = true;
        this.build();
        this.follow();
        if (this.tab.get("open") ?? open !== undefined) this.open(false);
      }
      if (this.chat.kept) this.chat.connect();
    }
    disconnectedCallback() {
      if (this.chat) this.chat.begin("idle");
    }
    say(key, value) {
      return WORDS[key][this.language].replace("{}", () => value);
    }

    build() {
      const tool = (name, label, click) => button("tool", { "aria-label": this.say(label), click }, icon(name));
      const $ = (this.$ = {});
      $.badge = h("span", { class: "badge" });
      $.launcher = button("launcher", { "aria-controls": "panel", click: () => this.toggle() });
      $.title = h("h2", { id: "title" });
      $.status = h("div", { class: "status", role: "status" });
      const mark = h("div", { class: "mark", "aria-hidden": "true" }, icon("chat"));
      const head = h("div", { class: "head" }, mark, h("div", { class: "titles" }, $.title, $.status), tool("close", "close", () => this.close()));
      $.trouble = h("span", {});
      $.act = button("text", { click: () => this.chat.restart() });
      $.banner = h("div", { class: "banner", role: "status", hidden: true }, icon("bad"), $.trouble, $.act);
      $.more = button("text more", { click: () => this.chat.earlier() }, this.say("earlier"));
      $.hello = h("p", { class: "hello" });
      $.items = h("div", { class: "items" });
      $.typing = h("div", { class: "typing" });
      const scroll = () => this.scrolled();
      $.log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-labelledby": "title", tabindex: "0", scroll }, $.more, $.hello, $.items, $.typing);
      $.jump = button("jump", { hidden: true, click: () => (this.toEnd(), this.rest()) }, icon("down"), this.say("jump"));
      $.hint = h("div", { class: "hint", role: "status" });
      $.picker = h("input", { type: "file", multiple: true, hidden: true, change: () => this.files($.picker.files) });
      const label = this.say("placeholder");
      const keydown = (event) => this.keyed(event);
      $.text = h("textarea", { rows: "1", "aria-label": label, placeholder: label, input: () => this.edited(true), keydown });
      $.send = button("tool send", { "aria-label": this.say("send"), click: () => this.submit() }, icon("send"));
      const box = h("div", { class: "box" }, tool("clip", "attach", () => $.picker.click()), $.picker, $.text, $.send);
      const middle = h("div", { class: "middle" }, $.log, $.jump);
      const facts = { id: "panel", class: "panel", role: "dialog", "aria-labelledby": "title", tabindex: "-1", hidden: true };
      $.panel = h("section", facts, head, $.banner, middle, h("div", { class: "foot" }, $.hint, box));
      $.root = h("div", { class: "root" }, $.panel, $.launcher);
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(LOOK);
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      root.append($.root);
      $.text.value = text(this.tab.get("draft"));
      this.edited();
      this.paint();
    }
    follow() {
      const { panel, root } = this.$;
      this.chat.addEventListener("change", () => this.paint());
      this.chat.addEventListener("left", () => this.edited((this.$.text.value = "")));
      for (const name of EVENTS) this.chat.addEventListener(name, ({ detail }) => api.dispatchEvent(new CustomEvent(name, { detail })));
      document.addEventListener("visibilitychange", () => this.look());
      const grows = new ResizeObserver(() => this.atEnd && this.toEnd());
      for (const node of [this.$.log, this.$.items]) grows.observe(node);
      visualViewport.addEventListener("resize", () => root.style.setProperty("--tall", `${visualViewport.height}px`));
      panel.addEventListener("keydown", (event) => this.panelKey(event));
      document.addEventListener("focusin", (event) => this.left(event.target));
      panel.addEventListener("dragover", (event) => event.preventDefault());
      for (const name of ["drop", "paste"]) {
        panel.addEventListener(name, (event) => this.files((event.dataTransfer || event.clipboardData).files) && event.preventDefault());
      }
    }
    /** As the site, or else the server, wants it to look. */
    dress() {
      const { ui } = this.chat;
      const { title, greeting, accent, position } = this.dataset;
      const { root, hello } = this.$;
      put(this.$.title, title || text(ui.title) || this.say("title"));
      put(hello, greeting || text(ui.greeting) || this.say("greeting"));
      root.classList.toggle("left", position === "left");
      root.dir = document.dir || "ltr";
      const colour = accent || text(ui.colour);
      if (CSS.supports("color", colour)) root.style.setProperty("--accent", colour);
    }

    get isOpen() {
      return !this.$.panel.hidden;
    }
    toggle() {
      if (this.isOpen) this.close();
      else this.open();
    }
    open(focus = true) {
      if (!this.isOpen) {
        this.show(true);
        if (this.chat.state === "idle") this.chat.connect();
        this.toEnd();
      }
      if (focus) this.rest();
    }
    /** Where the focus goes by itself; a touch keyboard that rises would hide the conversation. */
    rest() {
      this.$[matchMedia("(pointer: coarse)").matches ? "panel" : "text"].focus();
    }
    close() {
      if (!this.isOpen) return;
      const inside = this.shadowRoot.activeElement;
      this.show(false);
      if (inside) this.$.launcher.focus();
    }
    show(open) {
      this.$.panel.hidden = !open;
      this.$.panel.setAttribute("aria-modal", String(matchMedia(NARROW).matches));
      this.$.root.classList.toggle("open", open);
      this.tab.set("open", open);
      this.paint();
      this.chat.emit(open ? "open" : "close");
    }
    panelKey(event) {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      this.close();
    }
    /** On a narrow screen focus does not go to what lies behind the panel. */
    left(target) {
      if (this.isOpen && target !== this && matchMedia(NARROW).matches) this.$.panel.focus();
    }

    edited(typing) {
      const field = this.$.text;
      this.tab.set("draft", field.value);
      field.style.height = "";
      field.style.height = `${Math.min(132, field.scrollHeight || 36)}px`;
      const words = field.value.trim();
      const over = [...words].length - this.chat.limits.text; // code points
      this.$.hint.textContent = over > 0 ? this.say("tooLong", over) : "";
      this.$.send.disabled = !words || over > 0;
      if (typing) this.chat.typed(words !== "");
    }
    keyed(event) {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    }
    submit() {
      const { text: field, send } = this.$;
      if (send.disabled || this.chat.reason === "blocked") return;
      const words = field.value.trim();
      if (this.chat.reason) this.chat.restart();
      field.value = "";
      this.edited();
      this.chat.send({ type: "text", text: words }, { text: words });
      this.toEnd();
    }
    files(files) {
      for (const file of files) this.chat.sendFile(file);
      this.$.picker.value = "";
      if (files.length) this.toEnd();
      return files.length > 0;
    }

    look() {
      if (this.isOpen && !document.hidden && this.atEnd) this.chat.seen();
    }
    scrolled() {
      const { log, jump } = this.$;
      const near = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      this.atEnd = near || (this.atEnd && log.scrollTop >= this.top); // it grew, or the visitor went up
      this.top = log.scrollTop;
      if (this.atEnd) jump.hidden = true;
      this.look();
    }
    toEnd() {
      this.$.log.scrollTop = this.$.log.scrollHeight;
      this.scrolled();
    }

    // painting: nodes that are right already stay, so that nothing is read out twice

    paint() {
      const { items, log, more, hello, jump } = this.$;
      const held = this.shadowRoot.activeElement;
      const all = this.chat.timeline.items;
      const below = log.scrollHeight - log.scrollTop;
      const grown = all.at(-1) !== this.newest;
      const before = all[0] !== this.oldest;
      for (const [item, node] of this.nodes) if (!all.includes(item) && this.nodes.delete(item)) node.root.remove();
      all.forEach((item, index) => {
        const { root } = this.paintItem(item, all[index - 1], all[index + 1]);
        if (items.children[index] !== root) items.insertBefore(root, items.children[index] || null);
      });
      [this.oldest, this.newest] = [all[0], all.at(-1)];
      hello.hidden = all.length > 0;
      more.hidden = !this.chat.hasMore;
      this.$.picker.accept = this.chat.fileTypes || "";
      this.dress();
      this.paintLauncher();
      this.paintTrouble();
      this.paintTyping();
      if (held && !held.getClientRects().length) this.rest(); // what had the focus is gone
      if (this.atEnd) this.toEnd();
      else if (before) log.scrollTop = log.scrollHeight - below;
      else if (grown) jump.hidden = false;
    }
    paintLauncher() {
      const { launcher, badge } = this.$;
      const { isOpen } = this;
      const count = isOpen ? 0 : this.chat.unread();
      const label = this.say(isOpen ? "close" : "open") + (count ? `, ${this.say("unread", count)}` : "");
      if (launcher.ariaLabel === label) return;
      launcher.ariaLabel = label;
      launcher.ariaExpanded = String(isOpen);
      badge.hidden = !count;
      badge.textContent = count > 99 ? "99+" : count;
      launcher.replaceChildren(icon(isOpen ? "down" : "chat"), badge);
    }
    paintTrouble() {
      const { state, reason, status, attempts } = this.chat;
      const { banner, trouble, act, root } = this.$;
      const { state: who, name } = status;
      put(this.$.status, (who === "queued" && this.say("waiting")) || (who === "agent_joined" && (text(name) || this.say("agent"))) || this.dataset.subtitle || "");
      const key = reason || (attempts && state !== "live" && state !== "idle" ? "offline" : "");
      root.dataset.state = state;
      root.classList.toggle("done", reason === "blocked");
      if (this.trouble === key) return;
      this.trouble = key;
      clearTimeout(this.later);
      banner.hidden = true;
      if (!key) return;
      put(trouble, this.say(key));
      put(act, this.say(reason === "ended" ? "restart" : "retry"));
      act.hidden = reason === "blocked";
      this.later = setTimeout(() => (banner.hidden = false), reason ? 0 : TROUBLE_MS);
    }
    paintTyping() {
      const { typing } = this.$;
      const { typist } = this.chat;
      const label = typist ? this.say("typing", this.nameOf(typist)) : "";
      typing.hidden = !typist;
      if (typing.textContent !== label) typing.replaceChildren(h("span", { class: "sr" }, label), h("i", {}), h("i", {}), h("i", {}));
    }
    nameOf({ kind, name }) {
      return kind === "visitor" ? this.say("you") : name || (kind === "system" ? this.$.title.textContent : this.say(kind));
    }
    timeOf(item) {
      return item.ts || this.chat.now();
    }
    together(one, two) {
      if (!one || !two || one.line || two.line) return false;
      const [from, to] = [this.timeOf(one), this.timeOf(two)];
      return this.nameOf(one.who) === this.nameOf(two.who) && Math.abs(to - from) < GROUP_MS && midnight(from) === midnight(to);
    }
    day(then) {
      const days = Math.round((midnight(then) - midnight(this.chat.now())) / 86_400_000);
      if (days > -2) return new Intl.RelativeTimeFormat(this.lang, { numeric: "auto" }).format(days, "day");
      return new Intl.DateTimeFormat(this.lang, { weekday: "short", day: "numeric", month: "short" }).format(then);
    }
    paintItem(item, before, after) {
      const node = this.nodes.get(item) || this.newNode(item);
      const then = this.timeOf(item);
      const own = item.who.kind === "visitor";
      const [first, last] = [!this.together(before, item), !this.together(item, after)];
      const read = own && item.state === "sent" && item.seq <= this.chat.timeline.readUpTo;
      const state = read ? "read" : item.state;
      const day = before && midnight(this.timeOf(before)) === midnight(then) ? "" : this.day(then);
      const looks = [own ? "own" : "other", first && "first", last && "last", state, item.partial && "partial"].filter(Boolean).join(" ");
      node.root.className = `item ${looks}`;
      put(node.day, day);
      put(node.who, this.nameOf(item.who));
      const facts = [looks, item.ts, item.error, item.progress].join();
      if (node.facts !== facts) node.meta.replaceChildren(...this.meta(item, own, last, state));
      node.facts = facts;
      if (node.content !== item.content) this.paintContent(node, item, own);
      this.paintChoices(node, item);
      return node;
    }
    newNode(item) {
      const make = (name, ...inside) => h("div", { class: name }, ...inside);
      const node = { day: make("day"), who: make("who"), bubble: make("bubble"), choices: make("choices"), meta: make("meta") };
      const { kind, name } = item.who;
      const face = (kind === "agent" && [...name.trim()][0]?.toUpperCase()) || icon(kind === "bot" ? kind : "chat");
      const body = make("body", node.who, node.bubble, node.choices, node.meta);
      node.bubble.dir = "auto";
      const avatarNode = make("avatar", face);
      avatarNode.ariaHidden = "true";
      node.root = make("item", node.day, item.line ? (node.bubble = make("notice")) : make("row", avatarNode, body));
      this.nodes.set(item, node);
      return node;
    }
    paintContent(node, item, own) {
      node.content = item.content;
      if (item.line) return put(node.bubble, this.say(item.line, item.who.name || this.say("agent")));
      node.bubble.replaceChildren(...piecesOf(item).flatMap(({ type, content }) => this.content(type, content, !own)));
    }
    content(type, content, rich) {
      const words = prose(text(content.text), rich);
      switch (type) {
        case "text":
          return words;
        case "choices":
          return [h("strong", {}, text(content.header)), ...words, h("p", { class: "small" }, text(content.footer))].filter((node) => node.textContent);
        case "reply":
          return [h("p", {}, text(content.title))];
        case "image":
        case "sticker":
          return [this.picture(content), ...words];
        case "audio":
        case "voice":
        case "video":
        case "document":
          return [this.file(content), ...words];
        case "location":
        case "contact":
          return [this.details(content)];
        default:
          return words.length ? words : [h("p", { class: "gone" }, this.say("unsupported"))];
      }
    }
    picture(content) {
      const { local, name, url, failed } = content;
      const src = local || webUrl(url, this.chat.base);
      if (!src || failed) return this.file(content);
      const facts = { src, alt: text(name) || this.say("file") };
      const image = h("img", { ...facts, error: () => frame.replaceWith(this.file(content)) });
      const frame = link(url, { class: "picture" }, image) || h("div", { class: "picture" }, image);
      return frame;
    }
    file({ name, size, url }) {
      return this.card(text(name) || this.say("file"), isNumber(size) ? this.size(size) : "", url);
    }
    size(bytes) {
      const [unit, one] = bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
      return new Intl.NumberFormat(this.lang, { style: "unit", unit, maximumSignificantDigits: 2 }).format(bytes / one);
    }
    details({ name, address, organization, phones, emails, url, latitude, longitude }) {
      const spot = [latitude, longitude].every(Number.isFinite) && `${latitude}, ${longitude}`;
      const small = [address || spot, organization, phones, emails].flat().filter(isText).join("\n");
      return this.card(text(name) || this.say("location"), small, url);
    }
    card(name, small, url) {
      const inside = [icon("file"), h("div", {}, h("div", { class: "name" }, name), h("div", { class: "small" }, small))];
      return link(url, { class: "file" }, ...inside) || h("div", { class: "file" }, ...inside);
    }
    paintChoices(node, item) {
      const pieces = piecesOf(item).map((piece) => piece.content);
      const options = pieces.flatMap((content) => list(content.options)).filter((one) => isObject(one) && isText(one.id) && isText(one.title));
      const chosen = options.length ? this.chat.timeline.chosen(item) : undefined;
      const looks = JSON.stringify([options, chosen]);
      if (node.looks === looks) return;
      node.looks = looks;
      const choose = (one) => (this.chat.choose(item, one), this.rest(), this.toEnd());
      const made = options.map((one) => {
        const facts = { disabled: chosen !== undefined, "aria-pressed": String(one.id === chosen), click: () => choose(one) };
        return button("choice", facts, one.title, h("small", {}, text(one.description)));
      });
      const links = pieces.map((content) => isObject(content.link) && link(content.link.url, { class: "choice" }, text(content.link.title)));
      node.choices.replaceChildren(...made, ...links.filter(Boolean));
    }
    meta(item, own, last, state) {
      const act = (label, click) => button("text", { click }, this.say(label));
      const remove = act("remove", () => this.chat.discard(item));
      if (state === "uploading") return [h("progress", { max: "100", value: item.progress, "aria-label": this.say("sending") }), remove];
      if (state === "failed") {
        const reason = this.say(FINAL[item.error] || "failed", this.size(this.chat.limits.file));
        return [icon("bad"), h("span", { role: "status" }, reason), FINAL[item.error] ? "" : act("retry", () => this.chat.resend(item)), remove];
      }
      if (!last && state !== "sending") return [];
      const clock = new Intl.DateTimeFormat(this.lang, { hour: "numeric", minute: "2-digit" });
      const time = item.ts ? [h("time", { datetime: new Date(item.ts).toISOString() }, clock.format(item.ts))] : [];
      return own ? [...time, icon(state), h("span", { class: "sr" }, this.say(state))] : time;
    }
  }

  // --- what the page may call ---

  const EVENTS = ["open", "close", "state", "unread", "message", "identified", "error"];
  const CALLS = {
    open: (element) => element.open(),
    close: (element) => element.close(),
    toggle: (element) => element.toggle(),
    identify: (element, jwt) => element.chat.identify(jwt),
    reset: async ({ chat, isOpen }) => {
      await chat.reset();
      if (isOpen) chat.connect();
    },
  };
  const early = list(window.throughline); // what the page asked for before this script came: [["identify", jwt]]
  const api = (window.throughline = new EventTarget());
  for (const name in CALLS) api[name] = (...rest) => CALLS[name](api.element, ...rest);
  customElements.define("throughline-chat", ChatElement);

  function start() {
    api.element = document.querySelector("throughline-chat") || document.createElement("throughline-chat");
    if (!api.element.isConnected) Object.assign(api.element.dataset, SCRIPT && SCRIPT.dataset);
    if (!api.element.isConnected) document.body.append(api.element);
    for (const [name, ...rest] of early) if (Object.hasOwn(CALLS, name)) api[name](...rest);
    document.dispatchEvent(new Event("throughline:ready"));
  }
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
