"""A plot of time and memory against the number of Jobs, as SVG that can be read on light and on dark."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 320, 56, 24, 34, 40
# Told apart by most eyes, on white and on black.
COLOURS = {"kubectl jobclean": "#0f8a6d", "raw protobuf": "#8a7fd1", "kubectl get": "#d1702f"}
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600; font-size: 13px }
  .grid { stroke: #8884; stroke-width: 1 }
  @media (prefers-color-scheme: dark) { text { fill: #ccc } }
"""


def decades(values):
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def short(value):
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def panel(title, unit, lines, offset):
    """One diagram; both axes are logarithmic, so that a straight line at 45° is linear growth."""
    points = [point for line in lines.values() for point in line]
    x0, x1 = decades([x for x, _ in points])
    y0, y1 = decades([y for _, y in points])
    inner, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    place_x = lambda x: offset + LEFT + (math.log10(x) - x0) / (x1 - x0) * inner
    place_y = lambda y: TOP + tall - (math.log10(y) - y0) / (y1 - y0) * tall
    out = [f'<text class="title" x="{offset + LEFT}" y="18">{escape(title)}</text>']
    for power in range(x0, x1 + 1):
        x = place_x(10**power)
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + tall}"/>')
        out.append(f'<text x="{x:.1f}" y="{TOP + tall + 16}" text-anchor="middle">{short(10.0**power)}</text>')
    for power in range(y0, y1 + 1):
        y = place_y(10**power)
        out.append(f'<line class="grid" x1="{offset + LEFT}" y1="{y:.1f}" x2="{offset + WIDTH - RIGHT}" y2="{y:.1f}"/>')
        out.append(
            f'<text x="{offset + LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(10.0**power)} {unit}</text>'
        )
    out.append(f'<text x="{offset + LEFT + inner / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">Jobs</text>')
    for name, line in lines.items():
        colour = COLOURS[name]
        path = " ".join(f"{place_x(x):.1f},{place_y(y):.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{place_x(x):.1f}" cy="{place_y(y):.1f}" r="3" fill="{colour}"/>' for x, y in line]
    return out


def svg(section):
    """The plot of a `scale` section."""
    contenders = {"kubectl jobclean": "ours table", "raw protobuf": "raw protobuf", "kubectl get": "kubectl get"}

    def lines(figure, unit):
        found = {}
        for name, contender in contenders.items():
            rows = [(int(jobs), figures.get(contender, {}).get(figure)) for jobs, figures in section["sizes"].items()]
            line = sorted((jobs, value / unit) for jobs, value in rows if value)
            if figure == "peak" and name == "kubectl jobclean":
                line += [(int(jobs), figures["table"]["peak"] / unit) for jobs, figures in section["files"].items()]
            if line:
                found[name] = line
        return found

    out = panel("Time to list, plan and print", "s", lines("wall", 1), 0)
    out += panel("Peak memory (the largest: from a file)", "MB", lines("peak", 1_000_000), WIDTH)
    x = LEFT
    for name, colour in COLOURS.items():
        out.append(
            f'<circle cx="{x}" cy="{HEIGHT + 12}" r="5" fill="{colour}"/><text x="{x + 10}" y="{HEIGHT + 16}">{escape(name)}</text>'
        )
        x += 150
    body = "\n".join(out)
    size = f'viewBox="0 0 {2 * WIDTH} {HEIGHT + 28}" width="{2 * WIDTH}" height="{HEIGHT + 28}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Time and peak memory against the number of Jobs">\n<style>{STYLE}</style>\n{body}\n</svg>\n'
