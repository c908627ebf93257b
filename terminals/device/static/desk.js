// The desk's face: shows what the desk says, puts simulated cards down and takes them away. Decides nothing.
"use strict";

const $ = (id) => document.getElementById(id);
const TOKEN = document.querySelector("meta[name=till-token]").content;
const TEXT = {
  zh: { off: "灯灭", white: "白灯", green: "绿灯", amber: "黄灯", red: "红灯", drop: "请在此放卡", lies: "卡片在读卡区",
        lost: "与读卡程序的连接已断开，正在重连…", online: "服务器：已连接", offline: "服务器：连不上", blank: "空白卡", card: "校园智能卡",
        no_service: "读卡服务没有运行", no_reader: "没有读卡器", title: "柜台读卡器",
        read: "读卡", set: "按库修正卡片", load: "充值", mark: "停用标记", prepare: "制卡" },
  en: { off: "lamp off", white: "white lamp", green: "green lamp", amber: "amber lamp", red: "red lamp",
        drop: "Put the card here", lies: "Card on the reader", lost: "Lost the desk program, trying again…",
        online: "Server: connected", offline: "Server: out of reach", blank: "Blank card", card: "Campus card",
        no_service: "The reader service is not running", no_reader: "No reader", title: "Desk reader",
        read: "Read the card", set: "Set the card to the book", load: "Top up", mark: "Stop mark", prepare: "Prepare the card" },
};

let language = localStorage.getItem("till-language") || "zh";
let state = null, face = null, lying = null, ends = [];

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

async function touch(card) {
  if (lying === card) {
    await say({ do: "lift" });
    return;
  }
  const command = { do: "place", card };
  if ($("tear").checked) {
    command.leave_after = Math.max(0, Math.trunc(Number($("after").value)) || 0);
    $("tear").checked = false;
  }
  await say(command);
}

function showFace() {
  if (!face) return;
  $("job").textContent = face.job ? TEXT[language][face.job] ?? face.job : "";
  $("line1").textContent = face.line1[language];
  $("line2").textContent = face.line2[language];
  $("lamp").dataset.lamp = face.lamp;
  $("lamp").setAttribute("aria-label", TEXT[language][face.lamp]);
}

function showCards() {
  const wanted = $("find").value.trim();
  const cards = (state ? state.cards : []).filter((name) => name.includes(wanted)).slice(0, 60);
  $("cards").replaceChildren(...cards.map((name) => {
    const item = document.createElement("li");
    const card = document.createElement("button");
    card.type = "button";
    card.className = name === lying ? "plastic lies" : "plastic";
    card.draggable = true;
    card.dataset.card = name;
    const kind = document.createElement("small");
    kind.textContent = TEXT[language][name.startsWith("blank") ? "blank" : "card"];
    const number = document.createElement("strong");
    number.textContent = name;
    card.append(kind, number);
    card.addEventListener("click", () => touch(name));
    card.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", name));
    item.append(card);
    return item;
  }));
  $("reader").classList.toggle("lies", lying !== null);
  const trouble = state && (state.reader === "no_service" || state.reader === "no_reader") ? state.reader : null;
  $("reader-text").textContent = TEXT[language][trouble ?? (lying === null ? "drop" : "lies")] + (lying ? `: ${lying}` : "");
}

function showState() {
  if (!state) return;
  $("name").textContent = state.name[language];
  $("campus").textContent = state.campus || "";
  $("wallet").hidden = !state.sim;
  $("network").checked = state.plugged;
  $("online").textContent = TEXT[language][state.online ? "online" : "offline"];
  showCards();
}

function showLog() {
  $("log").replaceChildren(...ends.map((end) => {
    const item = document.createElement("li");
    const job = end.job ? `${TEXT[language][end.job] ?? end.job}：` : "";
    item.textContent = `${end.at}  ${job}${end.line1[language]} ${end.line2[language]}`;
    return item;
  }));
}

function showLanguage() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-zh]")) element.textContent = element.dataset[language];
  for (const element of document.querySelectorAll("[data-zh-label]")) {
    element.setAttribute("aria-label", element.dataset[`${language}Label`]);
  }
  $("language").textContent = language === "zh" ? "English" : "中文";
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  document.title = TEXT[language].title;
  showFace();
  showState();
  showLog();
}

function hear(event) {
  if (event.event === "display") {
    face = event;
    showFace();
    if (["done", "refused", "ended"].includes(event.state)) {
      ends = [{ ...event, at: new Date().toLocaleTimeString("zh-CN", { hour12: false }) }, ...ends].slice(0, 12);
      showLog();
    }
  } else if (event.event === "state") {
    state = event;
    lying = state.lying;
    showState();
  }
}

function listen() {
  const source = new EventSource("events");
  source.onmessage = (message) => hear(JSON.parse(message.data));
  source.onopen = () => { $("problem").textContent = ""; };
  source.onerror = () => { $("problem").textContent = TEXT[language].lost; };
}

$("network").addEventListener("change", () => say({ do: "network", up: $("network").checked }));
$("find").addEventListener("input", showCards);
$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("till-language", language);
  showLanguage();
});
$("reader").addEventListener("dragover", (event) => { event.preventDefault(); $("reader").classList.add("over"); });
$("reader").addEventListener("dragleave", () => $("reader").classList.remove("over"));
$("reader").addEventListener("drop", (event) => {
  event.preventDefault();
  $("reader").classList.remove("over");
  const card = event.dataTransfer.getData("text/plain");
  if (state && state.cards.includes(card)) touch(card);
});
showLanguage();
listen();
