// The till's face: shows what the till says, plays its sounds, sends what is keyed. Decides nothing.
"use strict";

const TEXT = {
  zh: { amount: "金额", password: "密码", off: "灯灭", white: "白灯", green: "绿灯", amber: "黄灯", red: "红灯",
        drop: "请在此放卡", lies: "卡片在读卡区", unsent: (n) => `未传 ${n}`,
        offline: (max, n) => `脱机营业：单笔至多 ${max} 元，不能验证密码。${n} 笔未传，网络恢复后自动上传。`,
        stopped: (why, n) => `停止消费：${why}。${n} 笔未传。`, sending: (n) => `网络已恢复，正在上传 ${n} 笔。`,
        lost: "与收银机程序的连接已断开，正在重连…",
        paid: "已付", paid_offline: "脱机已付", voided: "已撤销", refused: "拒绝", torn: "拿卡过快", unknown: "未完成",
        balance: "查询", card: "卡", book: "库", back: "退格", clear: "清除", plastic: "校园智能卡", title: "收银机" },
  en: { amount: "Amount", password: "Password", off: "lamp off", white: "white lamp", green: "green lamp", amber: "amber lamp",
        red: "red lamp", drop: "Put the card here", lies: "Card on the reader", unsent: (n) => `${n} unsent`,
        offline: (max, n) => `Selling offline: ${max} at most, no passwords. ${n} sales wait and go up by themselves.`,
        stopped: (why, n) => `No sales: ${why}. ${n} wait to go up.`, sending: (n) => `Back online, handing over ${n} sales.`,
        lost: "Lost the till program, trying again…", paid: "Paid", paid_offline: "Paid offline", voided: "Voided",
        refused: "Refused", torn: "Taken too soon", unknown: "Not completed", balance: "Balance", card: "card",
        book: "book", back: "Back", clear: "Clear", plastic: "Campus card", title: "Till" },
};
// Segments a–g of each sign that the display knows; lower case as on real seven-segment displays.
const SEGMENTS = { "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
  "8": "abcdefg", "9": "abfgcd", "-": "g", "E": "afged", "r": "eg", "A": "abcefg", "d": "bcdeg", "y": "bcdfg", "o": "cdeg",
  "n": "ceg", "L": "def", "P": "abefg", "F": "aefg", "C": "adef", "t": "defg", "U": "bcdef", " ": "" };
const SHAPES = { a: "12,4 48,4 42,12 18,12", b: "50,6 50,48 46,52 42,48 42,14", c: "46,54 50,58 50,100 42,92 42,58",
  d: "18,94 42,94 48,102 12,102", e: "10,58 14,54 18,58 18,92 10,100", f: "10,6 18,14 18,48 14,52 10,48",
  g: "16,53 20,49 40,49 44,53 40,57 20,57" };

let state = null, face = null, digits = "", lying = null, results = [];

// ------------------------------------------------------------------------------------------------------- commands

const asksPassword = () => face !== null && face.led === "------";

function key(sign) {
  wake();
  if (asksPassword()) {
    if (/[0-9]/.test(sign)) say({ do: "keys", keys: sign });
    return;
  }
  if (sign === "back") digits = digits.slice(0, -1);
  else if (sign === "clear") digits = "";
  else if (digits.length < 7) digits = (digits + sign).replace(/^0+/, "");
  showTyped();
}

function confirm() {
  wake();
  const fen = Number(digits);
  if (!asksPassword() && fen > 0) {
    digits = "";
    showTyped();
    say({ do: "amount", fen });
  } else {
    say({ do: "confirm" });
  }
}

async function tap(card) {
  wake();
  if (lying === card) {
    lying = null;
    showCards();
    await say({ do: "lift" });
    return;
  }
  const command = withTear({ do: $("stay").checked ? "place" : "tap", card });
  lying = card;
  showCards();
  await say(command);
}

// --------------------------------------------------------------------------------------------------------- display

function sign(char, point) {
  const on = SEGMENTS[char] ?? "";
  const segments = Object.entries(SHAPES)
    .map(([name, points]) => `<polygon class="s${on.includes(name) ? " on" : ""}" points="${points}"/>`).join("");
  return `<svg viewBox="0 0 66 106" aria-hidden="true">${segments}<circle class="s${point ? " on" : ""}" cx="58" cy="98" r="5"/></svg>`;
}

function showLed(text) {
  // A point lights up behind its digit and takes no place of its own.
  const signs = [];
  for (const char of text) {
    if (char === "." && signs.length) signs[signs.length - 1][1] = true;
    else signs.push([char, false]);
  }
  while (signs.length < 6) signs.unshift([" ", false]);
  const box = $("led");
  box.replaceChildren();
  for (const [char, point] of signs.slice(-6)) box.insertAdjacentHTML("beforeend", sign(char, point));
}

function showFace() {
  if (!face) return;
  showLed(face.led);
  $("spoken").textContent = face.led.trim();
  showLamp(face);
  showTyped();
}

function showTyped() {
  const password = asksPassword();
  $("typed-label").textContent = TEXT[language][password ? "password" : "amount"];
  $("typed").textContent = password ? "" : (Number(digits) / 100).toFixed(2);
}

