// The map of the field as a canvas: pan, zoom, hover, tiles as they are needed. Without it the page's own picture
// does. Rows of a tile are those of peerscope.discover.maps.shapes.WORK, 22 bytes, little endian.

const ROW = 22, DEEPEST = 10, MOST_TILES = 400, NEAR = 14, LABELS = 14, OTHER = 0;
const figure = document.getElementById("map");
const data = figure.dataset;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const state = { x: +data.x, y: +data.y, z: +data.z, size: 0 };
const tiles = new Map();
const titles = new Map();
let parts, known, canvas, sheet, tip, under = null, colours = [], dirty = false, settling = 0, dragged = false;

const side = () => 2 ** -state.z;
const across = (x) => ((x - state.x) / side() + 0.5) * state.size;
const down = (y) => ((y - state.y) / side() + 0.5) * state.size;

async function read(address, kind) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer[kind]();
}

function begin() {
  sheet = document.createElement("div");
  sheet.className = "sheet";
  canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of works");
  canvas.setAttribute("aria-describedby", "map-keys");
  tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  sheet.append(canvas, tip);
  figure.querySelector(":scope > svg").replaceWith(sheet);
  const keys = document.createElement("p");
  keys.className = "note keys";
  keys.id = "map-keys";
  keys.textContent = "On the map: arrows move, + and − zoom, 0 shows all, Tab goes through the regions in sight. "
    + "Drag to move; with the map in focus, or with Ctrl, the wheel zooms. The list below holds what is in sight.";
  sheet.after(keys);
  new ResizeObserver(fit).observe(sheet);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); redraw(); });
  paint();
  listen();
}

function paint() {
  const style = getComputedStyle(document.querySelector(".atlas"));
  const letter = data.colour === "year" ? "s" : "c";
  colours = [...Array(13).keys()].map((n) => style.getPropertyValue(`--${n ? letter : "c"}${n}`).trim());
  colours.ink = style.getPropertyValue("--ink").trim();
  colours.sheet = style.getPropertyValue("--sheet").trim();
  colours.alert = style.getPropertyValue("--alert").trim();
}

function fit() {
  const ratio = devicePixelRatio || 1;
  state.size = sheet.clientWidth;
  canvas.width = canvas.height = Math.round(state.size * ratio);
  canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
  moved();
}

// Tiles -------------------------------------------------------------------------------------------------------

function wanted() {
  const half = side() / 2, found = [];
  for (let z = 0; z <= Math.min(Math.floor(state.z) + 2, 16); z++) {
    const wide = 2 ** z, last = wide - 1;
    const of = (value) => Math.min(last, Math.max(0, Math.floor(value * wide)));
    for (let y = of(state.y - half); y <= of(state.y + half); y++)
      for (let x = of(state.x - half); x <= of(state.x + half); x++)
        if (known.has(`${z}/${x}/${y}`)) found.push(`${z}/${x}/${y}`);
  }
  return found;
}

async function load(key) {
  tiles.set(key, null);
  try {
    const bytes = new DataView(await read(`${data.tiles}/${key}`, "arrayBuffer"));
    const works = [];
    for (let at = 0; at + ROW <= bytes.byteLength; at += ROW) {
      const work = {
        id: bytes.getFloat64(at, true),
        x: (bytes.getUint16(at + 8, true) + 0.5) / 65536, y: (bytes.getUint16(at + 10, true) + 0.5) / 65536,
        year: bytes.getInt16(at + 12, true), region: bytes.getUint16(at + 14, true),
        cited: bytes.getUint32(at + 16, true), type: bytes.getUint8(at + 20), topic: bytes.getUint8(at + 21),
      };
      work.of = category(work);
      if (inYears(work.year)) works.push(work);
    }
    tiles.set(key, works);
    redraw();
  } catch { tiles.delete(key); }
}

const inYears = (year) => (!data.from && !data.to)
  || (year !== 0 && (!data.from || year >= +data.from) && (!data.to || year <= +data.to));

function category(work) {
  if (data.colour === "topic") return work.topic;
  if (data.colour === "type") return work.type < parts.types ? work.type + 1 : OTHER;
  if (data.colour === "year") {
    if (!work.year) return OTHER;
    return Math.max(1, parts.year_steps.filter((first) => first <= work.year).length);
  }
  return parts.largest[work.region] || OTHER;
}

function shown() {
  const keys = wanted();
  for (const key of keys) if (!tiles.has(key)) load(key);
  if (tiles.size > MOST_TILES) for (const key of tiles.keys()) if (!keys.includes(key)) tiles.delete(key);
  return keys.flatMap((key) => tiles.get(key) || []);
}

