"""Files land in a folder, gold appears: the main job, once through."""

from __future__ import annotations

import sys

from shop_demo import ROOT, ShopDemo


def main() -> int:
    """Run the demo; return the exit code."""
    folder = ROOT / ".demo"
    demo = ShopDemo(folder, arrives_in=str(folder / "shop" / "landing"))
    demo.prepare()
    return demo.run()


if __name__ == "__main__":
    sys.exit(main())
