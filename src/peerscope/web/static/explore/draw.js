// The canvas: sigma over a graphology graph that follows a picture, in the colours of the page.

import { programs, SHAPES } from "./programs.js";

/** @typedef {import("./model.js").Picture} Picture @typedef {import("./api.js").Node} Node */
/** @typedef {{nodes: Set<string>, edges: Set<string>}} Shown */
/** @typedef {{at: string|null, beside: Set<string>, pins: Set<string>, path: Picture["path"]}} Marks */

const WIDE = 1.45; // the picture is wider than high, as those of the server
const PER_FRAME = 2000; // nodes or edges that are changed before the browser may draw
const LABEL = 34;
const DENSE = 1500; // edges from which they are drawn as plain lines
const QUIET = 3000; // edges from which they are left out while the view moves
const NEAR = 7; // pixels from an edge that a click may miss it by
const COLOURS = ["w", "a", "t", "i", "s", "edge", "ink", "soft", "sheet", "accent", "line"];
const LETTER = /** @type {Object<string, string>} */ ({ work: "w", person: "a", topic: "t", institution: "i", venue: "s" });
const EDGE_COLOUR = /** @type {Object<string, string>} */ ({
  coauthor: "a", near: "w", authored: "edge", reviewed: "t", reproduced: "i",
});