// Drawing -----------------------------------------------------------------------------------------------------

function redraw() {
  if (dirty) return;
  dirty = true;
  requestAnimationFrame(() => { dirty = false; draw(); });
}

function draw() {
  const pen = canvas.getContext("2d"), works = shown(), edge = state.size;
  pen.fillStyle = colours.sheet;
  pen.fillRect(0, 0, edge, edge);
  const base = Math.min(4.5, 1.3 + 0.45 * state.z + (works.length < 2000 ? 1 : 0) + (works.length < 600 ? 0.8 : 0));
  pen.globalAlpha = works.length > 3000 ? 0.75 : 0.9;
  const groups = Map.groupBy ? Map.groupBy(works, (work) => work.of) : grouped(works);
  for (const [of, those] of groups) {
    pen.fillStyle = pen.strokeStyle = colours[of] || colours[0];
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const work of those) {
      const x = across(work.x), y = down(work.y);
      if (x < -6 || y < -6 || x > edge + 6 || y > edge + 6) continue;
      outline(pen, of, x, y, base + Math.min(2.5, Math.log10(1 + work.cited)));
    }
    if (of > 6) pen.stroke(); else pen.fill();
  }
  pen.globalAlpha = 1;
  ring(pen, JSON.parse(data.hits), 8, colours.ink, 2);
  if (data.here) ring(pen, [data.here.split(" ").map(Number)], 13, colours.alert, 3);
  if (under) ring(pen, [[under.x, under.y]], 8, colours.ink, 2.5);
}

function grouped(works) {
  const groups = new Map();
  for (const work of works) groups.has(work.of) ? groups.get(work.of).push(work) : groups.set(work.of, [work]);
  return groups;
}

const FORMS = [null, null, [0, -1.2, 1.15, 0.9, -1.15, 0.9], [0, -1.35, 1.35, 0, 0, 1.35, -1.35, 0],
  [0, 1.2, 1.15, -0.9, -1.15, -0.9], [0, -1.5, 0.45, -0.45, 1.5, 0, 0.45, 0.45, 0, 1.5, -0.45, 0.45, -1.5, 0, -0.45, -0.45]];

function outline(pen, of, x, y, r) {
  const kind = of === OTHER ? 0 : (of - 1) % 6;
  if (r < 2.2 || kind === 1) { pen.rect(x - r, y - r, 2 * r, 2 * r); return; }
  if (kind === 0) { pen.moveTo(x + r, y); pen.arc(x, y, r, 0, 7); return; }
  const form = FORMS[kind];
  pen.moveTo(x + r * form[0], y + r * form[1]);
  for (let at = 2; at < form.length; at += 2) pen.lineTo(x + r * form[at], y + r * form[at + 1]);
  pen.closePath();
}

function ring(pen, places, r, colour, wide) {
  pen.strokeStyle = colour;
  pen.lineWidth = wide;
  for (const [x, y] of places) {
    pen.beginPath();
    pen.arc(across(x), down(y), r, 0, 7);
    pen.stroke();
  }
}

// Names of regions are buttons over the canvas, so that Tab and a screen reader meet them.
function name() {
  const own = state.z < 1 ? 1 : state.z < 3 ? 2 : 3, edge = state.size, taken = [], chosen = [];
  const turn = (one) => (one.level === own ? 0 : one.level === own - 1 ? 1 : 2);
  const order = [...parts.regions].sort((a, b) => turn(a) - turn(b) || b.works - a.works);
  for (const one of order) {
    if (turn(one) === 2 || chosen.length === LABELS) break;
    const x = across(one.x), y = down(one.y);
    if (x < 0 || y < 0 || x > edge || y > edge) continue;
    const lines = Math.ceil(one.label.length / 18);
    const half = Math.min(one.label.length, 18) * 3.9 + 8, high = lines * 10 + 4;
    const at = { x: Math.min(Math.max(x, half), edge - half), y: Math.min(Math.max(y, high), edge - high), half, high };
    if (taken.some((t) => Math.abs(t.x - at.x) < t.half + half && Math.abs(t.y - at.y) < t.high + high)) continue;
    taken.push(at);
    chosen.push([one, at]);
  }
  const there = new Map([...sheet.querySelectorAll("button")].map((button) => [button.dataset.region, button]));
  for (const [one, at] of chosen) {
    let button = there.get(String(one.number));
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.dataset.region = one.number;
      button.textContent = one.label;
      button.title = `${one.works.toLocaleString("en")} works; closer`;
      button.addEventListener("click", () => go(one.x, one.y, Math.max(one.z, state.z + 1)));
      sheet.append(button);
    }
    there.delete(String(one.number));
    button.style.left = `${at.x}px`;
    button.style.top = `${at.y}px`;
  }
  for (const button of there.values()) if (button !== document.activeElement) button.remove();
}

