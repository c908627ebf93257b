// The pad: keys on the screen type into the field in use; 确认 goes to the second field, then sends. On the clerk's page
// the same file looks how far the holder is. Without this script both are plain forms and links.
"use strict";

(() => {
  const LOOK_MS = 1000;

  const pad = document.querySelector("[data-pad]");
  if (pad) {
    const first = pad.querySelector("#pin");
    const second = pad.querySelector("#again");
    const secondRow = pad.querySelector("[data-second]");
    let field = first;

    const use = (next) => {
      field = next;
      for (const each of [first, second]) {
        each.closest(".pad-field").classList.toggle("pad-active", each === field);
      }
      secondRow.hidden = field === first;
      first.closest(".pad-field").hidden = field === second;
      field.focus();
    };

    pad.querySelector("[data-keys]").hidden = false;
    pad.addEventListener("click", (event) => {
      const key = event.target.closest("button[type='button']");
      if (!key) {
        return;
      }
      if (key.dataset.digit && field.value.length < 6) {
        field.value += key.dataset.digit;
      } else if ("back" in key.dataset) {
        field.value = field.value.slice(0, -1);
      } else if ("clear" in key.dataset) {
        field.value = "";
      }
      field.focus();
    });
    pad.addEventListener("submit", (event) => {
      if (field === first) {
        event.preventDefault();
        use(second);
      }
    });
    use(first);
  }

  const look = async (address, act) => {
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected && act(await answer.json())) {
        return;
      }
    } catch {
      // The line is down for a moment: look again.
    }
    window.setTimeout(look, LOOK_MS, address, act);
  };

  const progress = document.querySelector("[data-progress]");
  if (progress) {
    const says = progress.querySelector("[data-says]");
    let refusals = null;
    look(progress.dataset.progress, (told) => {
      says.textContent = told.says;
      says.className = told.tone ? `chip chip-${told.tone}` : "chip";
      if (told.over || (refusals !== null && refusals !== told.refusals)) {
        window.location.reload();
        return true;
      }
      refusals = told.refusals;
      return false;
    });
  }

  const waiting = document.querySelector("[data-waiting]");
  if (waiting) {
    look(waiting.dataset.waiting, (told) => {
      if (told.there) {
        window.location.assign(told.there);
        return true;
      }
      return false;
    });
  }

  const back = document.querySelector("[data-return]");
  if (back) {
    window.setTimeout(() => back.click(), 15_000);
  }
})();
