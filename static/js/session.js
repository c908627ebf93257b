// Warns a minute before the session ends, extends it on request, and takes personal data off the screen at the end.
// Without this script the session ends just the same: the server decides.
"use strict";

(() => {
  const dialog = document.getElementById("session");
  if (!dialog || !dialog.showModal) {
    return;
  }
  const WARN_SECONDS = 60;
  const countdown = dialog.querySelector("[data-countdown]");
  const extendable = dialog.dataset.extendable === "1";
  let endsAt = Date.now() + Number(dialog.dataset.seconds) * 1000;
  let warned = false;

  const secondsLeft = () => Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));

  const leave = () => window.location.replace(dialog.dataset.after);

  const tick = () => {
    const left = secondsLeft();
    if (left === 0) {
      leave();
    } else if (left <= WARN_SECONDS) {
      countdown.textContent = String(left);
      if (!warned) {
        warned = true;
        dialog.showModal();
      }
    }
  };

  const extend = async () => {
    const token = dialog.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch(dialog.dataset.extend, { method: "POST", headers: { "X-CSRFToken": token } });
    if (!answer.ok) {
      leave();
      return;
    }
    const { seconds } = await answer.json();
    endsAt = Date.now() + seconds * 1000;
    warned = seconds <= WARN_SECONDS;
  };

  dialog.addEventListener("close", () => {
    if (extendable) {
      extend().catch(() => {});
    }
  });
  // A page brought back from the history must not show what belongs to an ended session.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      window.location.reload();
    }
  });
  window.setInterval(tick, 1000);
})();
