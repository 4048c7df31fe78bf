// Shapes of nodes and dashes of edges for sigma, whose own programs draw discs and plain lines only. Types and
// kinds are told by form as well as by colour; the forms are those of the slices that the server draws.

export const SHAPES = /** @type {Object<string, number>} */ ({ person: 0, work: 1, topic: 2, institution: 3, venue: 4 });
export const DASHES = /** @type {Object<string, [number, number]>} */ ({
  near: [6, 0.5], topic: [4, 0.4], same_topic: [4, 0.4], published: [4, 0.4], cocited: [10, 0.7], affiliated: [8, 0.75],
});

const WHOLE = [0, 1];
const CORNERS = [0, (2 * Math.PI) / 3, (4 * Math.PI) / 3];
const SIDES = [[0, 1], [0, -1], [1, 1], [1, 1], [0, -1], [1, -1]]; // which end, which side: two triangles

// `Thin` draws edges as lines of one pixel, without dashes: a third of the cost, for pictures of many edges.
// No program here draws instances, as sigma's own do: where there is no GPU, each instance costs as much as a
// whole draw (measured in docs/benchmarks/explorer.md).

const NODE_VERTEX = `
attribute vec4 a_id;
attribute vec4 a_color;
attribute vec4 a_ring;
attribute vec2 a_position;
attribute float a_size;
attribute float a_shape;
attribute float a_corner;
uniform mat3 u_matrix;
uniform float u_sizeRatio;
uniform float u_correctionRatio;
varying vec4 v_color;
varying vec4 v_ring;
varying vec2 v_off;
varying float v_radius;
varying float v_shape;
const float bias = 255.0 / 254.0;
void main() {
  v_radius = a_size * u_correctionRatio / u_sizeRatio * 2.0;
  // A triangle around a circle that holds every shape with its ring.
  float reach = v_radius * 1.35 + u_correctionRatio * 6.0;
  v_off = 2.0 * reach * vec2(cos(a_corner), sin(a_corner));
  gl_Position = vec4((u_matrix * vec3(a_position + v_off, 1)).xy, 0, 1);
  v_shape = a_shape;
  #ifdef PICKING_MODE
  v_color = a_id;
  v_ring = a_id;
  #else
  v_color = a_color;
  v_ring = a_ring;
  v_ring.a *= bias;
  #endif
  v_color.a *= bias;
}`;

const NODE_FRAGMENT = `
precision highp float;
varying vec4 v_color;
varying vec4 v_ring;
varying vec2 v_off;
varying float v_radius;
varying float v_shape;
uniform float u_correctionRatio;
const vec4 nothing = vec4(0.0);
float outside(vec2 p, float r) {
  if (v_shape < 0.5) return length(p) - r;
  vec2 q = abs(p);
  if (v_shape < 1.5) return max(q.x, q.y) - r * 0.92;
  if (v_shape < 2.5) return (q.x + q.y - 1.3 * r) * 0.7071;
  if (v_shape < 3.5) return max(q.y - r * 0.95, q.x * 0.894 + q.y * 0.447 - 0.97 * r);
  return max(-p.y - 0.8 * r, q.x * 0.878 + p.y * 0.479 - 0.56 * r);
}
void main(void) {
  float pixel = u_correctionRatio * 2.0;
  float away = outside(v_off, v_radius);
  #ifdef PICKING_MODE
  gl_FragColor = away > pixel * 2.0 ? nothing : v_color;
  #else
  float ring = v_ring.a > 0.0 ? 2.0 : 0.0;
  vec4 inner = mix(v_color, v_ring, clamp(away / pixel + 0.5, 0.0, 1.0) * step(0.5, ring));
  gl_FragColor = mix(inner, nothing, clamp(away / pixel - ring + 0.5, 0.0, 1.0));
  #endif
}`;

const EDGE_VERTEX = `
attribute vec4 a_id;
attribute vec4 a_color;
attribute vec2 a_position;
attribute vec2 a_normal;
attribute vec3 a_dash;
uniform mat3 u_matrix;
uniform float u_sizeRatio;
uniform float u_correctionRatio;
uniform float u_minEdgeThickness;
varying vec4 v_color;
varying float v_across;
varying float v_along;
varying float v_half;
varying vec2 v_dash;
const float bias = 255.0 / 254.0;
void main() {
  float pixel = u_correctionRatio * 2.0;
  float wide = length(a_normal);
  v_half = max(wide / u_sizeRatio, u_minEdgeThickness) * 0.5;
  // Half a pixel more on each side, for the soft edge.
  v_across = v_half + 0.5;
  vec2 unit = wide > 0.0 ? a_normal / wide : vec2(0.0);
  gl_Position = vec4((u_matrix * vec3(a_position + unit * v_across * pixel, 1)).xy, 0, 1);
  v_across *= sign(a_dash.y);
  v_along = a_dash.z / pixel;
  v_dash = vec2(a_dash.x, abs(a_dash.y));
  #ifdef PICKING_MODE
  v_color = a_id;
  #else
  v_color = a_color;
  #endif
  v_color.a *= bias;
}`;

const EDGE_FRAGMENT = `
precision highp float;
varying vec4 v_color;
varying float v_across;
varying float v_along;
varying float v_half;
varying vec2 v_dash;
void main(void) {
  #ifdef PICKING_MODE
  gl_FragColor = v_color;
  #else
  if (v_dash.x > 0.5 && fract(v_along / v_dash.x) > v_dash.y) discard;
  gl_FragColor = mix(v_color, vec4(0.0), clamp(abs(v_across) - v_half + 0.5, 0.0, 1.0));
  #endif
}`;

