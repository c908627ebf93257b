// The desk's face: shows what the desk says, puts simulated cards down and takes them away. Decides nothing.
"use strict";

const TEXT = {
  zh: { off: "灯灭", white: "白灯", green: "绿灯", amber: "黄灯", red: "红灯", drop: "请在此放卡", lies: "卡片在读卡区",
        lost: "与读卡程序的连接已断开，正在重连…", online: "服务器：已连接", offline: "服务器：连不上", blank: "空白卡", card: "校园智能卡",
        no_service: "读卡服务没有运行", no_reader: "没有读卡器", title: "柜台读卡器",
        read: "读卡", set: "按库修正卡片", load: "充值", unload: "撤销充值",
        mark: "停用标记", prepare: "制卡", extend: "延期" },
  en: { off: "lamp off", white: "white lamp", green: "green lamp", amber: "amber lamp", red: "red lamp",
        drop: "Put the card here", lies: "Card on the reader", lost: "Lost the desk program, trying again…",
        online: "Server: connected", offline: "Server: out of reach", blank: "Blank card", card: "Campus card",
        no_service: "The reader service is not running", no_reader: "No reader", title: "Desk reader",
        read: "Read the card", set: "Set the card to the book", load: "Top up",
        unload: "Take a top-up back", mark: "Stop mark", prepare: "Prepare the card", extend: "Extend the card" },
};

let state = null, face = null, lying = null, ends = [];

async function touch(card) {
  if (lying === card) {
    await say({ do: "lift" });
    return;
  }
  await say(withTear({ do: "place", card }));
}

function showFace() {
  if (!face) return;
  $("job").textContent = face.job ? TEXT[language][face.job] ?? face.job : "";
  showLamp(face);
}

function showCards() {
  const kindOf = (name) => TEXT[language][name.startsWith("blank") ? "blank" : "card"];
  showWallet(state ? state.cards : [], lying, kindOf, touch);
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
  putLanguage();
  showFace();
  showState();
  showLog();
}

function hear(event) {
  if (event.event === "display") {
    face = event;
    showFace();
    if (["done", "refused", "ended"].includes(event.state)) {
      ends = newest(event, ends);
      showLog();
    }
  } else if (event.event === "state") {
    state = event;
    lying = state.lying;
    showState();
  }
}

wire({ cards: () => (state ? state.cards : []), pick: touch, showCards, showLanguage });
showLanguage();
listen(hear);
