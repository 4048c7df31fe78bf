// Which types, kinds and years are shown, and how much: the form beside the canvas.

/** @typedef {import("./model.js").Picture} Picture @typedef {import("./state.js").State} State */

/**
 * Tell of each change of the form.
 * @param {HTMLFormElement} form
 * @param {(change: Partial<State>, said: string) => void} told
 */
export function listen(form, told) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (field.name === "type" || field.name === "kind") {
      const off = [...form.querySelectorAll(`input[name=${field.name}]:not(:checked)`)].map(
        (one) => /** @type {HTMLInputElement} */ (one).value);
      const words = /** @type {HTMLElement} */ (field.closest("label")).dataset.words;
      told(field.name === "type" ? { offTypes: off } : { offKinds: off }, `${words} ${field.checked ? "shown" : "hidden"}`);
    } else if (field.name === "year_from" || field.name === "year_to") {
      const [from, to] = ["year_from", "year_to"].map((name) => {
        const value = /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value.trim();
        return /^\d{1,4}$/.test(value) ? Number(value) : null;
      });
      told({ years: [from, to] }, from === null && to === null ? "Works of all years" : `Works from ${from ?? "the first year"} to ${to ?? "the last"}`);
    } else if (field.name === "size" || field.name === "most") {
      told({ [field.name]: Number(field.value) }, field.name === "size" ? `First slice of ${field.value} nodes` : `At most ${field.value} nodes`);
    }
  });
}

/**
 * Put the form in the state it should show, with how much of each is there.
 * @param {HTMLFormElement} form @param {State} state @param {Picture} picture
 */
export function show(form, state, picture) {
  const types = counted([...picture.nodes.values()].map((node) => node.type));
  const kinds = counted([...picture.edges.values()].map((edge) => edge.kind));
  for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input[type=checkbox]"))) {
    const [off, counts] = field.name === "type" ? [state.offTypes, types] : [state.offKinds, kinds];
    field.checked = !off.includes(field.value);
    const label = /** @type {HTMLElement} */ (field.closest("label"));
    label.hidden = !counts.get(field.value) && field.checked;
    /** @type {HTMLElement} */ (label.querySelector(".count")).textContent = (counts.get(field.value) || 0).toLocaleString("en");
  }
  const put = (/** @type {string} */ name, /** @type {number|null} */ value) => {
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
    if (document.activeElement !== field) field.value = value === null ? "" : String(value);
  };
  put("year_from", state.years[0]);
  put("year_to", state.years[1]);
  put("size", state.size);
  put("most", state.most);
}

/** @param {string[]} all */
function counted(all) {
  const counts = /** @type {Map<string, number>} */ (new Map());
  for (const one of all) counts.set(one, (counts.get(one) || 0) + 1);
  return counts;
}
