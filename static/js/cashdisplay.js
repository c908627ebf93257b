// The customer's display: asks twice a second what to show. Without it the page looks again by itself.
"use strict";

(() => {
  const LOOK_MS = 500;
  const page = document.body;
  const part = (name) => page.querySelector(`[data-part="${name}"]`);

  const show = (face) => {
    page.dataset.state = face.state;
    for (const words of page.querySelectorAll("[data-say]")) {
      words.hidden = words.dataset.say !== face.state;
    }
    for (const name of ["amount", "capitals", "card"]) {
      if (part(name).textContent !== face[name]) {
        part(name).textContent = face[name];
      }
    }
    part("amount").hidden = part("capitals").hidden = face.state === "idle";
    part("card-line").hidden = face.state !== "done" || !face.card;
  };

  const look = async () => {
    try {
      const answer = await fetch(page.dataset.look, { headers: { Accept: "application/json" } });
      if (answer.status === 404) {
        window.location.reload(); // the shift is over
        return;
      }
      if (answer.ok) {
        show(await answer.json());
      }
    } catch {
      // The line is down for a moment.
    }
    window.setTimeout(look, LOOK_MS);
  };
  look();
})();
