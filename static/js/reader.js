// Keeps the reader panel true while a card job runs: looks every second, puts up the words that the server says, and
// loads the page anew when the job has ended. Without this script the link in the panel does the same.
"use strict";

(() => {
  const LOOK_MS = 700;
  const box = document.querySelector(".reader-job[data-live='1']");
  if (!box) {
    return;
  }
  const says = box.querySelector("[data-says]");
  const then = box.querySelector("[data-then]");
  let told = null;

  const show = (job) => {
    if (says.textContent !== job.says) {
      says.textContent = job.says;
    }
    if (then.textContent !== job.then) {
      then.textContent = job.then;
    }
    says.className = job.tone ? `chip chip-${job.tone}` : "chip";
    // What may be done about the job changes once something is written: let the server draw it.
    if (job.over || (told !== null && told !== job.told)) {
      window.location.reload();
      return false;
    }
    told = job.told;
    return true;
  };

  const look = async () => {
    let goOn = true;
    try {
      const answer = await fetch(box.dataset.job, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected) {
        goOn = show(await answer.json());
      }
    } catch {
      // The line is down for a moment; the job goes on at the desk all the same.
    }
    if (goOn) {
      window.setTimeout(look, LOOK_MS);
    }
  };

  window.setTimeout(look, LOOK_MS);
})();
