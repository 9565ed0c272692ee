// Figures that can be pointed at, tables that can be sorted, details that are open on paper. Without it the page can be read as it is.
"use strict";
(() => {
  const WIDE = 1.6; // width over height
  const NEAR = 60; // dots from a point within which it is meant
  const BAND = "2e"; // how much of its colour a band has, of ff
  const MARK = 4; // radius of a point
  const MANY = 3; // curves from which on they can be hidden all at once
  const BELOW = 90; // room for the horizontal axis
  const LETTER = 7; // width of a letter beside an axis, about

  const create = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Black is what is written with.
  const inked = (colour) => (colour === "#000000" ? variable("--ink") : colour);

  const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const power = (n) => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((digit) => SUPERSCRIPTS[digit]).join("");
  const number = (value, digits = 6) => {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-4 || size >= 1e15) return value.toExponential(3);
    if (Number.isInteger(value)) return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
    return String(Number(value.toPrecision(Math.max(digits, Math.floor(Math.log10(size)) + 1))));
  };
  const mark = (value) => {
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential().replace("e+", "e") : number(value, 8);
  };

  // Of a logarithmic axis: lines at every digit of every decade, numbers at decades, and at 2 and 5 where there are few.
  const lines = (least, most) => {
    const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
    const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return decades.flatMap((decade) => [1, 2, 3, 4, 5, 6, 7, 8, 9].map((factor) => Number(`${factor}e${decade}`)))
      .filter((line) => line >= least && line <= most);
  };
  const decimal = (line, places) => {
    const decade = Math.floor(Math.log10(line) + 1e-9);
    const factor = Math.round(line / 10 ** decade);
    const numbered = places[places.length - 1] / places[0] < 1000 ? [1, 2, 5] : [1];
    if (!numbered.includes(factor)) return "";
    return (factor === 1 ? "10" : `${factor}·10`) + power(decade);
  };

  // Small pictures of a series, beside its name.
  const shapes = {
    circle: (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    triangle: (x, y, r) => `M${x} ${y - r * 1.3}L${x + r * 1.2} ${y + r * 0.8}L${x - r * 1.2} ${y + r * 0.8}Z`,
    cross: (x, y, r) => `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`,
  };
  const symbol = (series) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const [width, height] = [22, 12];
    const attributes = (element, all) => Object.entries(all).forEach(([name, value]) => element.setAttribute(name, value));
    attributes(svg, { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const line = series.line ? `M0 ${height / 2}H${width}` : shapes[series.shape](width / 2, height / 2, MARK);
    const fill = series.line || series.shape === "cross" ? "none" : "currentColor";
    attributes(path, { d: line, stroke: "currentColor", "stroke-width": series.line || fill === "none" ? 2 : 0, fill });
    if (series.line && series.dashes) path.setAttribute("stroke-dasharray", series.dashes.join(" "));
    svg.style.color = inked(series.colour);
    svg.append(path);
    return svg;
  };

  // What uPlot does not draw itself: bands of means, errors, points, levels.
  const onCanvas = (plot, figure) => {
    const context = plot.ctx;
    const dots = devicePixelRatio;
    const place = (x, y) => [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)];
    context.save();
    context.beginPath();
    context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    context.clip();
    for (const level of figure.levels) {
      const [, y] = place(figure.x.range[0], level);
      context.strokeStyle = variable("--ink");
      context.lineWidth = dots;
      context.setLineDash([6 * dots, 4 * dots]);
      context.stroke(new Path2D(`M${plot.bbox.left} ${y}h${plot.bbox.width}`));
    }
    context.setLineDash([]);
    // The error of a value on a logarithmic axis may reach below zero.
    const end = (series, i, which) => (figure.y.log && series[which][i] <= 0 ? series.y[i] : series[which][i]);
    const isMean = (series, i) => series.seeds !== undefined && series.seeds[i] > 1;
    figure.series.forEach((series, index) => {
      if (!plot.series[index + 1].show || !series.low) return;
      const colour = inked(series.colour);
      const means = series.x.map((_, i) => i).filter((i) => isMean(series, i) && series.low[i] !== null);
      const around = [...means.map((i) => place(series.x[i], end(series, i, "low"))),
        ...means.toReversed().map((i) => place(series.x[i], end(series, i, "high")))];
      context.fillStyle = colour + BAND;
      if (around.length > 2) context.fill(new Path2D("M" + around.map((point) => point.join(" ")).join("L") + "Z"));
      context.strokeStyle = means.length === 1 ? colour + BAND : colour;
      context.lineWidth = (means.length === 1 ? 10 : 2) * dots;
      series.x.forEach((x, i) => {
        if (series.low[i] === null || (isMean(series, i) && means.length > 1)) return;
        const [low, high] = [place(x, end(series, i, "low")), place(x, end(series, i, "high"))];
        context.stroke(new Path2D(`M${low.join(" ")}L${high.join(" ")}`));
      });
    });
    figure.series.forEach((series, index) => {
      if (!plot.series[index + 1].show || series.line) return;
      context.fillStyle = context.strokeStyle = inked(series.colour);
      context.lineWidth = 2 * dots;
      series.x.forEach((x, i) => {
        const [left, top] = place(x, series.y[i]);
        const path = new Path2D(shapes[series.shape](left, top, MARK * dots));
        series.shape === "cross" ? context.stroke(path) : context.fill(path);
        if (!series.bound || !series.bound[i]) return;
        context.fillStyle = variable("--ground");
        context.fill(new Path2D(shapes.circle(left, top, (MARK * dots) / 2)));
        context.fillStyle = inked(series.colour);
      });
    });
    context.restore();
  };

  // The point that is pointed at, if one is near.
  const nearest = (plot, figure) => {
    const { left, top } = plot.cursor;
    let best = null;
    let least = NEAR * NEAR;
    if (left === undefined || left < 0) return best;
    figure.series.forEach((series, index) => {
      if (!plot.series[index + 1].show) return;
      series.x.forEach((x, i) => {
        const [dx, dy] = [plot.valToPos(x, "x") - left, plot.valToPos(series.y[i], "y") - top];
        const distance = dx * dx + dy * dy;
        if (distance < least) [best, least] = [{ series, i, left: left + dx, top: top + dy }, distance];
      });
    });
    return best;
  };
  const described = (figure, { series, i }) => {
    const bound = series.bound && series.bound[i] ? "≥ " : "";
    const lines = [series.label, `${figure.x.label}: ${number(series.x[i])}`, `${figure.y.label}: ${bound}${number(series.y[i])}`];
    const low = series.low && series.low[i];
    const seeds = series.seeds ? series.seeds[i] : 1;
    if (low !== undefined && low !== null && low !== false) {
      const what = seeds > 1 ? `${seeds} seeds` : "68%";
      lines.push(`${what}: ${number(low, 5)} … ${number(series.high[i], 5)}`);
    }
    return lines;
  };

  // Long names of axes are smaller, to fit beside a figure of so many dots.
  const axis = (of, length) => ({
    stroke: () => variable("--ink"),
    grid: { stroke: () => variable("--grid"), width: 1 },
    ticks: { stroke: () => variable("--grid"), width: 1 },
    label: of.label,
    labelSize: 22,
    space: 60,
    labelFont: `${Math.max(9, Math.min(14, length / (0.6 * of.label.length)))}px system-ui, sans-serif`,
    font: "12px system-ui, sans-serif",
    values: (_, places) => places.map((place) => (of.log ? decimal(place, places) : mark(place))),
    ...(of.log ? { splits: (_plot, _axis, least, most) => lines(least, most), filter: (_, places) => places } : {}),
  });
  const scale = (of) => ({ time: false, distr: of.log ? 3 : 1, range: () => of.range });

  const room = (marks) => 16 + LETTER * Math.max(3, ...(marks ?? []).map((mark) => mark.length));
  const height = (width) => Math.max(280, Math.min(480, Math.round(width / WIDE)));
  const options = (figure, width, tip, ring) => ({
    width,
    height: height(width),
    legend: { show: false },
    cursor: { points: { show: false }, drag: { x: true, y: false } },
    scales: { x: scale(figure.x), y: scale(figure.y) },
    axes: [axis(figure.x, width - BELOW), { ...axis(figure.y, height(width) - BELOW), size: (_, marks) => room(marks) }],
    series: [{}, ...figure.series.map((series) => ({
      label: series.label,
      stroke: () => inked(series.colour),
      width: 2,
      dash: series.dashes,
      spanGaps: true,
      points: { show: false },
      // Only means are joined.
      paths: series.line || series.seeds ? undefined : () => null,
    }))],
    hooks: {
      draw: [(plot) => onCanvas(plot, figure)],
      setCursor: [(plot) => {
        const found = nearest(plot, figure);
        tip.hidden = ring.hidden = !found;
        if (!found) return;
        tip.replaceChildren(...described(figure, found).map((line, i) => create("div", {}, i === 0 ? create("strong", {}, line) : line)));
        const over = plot.over;
        const right = found.left > over.clientWidth / 2;
        tip.style.left = right ? "" : `${over.offsetLeft + found.left + 12}px`;
        tip.style.right = right ? `${tip.parentElement.clientWidth - over.offsetLeft - found.left + 12}px` : "";
        tip.style.top = `${over.offsetTop + Math.max(0, found.top - 30)}px`;
        [ring.style.left, ring.style.top] = [`${over.offsetLeft + found.left}px`, `${over.offsetTop + found.top}px`];
      }],
    },
  });

  // The names of the series, each once, as switches.
  const names = (figure, plot) => {
    const list = create("ul", { class: "names", "aria-label": "Curves that are shown" });
    const drawn = figure.series.filter((series, i) => figure.series.findIndex((other) => other.label === series.label) === i);
    const buttons = drawn.map((series) => create("button", { type: "button", "aria-pressed": "true" }, symbol(series), series.label));
    const isShown = (button) => button.getAttribute("aria-pressed") === "true";
    const show = (places, shown) => plot().batch(() => places.forEach((place) => {
      buttons[place].setAttribute("aria-pressed", String(shown));
      figure.series.forEach((other, i) => {
        if (other.label === drawn[place].label) plot().setSeries(i + 1, { show: shown });
      });
    }));
    buttons.forEach((button, place) => button.addEventListener("click", () => show([place], !isShown(button))));
    if (buttons.length > MANY) {
      const all = create("button", { type: "button", class: "all" }, "all or none");
      all.addEventListener("click", () => show([...buttons.keys()], !buttons.some(isShown)));
      list.append(create("li", {}, all));
    }
    list.append(...buttons.map((button) => create("li", {}, button)));
    return list;
  };

  const draw = (figure) => {
    const place = document.getElementById(`figure-${figure.name}`);
    const still = place.querySelector(".still");
    const tip = create("div", { class: "tip" });
    const ring = create("div", { class: "ring" });
    tip.hidden = ring.hidden = true;
    const canvas = create("div", { class: "canvas", role: "img", "aria-labelledby": still.getAttribute("aria-labelledby") });
    const live = create("div", { class: "live" });
    still.after(live);
    const data = uPlot.join(figure.series.map((series) => [series.x, series.y]));
    const plot = new uPlot(options(figure, live.clientWidth, tip, ring), data, canvas);
    canvas.append(tip, ring);
    live.append(names(figure, () => plot), canvas);
    place.classList.add("drawn");
    const resize = () => {
      if (live.clientWidth === 0 || live.clientWidth === plot.width) return;
      plot.setSize({ width: live.clientWidth, height: height(live.clientWidth) });
    };
    new ResizeObserver(() => requestAnimationFrame(resize)).observe(live);
    return { plot, live, figure };
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const key = (row, column) => {
      const field = row.cells[column];
      const text = field.dataset.value;
      return text === undefined ? field.textContent : Number(text);
    };
    const compare = (a, b) => {
      if (typeof a === "number" && typeof b === "number") return a - b;
      // What is not known comes last, texts after numbers.
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      return a.localeCompare(b, "en", { numeric: true });
    };
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = create("button", { type: "button" }, heading.textContent);
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const falling = heading.getAttribute("aria-sort") === "ascending";
        [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        const known = rows.filter(([value]) => value !== "");
        known.sort(([a], [b]) => (falling ? compare(b, a) : compare(a, b)));
        body.append(...[...known, ...rows.filter(([value]) => value === "")].map(([, row]) => row));
      });
    });
  };

  document.documentElement.classList.add("scripted");
  const drawn = JSON.parse(document.getElementById("plots").textContent).map(draw);
  document.querySelectorAll("table[data-sortable]").forEach(sortable);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(({ plot, live, figure }) => {
    live.querySelectorAll(".names svg").forEach((svg, i) => {
      const labels = [...new Set(figure.series.map((series) => series.label))];
      svg.style.color = inked(figure.series.find((series) => series.label === labels[i]).colour);
    });
    plot.redraw();
  }));
  const closed = () => document.querySelectorAll("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...closed()];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
})();
