"use strict";
// The page is whole without this: it adds values under the pointer, themes, and print.
for (const plot of document.querySelectorAll(".plot")) {
  const svg = plot.querySelector("svg");
  const tip = plot.querySelector(".tip");
  const cursor = plot.querySelector(".cursor");
  const lines = [...plot.querySelectorAll(".line")].map((group) => ({
    name: group.dataset.name,
    kind: group.classList[1],
    values: JSON.parse(group.dataset.values),
  }));
  const steps = [...new Set(lines.flatMap((line) => line.values.map((v) => v[0])))];
  const places = new Map(lines.flatMap((line) => line.values.map((v) => [v[0], v[2]])));
  steps.sort((a, b) => a - b);
  let shown = -1;

  const digits = (value) => {
    const text = Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-3)
      ? value.toExponential(3) : String(Number(value.toPrecision(4)));
    return text.replace("-", "−");
  };
  const nearest = (values, step) => {
    let low = 0;
    let high = values.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle][0] < step) low = middle + 1; else high = middle;
    }
    return low && step - values[low - 1][0] < values[low][0] - step ? low - 1 : low;
  };
  const show = (place) => {
    shown = Math.max(0, Math.min(steps.length - 1, place));
    const step = steps[shown];
    const x = places.get(step);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    tip.replaceChildren();
    const head = document.createElement("b");
    head.textContent = `step ${step.toLocaleString("en").replaceAll(",", "\u202f")}`;
    tip.append(head);
    for (const line of lines) {
      const [at, value] = line.values[nearest(line.values, step)];
      const row = document.createElement("span");
      row.className = line.kind;
      row.textContent = `${line.name} ${digits(value)}${at === step ? "" : ` (at ${at})`}`;
      tip.append(row);
    }
    tip.hidden = false;
    const width = plot.clientWidth;
    const left = (x / 560) * width;
    const right = left > width / 2;
    tip.style.left = right ? "" : `${left + 12}px`;
    tip.style.right = right ? `${width - left + 12}px` : "";
  };
  const hide = () => {
    tip.hidden = true;
    cursor.setAttribute("visibility", "hidden");
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 560;
    let best = 0;
    steps.forEach((step, k) => {
      if (Math.abs(places.get(step) - x) < Math.abs(places.get(steps[best]) - x)) best = k;
    });
    show(best);
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: shown - 1, ArrowRight: shown + 1, Home: 0, End: steps.length - 1 };
    if (event.key in moves) {
      event.preventDefault();
      show(moves[event.key]);
    } else if (event.key === "Escape") {
      hide();
    }
  });
}

const button = document.getElementById("theme");
const themes = { "": "as the system", light: "light", dark: "dark" };
button.hidden = false;
button.addEventListener("click", () => {
  const names = Object.keys(themes);
  const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % 3];
  document.documentElement.dataset.theme = next;
  button.textContent = `Theme: ${themes[next]}`;
});
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
