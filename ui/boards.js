// Dashboards: pictures of charts, printing, and the fields of a period.
const SVG = "http://www.w3.org/2000/svg";
const SCALE = 2;
const MARGIN = 20;
const HEAD = 34;
const DRAWN = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"];

// A copy of a drawing that needs no style sheet: each part says how it looks.
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const parts = [...svg.querySelectorAll("*")];
  copy.querySelectorAll("*").forEach((part, place) => {
    const looks = getComputedStyle(parts[place]);
    for (const name of DRAWN) {
      const value = looks.getPropertyValue(name);
      if (value && !part.getAttribute(name)?.startsWith("url(")) part.setAttribute(name, value);
    }
    part.removeAttribute("style");
  });
  return copy;
}

// A chart that is a table of coloured fields, as a drawing: each field and each word
// where it stands.
function drawnFields(table) {
  const frame = table.getBoundingClientRect();
  const drawing = document.createElementNS(SVG, "svg");
  const put = (name, box, more) => {
    const part = document.createElementNS(SVG, name);
    const all = { x: box.left - frame.left, y: box.top - frame.top, ...more };
    for (const [key, value] of Object.entries(all)) part.setAttribute(key, value);
    drawing.append(part);
    return part;
  };
  table.querySelectorAll("th, td, rect").forEach((field) => {
    const [box, looks] = [field.getBoundingClientRect(), getComputedStyle(field)];
    const fill = field.localName === "rect" ? looks.fill : looks.backgroundColor;
    if (box.width && box.height) put("rect", box, { width: box.width, height: box.height, rx: 4, fill });
  });
  for (const [word, box, looks] of wordsOf(table)) {
    const middle = { left: box.left, top: box.top + box.height / 2 };
    put("text", middle, {
      fill: looks.color,
      "font-family": looks.fontFamily,
      "font-size": looks.fontSize,
      "font-weight": looks.fontWeight,
      "dominant-baseline": "central",
    }).textContent = word;
  }
  return drawing;
}

function* wordsOf(table) {
  const texts = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    const holder = texts.currentNode.parentElement;
    if (holder.closest(".skip, caption")) continue;
    for (const found of texts.currentNode.data.matchAll(/\S+/g)) {
      range.setStart(texts.currentNode, found.index);
      range.setEnd(texts.currentNode, found.index + found[0].length);
      yield [found[0], range.getBoundingClientRect(), getComputedStyle(holder)];
    }
  }
}

async function picture(button) {
  const card = button.closest(".card");
  const shown = card.querySelector("[data-chart] svg, svg.drawing, table.heat, table.funnel");
  if (!shown) return;
  const { width, height } = shown.getBoundingClientRect();
  const copy = shown.localName === "svg" ? standalone(shown) : drawnFields(shown);
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = (width + 2 * MARGIN) * SCALE;
    canvas.height = (height + 2 * MARGIN + HEAD) * SCALE;
    paint(canvas.getContext("2d"), image, card, button.dataset.picture, { width, height });
    canvas.toBlob((blob) => save(blob, `${button.dataset.picture.replace(/[^\p{L}\p{N}]+/gu, "_")}.png`), "image/png");
  } finally {
    URL.revokeObjectURL(url);
  }
}

function paint(context, image, card, title, { width, height }) {
  const looks = getComputedStyle(card);
  context.scale(SCALE, SCALE);
  context.fillStyle = looks.backgroundColor;
  context.fillRect(0, 0, width + 2 * MARGIN, height + 2 * MARGIN + HEAD);
  context.fillStyle = looks.color;
  context.font = `600 16px ${looks.fontFamily}`;
  context.fillText(title, MARGIN, MARGIN + 16, width);
  context.drawImage(image, MARGIN, MARGIN + HEAD, width, height);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-picture], [data-print]");
  if (!button) return;
  if ("print" in button.dataset) print();
  else picture(button);
});

// On paper a chart is as wide as its card: its drawing is scaled, not drawn anew.
addEventListener("beforeprint", () => {
  document.querySelectorAll("[data-chart] svg").forEach((svg) => {
    const { width, height } = svg.getBoundingClientRect();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  });
});
addEventListener("afterprint", () => {
  document.querySelectorAll("[data-chart] svg").forEach((svg) => svg.removeAttribute("viewBox"));
});

// Who writes a day means these days.
addEventListener("input", (event) => {
  const name = event.target.dataset?.custom;
  if (!name) return;
  const select = event.target.form.elements.namedItem(name);
  if (select) select.value = "custom";
});

// An address says what is chosen, and nothing of what is not.
addEventListener("formdata", (event) => {
  if (!("filters" in event.target.dataset)) return;
  const data = event.formData;
  for (const name of [...data.keys()]) {
    const chosen = name.replace(/\.(from|to)$/, "");
    if (chosen !== name && data.get(chosen) !== "custom") data.delete(name);
  }
  for (const name of [...new Set(data.keys())]) {
    const kept = data.getAll(name).filter((value) => value !== "");
    data.delete(name);
    kept.forEach((value) => data.append(name, value));
  }
});

// A list that is open is closed by what is outside of it, and by Escape.
const close = (except) => document.querySelectorAll("details.pop[open]").forEach((each) => {
  if (!except || !each.contains(except)) each.open = false;
});
addEventListener("pointerdown", (event) => close(event.target));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.activeElement?.closest("details.pop[open]");
  close();
  open?.querySelector("summary").focus();
});
