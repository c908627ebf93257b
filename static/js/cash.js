// The till without a mouse: amounts at one touch, sums while counting, and whether the customer's display shows the
// amount. Without this script everything works by its buttons; the server adds up and decides.
"use strict";

(() => {
  const yuan = (fen) => `${fen < 0 ? "-" : ""}¥${(Math.abs(fen) / 100).toFixed(2)}`;

  const amount = document.getElementById("id_amount");
  for (const quick of document.querySelectorAll("[data-amount]")) {
    quick.hidden = false;
    quick.addEventListener("click", () => {
      amount.value = quick.dataset.amount;
      amount.focus();
    });
  }

  // ------------------------------------------------------------------ counting
  const count = document.querySelector("[data-count]");
  const add = () => {
    let total = 0;
    for (const field of count.querySelectorAll("[data-piece]")) {
      const typed = field.value.trim();
      const pieces = /^\d{1,4}$/.test(typed) ? Number(typed) : 0;
      const fen = pieces * Number(field.dataset.piece);
      const sum = count.querySelector(`[data-sum="${field.dataset.piece}"]`);
      sum.hidden = pieces === 0;
      sum.textContent = yuan(fen);
      total += fen;
    }
    count.querySelector("[data-total]").hidden = false;
    count.querySelector("[data-total-yuan]").textContent = yuan(total);
    const difference = document.querySelector("[data-difference]");
    if (difference && count.dataset.expected) {
      const fen = total - Number(count.dataset.expected);
      const shown = difference.querySelector("[data-difference-yuan]");
      difference.hidden = false;
      shown.textContent = `${fen > 0 ? "+" : ""}${yuan(fen)}`;
      shown.classList.toggle("negative", fen !== 0);
    }
  };
  if (count) {
    count.addEventListener("input", add);
    add();
  }

  const LOOK_MS = 400;

  // ------------------------------------- has the book taken it? reader.js says the rest
  const progress = document.querySelector("[data-progress][data-booked='0']");
  const lookAtBook = async () => {
    try {
      const answer = await fetch(progress.dataset.progress, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected && (await answer.json()).booked) {
        window.location.reload();
        return;
      }
    } catch {
      // The line is down for a moment; the desk goes on all the same.
    }
    window.setTimeout(lookAtBook, LOOK_MS);
  };
  if (progress) {
    lookAtBook();
  }

  // -------------------------------------------------------- the customer's display
  const display = document.querySelector("[data-display]");
  const shown = display?.querySelector("[data-shown]");
  if (!display || !shown.hidden) {
    return;
  }
  const look = async () => {
    try {
      const answer = await fetch(display.dataset.display, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected) {
        const slip = await answer.json();
        shown.hidden = !slip.shown;
        display.querySelector("[data-waiting]").hidden = slip.shown || !slip.there;
        display.querySelector("[data-absent]").hidden = slip.shown || slip.there;
        const here = document.querySelector("[data-read-here]");
        if (here) {
          here.hidden = slip.shown || slip.there;
        }
        if (slip.shown || slip.over) {
          return;
        }
      }
    } catch {
      // The line is down for a moment; the server decides when the cash is confirmed.
    }
    window.setTimeout(look, LOOK_MS);
  };
  look();
})();