// Moving ------------------------------------------------------------------------------------------------------

function go(x, y, z) {
  state.z = Math.min(Math.max(z, 0), DEEPEST);
  const half = side() / 2;
  state.x = Math.min(Math.max(x, half), 1 - half);
  state.y = Math.min(Math.max(y, half), 1 - half);
  moved();
}

function zoomAt(px, py, by) {
  const before = side(), x = state.x + (px / state.size - 0.5) * before, y = state.y + (py / state.size - 0.5) * before;
  const z = Math.min(Math.max(state.z + by, 0), DEEPEST), after = 2 ** -z;
  go(x - (px / state.size - 0.5) * after, y - (py / state.size - 0.5) * after, z);
}

function moved() {
  under = null;
  tip.hidden = true;
  name();
  redraw();
  clearTimeout(settling);
  settling = setTimeout(settled, 300);
}

const address = () => {
  const pairs = new URLSearchParams(location.search);
  pairs.set("x", state.x.toFixed(4));
  pairs.set("y", state.y.toFixed(4));
  pairs.set("z", Math.round(state.z));
  return `/map?${pairs}`;
};

function viewed() {
  const view = new URLSearchParams({ x: state.x.toFixed(4), y: state.y.toFixed(4), z: state.z.toFixed(2) });
  if (data.from) view.set("year_from", data.from);
  if (data.to) view.set("year_to", data.to);
  return String(view);
}

let asked = viewed(); // the page itself came with the lists of its window
async function settled() {
  const view = viewed();
  if (asked === view) return;
  asked = view;
  history.replaceState(null, "", address());
  for (const field of document.querySelectorAll(".filters input[type=hidden]"))
    if (field.name in { x: 1, y: 1, z: 1 }) field.value = new URL(location).searchParams.get(field.name);
  for (const one of figure.querySelectorAll(".legend .count")) one.remove();
  try {
    const seen = await read(`/map/view?${view}`, "json");
    if (asked === view) list(seen);
  } catch { asked = " "; }
}

const make = (tag, of = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), of);
  made.append(...inside);
  return made;
};

function list(seen) {
  document.getElementById("works").firstChild.textContent = "Most cited in this part ";
  const within = seen.regions.slice(0, 2).map(([, label]) => label).join(" and ");
  document.getElementById("in-view").textContent = `${seen.total.toLocaleString("en")} ${seen.total === 1 ? "work" : "works"}`
    + (within ? `, most of them in ${within}` : "");
  document.getElementById("lines").replaceChildren(...seen.works.map((work) => {
    titles.set(work.id, work);
    const link = make("a", { href: `/works/W${work.id}`, textContent: work.title });
    const point = () => { under = all().find((one) => one.id === work.id) || null; redraw(); };
    link.addEventListener("focus", point);
    link.addEventListener("mouseenter", point);
    const note = `${work.year ? `${work.year}, ` : ""}${work.type.toLowerCase()}, cited by ${work.cited.toLocaleString("en")} here`;
    return make("li", {}, link, " ", make("span", { className: "note", textContent: note }));
  }));
  const row = ([number, label, works, x, y, z], parts = []) => {
    const to = make("a", { className: "go", href: `/map?x=${x}&y=${y}&z=${z}` }, "show",
      make("span", { className: "hidden", textContent: ` ${label} on the map` }));
    to.addEventListener("click", (event) => { event.preventDefault(); go(x, y, z); });
    return make("li", {}, make("a", { href: `/map/regions/${data.map}/${number}`, textContent: label }), " ",
      make("span", { className: "count num", textContent: works.toLocaleString("en") }), " ", to,
      ...(parts.length ? [make("ul", {}, ...parts.map((part) => row(part)))] : []));
  };
  document.getElementById("region-list").replaceChildren(
    ...seen.regions.map((one) => row(one.slice(0, 6), one[6])));
}

const all = () => wanted().flatMap((key) => tiles.get(key) || []);

function nearest(px, py) {
  let best = null, least = NEAR ** 2;
  for (const work of all()) {
    const gap = (across(work.x) - px) ** 2 + (down(work.y) - py) ** 2;
    if (gap < least) { least = gap; best = work; }
  }
  return best;
}

