// Keeps a long task going: asks for slice after slice and moves the bar; calls the next card of a series; ticks a whole
// list. Without this script the buttons on the page do the same, one press at a time.
"use strict";

(() => {
  const CALL_MS = 900;

  const task = document.querySelector("form[data-slices]");
  if (task) {
    const bar = document.querySelector(".progress progress");
    const words = document.querySelector("[data-share]");
    const token = task.querySelector("[name=csrfmiddlewaretoken]").value;
    task.hidden = true;

    const slice = async () => {
      const answer = await fetch(task.action, {
        method: "POST",
        headers: { Accept: "application/json", "X-CSRFToken": token },
      });
      if (answer.redirected || !answer.ok) {
        throw new Error(String(answer.status));
      }
      return answer.json();
    };

    const run = async () => {
      for (;;) {
        const { over, share } = await slice();
        bar.value = share;
        words.textContent = `${share} %`;
        if (over) {
          window.location.reload();
          return;
        }
      }
    };

    // When the line is down or the session over, the button comes back: nothing is lost, a press goes on.
    run().catch(() => {
      task.hidden = false;
    });
  }

  const series = document.querySelector("form[data-series]");
  if (series && series.hasAttribute("data-goes-on")) {
    window.setTimeout(() => series.requestSubmit(), CALL_MS);
  }

  for (const button of document.querySelectorAll("[data-all]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const boxes = [...button.form.querySelectorAll("input[type=checkbox]")];
      const on = boxes.some((box) => !box.checked);
      for (const box of boxes) {
        box.checked = on;
      }
    });
  }
})();
