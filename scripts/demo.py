"""Files land in a folder, gold appears: the main job, once through."""

from __future__ import annotations

import sys

from template_demo import ROOT, SETS, TemplateDemo, say


def main(arguments: list[str]) -> int:
    """Run the demo of a template, of olist without a name; return the exit code."""
    template = arguments[0] if arguments else "olist"
    if template not in SETS:
        say(f"There is no template '{template}'. Known: {', '.join(SETS)}.")
        return 2
    folder = ROOT / ".demo" / ("" if template == "olist" else template)
    landing = folder / "shop" / "landing"
    demo = TemplateDemo(folder, template, arrives_in=str(landing))
    demo.prepare()
    return demo.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
