"use strict";
// What a click does: one view at a time, of which all texts and plots are in the page already.
(async () => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
  let view = 0;
  let order = byId("slow").querySelector("[aria-sort=descending]").dataset.order;
  let onPaper = false;

  const unpacked = async (id) => {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };

  if (typeof DecompressionStream === "undefined") {
    all(".no-script")[0].textContent = "Plots need a newer browser; all numbers are in the tables.";
    return;
  }
  const data = JSON.parse(await unpacked("data"));
  const script = document.createElement("script");
  script.textContent = await unpacked("plotly");
  document.head.append(script);
  root.classList.add("script");

  // A name in a legend that is a value of a facet is a filter, as its chip is. A trace without a point is
  // there for its name alone: to hide it would say nothing.
  const plain = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;
  const chipOf = (trace) => {
    const name = trace.meta ?? plain((trace.name || "").split("<br>")[0]);
    return all("button.chip").find((each) => data.views[each.dataset.view].value === name);
  };
  const isKey = (trace) => Array.isArray(trace.x) && trace.x.every((value) => value === null);
  const chooseFromLegend = (event) => {
    const trace = event.data[event.curveNumber];
    const chip = chipOf(trace);
    if (chip) chip.click();
    return !chip && !isKey(trace);
  };
  const quietKeys = (place) => {
    for (const entry of all(".legend .traces", place)) {
      const trace = place.data[entry.__data__[0].trace.index];
      if (isKey(trace) && !chipOf(trace)) entry.querySelector(".legendtoggle").style.pointerEvents = "none";
    }
  };

  // What is drawn of a single stream has its key, maybe with a place in it, and rows with timelines have theirs.
  const rows = all("tr.stream");
  const keyed = new Map(rows.map((row) => {
    const side = row.querySelector(".side")?.textContent ?? "";
    return [[side, ...JSON.parse(row.dataset.key)].join("\n"), row];
  }));
  const rowOf = (place, id) => {
    if (!id) return undefined;
    const key = `${place.dataset.plot?.match(/-([ab])$/)?.[1].toUpperCase() ?? ""}\n${id}`;
    return keyed.get(key) ?? keyed.get(key.slice(0, key.lastIndexOf("\n")));
  };
  const idOf = ({ data: trace, pointNumber }) => trace.ids?.[pointNumber];
  const openFromPlot = (place, point) => {
    const said = place.closest("figure")?.querySelector(".opens");
    if (!said || !idOf(point)) return;
    const row = rowOf(place, idOf(point));
    said.classList.toggle("none", !row);
    if (!row) return;
    row.hidden = false; // it may be below the slowest ones
    const button = row.querySelector(".open");
    if (button.getAttribute("aria-expanded") === "false") openTimeline(row);
    button.focus({ preventScroll: true });
    row.scrollIntoView({ block: "start" });
  };
  const pointAt = (place, point) => {
    for (const each of all(".nsewdrag", place)) each.style.cursor = point && rowOf(place, idOf(point)) ? "pointer" : "";
  };

  const draw = async (place, figure) => {
    const template = structuredClone(dark.matches && !onPaper ? data.templates.dark : data.templates.light);
    const layout = { ...structuredClone(figure.layout), template, autosize: true };
    if (onPaper) { // two beside each other, as its style says
      const isTall = !place.dataset.plot || place.dataset.plot === "waterfall";
      const isWide = isTall || place.closest(".plot.full");
      const height = (isTall ? 0.84 : isWide ? 0.64 : 0.82) * (layout.height || 400);
      Object.assign(layout, { autosize: false, width: isWide ? 670 : 316, height });
    }
    if (window.matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
    try {
      Plotly.purge(place);
      const drawn = Plotly.newPlot(place, structuredClone(figure.data), layout, config);
      place.on("plotly_legendclick", chooseFromLegend);
      place.on("plotly_afterplot", () => quietKeys(place));
      place.on("plotly_click", ({ points }) => openFromPlot(place, points[0]));
      place.on("plotly_hover", ({ points }) => pointAt(place, points[0]));
      place.on("plotly_unhover", () => pointAt(place, null));
      await drawn;
      quietKeys(place);
    } catch (error) { // one plot less is no reason to lose the others
      place.textContent = `This plot could not be drawn: ${error.message || error}`;
      place.classList.add("undrawn");
    }
  };

  // All are begun at once, since before printing there is no time to wait.
  const drawPlots = () => Promise.all([
    ...all("[data-plot]").map((place) => {
      const figure = data.views[view].plots[place.dataset.plot];
      place.closest("figure").querySelector(".note").textContent = figure.note;
      const said = place.closest("figure").querySelector(".opens");
      if (said) {
        said.hidden = !figure.data.some((trace) => trace.ids?.some((id) => rowOf(place, id)));
        said.classList.remove("none");
      }
      return draw(place, figure);
    }),
    ...all(".detail .drawing").map((place) => draw(place, data.timelines[place.dataset.timeline])),
  ]);

  const closeTimeline = (row) => {
    const below = row.nextElementSibling;
    if (!below || !below.classList.contains("detail")) return false;
    Plotly.purge(below.querySelector(".drawing"));
    below.remove();
    row.querySelector(".open").setAttribute("aria-expanded", "false");
    return true;
  };

  const openTimeline = (row) => {
    if (closeTimeline(row)) return;
    const below = document.createElement("tr");
    below.className = "detail";
    const cell = below.insertCell();
    cell.colSpan = row.cells.length;
    const place = document.createElement("div");
    place.className = "drawing";
    place.dataset.timeline = row.dataset.row;
    cell.append(place);
    row.after(below);
    row.querySelector(".open").setAttribute("aria-expanded", "true");
    draw(place, data.timelines[row.dataset.row]);
  };

  const sortRows = () => {
    rows.forEach(closeTimeline);
    const value = (row) => Number(row.dataset[order.replace(/_(.)/g, (_, letter) => letter.toUpperCase())] || -1);
    rows.sort((one, other) => value(other) - value(one));
    const limit = Number(view ? byId("slow").dataset.ofAView : byId("slow").dataset.ofAll);
    let count = 0;
    for (const row of rows) {
      const isOurs = row.dataset.views.split(" ").includes(String(view)) && value(row) >= 0;
      row.hidden = !isOurs || ++count > limit;
      row.parentNode.append(row);
    }
    byId("none-slow").hidden = count > 0;
    for (const head of all("[data-order]"))
      head.setAttribute("aria-sort", head.dataset.order === order ? "descending" : "none");
  };

  const show = (number) => {
    view = number;
    const { name, streams, cells, hint } = data.views[view];
    const sum = (count) => count.toLocaleString("en");
    byId("showing").textContent = view
      ? `Showing ${name}: ${sum(streams)} of ${sum(data.views[0].streams)} streams`
      : `Showing all ${sum(streams)} streams`;
    byId("advice").textContent = hint;
    byId("clear").hidden = !view;
    byId("filter").classList.toggle("on", view > 0);
    for (const chip of all("button.chip")) chip.setAttribute("aria-pressed", String(Number(chip.dataset.view) === view));
    all("[data-cell]").forEach((cell, at) => { cell.textContent = cells[at]; });
    sortRows();
    return drawPlots();
  };

  for (const chip of all("button.chip"))
    chip.addEventListener("click", () => show(Number(chip.dataset.view) === view ? 0 : Number(chip.dataset.view)));
  byId("clear").addEventListener("click", () => {
    const chip = document.querySelector("button.chip[aria-pressed=true]");
    show(0);
    if (chip) chip.focus({ preventScroll: true });
  });
  for (const head of all("[data-order]"))
    head.addEventListener("click", () => { order = head.dataset.order; sortRows(); });
  for (const row of rows) row.addEventListener("click", () => openTimeline(row));

  await show(0);

  dark.addEventListener("change", drawPlots);
  const paper = (isPaper) => { if (isPaper !== onPaper) { onPaper = isPaper; drawPlots(); } };
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
  root.dataset.ready = "true";
})();