const THIN_VERTEX = `
attribute vec4 a_id;
attribute vec4 a_color;
attribute vec2 a_position;
uniform mat3 u_matrix;
varying vec4 v_color;
void main() {
  gl_Position = vec4((u_matrix * vec3(a_position, 1)).xy, 0, 1);
  #ifdef PICKING_MODE
  v_color = a_id;
  #else
  v_color = a_color;
  #endif
  v_color.a *= 255.0 / 254.0;
}`;

const THIN_FRAGMENT = `
precision mediump float;
varying vec4 v_color;
void main(void) {
  gl_FragColor = v_color;
}`;

/**
 * Classes of programs, made once the library is there.
 * @param {any} rendering What sigma exports for drawing. @param {(colour: string) => number} packed
 */
export function programs(rendering, packed) {
  const { FLOAT, UNSIGNED_BYTE, TRIANGLES, LINES } = WebGL2RenderingContext;
  const floats = (/** @type {string} */ name, size = 1) => ({ name, size, type: FLOAT });
  const bytes = (/** @type {string} */ name) => ({ name, size: 4, type: UNSIGNED_BYTE, normalized: true });

  class Shape extends rendering.NodeProgram {
    getDefinition() {
      return {
        VERTICES: 3, METHOD: TRIANGLES, VERTEX_SHADER_SOURCE: NODE_VERTEX, FRAGMENT_SHADER_SOURCE: NODE_FRAGMENT,
        UNIFORMS: ["u_sizeRatio", "u_correctionRatio", "u_matrix"],
        ATTRIBUTES: [
          floats("a_position", 2), floats("a_size"), floats("a_shape"), floats("a_corner"),
          bytes("a_color"), bytes("a_ring"), bytes("a_id"),
        ],
      };
    }

    /** @param {number} index @param {number} start @param {any} data */
    processVisibleItem(index, start, data) {
      const array = /** @type {any} */ (this).array;
      const [colour, ring] = [packed(data.color), packed(data.ring)];
      let at = start;
      for (const corner of CORNERS) {
        array[at++] = data.x;
        array[at++] = data.y;
        array[at++] = data.size;
        array[at++] = data.shape;
        array[at++] = corner;
        array[at++] = colour;
        array[at++] = ring;
        array[at++] = index;
      }
    }

    /** @param {any} params @param {any} info */
    setUniforms(params, { gl, uniformLocations }) {
      gl.uniform1f(uniformLocations.u_correctionRatio, params.correctionRatio);
      gl.uniform1f(uniformLocations.u_sizeRatio, params.sizeRatio);
      gl.uniformMatrix3fv(uniformLocations.u_matrix, false, params.matrix);
    }
  }

  class Line extends rendering.EdgeProgram {
    getDefinition() {
      return {
        VERTICES: 6, METHOD: TRIANGLES, VERTEX_SHADER_SOURCE: EDGE_VERTEX, FRAGMENT_SHADER_SOURCE: EDGE_FRAGMENT,
        UNIFORMS: ["u_matrix", "u_sizeRatio", "u_correctionRatio", "u_minEdgeThickness"],
        ATTRIBUTES: [floats("a_position", 2), floats("a_normal", 2), floats("a_dash", 3), bytes("a_color"), bytes("a_id")],
      };
    }

    /** @param {number} index @param {number} start @param {any} from @param {any} to @param {any} data */
    processVisibleItem(index, start, from, to, data) {
      const array = /** @type {any} */ (this).array;
      const [dx, dy] = [to.x - from.x, to.y - from.y];
      const long = Math.hypot(dx, dy);
      const scale = data.size / (long || 1);
      const [length, part] = DASHES[data.kind] || WHOLE;
      const colour = packed(data.color);
      let at = start;
      for (const [end, side] of SIDES) {
        array[at++] = end ? to.x : from.x;
        array[at++] = end ? to.y : from.y;
        array[at++] = -dy * scale * side;
        array[at++] = dx * scale * side;
        array[at++] = length;
        array[at++] = part * side; // its sign is the side, which the fragments need
        array[at++] = end * long;
        array[at++] = colour;
        array[at++] = index;
      }
    }

    /** @param {any} params @param {any} info */
    setUniforms(params, { gl, uniformLocations }) {
      gl.uniformMatrix3fv(uniformLocations.u_matrix, false, params.matrix);
      gl.uniform1f(uniformLocations.u_sizeRatio, params.sizeRatio);
      gl.uniform1f(uniformLocations.u_correctionRatio, params.correctionRatio);
      gl.uniform1f(uniformLocations.u_minEdgeThickness, params.minEdgeThickness);
    }
  }

  class Thin extends rendering.EdgeProgram {
    getDefinition() {
      return {
        VERTICES: 2, METHOD: LINES, VERTEX_SHADER_SOURCE: THIN_VERTEX, FRAGMENT_SHADER_SOURCE: THIN_FRAGMENT,
        UNIFORMS: ["u_matrix"], ATTRIBUTES: [floats("a_position", 2), bytes("a_color"), bytes("a_id")],
      };
    }

    /** @param {number} index @param {number} start @param {any} from @param {any} to @param {any} data */
    processVisibleItem(index, start, from, to, data) {
      const colour = packed(data.color);
      /** @type {any} */ (this).array.set([from.x, from.y, colour, index, to.x, to.y, colour, index], start);
    }

    /** @param {any} params @param {any} info */
    setUniforms(params, { gl, uniformLocations }) {
      gl.uniformMatrix3fv(uniformLocations.u_matrix, false, params.matrix);
    }
  }

  return { Shape, Line, Thin };
}
