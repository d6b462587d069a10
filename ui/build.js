// Builds what the pages load into src/snowmelt/serve/static, with the licences of it.
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, constants } from "node:zlib";

const OUT = "src/snowmelt/serve/static";
rmSync(OUT, { recursive: true, force: true }); // with its stamp: half a build is none
mkdirSync(OUT, { recursive: true });

const built = await build({
  entryPoints: ["ui/app.js", "ui/charts.js", "ui/theme.js", "ui/style.css"],
  outdir: OUT,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2021", "chrome123", "firefox120", "safari17.5"],
  legalComments: "linked",
  logLevel: "warning",
});
if (built.warnings.length) { // a brace that is missing leaves half a page without its look
  rmSync(OUT, { recursive: true, force: true });
  process.exit(1);
}

for (const name of ["icon.svg"]) {
  writeFileSync(join(OUT, name), readFileSync(join("ui", name)));
}
for (const name of readdirSync(OUT)) {
  const content = readFileSync(join(OUT, name));
  writeFileSync(join(OUT, `${name}.gz`), gzipSync(content, { level: constants.Z_BEST_COMPRESSION }));
}
