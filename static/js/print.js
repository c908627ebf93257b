// The print buttons. Without this script the browser's own menu prints the same page.
"use strict";

// Folded answers are on paper, too; afterwards they are as they were.
const folded = [];
window.addEventListener("beforeprint", () => {
  for (const answer of document.querySelectorAll("details.answer:not([open])")) {
    answer.open = true;
    folded.push(answer);
  }
});
window.addEventListener("afterprint", () => {
  for (const answer of folded.splice(0)) {
    answer.open = false;
  }
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
