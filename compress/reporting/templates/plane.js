"use strict";
// Moves the circles of a chart when another figure is chosen, shows what is pointed at, keeps what is selected.
// All places were computed before: nothing is calculated here but which point is nearest and who is on the front.
(() => {
  const make = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const NEAR_PX = 30;

  function start(root) {
    const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const [left, right, top, bottom] = data.frame;
    const svg = root.querySelector("svg"), tip = root.querySelector(".tip"), missing = root.querySelector(".missing");
    const marks = [...svg.querySelectorAll(".spot")];
    const choice = Object.fromEntries([...root.querySelectorAll("select")].map(one => [one.dataset.axis, one]));
    const details = [...document.querySelectorAll("[data-detail]")], rows = [...document.querySelectorAll("tr[data-row]")];
    let places = [];

    function draw() {
      const x = data.figures[choice.x.value], y = data.figures[choice.y.value], area = data.figures[choice.area.value];
      places = marks.map(mark => {
        const index = Number(mark.dataset.index), px = x.places[index], py = y.places[index];
        if (!px || !py) return null;
        const radius = area ? (area.places[index] ? area.places[index][2] : data.radius[1]) : data.radius[0];
        return {mark, x: px[0], y: py[1], radius};
      });
      marks.forEach((mark, index) => {
        const place = places[index];
        mark.classList.toggle("gone", !place);
        if (!place) return;
        mark.setAttribute("transform", `translate(${place.x} ${place.y})`);
        for (const circle of mark.querySelectorAll("circle")) circle.setAttribute("r", place.radius + Number(circle.dataset.more || 0));
      });
      places = places.filter(Boolean);
      names();
      axes(x, y);
      svg.querySelector(".front-line").setAttribute("d", staircase(x.better, y.better));
      svg.querySelector("title").textContent = `${y.title} against ${x.title}`;
      svg.querySelector("desc").textContent = "";
      say(x, y);
      stop(places.some(place => place.mark.tabIndex === 0) ? null : places[0] && places[0].mark);
    }

    function names() { // those on top choose first; where there is no room, no name
      const taken = [];
      for (const {mark, x, y, radius} of [...places].reverse()) {
        const text = mark.querySelector("text");
        if (!text) continue;
        const half = text.textContent.length * 4.2 + 2, low = y - radius - 5, box = [x - half, low - 12, x + half, low + 2];
        const free = taken.every(other => box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1]);
        text.setAttribute("y", -radius - 5);
        text.classList.toggle("crowded", !free);
        if (free) taken.push(box);
      }
    }

    function axes(x, y) {
      const grid = [], ticks = [], walls = [];
      for (const [at, label] of y.ticks[1]) {
        grid.push(make("line", {x1: left, x2: right, y1: at, y2: at}));
        ticks.push(make("text", {x: left - 8, y: at + 4, "text-anchor": "end"}, label));
      }
      for (const [at, label] of x.ticks[0]) {
        grid.push(make("line", {x1: at, x2: at, y1: top, y2: bottom}));
        ticks.push(make("text", {x: at, y: bottom + 18, "text-anchor": "middle"}, label));
      }
      for (const [[at, to]] of x.walls) {
        walls.push(make("rect", {x: Math.min(at, to), y: top, width: Math.abs(to - at), height: bottom - top}));
        walls.push(make("line", {x1: at, x2: at, y1: top, y2: bottom}));
      }
      for (const [, [at, to]] of y.walls) {
        walls.push(make("rect", {x: left, y: Math.min(at, to), width: right - left, height: Math.abs(to - at)}));
        walls.push(make("line", {x1: left, x2: right, y1: at, y2: at}));
      }
      svg.querySelector(".grid").replaceChildren(...grid);
      svg.querySelector(".ticks").replaceChildren(...ticks);
      svg.querySelector(".walls").replaceChildren(...walls);
      const titles = svg.querySelectorAll(".axis text");
      titles[0].textContent = x.axis; titles[1].textContent = y.axis;
    }

    function say(x, y) {
      const said = [], gone = marks.length - places.length;
      const better = one => one.better ? `${one.title}: ${one.better === "maximize" ? "higher" : "lower"} is better` : "";
      said.push(...[y, x].map(better).filter(Boolean));
      for (const one of [y, x]) for (const [[, , label]] of one.walls) said.push(`${one.title} must be ${label}`);
      for (const one of [y, x]) for (const label of one.beyond) said.push(`${one.title} must be ${label}, far outside the chart`);
      if (gone) said.push(`${gone} of ${marks.length} without these figures or far outside the chart`);
      missing.textContent = said.join(" · ");
    }

    function staircase(x, y) {
      if (!x || !y || choice.x.value === choice.y.value) return "";
      const across = x === "minimize" ? 1 : -1, along = y === "maximize" ? 1 : -1, best = [];
      const able = places.filter(place => !place.mark.classList.contains("out"));
      able.sort((one, other) => (one.x - other.x) * across || (one.y - other.y) * along);
      for (const place of able) if (!best.length || place.y * along < best[best.length - 1].y * along) best.push(place);
      return best.length < 2 ? "" : `M${best[0].x},${best[0].y}` + best.slice(1).map(({x, y}) => `H${x}V${y}`).join("");
    }

    function stop(mark) { // the one circle that Tab stops at
      if (mark) for (const one of marks) one.setAttribute("tabindex", one === mark ? "0" : "-1");
    }

    function point(place) {
      for (const mark of marks) mark.classList.toggle("pointed", place !== null && mark === place.mark);
      tip.hidden = place === null;
      if (place === null) return;
      const here = places.filter(other => other !== place && Math.hypot(other.x - place.x, other.y - place.y) < 2);
      const also = here.map(other => other.mark.dataset.tip.split("\n")[0]);
      tip.textContent = place.mark.dataset.tip + (also.length ? `\nalso here: ${also.slice(0, 5).join(", ")}${also.length > 5 ? " …" : ""}` : "");
      const box = svg.getBoundingClientRect(), outer = tip.parentElement.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
      const x = box.left - outer.left + place.x * scale, y = box.top - outer.top + place.y * scale, away = place.radius * scale + 8;
      const width = tip.offsetWidth, height = tip.offsetHeight;
      const side = x + away + width <= outer.width ? x + away : x - away - width;
      tip.style.left = `${Math.max(0, Math.min(side, outer.width - width))}px`;
      const clear = side >= 0 ? y - height / 2 : y + away;
      tip.style.top = `${Math.max(0, Math.min(clear, Math.max(0, outer.height - height)))}px`;
    }

    function select(mark) {
      for (const one of marks) one.setAttribute("aria-selected", String(one === mark));
      for (const one of details) one.hidden = one.dataset.detail !== mark.dataset.key;
      for (const row of rows) row.classList.toggle("selected", row.dataset.row === mark.dataset.key);
      stop(mark);
    }

    function nearest(event) {
      const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
      let found = null, least = Infinity;
      for (const place of places) {
        const away = Math.hypot(event.clientX - box.left - place.x * scale, event.clientY - box.top - place.y * scale);
        const edge = Math.max(NEAR_PX, place.radius * scale);
        if (away <= edge && away < least) { found = place; least = away; }
      }
      return found;
    }

    const placeOf = mark => places.find(place => place.mark === mark) || null;
    const STEPS = {ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowUp: ["y", -1], ArrowDown: ["y", 1]};
    svg.addEventListener("pointermove", event => point(nearest(event)));
    svg.addEventListener("pointerleave", () => point(placeOf(document.activeElement)));
    svg.addEventListener("click", event => { const place = nearest(event); if (place) { select(place.mark); place.mark.focus({preventScroll: true}); point(place); } });
    svg.addEventListener("focusin", event => point(placeOf(event.target)));
    svg.addEventListener("focusout", () => point(null));
    svg.addEventListener("keydown", event => {
      const mark = event.target.closest(".spot");
      if (!mark || event.ctrlKey || event.altKey || event.metaKey) return;
      let next = null;
      if (event.key in STEPS) {
        const [axis, by] = STEPS[event.key];
        const order = [...places].sort((one, other) => one[axis] - other[axis] || Number(one.mark.dataset.index) - Number(other.mark.dataset.index));
        next = order[order.findIndex(place => place.mark === mark) + by];
      } else if (event.key === "Home") next = places[0];
      else if (event.key === "End") next = places[places.length - 1];
      else if (event.key === "Escape") return point(null);
      else if (event.key !== "Enter" && event.key !== " ") return;
      else select(mark);
      event.preventDefault();
      if (next) { stop(next.mark); next.mark.focus({preventScroll: true}); }
    });
    for (const row of rows) row.addEventListener("click", event => {
      const mark = marks.find(one => one.dataset.key === row.dataset.row);
      if (mark && !event.target.closest("a, summary")) select(mark);
    });
    for (const one of Object.values(choice)) one.addEventListener("change", draw);
    root.querySelector(".choose").hidden = false;
    draw();
    const first = marks.find(mark => mark.getAttribute("aria-selected") === "true");
    if (first) select(first);
  }

  document.querySelectorAll("[data-plane]").forEach(start);
})();
