// The explorer: what the reader does becomes a state, a state becomes a picture, the picture is shown as a canvas
// or as a table. Without this script the page shows the slice that the server drew.

import { able, Canvas, theme } from "./draw.js";
import { fill, element, part } from "./dom.js";
import * as files from "./files.js";
import * as filters from "./filters.js";
import * as finder from "./finder.js";
import { pressed } from "./keys.js";
import { build, neighbours, sentence, visible } from "./model.js";
import { details, edgeDetails, pathWords } from "./panel.js";
import { fromFragment, rounded, Steps, toFragment } from "./state.js";
import { Table } from "./table.js";
import { Walk } from "./walk.js";
import { count, named, spoken, summary, told } from "./words.js";

/** @typedef {import("./model.js").Picture} Picture @typedef {import("./state.js").State} State */

const NUDGE = 0.02;

export class Explorer {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.centre = /** @type {string} */ (root.dataset.centre);
    this.steps = new Steps(fromFragment(location.hash));
    this.walk = new Walk(this.centre);
    this.picture = /** @type {Picture} */ (/** @type {unknown} */ (null));
    this.shown = { nodes: new Set(), edges: new Set() };
    this.canvas = /** @type {Canvas|null} */ (null);
    this.able = able();
    this.view = this.able && !matchMedia("(prefers-reduced-motion: reduce)").matches ? "picture" : "table";
    this.from = /** @type {string|null} */ (null);
    this.turn = 0;
    this.table = new Table(part("table"), (key) => this.select(key, true));
    this.cursor = /** @type {HTMLAnchorElement} */ (part("cursor"));
  }

  get state() {
    return this.steps.now;
  }

  /** Build and show for the first time. */
  async start() {
    this.picture = await build(this.centre, this.state);
    this.root.hidden = false;
    if (this.able) part("plain").hidden = true;
    /** @type {HTMLButtonElement} */ (this.control("picture")).hidden = !this.able;
    part("no-canvas").hidden = this.able;
    this.listen();
    await this.refresh();
    this.canvas?.fit();
    this.say(this.able ? "On the canvas, arrow keys go along links and ? lists all keys." : "");
    this.root.dataset.ready = "yes";
  }

  listen() {
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll("[data-do]"))) {
      one.addEventListener("click", () => this.act(/** @type {string} */ (one.dataset.do)));
    }
    filters.listen(this.form, (change, said) => this.change({ ...structuredClone(this.state), ...change }, said));
    finder.listen(/** @type {HTMLInputElement} */ (part("find")), part("found"), {
      picture: () => this.picture, go: (key) => this.select(key, true), leave: () => this.act("find"),
      to: (key) => this.path(this.walk.at, key), said: (text) => this.say(text),
    });
    part("stage").addEventListener("keydown", (event) => pressed(this, event));
    this.cursor.addEventListener("focus", () => this.canvas?.reveal(this.walk.at));
    addEventListener("hashchange", () => this.change(fromFragment(location.hash), "The state of the address"));
  }

  get form() {
    return /** @type {HTMLFormElement} */ (part("filters"));
  }

  /** @param {string} name @returns {HTMLElement} */
  control(name) {
    return /** @type {HTMLElement} */ (this.root.querySelector(`[data-do=${name}]`));
  }

  /** Take a new state and show it. @param {State} state @param {string} said */
  async change(state, said) {
    this.steps.take(state, said);
    await this.rebuild(said);
  }

  /** @param {string} said What changed, in words. */
  async rebuild(said) {
    this.turn += 1;
    const mine = this.turn;
    this.root.setAttribute("aria-busy", "true");
    try {
      const picture = await build(this.centre, this.state);
      if (mine !== this.turn) return;
      this.picture = picture;
      await this.refresh();
      this.say(`${said}. ${summary(this.picture, this.shown)}.`);
    } catch (error) {
      this.say(sentence(error));
      throw error;
    } finally {
      if (mine === this.turn) this.root.removeAttribute("aria-busy");
    }
  }

  /** Show the picture as it is now in every part of the page. */
  async refresh() {
    this.shown = visible(this.picture, this.state);
    this.walk.settle(this.picture, this.shown);
    const fragment = toFragment(this.state);
    history.replaceState(null, "", location.pathname + location.search + (fragment && `#${fragment}`));
    for (const [name, list] of /** @type {[string, any[]][]} */ ([["undo", this.steps.past], ["redo", this.steps.future]])) {
      this.control(name).setAttribute("aria-disabled", String(!list.length));
      this.control(name).title = list.length ? list[list.length - 1].said : "";
    }
    filters.show(this.form, this.state, this.picture);
    part("summary").textContent = summary(this.picture, this.shown);
    fill(part("notes"), ...[...new Set(this.picture.notes)].map((note) => element("li", {}, note)));
    pathWords(part("path"), this.picture, () => this.path(null, null), (key) => this.select(key, true));
    this.selected();
    await this.look();
  }

  /** The view that is chosen. */
  async look() {
    const picture = this.view === "picture";
    this.control("picture").setAttribute("aria-pressed", String(picture));
    this.control("table").setAttribute("aria-pressed", String(!picture));
    part("stage").hidden = !picture;
    part("table").hidden = picture;
    for (const name of ["in", "out", "fit"]) this.control(name).hidden = !picture;
    if (!picture) {
      this.table.show(this.picture, this.shown);
      return;
    }
    if (!this.canvas) {
      await library(this.root.dataset.graphology);
      await library(this.root.dataset.sigma);
      this.canvas = new Canvas(part("canvas"), {
        node: (key) => this.select(key, true), open: (key) => this.expand(key),
        edge: (key) => this.edge(key), drawn: () => this.place(),
        moved: (key, x, y) => this.pinned(key, [rounded(x), rounded(y)], "moved"),
      });
      await this.canvas.follow(this.picture, this.shown, this.marks());
      this.canvas.fit();
      return;
    }
    await this.canvas.follow(this.picture, this.shown, this.marks());
  }

  marks() {
    const at = this.walk.at;
    return {
      at, beside: new Set(neighbours(this.picture, this.shown, at).map((one) => one.key)),
      pins: new Set(Object.keys(this.state.pins)), path: this.picture.path,
    };
  }

  /** Select a node. @param {string} key @param {boolean} [focus] Whether the canvas takes the keys. */
  select(key, focus = false) {
    if (!this.shown.nodes.has(key)) return;
    this.walk.jump(key);
    this.walked("", focus);
  }

  /** Show and say where the walk is. @param {string} before @param {boolean} [focus] */
  walked(before, focus = true) {
    this.selected();
    this.canvas?.mark(this.marks());
    this.canvas?.reveal(this.walk.at);
    if (focus && this.view === "picture") this.cursor.focus({ preventScroll: true });
    this.say(`${spoken(this.picture, this.shown, this.walk.at)}${before && ` ${before}`}`);
  }

  /** The panel and the cursor follow the walk. */
  selected() {
    const key = this.walk.at;
    const node = /** @type {import("./api.js").Node} */ (this.picture.nodes.get(key));
    this.cursor.href = node.url;
    this.cursor.setAttribute("aria-label", spoken(this.picture, this.shown, key));
    const panel = part("details");
    const focused = document.activeElement;
    const held = panel.contains(focused) ? /** @type {HTMLElement} */ (focused).dataset.act || "none" : null;
    details(panel, this.picture, this.shown, this.state, key, {
      go: (to) => this.select(to, true), expand: () => this.expand(key), collapse: () => this.collapse(key),
      pin: () => this.pin(key), nudge: (dx, dy) => this.nudge(key, dx, dy), said: (text) => this.say(text),
      from: () => this.beginPath(key), to: this.from && this.from !== key ? () => this.path(this.from, key) : null,
    });
    if (held) /** @type {HTMLElement|null} */ (panel.querySelector(`[data-act="${held}"]`))?.focus();
  }

  /** @param {string} key */
  edge(key) {
    const edge = this.picture.edges.get(key);
    if (edge) edgeDetails(part("details"), this.picture, edge, { go: (to) => this.select(to, true), said: (text) => this.say(text) });
  }

  /** The cursor lies over its node. */
  place() {
    const at = this.canvas?.place(this.walk.at);
    if (!at) return;
    const size = Math.max(24, 2 * at.size + 10);
    const { style } = this.cursor;
    style.left = `${at.x - size / 2}px`;
    style.top = `${at.y - size / 2}px`;
    style.width = style.height = `${size}px`;
  }

  /** @param {string} key */
  async expand(key) {
    const state = structuredClone(this.state);
    const known = state.expanded.find((one) => one.key === key);
    const node = this.picture.nodes.get(key);
    if (!node || (known && !known.keep)) return;
    if (known) known.keep = false;
    else state.expanded.push({ key, keep: false });
    await this.change(state, `${named(node)}, expanded`);
    const brought = this.picture.brought.get(key) || 0;
    this.say(brought ? `${count(brought, "neighbour", "neighbours")} came. ${spoken(this.picture, this.shown, key)}`
      : `There is nothing more around ${named(node)} than is shown.`);
  }

  /** Take away what a node brought, and what that brought, but for pinned nodes. @param {string} key */
  collapse(key) {
    const node = this.picture.nodes.get(key);
    if (!node || !this.state.expanded.some((one) => one.key === key)) return;
    const state = structuredClone(this.state);
    const queue = [key];
    while (queue.length) {
      const one = queue.pop();
      const brought = [...this.picture.nodes.values()].filter((found) => found.by === one);
      const kept = brought.filter((found) => found.key in state.pins);
      state.expanded = state.expanded.flatMap((entry) => (
        entry.key !== one ? [entry] : kept.length ? [{ ...entry, keep: true }] : []));
      queue.push(...brought.filter((found) => !(found.key in state.pins)
        && state.expanded.some((entry) => entry.key === found.key)).map((found) => found.key));
    }
    this.change(state, `${named(node)}, collapsed`);
  }

  /** @param {string} key */
  pin(key) {
    const node = /** @type {import("./api.js").Node} */ (this.picture.nodes.get(key));
    if (!(key in this.state.pins)) {
      this.pinned(key, [rounded(node.x), rounded(node.y)], "pinned");
      return;
    }
    const state = structuredClone(this.state);
    delete state.pins[key];
    this.change(state, `${named(node)}, no longer pinned`);
  }

  /** @param {string} key @param {[number, number]} place @param {string} how */
  pinned(key, place, how) {
    const state = structuredClone(this.state);
    state.pins[key] = place;
    this.change(state, `${named(/** @type {import("./api.js").Node} */ (this.picture.nodes.get(key)))}, ${how}`);
  }

  /** @param {string} key @param {number} dx @param {number} dy */
  nudge(key, dx, dy) {
    const node = /** @type {import("./api.js").Node} */ (this.picture.nodes.get(key));
    this.pinned(key, [rounded(node.x + dx * NUDGE), rounded(node.y + dy * NUDGE)], "moved");
  }

  /** @param {string} key */
  beginPath(key) {
    this.from = key;
    this.selected();
    this.say("A path begins here. Select another node and press t or “Path to here”, or find one by its name.");
  }

  /** @param {string|null} from @param {string|null} to */
  async path(from, to) {
    const state = structuredClone(this.state);
    state.path = from && to && from !== to ? [from, to] : null;
    await this.change(state, state.path ? "Path asked for" : "Path removed");
    if (!state.path) return;
    const found = this.picture.path;
    if (!found) {
      this.say(this.picture.notes[this.picture.notes.length - 1]);
      return;
    }
    this.say(`Path of ${count(found.nodes.length - 1, "link", "links")}: ${told(this.picture, found.nodes, found.edges)
      .map((step) => `${step.from.label} ${step.words} ${step.to.label}`).join("; ")}.`);
    this.canvas?.fit();
  }

  /** Walk a step and say where it led. @param {"next"|"previous"|"on"} way */
  step(way) {
    const { picture, shown, walk } = this;
    const went = way === "on" ? walk.on(picture, shown) : walk.round(picture, shown, way === "next" ? 1 : -1);
    if (!went) this.say("There is no other neighbour here.");
    else this.walked(`${went.place} of ${went.of} around ${picture.nodes.get(went.base)?.label}.`);
  }

  back() {
    if (this.walk.back()) this.walked("");
    else this.say("This is where the walk began.");
  }

  /** Why one came here: the link to the node before, or else the first link. */
  why() {
    const key = this.walk.at;
    const beside = neighbours(this.picture, this.shown, key);
    const before = this.walk.trail[this.walk.trail.length - 1];
    const found = beside.find((one) => one.key === before) || beside[0];
    if (found) this.edge(found.edges[0].key);
  }

  /** What the buttons do. @param {string} what */
  async act(what) {
    const turned = what === "undo" ? this.steps.undo() : what === "redo" ? this.steps.redo() : null;
    if (turned !== null) await this.rebuild(`${what === "undo" ? "Undone" : "Done again"}: ${turned}`);
    else if (what === "undo" || what === "redo") this.say(`There is nothing to ${what}.`);
    else if (what === "picture" || what === "table") {
      this.view = what;
      await this.look();
    } else if (what === "in" || what === "out") this.canvas?.zoom(what === "in" ? 1 / 1.5 : 1.5);
    else if (what === "fit") this.canvas?.fit();
    else if (what === "find") this.find();
    else if (what === "keys") /** @type {HTMLDialogElement} */ (part("keys")).showModal();
    else if (what === "share") this.share();
    else if (what.startsWith("save-")) this.save(what.slice(5));
  }

  find() {
    const box = part("finding");
    box.hidden = !box.hidden;
    this.control("find").setAttribute("aria-expanded", String(!box.hidden));
    if (!box.hidden) part("find").focus();
    else if (this.view === "picture") this.cursor.focus();
    else this.control("find").focus();
  }

  async share() {
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("The address of this picture is copied.");
    } catch {
      this.say("The address bar has the address of this picture.");
    }
  }

  /** @param {string} form */
  async save(form) {
    const title = document.title;
    const drawing = () => files.svg(this.picture, this.shown, theme(), title);
    const [type, made] = await ({
      json: () => ["application/json", files.json(this.picture, this.shown, location.href)],
      graphml: () => ["application/graphml+xml", files.graphml(this.picture, this.shown)],
      gexf: () => ["application/gexf+xml", files.gexf(this.picture, this.shown)],
      svg: () => ["image/svg+xml", drawing()],
      png: async () => ["image/png", await files.png(drawing())],
    }[form] || (() => ["", ""]))();
    files.save(`${this.centre}.${form}`, new Blob([made], { type: /** @type {string} */ (type) }));
    this.say(`Saved as ${this.centre}.${form}.`);
  }

  /** @param {string} text */
  say(text) {
    part("said").textContent = text;
  }
}

/** A library as a script of this site, once. @param {string|undefined} address @returns {Promise<void>} */
function library(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = /** @type {string} */ (address);
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => reject(new Error(`${address} could not be loaded`)));
    document.head.append(script);
  });
}

const root = document.getElementById("explorer");
if (root) {
  const explorer = new Explorer(root);
  explorer.start().catch((error) => {
    // The server's picture stays; only say what is missing.
    root.hidden = true;
    part("plain").hidden = false;
    const note = part("failed");
    note.textContent = `The explorer could not start. ${sentence(error)} The picture and table below are whole.`;
    note.hidden = false;
    console.error(error);
  });
}
