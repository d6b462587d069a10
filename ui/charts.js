// Charts of dashboards: lines, areas and bars, drawn as SVG by ECharts.
import * as echarts from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  BarChart,
  LineChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  SVGRenderer,
]);

const drawn = new Map();
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

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
  };
}

// A value of a category axis, at the length that tells what it is.
function label(value) {
  const text = String(value ?? "–");
  const month = /^(\d{4}-\d\d)-01(T00:00:00.*)?$/.exec(text);
  if (month) return month[1];
  const day = /^(\d{4}-\d\d-\d\d)T00:00:00/.exec(text);
  if (day) return day[1];
  return text.replace(/T(\d\d:\d\d):\d\d.*/, " $1");
}

function byName(spec) {
  if (!spec.series) return [{ name: spec.y, values: new Map(spec.rows.map((r) => [r[0], r[1]])) }];
  const found = new Map();
  for (const [x, y, series] of spec.rows) {
    const name = String(series ?? "–");
    if (!found.has(name)) found.set(name, new Map());
    found.get(name).set(x, y);
  }
  return [...found].map(([name, values]) => ({ name, values }));
}

function option(spec, still, narrow) {
  const c = colours();
  const xs = [...new Set(spec.rows.map((row) => row[0]))];
  const lying = spec.kind === "bar" && !spec.series && !/^\d{4}-\d\d/.test(String(xs[0] ?? "")) && xs.length <= 24;
  const names = byName(spec);
  const category = {
    type: "category",
    data: xs.map(label),
    inverse: lying,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: c.line } },
    axisLabel: { color: c.text, fontSize: 12, hideOverlap: true, ...(lying ? { width: narrow ? 96 : 150, overflow: "truncate" } : {}) },
    boundaryGap: spec.kind === "bar",
  };
  const value = {
    type: "value",
    splitNumber: lying || narrow ? 3 : 5,
    axisLabel: { color: c.text, fontSize: 12, formatter: (v) => short.format(v) },
    splitLine: { lineStyle: { color: c.line, opacity: 0.6 } },
  };
  return {
    animation: !still,
    animationDuration: 250,
    aria: { enabled: true },
    color: c.series,
    grid: { left: 8, right: 16, top: names.length > 1 ? 36 : 12, bottom: 4, outerBoundsMode: "same" },
    legend: names.length > 1 ? { top: 0, left: 0, type: "plain", icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: c.text } } : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: c.card,
      borderColor: c.line,
      textStyle: { color: c.ink, fontSize: 13 },
      axisPointer: { type: spec.kind === "bar" ? "shadow" : "line" },
      valueFormatter: (v) => (v === null || v === undefined ? "–" : numbers.format(v)),
    },
    xAxis: lying ? value : category,
    yAxis: lying ? category : value,
    series: names.map(({ name, values }) => ({
      name,
      type: spec.kind === "bar" ? "bar" : "line",
      stack: spec.kind === "area" && spec.series ? "all" : undefined,
      areaStyle: spec.kind === "area" ? { opacity: 0.18 } : undefined,
      symbol: xs.length > 60 ? "none" : "circle",
      symbolSize: 5,
      showSymbol: xs.length < 3,
      lineStyle: { width: 2 },
      barMaxWidth: 26,
      itemStyle: spec.kind === "bar" ? { borderRadius: lying ? [0, 3, 3, 0] : [3, 3, 0, 0] } : {},
      data: xs.map((x) => (values.has(x) && values.get(x) !== null ? Number(values.get(x)) : null)),
    })),
  };
}

function draw(element) {
  const spec = JSON.parse(element.dataset.chart);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let chart = drawn.get(element);
  const first = !chart;
  if (first) {
    chart = echarts.init(element, null, { renderer: "svg" });
    drawn.set(element, chart);
    new ResizeObserver(() => chart.resize()).observe(element);
  }
  chart.setOption(option(spec, still || !first, element.clientWidth < 420), true);
}

export function drawAll() {
  for (const [element, chart] of drawn) {
    if (!element.isConnected) {
      chart.dispose();
      drawn.delete(element);
    }
  }
  document.querySelectorAll("[data-chart]").forEach(draw);
}

window.snowmeltCharts = { drawAll };
drawAll();
