// Charts of dashboards: lines, areas and bars, drawn as SVG by ECharts.
import * as echarts from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
import { brief, exact, write } from "./format.js";
import { axis } from "./moments.js";

echarts.use([
  BarChart,
  LineChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  SVGRenderer,
]);

const LABELLED_MAX = 14;
const LYING_MAX = 24;
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "pin"];
const DASHES = ["solid", [7, 4], [2, 3], [9, 3, 2, 3], "solid", [7, 4]];
const DECALS = [
  null,
  { dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: Math.PI / 4 },
  { dashArrayX: [[2, 6]], dashArrayY: [2, 6], symbol: "circle" },
  { dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: -Math.PI / 4 },
  { dashArrayX: [1, 0], dashArrayY: [2, 4] },
  { dashArrayX: [[4, 4], [0, 4, 4, 0]], dashArrayY: [4, 0] },
];
const drawn = new Map();
let hasDrawn = false;

// A custom property is a text that may depend on the theme: an element resolves it.
function colours() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const of = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  try {
    return allColours(of);
  } finally {
    probe.remove();
  }
}

function allColours(of) {
  return {
    series: ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"].map(of),
    text: of("--ink-soft"),
    line: of("--line"),
    card: of("--card"),
    ink: of("--ink"),
    font: getComputedStyle(document.body).fontFamily,
  };
}

// The series of a chart: the name of each, and of each x its value and where it leads.
function seriesOf(spec) {
  const found = new Map(spec.series ? [] : spec.names.map((name) => [name, new Map()]));
  spec.rows.forEach((row, place) => {
    const href = spec.hrefs?.[place];
    const put = (name, y) => {
      if (!found.has(name)) found.set(name, new Map());
      found.get(name).set(row[0], { y, href });
    };
    if (spec.series) put(String(row[2] ?? "–"), row[1]);
    else spec.names.forEach((name, index) => put(name, row[1 + index]));
  });
  return [...found].map(([name, values]) => ({ name, values }));
}

function option(spec, still, width) {
  const c = colours();
  const narrow = width < 420;
  const along = axis([...new Set(spec.rows.map((row) => row[0]))]);
  const all = seriesOf(spec);
  const isBar = spec.kind === "bar";
  const lying = isBar && along.kind === "names" && along.values.length <= LYING_MAX && (all.length === 1 || spec.stacked);
  const category = {
    type: "category",
    data: along.labels,
    inverse: lying,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: c.line } },
    axisLabel: { color: c.text, fontSize: 12, hideOverlap: true, ...(lying ? { width: narrow ? 96 : 150, overflow: "truncate" } : {}) },
    boundaryGap: isBar,
  };
  const value = {
    type: "value",
    splitNumber: lying && narrow ? 2 : lying || narrow ? 3 : 5,
    axisLabel: { color: c.text, fontSize: 12, hideOverlap: true, formatter: (v) => brief(spec.format, v) },
    splitLine: { lineStyle: { color: c.line, opacity: 0.6 } },
  };
  const many = all.length > 1;
  return {
    animation: !still,
    animationDuration: 250,
    textStyle: { fontFamily: c.font },
    aria: { enabled: true, decal: { show: false } },
    color: c.series,
    grid: { left: 8, right: lying && !many ? 64 : 18, top: many ? 38 : 14, bottom: 4, outerBoundsMode: "same" },
    legend: many ? { top: 0, left: 0, right: 0, type: narrow && all.length > 3 ? "scroll" : "plain", icon: isBar || spec.stacked ? "roundRect" : undefined, itemWidth: isBar || spec.stacked ? 12 : 22, itemHeight: 10, textStyle: { color: c.text } } : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: c.card,
      borderColor: c.line,
      textStyle: { color: c.ink, fontSize: 13, fontFamily: c.font },
      axisPointer: { type: isBar ? "shadow" : "line" },
      valueFormatter: (v) => exact(spec.format, v),
    },
    xAxis: lying ? value : category,
    yAxis: lying ? category : value,
    series: all.map((each, index) => ({
      name: each.name,
      type: isBar ? "bar" : "line",
      stack: spec.stacked && many ? "all" : undefined,
      cursor: spec.hrefs ? "pointer" : "default",
      areaStyle: spec.kind === "area" ? { opacity: many ? 0.32 : 0.16 } : undefined,
      symbol: SYMBOLS[index % SYMBOLS.length],
      symbolSize: 6,
      showSymbol: along.values.length < 3 || (many && along.values.length <= 30),
      lineStyle: { width: 2, type: many ? DASHES[index % DASHES.length] : "solid" },
      barMaxWidth: 26,
      label: lying && !many && along.values.length <= LABELLED_MAX ? { show: true, position: "right", color: c.text, fontSize: 12, formatter: (p) => (spec.format ? write(spec.format, p.value) : brief(null, p.value)) } : undefined,
      itemStyle: isBar ? { borderRadius: spec.stacked ? 0 : lying ? [0, 3, 3, 0] : [3, 3, 0, 0], decal: many ? decal(index, c) : undefined } : {},
      data: along.values.map((x) => {
        const at = each.values.get(x);
        const y = at === undefined || at.y === null ? null : Number(at.y);
        return at?.href ? { value: y, href: at.href } : y;
      }),
    })),
  };
}

// A pattern tells series apart without shouting: colours and the legend's order do, too.
function faint(colour) {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.32)");
}

function decal(index, c) {
  const found = DECALS[index % DECALS.length];
  return found ? { color: faint(c.card), symbolSize: 1, ...found } : { symbol: "none" };
}

function draw(element) {
  const spec = JSON.parse(element.dataset.chart);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches || hasDrawn;
  let chart = drawn.get(element);
  if (!chart) {
    chart = echarts.init(element, null, { renderer: "svg" });
    drawn.set(element, chart);
    chart.on("click", (event) => {
      if (event.data?.href) location.assign(event.data.href);
    });
    new ResizeObserver(() => resize(element, chart)).observe(element);
  }
  chart.setOption(option(spec, still, element.clientWidth), true);
}

function resize(element, chart) {
  if (!element.isConnected || !element.clientWidth) return;
  chart.resize();
}

export function drawAll() {
  for (const [element, chart] of drawn) {
    if (!element.isConnected) {
      chart.dispose();
      drawn.delete(element);
    }
  }
  document.querySelectorAll("[data-chart]").forEach(draw);
  hasDrawn = true;
}

window.snowmeltCharts = { drawAll, write };
drawAll();
