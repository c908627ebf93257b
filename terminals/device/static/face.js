// What the faces of till and desk share: talking to the program, simulated cards, the language. Each has its own TEXT.
"use strict";

const $ = (id) => document.getElementById(id);
const TOKEN = document.querySelector("meta[name=till-token]").content;
let language = localStorage.getItem("till-language") || "zh";

async function say(command) {
  $("problem").textContent = "";
  try {
    const answer = await fetch("do", {
      method: "POST", headers: { "Content-Type": "application/json", "Till-Token": TOKEN }, body: JSON.stringify(command),
    });
    if (!answer.ok) $("problem").textContent = (await answer.json()).error || answer.statusText;
  } catch {
    $("problem").textContent = TEXT[language].lost;
  }
}

function listen(hear) {
  const source = new EventSource("events");
  source.onmessage = (message) => hear(JSON.parse(message.data));
  source.onopen = () => { $("problem").textContent = ""; };
  source.onerror = () => { $("problem").textContent = TEXT[language].lost; };
}

// ---------------------------------------------------------------------------------------------------- what is shown

function showLamp(face) {
  $("line1").textContent = face.line1[language];
  $("line2").textContent = face.line2[language];
  $("lamp").dataset.lamp = face.lamp;
  $("lamp").setAttribute("aria-label", TEXT[language][face.lamp]);
}

function showWallet(cards, lying, kindOf, pick) {
  const wanted = $("find").value.trim();
  $("cards").replaceChildren(...cards.filter((name) => name.includes(wanted)).slice(0, 60).map((name) => {
    const item = document.createElement("li");
    const card = document.createElement("button");
    card.type = "button";
    card.className = name === lying ? "plastic lies" : "plastic";
    card.draggable = true;
    card.dataset.card = name;
    const kind = document.createElement("small");
    kind.textContent = kindOf(name);
    const number = document.createElement("strong");
    number.textContent = name;
    card.append(kind, number);
    card.addEventListener("click", () => pick(name));
    card.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", name));
    item.append(card);
    return item;
  }));
  $("reader").classList.toggle("lies", lying !== null);
}

function putLanguage() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-zh]")) element.textContent = element.dataset[language];
  for (const element of document.querySelectorAll("[data-zh-label]")) {
    element.setAttribute("aria-label", element.dataset[`${language}Label`]);
  }
  $("language").textContent = language === "zh" ? "English" : "中文";
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  document.title = TEXT[language].title;
}

const newest = (event, before) =>
  [{ ...event, at: new Date().toLocaleTimeString("zh-CN", { hour12: false }) }, ...before].slice(0, 12);

// ---------------------------------------------------------------------------------------------------- what is done

function withTear(command) {
  // The next card is taken away after so many operations of the reader, once.
  if ($("tear").checked) {
    command.leave_after = Math.max(0, Math.trunc(Number($("after").value)) || 0);
    $("tear").checked = false;
  }
  return command;
}

function wire({ cards, pick, showCards, showLanguage }) {
  $("network").addEventListener("change", () => say({ do: "network", up: $("network").checked }));
  $("find").addEventListener("input", showCards);
  $("language").addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    localStorage.setItem("till-language", language);
    showLanguage();
  });
  const reader = $("reader");
  reader.addEventListener("dragover", (event) => { event.preventDefault(); reader.classList.add("over"); });
  reader.addEventListener("dragleave", () => reader.classList.remove("over"));
  reader.addEventListener("drop", (event) => {
    event.preventDefault();
    reader.classList.remove("over");
    const card = event.dataTransfer.getData("text/plain");
    if (cards().includes(card)) pick(card);
  });
}
