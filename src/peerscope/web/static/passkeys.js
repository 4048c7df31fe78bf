// Passkeys: asks the browser for one and sends its answer in the form, which is there with this script only.
"use strict";
(() => {
  const able = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;
  if (!able) return;

  async function ask(form) {
    const answer = await fetch(form.dataset.passkey, {
      method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin",
    });
    if (answer.redirected) { location.assign(answer.url); return null; }
    if (!answer.ok) throw new Error("refused");
    const asked = await answer.json();
    const made = "user" in asked
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) });
    return JSON.stringify(made.toJSON());
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const said = form.querySelector("[role=status]");
      said.textContent = "";
      try {
        const credential = await ask(form);
        if (credential === null) return;
        form.elements.credential.value = credential;
        form.submit();
      } catch (error) {
        said.textContent = error.name === "InvalidStateError"
          ? "This device has a passkey for your account already."
          : "It did not work, or you ended it. Nothing was changed.";
      }
    });
  }
})();