let asking = 0;
function hover(work, px, py) {
  if (work !== under) { under = work; redraw(); }
  canvas.style.cursor = work ? "pointer" : "";
  tip.hidden = !work;
  if (!work) return;
  const told = titles.get(work.id);
  tip.textContent = told ? `${told.title}${told.year ? ` (${told.year})` : ""}, ${told.type.toLowerCase()}` : "…";
  tip.style.left = `${Math.max(0, Math.min(px + 14, state.size - 290))}px`;
  tip.style.top = py > state.size - 110 ? "" : `${py + 14}px`;
  tip.style.bottom = py > state.size - 110 ? `${state.size - py + 14}px` : "";
  if (told) return;
  clearTimeout(asking);
  asking = setTimeout(async () => {
    const close = all().filter((one) => !titles.has(one.id)
      && Math.abs(across(one.x) - px) + Math.abs(down(one.y) - py) < 60).slice(0, 49);
    const found = await read(`/map/titles?w=${[work, ...close].map((one) => one.id).join(",")}`, "json").catch(() => ({}));
    for (const one of Object.values(found)) titles.set(one.id, one);
    if (under === work && titles.has(work.id)) hover(work, px, py);
    else if (under === work) tip.textContent = "This work is not in the record any more.";
  }, 60);
}

function listen() {
  const fingers = new Map();
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    dragged = false;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = place(event), last = fingers.get(event.pointerId);
    if (!last) { if (event.pointerType === "mouse") hover(nearest(px, py), px, py); return; }
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const before = Math.hypot(last[0] - other[0], last[1] - other[1]), now = Math.hypot(px - other[0], py - other[1]);
      if (before > 4 && now > 4) zoomAt((px + other[0]) / 2, (py + other[1]) / 2, Math.log2(now / before));
      dragged = true;
    } else if (dragged || Math.hypot(px - last[0], py - last[1]) > 3) {
      dragged = true;
      go(state.x - (px - last[0]) / state.size * side(), state.y - (py - last[1]) / state.size * side(), state.z);
    } else return;
    fingers.set(event.pointerId, [px, py]);
  });
  const lift = (event) => {
    const was = fingers.delete(event.pointerId);
    if (!was || dragged || event.type === "pointercancel") return;
    const [px, py] = place(event), work = nearest(px, py);
    if (!work) return;
    if (event.pointerType === "mouse" || under === work) location.href = `/works/W${work.id}`;
    else hover(work, px, py);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => { if (!fingers.size) hover(null); });
  canvas.addEventListener("dblclick", (event) => zoomAt(...place(event), 1));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoomAt(...place(event), Math.max(-0.5, Math.min(0.5, -event.deltaY / 300)));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !act(KEYS[event.key])) return;
    event.preventDefault();
  });
  for (const one of figure.querySelectorAll("[data-move]")) {
    const button = document.createElement("a");
    button.href = "#map";
    button.setAttribute("role", "button");
    button.dataset.move = one.dataset.move;
    button.textContent = one.textContent;
    button.addEventListener("click", (event) => { event.preventDefault(); act(button.dataset.move); });
    button.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); act(button.dataset.move); } });
    one.replaceWith(button);
  }
}

const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", "+": "in", "=": "in", "-": "out", _: "out", 0: "all" };

function act(move) {
  const step = side() / 4, middle = state.size / 2;
  const moves = {
    left: () => glide(-step, 0, 0), right: () => glide(step, 0, 0), up: () => glide(0, -step, 0), down: () => glide(0, step, 0),
    in: () => zoomAt(middle, middle, 1), out: () => zoomAt(middle, middle, -1), all: () => go(0.5, 0.5, 0),
  };
  if (!(move in moves)) return false;
  moves[move]();
  return true;
}

function glide(x, y) {
  if (reduced.matches) { go(state.x + x, state.y + y, state.z); return; }
  let left = 6;
  const step = () => { go(state.x + x / 6, state.y + y / 6, state.z); if (--left) requestAnimationFrame(step); };
  step();
}

try {
  const said = await read(data.parts, "json");
  known = new Set(said.tiles.map((one) => one.join("/")));
  parts = { ...said, largest: [0] };
  parts.regions = said.regions.map(([number, level, parent, label, x, y, works, z]) => ({ number, level, parent, label, x, y, works, z }));
  for (const one of parts.regions) parts.largest[one.number] = one.parent ? parts.largest[one.parent] : one.number;
  begin();
} catch (error) {
  console.warn("The picture without zooming stays:", error);
}