/** The colours of the page as they are now. @returns {Object<string, string>} */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Whether this browser can draw the canvas. */
export function able() {
  try {
    return Boolean(window.WebGL2RenderingContext && document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
}

/** Let the browser draw. @returns {Promise<void>} */
const frame = () => new Promise((resolve) => {
  // A page in the background gets no frames; it goes on without.
  if (document.hidden) setTimeout(resolve, 0);
  else requestAnimationFrame(() => resolve());
});

export class Canvas {
  /**
   * @param {HTMLElement} container
   * @param {{node: (key: string) => void, open: (key: string) => void, edge: (key: string) => void,
   *   moved: (key: string, x: number, y: number) => void, drawn: () => void}} told
   */
  constructor(container, told) {
    const { Sigma, graphology } = /** @type {any} */ (window);
    this.graph = new graphology.Graph({ type: "mixed", multi: true });
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.colours = theme();
    this.shown = /** @type {Shown} */ ({ nodes: new Set(), edges: new Set() });
    this.marks = /** @type {Marks} */ ({ at: null, beside: new Set(), pins: new Set(), path: null });
    this.taken = /** @type {number[][]} */ ([]);
    this.following = Promise.resolve();
    this.scale = 1;
    this.dense = false;
    const { Shape, Line, Thin } = programs(Sigma.rendering, Sigma.utils.floatColor);
    this.sigma = new Sigma(this.graph, container, {
      allowInvalidContainer: true,
      nodeProgramClasses: { shape: Shape }, defaultNodeType: "shape",
      edgeProgramClasses: { line: Line, thin: Thin }, defaultEdgeType: "line",
      minEdgeThickness: 1, stagePadding: 36, zIndex: true, enableEdgeEvents: false, dragTimeout: 300,
      minCameraRatio: 0.02, maxCameraRatio: 8,
      labelFont: getComputedStyle(document.body).fontFamily, labelSize: 12,
      labelDensity: 0.6, labelGridCellSize: 110, labelRenderedSizeThreshold: 4.5,
      nodeReducer: (/** @type {string} */ key, /** @type {any} */ data) => this.node(key, data),
      edgeReducer: (/** @type {string} */ key, /** @type {any} */ data) => this.edge(key, data),
      defaultDrawNodeLabel: (/** @type {any} */ context, /** @type {any} */ data) => this.label(context, data),
      defaultDrawNodeHover: (/** @type {any} */ context, /** @type {any} */ data) => this.label(context, data, true),
    });
    // The frame of the picture is fixed, so that nothing moves when nodes come, go or are dragged.
    this.sigma.setCustomBBox({ x: [0, WIDE], y: [-1, 0] });
    this.sigma.on("beforeRender", () => { this.taken = this.reserved(); });
    this.sigma.on("afterRender", told.drawn);
    this.sigma.on("resize", () => this.resized());
    this.resized();
    this.listen(container, told);
  }

  /** @param {HTMLElement} container @param {any} told */
  listen(container, told) {
    let dragged = /** @type {string|null} */ (null);
    let moved = false;
    const on = (/** @type {string} */ name, /** @type {(payload: any) => void} */ heard) => this.sigma.on(name, heard);
    on("downNode", ({ node }) => { dragged = node; moved = false; });
    on("moveBody", ({ event }) => {
      if (!dragged) return;
      moved = true;
      const place = this.sigma.viewportToGraph(event);
      this.graph.mergeNodeAttributes(dragged, place);
      event.preventSigmaDefault();
      event.original.preventDefault();
    });
    const drop = () => {
      if (dragged && moved) {
        const { x, y } = this.graph.getNodeAttributes(dragged);
        told.moved(dragged, x / WIDE, -y);
      }
      dragged = null;
    };
    on("upNode", drop);
    on("upStage", drop);
    on("clickNode", ({ node }) => { if (!moved) told.node(node); moved = false; });
    on("doubleClickNode", ({ node, event }) => { event.preventSigmaDefault(); told.open(node); });
    on("clickStage", ({ event }) => {
      const edge = this.edgeAt(event.x, event.y);
      if (edge) told.edge(edge);
    });
    on("enterNode", () => container.classList.add("over"));
    on("leaveNode", () => container.classList.remove("over"));
    const again = () => { this.colours = theme(); this.sigma.refresh({ skipIndexation: true }); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  }

  /**
   * Follow a picture: what is gone goes, what is new comes, in portions between which the browser draws.
   * @param {Picture} picture @param {Shown} shown @param {Marks} marks
   */
  async follow(picture, shown, marks) {
    this.following = this.following.then(() => this.changed(picture, shown, marks));
    return this.following;
  }

  /** @param {Picture} picture @param {Shown} shown @param {Marks} marks */
  async changed(picture, shown, marks) {
    this.shown = shown;
    this.marks = marks;
    this.dense = picture.edges.size > DENSE;
    const quiet = picture.edges.size > QUIET;
    if (this.sigma.getSetting("hideEdgesOnMove") !== quiet) this.sigma.setSetting("hideEdgesOnMove", quiet);
    let done = 0;
    const step = async () => { done += 1; if (done % PER_FRAME === 0) await frame(); };
    for (const key of this.graph.edges()) if (!picture.edges.has(key)) { this.graph.dropEdge(key); await step(); }
    for (const key of this.graph.nodes()) if (!picture.nodes.has(key)) { this.graph.dropNode(key); await step(); }
    for (const node of picture.nodes.values()) {
      const place = { x: node.x * WIDE, y: -node.y };
      if (!this.graph.hasNode(node.key)) this.graph.addNode(node.key, { ...place, ...looks(node) });
      else {
        const now = this.graph.getNodeAttributes(node.key);
        if (now.x === place.x && now.y === place.y) continue;
        this.graph.mergeNodeAttributes(node.key, place);
      }
      await step();
    }
    for (const edge of picture.edges.values()) {
      if (this.graph.hasEdge(edge.key)) continue;
      const add = edge.undirected ? "addUndirectedEdgeWithKey" : "addDirectedEdgeWithKey";
      this.graph[add](edge.key, edge.source, edge.target, { kind: edge.kind, type: "line", size: 1 });
      await step();
    }
    this.sigma.refresh();
  }

  /** Show another selection; nothing else changes. @param {Marks} marks */
  mark(marks) {
    this.marks = marks;
    this.sigma.refresh({ skipIndexation: true, schedule: true });
  }

  /** @param {string} key @param {any} data */
  node(key, data) {
    const { at, beside, pins, path } = this.marks;
    const { colours } = this;
    const near = at === key || beside.has(key) || (path !== null && path.nodes.includes(key));
    return {
      ...data, hidden: !this.shown.nodes.has(key), color: colours[LETTER[data.entity]] || colours.s,
      ring: at === key ? colours.ink : path && path.nodes.includes(key) ? colours.accent : pins.has(key) ? colours.soft : colours.sheet,
      size: this.scale * (at === key ? data.size * 1.25 : data.size), pinned: pins.has(key), strong: at === key,
      forceLabel: at === key || (near && beside.size <= 24), zIndex: near ? 2 : 1,
    };
  }

  /** @param {string} key @param {any} data */
  edge(key, data) {
    const { at, path } = this.marks;
    const { colours } = this;
    const onPath = path !== null && path.edges.has(key);
    const mine = at !== null && this.graph.extremities(key).includes(at);
    return {
      ...data, hidden: !this.shown.edges.has(key), type: this.dense && !onPath ? "thin" : "line",
      color: onPath ? colours.accent : mine ? colours.ink : colours[EDGE_COLOUR[data.kind] || "edge"],
      size: onPath ? 4 : mine ? 1.6 : 1, zIndex: onPath ? 3 : mine ? 2 : 1,
    };
  }

  /**
   * Draw a label where it covers no other; what is selected is lettered in any case.
   * @param {CanvasRenderingContext2D} context @param {any} data @param {boolean} [hovered]
   */
  label(context, data, hovered = false) {
    if (!data.label) return;
    const text = hovered ? data.whole : data.label;
    context.font = `${data.strong || hovered ? 600 : 400} 12px ${this.sigma.getSetting("labelFont")}`;
    const wide = context.measureText(text).width;
    const [before, after] = [data.x - data.size - 6 - wide, data.x + data.size + 6];
    const left = after + wide > this.sigma.getDimensions().width && before > 0 ? before : after;
    const box = [left - 2, data.y - 8, left + wide + 2, data.y + 8];
    if (!hovered && !data.strong && this.taken.some(
      (one) => one[0] < box[2] && box[0] < one[2] && one[1] < box[3] && box[1] < one[3])) return;
    this.taken.push(box);
    context.lineWidth = hovered ? 6 : 4;
    context.lineJoin = "round";
    context.strokeStyle = this.colours.sheet;
    context.fillStyle = this.colours.ink;
    context.strokeText(text, left, data.y + 4);
    context.fillText(text, left, data.y + 4);
    if (data.pinned) {
      context.beginPath();
      context.arc(data.x, data.y - data.size - 6, 3, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** On a small canvas nodes are smaller, so that they do not cover one another. */
  resized() {
    this.scale = Math.min(1, Math.max(0.6, Math.sqrt(this.unit() / 480)));
    this.sigma.setSetting("labelRenderedSizeThreshold", 4.5 * this.scale);
  }

  /** Pixels of one unit at ratio 1: the fixed frame fills what the padding leaves. */
  unit() {
    const { width, height } = this.sigma.getDimensions();
    const padding = 2 * this.sigma.getSetting("stagePadding");
    return Math.max(50, Math.min((width - padding) / WIDE, height - padding));
  }

  /** Room of the selected node's label, which no other may take. */
  reserved() {
    const { at } = this.marks;
    const place = at === null ? null : this.place(at);
    if (!place || !this.shown.nodes.has(/** @type {string} */ (at))) return [];
    const wide = 7.2 * this.graph.getNodeAttribute(at, "label").length;
    return [[place.x - place.size, place.y - 9, place.x + place.size + 8 + wide, place.y + 9]];
  }

  /** Show everything that the filters leave. */
  fit() {
    const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
    this.graph.forEachNode((/** @type {string} */ key, /** @type {any} */ { x, y }) => {
      if (!this.shown.nodes.has(key)) return;
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y);
    });
    if (box.left > box.right) return;
    const { width, height } = this.sigma.getDimensions();
    const room = [Math.max(width - 150, width * 0.7), Math.max(height - 60, height * 0.7)];
    const ratio = this.unit() / Math.min(room[0] / Math.max(box.right - box.left, 0.05), room[1] / Math.max(box.bottom - box.top, 0.05));
    this.go({ ...this.framed((box.left + box.right) / 2, (box.top + box.bottom) / 2), ratio: Math.min(ratio, 8), angle: 0 });
  }

  /** A place in the camera's terms. @param {number} x @param {number} y */
  framed(x, y) {
    return { x: 0.5 + (x - WIDE / 2) / WIDE, y: 0.5 + (y + 0.5) / WIDE };
  }

  /** Bring a node into the window if it is not well inside. @param {string} key */
  reveal(key) {
    const at = this.place(key);
    const { width, height } = this.sigma.getDimensions();
    if (!at || (at.x > 40 && at.x < width - 120 && at.y > 40 && at.y < height - 40)) return;
    const { x, y } = this.graph.getNodeAttributes(key);
    this.go(this.framed(x, y));
  }

  /**
   * The edge under a point of the window. Sigma would draw every edge a second time to know it; this looks once.
   * @param {number} x @param {number} y @returns {string|null}
   */
  edgeAt(x, y) {
    let found = /** @type {string|null} */ (null);
    let least = NEAR;
    for (const key of this.shown.edges) {
      const [one, two] = this.graph.extremities(key).map((/** @type {string} */ end) =>
        this.sigma.graphToViewport(this.graph.getNodeAttributes(end)));
      const [dx, dy] = [two.x - one.x, two.y - one.y];
      const along = Math.min(1, Math.max(0, ((x - one.x) * dx + (y - one.y) * dy) / (dx * dx + dy * dy || 1)));
      const away = Math.hypot(one.x + along * dx - x, one.y + along * dy - y);
      if (away < least) [found, least] = [key, away];
    }
    return found;
  }

  /** Where a node is in the window, and how large. @param {string} key */
  place(key) {
    if (!this.graph.hasNode(key)) return null;
    const { x, y, size } = this.graph.getNodeAttributes(key);
    return { ...this.sigma.graphToViewport({ x, y }), size: this.sigma.scaleSize(size * this.scale) };
  }

  /** @param {number} factor Below 1 comes nearer. */
  zoom(factor) {
    const camera = this.sigma.getCamera();
    this.go({ ratio: camera.getBoundedRatio(camera.ratio * factor) });
  }

  /** @param {Object<string, number>} state */
  go(state) {
    const camera = this.sigma.getCamera();
    if (this.still) camera.setState(state);
    else camera.animate(state, { duration: 200 });
  }
}

/** @param {Node} node */
function looks(node) {
  const label = node.label.length > LABEL ? node.label.slice(0, LABEL - 1).trimEnd() + "…" : node.label;
  return {
    label, whole: node.label, entity: node.type, shape: SHAPES[node.type] ?? 0, type: "shape", size: 4 + 6 * node.size,
  };
}
