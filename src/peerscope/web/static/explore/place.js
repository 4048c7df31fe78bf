// Places for nodes that come after the first slice: near the node that brought them, where there is room.

const GOLDEN = Math.PI * (3 - Math.sqrt(5));
const MOST_TRIES = 4000;

/** A grid of what is where, so that a place costs the same however many nodes there are. */
export class Room {
  /** @param {number} distance Least distance between two nodes. @param {Iterable<{x: number, y: number}>} nodes */
  constructor(distance, nodes) {
    this.distance = distance;
    this.cells = /** @type {Map<string, {x: number, y: number}[]>} */ (new Map());
    for (const node of nodes) this.take(node);
  }

  /** @param {{x: number, y: number}} node */
  take(node) {
    const cell = this.cell(node.x, node.y);
    const found = this.cells.get(cell);
    if (found) found.push({ x: node.x, y: node.y });
    else this.cells.set(cell, [{ x: node.x, y: node.y }]);
  }

  /** @param {number} x @param {number} y @param {number} [dx] @param {number} [dy] */
  cell(x, y, dx = 0, dy = 0) {
    return `${Math.floor(x / this.distance) + dx}:${Math.floor(y / this.distance) + dy}`;
  }

  /** Whether nothing is nearer than the least distance. @param {number} x @param {number} y */
  free(x, y) {
    for (let dx = -1; dx <= 1; dx += 1) {
      for (let dy = -1; dy <= 1; dy += 1) {
        for (const one of this.cells.get(this.cell(x, y, dx, dy)) || []) {
          if (Math.hypot(one.x - x, one.y - y) < this.distance) return false;
        }
      }
    }
    return true;
  }
}

/** Least distance of nodes that are added to a slice. @param {number} nodes How many nodes the slice has. */
export function spacing(nodes) {
  return Math.min(0.055, Math.max(0.006, 0.42 / Math.sqrt(Math.max(nodes, 1))));
}

/**
 * Give each new node the first free place on a spiral around `middle`; the same input, the same places.
 * @param {Room} room What is taken; the new nodes take theirs.
 * @param {{x: number, y: number}} middle Where the node is that brings them.
 * @param {{x: number, y: number}[]} fresh Nodes whose place is to be set.
 */
export function placeAround(room, middle, fresh) {
  let step = 1;
  for (const node of fresh) {
    for (let tries = 0; tries < MOST_TRIES; tries += 1, step += 1) {
      const radius = room.distance * (0.75 + 0.72 * Math.sqrt(step));
      const x = middle.x + radius * Math.cos(step * GOLDEN);
      const y = middle.y + radius * Math.sin(step * GOLDEN);
      if (room.free(x, y) || tries === MOST_TRIES - 1) {
        node.x = x;
        node.y = y;
        break;
      }
    }
    room.take(node);
  }
}

/**
 * Places on the line between two nodes, for the inner nodes of a path.
 * @param {Room} room @param {{x: number, y: number}} from @param {{x: number, y: number}} to
 * @param {{x: number, y: number}[]} fresh
 */
export function placeBetween(room, from, to, fresh) {
  fresh.forEach((node, index) => {
    const part = (index + 1) / (fresh.length + 1);
    placeAround(room, { x: from.x + part * (to.x - from.x), y: from.y + part * (to.y - from.y) }, [node]);
  });
}
