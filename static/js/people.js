// Function keys of the counter: F2 to the search field, F4 reads the card, others press what carries data-fkey.
// Without this script every one of them is a link or a button on the page.
"use strict";

(() => {
  const search = () => {
    const field = document.getElementById("id_q");
    if (field) {
      field.focus();
      field.select();
      return true;
    }
    const link = document.querySelector("[data-fkey='F2']");
    link?.click();
    return Boolean(link);
  };

  const press = (key) => {
    const target = document.querySelector(`[data-fkey='${key}']`);
    target?.click();
    return Boolean(target);
  };

  const readCard = () => {
    const form = document.querySelector(".reader form[data-read], .reader form[action$='/jobs/read/']");
    form?.requestSubmit();
    return Boolean(form);
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat) {
      return;
    }
    const done = event.key === "F2" ? search() : event.key === "F4" ? readCard() : press(event.key);
    if (/^F\d{1,2}$/.test(event.key) && done) {
      event.preventDefault();
    }
  });

  const field = document.querySelector("[data-autofocus], .seek #id_q");
  if (field && !window.location.hash) {
    field.focus();
  }
})();