function showCards() {
  showWallet(state ? state.cards : [], lying, () => TEXT[language].plastic, tap);
  $("reader-text").textContent = lying === null ? TEXT[language].drop : `${TEXT[language].lies}: ${lying}`;
}

function showState() {
  if (!state) return;
  $("name").textContent = state.name[language];
  $("merchant").textContent = state.merchant || state.campus || "";
  $("wallet").hidden = !state.sim;
  $("network").checked = state.plugged;
  $("unsent").textContent = TEXT[language].unsent(state.unsent);
  showLine();
  showCards();
}

function showLine() {
  // What the operator must know about the line before the next holder stands there.
  const words = TEXT[language], line = $("line");
  const stopped = state.stopped && (!state.online || state.storage) ? state.stopped[language] : "";
  line.className = stopped ? "stopped" : state.online ? "sending" : "";
  line.textContent = stopped ? words.stopped(stopped, state.unsent)
    : state.online ? words.sending(state.unsent) : words.offline((state.sale_max_fen / 100).toFixed(2), state.unsent);
  line.hidden = state.online && !stopped && state.unsent === 0;
}

function showLog() {
  const words = TEXT[language];
  const yuan = (fen) => (fen === null ? "–" : (fen / 100).toFixed(2));
  $("log").replaceChildren(...results.map((result) => {
    const item = document.createElement("li");
    item.textContent = `${result.at}  ${words[result.outcome] ?? result.outcome}`
      + (result.refusal ? ` (${result.refusal})` : "") + `  ${words.card} ${yuan(result.card_fen)}  ${words.book} ${yuan(result.book_fen)}`
      + (result.key ? `  ${result.key}` : "");
    return item;
  }));
}

function showLanguage() {
  putLanguage();
  for (const [id, word] of [["key-back", "back"], ["key-clear", "clear"]]) $(id).setAttribute("aria-label", TEXT[language][word]);
  showFace();
  showState();
  showCards();
  showLog();
}

// ---------------------------------------------------------------------------------------------------------- sounds

let audio = null, playing = null;

function wake() {
  // Browsers allow sound only after the first touch.
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume();
}

function play(sound) {
  hush(true);
  if (!audio || $("sound").getAttribute("aria-pressed") === "false") return;
  const tone = audio.createOscillator(), volume = audio.createGain();
  tone.type = "square";
  tone.frequency.value = { OK: 1760, ALARM: 2400, RETRY: 1200 }[sound.sound];
  volume.gain.value = 0;
  tone.connect(volume).connect(audio.destination);
  const start = audio.currentTime + 0.01, round = (sound.on_ms + sound.off_ms) / 1000;
  const rounds = Math.max(1, Math.floor(sound.longest_ms / (sound.on_ms + sound.off_ms)));
  for (let turn = 0; turn < rounds; turn += 1) {
    volume.gain.setValueAtTime(0.08, start + turn * round);
    volume.gain.setValueAtTime(0, start + turn * round + sound.on_ms / 1000);
  }
  tone.start(start);
  tone.stop(start + rounds * round);
  playing = { tone, volume, least: start + sound.least * round };
}

function hush(now) {
  if (!playing) return;
  const at = now ? audio.currentTime : Math.max(audio.currentTime, playing.least);
  playing.tone.stop(at);
  playing = null;
}

// ---------------------------------------------------------------------------------------------------------- events

function hear(event) {
  if (event.event === "display") {
    face = event;
    showFace();
  } else if (event.event === "sound") play(event);
  else if (event.event === "silence") hush(false);
  else if (event.event === "state") {
    state = event;
    lying = state.lying;
    showState();
  } else if (event.event === "result") {
    results = newest(event, results);
    showLog();
  }
}

function makeKeys() {
  for (const name of ["7", "8", "9", "4", "5", "6", "1", "2", "3", "clear", "0", "back"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.id = `key-${name}`;
    button.textContent = { clear: "C", back: "⌫" }[name] ?? name;
    button.addEventListener("click", () => key(name));
    $("keys").append(button);
  }
}

makeKeys();
$("pad").addEventListener("submit", (event) => event.preventDefault());
$("confirm").addEventListener("click", confirm);
for (const name of ["cancel", "void", "balance"]) {
  $(name).addEventListener("click", () => {
    wake();
    digits = "";
    showTyped();
    if (name === "cancel") lying = null;
    say({ do: name });
  });
}
$("upload").addEventListener("click", () => say({ do: "upload" }));
$("sound").addEventListener("click", () => {
  wake();
  const on = $("sound").getAttribute("aria-pressed") !== "true";
  $("sound").setAttribute("aria-pressed", String(on));
  if (!on) hush(true);
});
wire({ cards: () => (state ? state.cards : []), pick: tap, showCards, showLanguage });
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[0-9]$/.test(event.key)) key(event.key);
  else if (event.key === "Backspace") key("back");
  else if (event.key === "Enter" && !event.target.matches("button")) confirm();
  else if (event.key === "Escape") say({ do: "cancel" });
});
showLanguage();
listen(hear);
